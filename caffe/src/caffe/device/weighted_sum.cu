// Weighted sums of arrays: as many at once as have a kernel of their own.
#include "caffe/device/device.hpp"
#include "caffe/device/launch.hpp"
#include "caffe/device/weighted_sum.hpp"

namespace caffe {
namespace device {

namespace {

constexpr int kMost = 4;  // inputs of one pass

template <typename Dtype, int kInputs>
struct SumOf {
  const Dtype* in[kInputs];
  Dtype coeff[kInputs];
  Dtype* out;
  CAFFE_HD void operator()(int i) const {
    Dtype sum = coeff[0] * in[0][i];
    for (int k = 1; k < kInputs; ++k) sum += coeff[k] * in[k][i];
    out[i] = sum;
  }
};

template <typename Dtype>
struct Term {
  const Dtype* in;
  Dtype coeff;
};

template <int kInputs, typename Dtype>
void sum_terms(int n, const std::vector<Term<Dtype>>& terms, Dtype* out) {
  SumOf<Dtype, kInputs> body;
  for (int k = 0; k < kInputs; ++k) {
    body.in[k] = terms[k].in;
    body.coeff[k] = terms[k].coeff;
  }
  body.out = out;
  launch(n, body);
}

}  // namespace

template <typename Dtype>
void weighted_sum(int n, const std::vector<const Dtype*>& inputs,
                  const std::vector<Dtype>& coeffs, Dtype* out) {
  if (inputs.size() == 1 && (coeffs.empty() || coeffs[0] == Dtype(1))) {
    if (inputs[0] != out && n > 0) copy_on_device(out, inputs[0], sizeof(Dtype) * n);
    return;
  }
  std::vector<Term<Dtype>> terms;
  for (size_t k = 0; k < inputs.size(); ++k) {
    terms.push_back({inputs[k], coeffs.empty() ? Dtype(1) : coeffs[k]});
    if (static_cast<int>(terms.size()) < kMost && k + 1 < inputs.size()) continue;
    switch (terms.size()) {
      case 1:
        sum_terms<1>(n, terms, out);
        break;
      case 2:
        sum_terms<2>(n, terms, out);
        break;
      case 3:
        sum_terms<3>(n, terms, out);
        break;
      default:
        sum_terms<kMost>(n, terms, out);
    }
    terms = {{out, Dtype(1)}};  // what comes next is added to it
  }
}

template void weighted_sum<float>(int, const std::vector<const float*>&,
                                  const std::vector<float>&, float*);
template void weighted_sum<double>(int, const std::vector<const double*>&,
                                   const std::vector<double>&, double*);

}  // namespace device
}  // namespace caffe

// ELU, with the vectorised exp.
#include "caffe/layers/elu_layer.hpp"

#include <cmath>

#include "caffe/backend/elementwise.hpp"
#include "caffe/util/vector_math.hpp"

namespace caffe {

namespace {

constexpr std::int64_t kPiece = 1024;

// Calls use(begin, count, e) with e[i] = exp(min(x[begin + i], 0)) for pieces of x,
// threaded.
template <typename Dtype, typename Use>
void WithExponentials(std::int64_t count, const Dtype* x, const Use& use) {
  parallel_ranges(count, 4 * kPiece, [&](std::int64_t first, std::int64_t last) {
    const Use local(use);
    Dtype e[kPiece] = {};
    for (std::int64_t begin = first; begin < last; begin += kPiece) {
      const std::int64_t length = std::min(kPiece, last - begin);
      for (std::int64_t i = 0; i < length; ++i) e[i] = std::min(x[begin + i], Dtype(0));
      vector_exp(length, e, e);
      local(begin, length, e);
    }
  });
}

}  // namespace

template <typename Dtype>
void ELULayer<Dtype>::Forward_cpu(const vector<Blob<Dtype>*>& bottom,
                                  const vector<Blob<Dtype>*>& top) {
  const Dtype alpha = this->layer_param_.elu_param().alpha();
  const auto pass = forward_pass(*bottom[0], top[0]);
  const Dtype* x = pass.in[0];
  Dtype* y = pass.out;
  WithExponentials(pass.count, x,
                   [=](std::int64_t begin, std::int64_t count, const Dtype* e) {
                     for (std::int64_t i = 0; i < count; ++i) {
                       const Dtype value = x[begin + i], below = alpha * (e[i] - 1);
                       y[begin + i] = value > 0 ? value : below;
                     }
                   });
}

template <typename Dtype>
void ELULayer<Dtype>::Backward_cpu(const vector<Blob<Dtype>*>& top,
                                   const vector<bool>& propagate_down,
                                   const vector<Blob<Dtype>*>& bottom) {
  if (!propagate_down[0]) return;
  const Dtype alpha = this->layer_param_.elu_param().alpha();
  const auto pass = backward_pass(*top[0], *bottom[0], bottom[0]);
  const Dtype *g = pass.in[0], *x = pass.in[1];
  Dtype* dx = pass.out;
  if (bottom[0] == top[0]) {  // x is y
    CHECK(alpha >= 0) << "ELU with alpha " << alpha
                      << " cannot run backward in place: the sign "
                      << "of its input is lost. Give its top another name";
    for_each_index(pass.count, [=](std::int64_t i) {
      const Dtype gradient = g[i], value = x[i];
      dx[i] = value > 0 ? gradient : (alpha + value) * gradient;
    });
    return;
  }
  WithExponentials(
      pass.count, x, [=](std::int64_t begin, std::int64_t count, const Dtype* e) {
        for (std::int64_t i = 0; i < count; ++i) {
          const Dtype gradient = g[begin + i], below = alpha * e[i] * gradient;
          dx[begin + i] = x[begin + i] > 0 ? gradient : below;
        }
      });
}

INSTANTIATE_CLASS(ELULayer);
REGISTER_LAYER_CLASS(ELU);

}  // namespace caffe

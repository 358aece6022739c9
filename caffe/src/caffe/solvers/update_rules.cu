// The solvers' loops on the device.
#include "caffe/device/launch.hpp"
#include "caffe/device/scratch.hpp"
#include "run_update.hpp"

namespace caffe {

template <typename Body>
void launch_update(int count, const Body& body) {
  launch(count, body);
}

namespace {

template <typename Dtype>
void sum_squares(int count, const Dtype* x, double* sum) {
  launch_row_sums<double>(
      1, count, CAFFE_LAMBDA(int, int i) { return static_cast<double>(x[i]) * x[i]; },
      CAFFE_LAMBDA(int, double value) { *sum = value; });
}

}  // namespace

template <typename Dtype>
double device_sum_of_squares(const std::vector<Blob<Dtype>*>& params) {
  const device::Scratch scratch(sizeof(double) * params.size());
  std::vector<double> sums(params.size());
  for (size_t i = 0; i < params.size(); ++i) {
    double* sum = scratch.template as<double>() + i;
    if (params[i]->has_diff()) {
      sum_squares(params[i]->count(), params[i]->gpu_diff(), sum);
    } else {
      launch_fill(1, 0.0, sum);
    }
  }
  if (!sums.empty()) {
    device::copy_to_host(sums.data(), scratch.get(), sizeof(double) * sums.size());
  }
  double total = 0;
  for (const double sum : sums) total += sum;
  return total;
}

template double device_sum_of_squares(const std::vector<Blob<float>*>&);
template double device_sum_of_squares(const std::vector<Blob<double>*>&);

#define CAFFE_INSTANTIATE_RULE(Dtype, Rule)                                 \
  template void launch_update(int, const WholeUpdate<Dtype, Rule<Dtype>>&); \
  template void launch_update(int, const StepOnly<Dtype, Rule<Dtype>>&);
#define CAFFE_INSTANTIATE_UPDATES(Dtype)                       \
  CAFFE_INSTANTIATE_RULE(Dtype, SGDRule)                       \
  CAFFE_INSTANTIATE_RULE(Dtype, NesterovRule)                  \
  CAFFE_INSTANTIATE_RULE(Dtype, AdaGradRule)                   \
  CAFFE_INSTANTIATE_RULE(Dtype, RMSPropRule)                   \
  CAFFE_INSTANTIATE_RULE(Dtype, AdaDeltaRule)                  \
  CAFFE_INSTANTIATE_RULE(Dtype, AdamRule)                      \
  template void launch_update(int, const PrepareOnly<Dtype>&); \
  template void launch_update(int, const AverageStep<Dtype>&); \
  template void launch_update(int, const Exchange<Dtype>&);
CAFFE_INSTANTIATE_UPDATES(float)
CAFFE_INSTANTIATE_UPDATES(double)
#undef CAFFE_INSTANTIATE_UPDATES
#undef CAFFE_INSTANTIATE_RULE

}  // namespace caffe

// Threshold over whichever layout its input is in.
#include "caffe/layers/threshold_layer.hpp"

#include "caffe/backend/elementwise.hpp"

namespace caffe {

template <typename Dtype>
void ThresholdLayer<Dtype>::Forward_cpu(const vector<Blob<Dtype>*>& bottom,
                                        const vector<Blob<Dtype>*>& top) {
  const Dtype threshold = this->layer_param_.threshold_param().threshold();
  auto pass = forward_pass(*bottom[0], top[0]);
  const Dtype* x = pass.in[0];
  Dtype* y = pass.out;
  for_each_index(pass.count,
                 [=](std::int64_t i) { y[i] = x[i] > threshold ? Dtype(1) : Dtype(0); });
  if (threshold < 0) pass.ZeroTail();
}

template <typename Dtype>
void ThresholdLayer<Dtype>::Backward_cpu(const vector<Blob<Dtype>*>&,
                                         const vector<bool>& propagate_down,
                                         const vector<Blob<Dtype>*>&) {
  CHECK(!propagate_down[0]) << "Threshold has no gradient";
}

INSTANTIATE_CLASS(ThresholdLayer);
REGISTER_LAYER_CLASS(Threshold);

}  // namespace caffe

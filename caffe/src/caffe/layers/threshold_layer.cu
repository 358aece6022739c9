// Threshold on the device.
#include "caffe/device/launch.hpp"
#include "caffe/layers/threshold_layer.hpp"

namespace caffe {

namespace {

template <typename Dtype>
void threshold_forward(int n, Dtype threshold, const Dtype* x, Dtype* y) {
  launch(
      n, CAFFE_LAMBDA(int i) { y[i] = x[i] > threshold ? Dtype(1) : Dtype(0); });
}

}  // namespace

template <typename Dtype>
void ThresholdLayer<Dtype>::Forward_gpu(const vector<Blob<Dtype>*>& bottom,
                                        const vector<Blob<Dtype>*>& top) {
  const Dtype threshold = this->layer_param_.threshold_param().threshold();
  threshold_forward(top[0]->count(), threshold, bottom[0]->gpu_data(),
                    top[0]->mutable_gpu_data());
}

template <typename Dtype>
void ThresholdLayer<Dtype>::Backward_gpu(const vector<Blob<Dtype>*>&,
                                         const vector<bool>& propagate_down,
                                         const vector<Blob<Dtype>*>&) {
  CHECK(!propagate_down[0]) << "Threshold has no gradient";
}

INSTANTIATE_LAYER_GPU_FUNCS(ThresholdLayer);

}  // namespace caffe

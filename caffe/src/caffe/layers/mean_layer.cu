// Mean on the device.
#include "caffe/device/launch.hpp"
#include "caffe/layers/mean_layer.hpp"

namespace caffe {

namespace {

template <typename Dtype>
void scale(int n, Dtype factor, const Dtype* in, Dtype* out) {
  launch(
      n, CAFFE_LAMBDA(int i) { out[i] = factor * in[i]; });
}

}  // namespace

template <typename Dtype>
void MeanLayer<Dtype>::Forward_gpu(const vector<Blob<Dtype>*>& bottom,
                                   const vector<Blob<Dtype>*>& top) {
  for (size_t k = 0; k < bottom.size(); ++k) {
    MeanValue<Dtype> value = Rule(*bottom[k]);
    value.mean = mean_.gpu_data();
    value.x = bottom[k]->gpu_data();
    value.y = top[k]->mutable_gpu_data();
    launch(bottom[k]->count(), value);
  }
}

template <typename Dtype>
void MeanLayer<Dtype>::Backward_gpu(const vector<Blob<Dtype>*>& top,
                                    const vector<bool>& propagate_down,
                                    const vector<Blob<Dtype>*>& bottom) {
  for (size_t k = 0; k < bottom.size(); ++k) {
    if (!propagate_down[k]) continue;
    const Dtype* g = top[k]->gpu_diff();
    scale(bottom[k]->count(), InScale(), g, bottom[k]->mutable_gpu_diff());
  }
}

INSTANTIATE_LAYER_GPU_FUNCS(MeanLayer);

}  // namespace caffe

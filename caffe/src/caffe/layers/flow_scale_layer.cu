// FlowScale on the device.
#include "caffe/device/launch.hpp"
#include "caffe/layers/flow_scale_layer.hpp"
#include "caffe/util/math_functions_gpu.hpp"

namespace caffe {

namespace {

// `count` values in planes of `plane` (u, v, u, v, ...), times the factors.
template <typename Dtype>
void multiply(int count, int plane, Dtype u_factor, Dtype v_factor, const Dtype* flow,
              Dtype* scaled) {
  launch(
      count, CAFFE_LAMBDA(int i) {
        scaled[i] = flow[i] * (i / plane % 2 == 0 ? u_factor : v_factor);
      });
}

}  // namespace

template <typename Dtype>
void FlowScaleLayer<Dtype>::Forward_gpu(const vector<Blob<Dtype>*>& bottom,
                                        const vector<Blob<Dtype>*>& top) {
  if (top[0]->count() == 0) return;
  multiply(top[0]->count(), top[0]->count(2), u_factor_, v_factor_, bottom[0]->gpu_data(),
           top[0]->mutable_gpu_data());
}

template <typename Dtype>
void FlowScaleLayer<Dtype>::Backward_gpu(const vector<Blob<Dtype>*>& top,
                                         const vector<bool>& propagate_down,
                                         const vector<Blob<Dtype>*>& bottom) {
  for (size_t i = 1; i < bottom.size(); ++i) {
    if (!propagate_down[i]) continue;
    caffe_gpu_set(bottom[i]->count(), Dtype(0), bottom[i]->mutable_gpu_diff());
  }
  if (!propagate_down[0] || top[0]->count() == 0) return;
  multiply(top[0]->count(), top[0]->count(2), u_factor_, v_factor_, top[0]->gpu_diff(),
           bottom[0]->mutable_gpu_diff());
}

INSTANTIATE_LAYER_GPU_FUNCS(FlowScaleLayer);

}  // namespace caffe

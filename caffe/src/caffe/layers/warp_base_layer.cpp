// FlowWarp's and Warp's passes on both devices: the backend's functions.
#include "caffe/layers/warp_base_layer.hpp"

#include "caffe/util/math_functions.hpp"
#include "caffe/util/math_functions_gpu.hpp"

namespace caffe {

template <typename Dtype>
void WarpBaseLayer<Dtype>::Forward_cpu(const vector<Blob<Dtype>*>& bottom,
                                       const vector<Blob<Dtype>*>& top) {
  if (top[0]->count() == 0) return;
  warp_forward(shape_, fill(), *bottom[0], *bottom[1], top[0]);
}

template <typename Dtype>
void WarpBaseLayer<Dtype>::Forward_gpu(const vector<Blob<Dtype>*>& bottom,
                                       const vector<Blob<Dtype>*>& top) {
  if (top[0]->count() == 0) return;
  warp_forward_gpu(shape_, fill(), *bottom[0], *bottom[1], top[0]);
}

template <typename Dtype>
void WarpBaseLayer<Dtype>::Backward_cpu(const vector<Blob<Dtype>*>& top,
                                        const vector<bool>& propagate_down,
                                        const vector<Blob<Dtype>*>& bottom) {
  if (top[0]->count() == 0) {
    for (size_t i = 0; i < bottom.size(); ++i) {
      if (!propagate_down[i]) continue;
      caffe_set(bottom[i]->count(), Dtype(0), bottom[i]->mutable_cpu_diff());
    }
    return;
  }
  warp_backward(shape_, *top[0], propagate_down[0], propagate_down[1], bottom[0],
                bottom[1]);
}

template <typename Dtype>
void WarpBaseLayer<Dtype>::Backward_gpu(const vector<Blob<Dtype>*>& top,
                                        const vector<bool>& propagate_down,
                                        const vector<Blob<Dtype>*>& bottom) {
  if (top[0]->count() == 0) {
    for (size_t i = 0; i < bottom.size(); ++i) {
      if (!propagate_down[i]) continue;
      caffe_gpu_set(bottom[i]->count(), Dtype(0), bottom[i]->mutable_gpu_diff());
    }
    return;
  }
  if (propagate_down[0]) warp_backward_image_gpu(shape_, *top[0], *bottom[1], bottom[0]);
  if (propagate_down[1]) warp_backward_flow_gpu(shape_, *top[0], *bottom[0], bottom[1]);
}

INSTANTIATE_CLASS(WarpBaseLayer);

}  // namespace caffe

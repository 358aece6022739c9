// Exp on the device.
#include <cmath>

#include "caffe/device/launch.hpp"
#include "caffe/layers/exp_layer.hpp"

namespace caffe {

namespace {

template <typename Dtype>
void exp_forward(int n, Dtype inner, Dtype outer, const Dtype* x, Dtype* y) {
  launch(
      n, CAFFE_LAMBDA(int i) { y[i] = outer * std::exp(inner * x[i]); });
}

template <typename Dtype>
void exp_backward(int n, Dtype inner, const Dtype* g, const Dtype* y, Dtype* dx) {
  launch(
      n, CAFFE_LAMBDA(int i) { dx[i] = g[i] * y[i] * inner; });
}

}  // namespace

template <typename Dtype>
void ExpLayer<Dtype>::Forward_gpu(const vector<Blob<Dtype>*>& bottom,
                                  const vector<Blob<Dtype>*>& top) {
  exp_forward(top[0]->count(), inner_scale_, outer_scale_, bottom[0]->gpu_data(),
              top[0]->mutable_gpu_data());
}

template <typename Dtype>
void ExpLayer<Dtype>::Backward_gpu(const vector<Blob<Dtype>*>& top,
                                   const vector<bool>& propagate_down,
                                   const vector<Blob<Dtype>*>& bottom) {
  if (!propagate_down[0]) return;
  exp_backward(top[0]->count(), inner_scale_, top[0]->gpu_diff(), top[0]->gpu_data(),
               bottom[0]->mutable_gpu_diff());
}

INSTANTIATE_LAYER_GPU_FUNCS(ExpLayer);

}  // namespace caffe

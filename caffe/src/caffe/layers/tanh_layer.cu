// TanH on the device.
#include <cmath>

#include "caffe/device/launch.hpp"
#include "caffe/layers/tanh_layer.hpp"

namespace caffe {

namespace {

template <typename Dtype>
void tanh_forward(int n, const Dtype* x, Dtype* y) {
  launch(
      n, CAFFE_LAMBDA(int i) { y[i] = std::tanh(x[i]); });
}

template <typename Dtype>
void tanh_backward(int n, const Dtype* g, const Dtype* y, Dtype* dx) {
  launch(
      n, CAFFE_LAMBDA(int i) {
        const Dtype value = y[i];
        dx[i] = g[i] * (1 - value * value);
      });
}

}  // namespace

template <typename Dtype>
void TanHLayer<Dtype>::Forward_gpu(const vector<Blob<Dtype>*>& bottom,
                                   const vector<Blob<Dtype>*>& top) {
  tanh_forward(top[0]->count(), bottom[0]->gpu_data(), top[0]->mutable_gpu_data());
}

template <typename Dtype>
void TanHLayer<Dtype>::Backward_gpu(const vector<Blob<Dtype>*>& top,
                                    const vector<bool>& propagate_down,
                                    const vector<Blob<Dtype>*>& bottom) {
  if (!propagate_down[0]) return;
  tanh_backward(top[0]->count(), top[0]->gpu_diff(), top[0]->gpu_data(),
                bottom[0]->mutable_gpu_diff());
}

INSTANTIATE_LAYER_GPU_FUNCS(TanHLayer);

}  // namespace caffe

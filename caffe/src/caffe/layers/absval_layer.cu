// AbsVal on the device.
#include <cmath>

#include "caffe/device/launch.hpp"
#include "caffe/layers/absval_layer.hpp"

namespace caffe {

namespace {

template <typename Dtype>
void absval_forward(int n, const Dtype* x, Dtype* y) {
  launch(
      n, CAFFE_LAMBDA(int i) { y[i] = std::fabs(x[i]); });
}

template <typename Dtype>
void absval_backward(int n, const Dtype* g, const Dtype* x, Dtype* dx) {
  launch(
      n, CAFFE_LAMBDA(int i) { dx[i] = x[i] > 0   ? g[i]
                                       : x[i] < 0 ? -g[i]
                                                  : Dtype(0); });
}

}  // namespace

template <typename Dtype>
void AbsValLayer<Dtype>::Forward_gpu(const vector<Blob<Dtype>*>& bottom,
                                     const vector<Blob<Dtype>*>& top) {
  absval_forward(top[0]->count(), bottom[0]->gpu_data(), top[0]->mutable_gpu_data());
}

template <typename Dtype>
void AbsValLayer<Dtype>::Backward_gpu(const vector<Blob<Dtype>*>& top,
                                      const vector<bool>& propagate_down,
                                      const vector<Blob<Dtype>*>& bottom) {
  if (!propagate_down[0]) return;
  absval_backward(top[0]->count(), top[0]->gpu_diff(), bottom[0]->gpu_data(),
                  bottom[0]->mutable_gpu_diff());
}

INSTANTIATE_LAYER_GPU_FUNCS(AbsValLayer);

}  // namespace caffe

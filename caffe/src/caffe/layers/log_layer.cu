// Log on the device.
#include <cmath>

#include "caffe/device/launch.hpp"
#include "caffe/layers/log_layer.hpp"

namespace caffe {

namespace {

template <typename Dtype>
void log_forward(int n, Dtype scale, Dtype shift, Dtype factor, const Dtype* x,
                 Dtype* y) {
  launch(
      n, CAFFE_LAMBDA(int i) { y[i] = factor * std::log(scale * x[i] + shift); });
}

template <typename Dtype>
void log_backward(int n, Dtype scale, Dtype shift, Dtype factor, const Dtype* g,
                  const Dtype* x, Dtype* dx) {
  launch(
      n, CAFFE_LAMBDA(int i) { dx[i] = g[i] * scale * factor / (scale * x[i] + shift); });
}

/// shift + scale x = exp(y / factor).
template <typename Dtype>
void log_backward_from_output(int n, Dtype scale, Dtype factor, const Dtype* g,
                              const Dtype* y, Dtype* dx) {
  launch(
      n,
      CAFFE_LAMBDA(int i) { dx[i] = g[i] * scale * factor * std::exp(-y[i] / factor); });
}

}  // namespace

template <typename Dtype>
void LogLayer<Dtype>::Forward_gpu(const vector<Blob<Dtype>*>& bottom,
                                  const vector<Blob<Dtype>*>& top) {
  log_forward(top[0]->count(), scale_, shift_, inverse_log_base_, bottom[0]->gpu_data(),
              top[0]->mutable_gpu_data());
}

template <typename Dtype>
void LogLayer<Dtype>::Backward_gpu(const vector<Blob<Dtype>*>& top,
                                   const vector<bool>& propagate_down,
                                   const vector<Blob<Dtype>*>& bottom) {
  if (!propagate_down[0]) return;
  if (bottom[0] == top[0]) {
    log_backward_from_output(top[0]->count(), scale_, inverse_log_base_,
                             top[0]->gpu_diff(), top[0]->gpu_data(),
                             bottom[0]->mutable_gpu_diff());
  } else {
    log_backward(top[0]->count(), scale_, shift_, inverse_log_base_, top[0]->gpu_diff(),
                 bottom[0]->gpu_data(), bottom[0]->mutable_gpu_diff());
  }
}

INSTANTIATE_LAYER_GPU_FUNCS(LogLayer);

}  // namespace caffe

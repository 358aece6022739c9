// Power on the device.
#include <cmath>

#include "caffe/device/device.hpp"
#include "caffe/device/launch.hpp"
#include "caffe/layers/power_layer.hpp"

namespace caffe {

namespace {

template <typename Dtype>
void power_linear(int n, Dtype scale, Dtype shift, const Dtype* x, Dtype* y) {
  launch(
      n, CAFFE_LAMBDA(int i) { y[i] = scale * x[i] + shift; });
}

template <typename Dtype>
void power_square(int n, Dtype scale, Dtype shift, const Dtype* x, Dtype* y) {
  launch(
      n, CAFFE_LAMBDA(int i) {
        const Dtype base = scale * x[i] + shift;
        y[i] = base * base;
      });
}

template <typename Dtype>
void power_general(int n, Dtype power, Dtype scale, Dtype shift, const Dtype* x,
                   Dtype* y) {
  launch(
      n, CAFFE_LAMBDA(int i) { y[i] = std::pow(scale * x[i] + shift, power); });
}

template <typename Dtype>
void power_square_backward(int n, Dtype scale, Dtype shift, const Dtype* g,
                           const Dtype* x, Dtype* dx) {
  launch(
      n, CAFFE_LAMBDA(int i) { dx[i] = 2 * scale * (scale * x[i] + shift) * g[i]; });
}

template <typename Dtype>
void power_general_backward(int n, Dtype power, Dtype scale, Dtype shift, const Dtype* g,
                            const Dtype* x, Dtype* dx) {
  launch(
      n, CAFFE_LAMBDA(int i) {
        dx[i] = power * scale * std::pow(scale * x[i] + shift, power - 1) * g[i];
      });
}

}  // namespace

template <typename Dtype>
void PowerLayer<Dtype>::Forward_gpu(const vector<Blob<Dtype>*>& bottom,
                                    const vector<Blob<Dtype>*>& top) {
  const int n = top[0]->count();
  if (constant()) {
    const Dtype value = power_ == Dtype(0) ? Dtype(1) : std::pow(shift_, power_);
    launch_fill(n, value, top[0]->mutable_gpu_data());
    return;
  }
  if (bottom[0] == top[0] && power_ != Dtype(1)) {
    input_.ReshapeLike(*bottom[0]);
    device::copy_on_device(input_.mutable_gpu_data(), bottom[0]->gpu_data(),
                           sizeof(Dtype) * n);
  }
  const Dtype* x = bottom[0]->gpu_data();
  Dtype* y = top[0]->mutable_gpu_data();
  if (power_ == Dtype(1)) {
    power_linear(n, scale_, shift_, x, y);
  } else if (power_ == Dtype(2)) {
    power_square(n, scale_, shift_, x, y);
  } else {
    power_general(n, power_, scale_, shift_, x, y);
  }
}

template <typename Dtype>
void PowerLayer<Dtype>::Backward_gpu(const vector<Blob<Dtype>*>& top,
                                     const vector<bool>& propagate_down,
                                     const vector<Blob<Dtype>*>& bottom) {
  if (!propagate_down[0]) return;
  const int n = top[0]->count();
  if (constant()) {
    launch_fill(n, Dtype(0), bottom[0]->mutable_gpu_diff());
    return;
  }
  const Dtype* g = top[0]->gpu_diff();
  if (power_ == Dtype(1)) {
    power_linear(n, scale_, Dtype(0), g, bottom[0]->mutable_gpu_diff());
    return;
  }
  const Dtype* x = (bottom[0] == top[0] ? input_ : *bottom[0]).gpu_data();
  Dtype* dx = bottom[0]->mutable_gpu_diff();
  if (power_ == Dtype(2)) {
    power_square_backward(n, scale_, shift_, g, x, dx);
  } else {
    power_general_backward(n, power_, scale_, shift_, g, x, dx);
  }
}

INSTANTIATE_LAYER_GPU_FUNCS(PowerLayer);

}  // namespace caffe

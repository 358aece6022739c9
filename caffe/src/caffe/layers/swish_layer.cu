// Swish on the device.
#include <cmath>

#include "caffe/device/launch.hpp"
#include "caffe/layers/swish_layer.hpp"

namespace caffe {

namespace {

/// Keeps sigmoid(beta x) unless `kept` is null.
template <typename Dtype>
void swish_forward(int n, Dtype beta, const Dtype* x, Dtype* y, Dtype* kept) {
  launch(
      n, CAFFE_LAMBDA(int i) {
        const Dtype value = x[i], s = 1 / (1 + std::exp(-beta * value));
        y[i] = value * s;
        if (kept != nullptr) kept[i] = s;
      });
}

template <typename Dtype>
void swish_backward(int n, Dtype beta, const Dtype* g, const Dtype* x, Dtype* dx) {
  launch(
      n, CAFFE_LAMBDA(int i) {
        const Dtype value = x[i], s = 1 / (1 + std::exp(-beta * value)), y = value * s;
        dx[i] = g[i] * (beta * y + s * (1 - beta * y));
      });
}

template <typename Dtype>
void swish_backward_in_place(int n, Dtype beta, const Dtype* g, const Dtype* y,
                             const Dtype* s, Dtype* dx) {
  launch(
      n,
      CAFFE_LAMBDA(int i) { dx[i] = g[i] * (beta * y[i] + s[i] * (1 - beta * y[i])); });
}

}  // namespace

template <typename Dtype>
void SwishLayer<Dtype>::Forward_gpu(const vector<Blob<Dtype>*>& bottom,
                                    const vector<Blob<Dtype>*>& top) {
  const Dtype beta = this->layer_param_.swish_param().beta();
  Dtype* kept = nullptr;
  if (bottom[0] == top[0]) {
    sigmoid_.ReshapeLike(*bottom[0]);
    kept = sigmoid_.mutable_gpu_data();
  }
  swish_forward(top[0]->count(), beta, bottom[0]->gpu_data(), top[0]->mutable_gpu_data(),
                kept);
}

template <typename Dtype>
void SwishLayer<Dtype>::Backward_gpu(const vector<Blob<Dtype>*>& top,
                                     const vector<bool>& propagate_down,
                                     const vector<Blob<Dtype>*>& bottom) {
  if (!propagate_down[0]) return;
  const Dtype beta = this->layer_param_.swish_param().beta();
  if (bottom[0] == top[0]) {
    swish_backward_in_place(top[0]->count(), beta, top[0]->gpu_diff(), top[0]->gpu_data(),
                            sigmoid_.gpu_data(), bottom[0]->mutable_gpu_diff());
  } else {
    swish_backward(top[0]->count(), beta, top[0]->gpu_diff(), bottom[0]->gpu_data(),
                   bottom[0]->mutable_gpu_diff());
  }
}

INSTANTIATE_LAYER_GPU_FUNCS(SwishLayer);

}  // namespace caffe

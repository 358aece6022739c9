// BNLL on the device.
#include <cmath>

#include "caffe/device/launch.hpp"
#include "caffe/layers/bnll_layer.hpp"

namespace caffe {

namespace {

template <typename Dtype>
void bnll_forward(int n, const Dtype* x, Dtype* y) {
  launch(
      n, CAFFE_LAMBDA(int i) {
        const Dtype value = x[i];
        y[i] = (value > 0 ? value : Dtype(0)) + std::log1p(std::exp(-std::fabs(value)));
      });
}

template <typename Dtype>
void bnll_backward(int n, const Dtype* g, const Dtype* x, Dtype* dx) {
  launch(
      n, CAFFE_LAMBDA(int i) { dx[i] = g[i] / (1 + std::exp(-x[i])); });
}

template <typename Dtype>
void bnll_backward_from_output(int n, const Dtype* g, const Dtype* y, Dtype* dx) {
  launch(
      n, CAFFE_LAMBDA(int i) { dx[i] = -g[i] * std::expm1(-y[i]); });
}

}  // namespace

template <typename Dtype>
void BNLLLayer<Dtype>::Forward_gpu(const vector<Blob<Dtype>*>& bottom,
                                   const vector<Blob<Dtype>*>& top) {
  bnll_forward(top[0]->count(), bottom[0]->gpu_data(), top[0]->mutable_gpu_data());
}

template <typename Dtype>
void BNLLLayer<Dtype>::Backward_gpu(const vector<Blob<Dtype>*>& top,
                                    const vector<bool>& propagate_down,
                                    const vector<Blob<Dtype>*>& bottom) {
  if (!propagate_down[0]) return;
  if (bottom[0] == top[0]) {
    bnll_backward_from_output(top[0]->count(), top[0]->gpu_diff(), top[0]->gpu_data(),
                              bottom[0]->mutable_gpu_diff());
  } else {
    bnll_backward(top[0]->count(), top[0]->gpu_diff(), bottom[0]->gpu_data(),
                  bottom[0]->mutable_gpu_diff());
  }
}

INSTANTIATE_LAYER_GPU_FUNCS(BNLLLayer);

}  // namespace caffe

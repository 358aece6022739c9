// BNLL: the gradient from whichever of input and output is there.
#include "caffe/layers/bnll_layer.hpp"

#include <cmath>

#include "caffe/backend/elementwise.hpp"

namespace caffe {

template <typename Dtype>
void BNLLLayer<Dtype>::Forward_cpu(const vector<Blob<Dtype>*>& bottom,
                                   const vector<Blob<Dtype>*>& top) {
  auto pass = forward_pass(*bottom[0], top[0]);
  const Dtype* x = pass.in[0];
  Dtype* y = pass.out;
  for_each_index(pass.count, [=](std::int64_t i) {
    y[i] = std::max(x[i], Dtype(0)) + std::log1p(std::exp(-std::fabs(x[i])));
  });
  pass.ZeroTail();
}

template <typename Dtype>
void BNLLLayer<Dtype>::Backward_cpu(const vector<Blob<Dtype>*>& top,
                                    const vector<bool>& propagate_down,
                                    const vector<Blob<Dtype>*>& bottom) {
  if (!propagate_down[0]) return;
  const auto pass = backward_pass(*top[0], *bottom[0], bottom[0]);
  const Dtype *g = pass.in[0], *x = pass.in[1];
  Dtype* dx = pass.out;
  if (bottom[0] == top[0]) {  // x is y
    for_each_index(pass.count,
                   [=](std::int64_t i) { dx[i] = -g[i] * std::expm1(-x[i]); });
  } else {
    for_each_index(pass.count,
                   [=](std::int64_t i) { dx[i] = g[i] / (1 + std::exp(-x[i])); });
  }
}

INSTANTIATE_CLASS(BNLLLayer);
REGISTER_LAYER_CLASS(BNLL);

}  // namespace caffe

// TanH over whichever layout its input is in.
#include "caffe/layers/tanh_layer.hpp"

#include "caffe/backend/elementwise.hpp"
#include "caffe/util/vector_math.hpp"

namespace caffe {

template <typename Dtype>
void TanHLayer<Dtype>::Forward_cpu(const vector<Blob<Dtype>*>& bottom,
                                   const vector<Blob<Dtype>*>& top) {
  auto pass = forward_pass(*bottom[0], top[0]);
  vector_tanh(pass.count, pass.in[0], pass.out);
}

template <typename Dtype>
void TanHLayer<Dtype>::Backward_cpu(const vector<Blob<Dtype>*>& top,
                                    const vector<bool>& propagate_down,
                                    const vector<Blob<Dtype>*>& bottom) {
  if (!propagate_down[0]) return;
  const auto pass = backward_pass(*top[0], *top[0], bottom[0]);
  const Dtype *g = pass.in[0], *y = pass.in[1];
  Dtype* dx = pass.out;
  for_each_index(pass.count, [=](std::int64_t i) { dx[i] = g[i] * (1 - y[i] * y[i]); });
}

INSTANTIATE_CLASS(TanHLayer);
REGISTER_LAYER_CLASS(TanH);

}  // namespace caffe

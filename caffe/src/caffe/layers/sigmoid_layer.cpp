// Sigmoid over whichever layout its input is in.
#include "caffe/layers/sigmoid_layer.hpp"

#include "caffe/backend/elementwise.hpp"
#include "caffe/util/vector_math.hpp"

namespace caffe {

template <typename Dtype>
void SigmoidLayer<Dtype>::Forward_cpu(const vector<Blob<Dtype>*>& bottom,
                                      const vector<Blob<Dtype>*>& top) {
  auto pass = forward_pass(*bottom[0], top[0]);
  vector_sigmoid(pass.count, pass.in[0], pass.out);
  pass.ZeroTail();
}

template <typename Dtype>
void SigmoidLayer<Dtype>::Backward_cpu(const vector<Blob<Dtype>*>& top,
                                       const vector<bool>& propagate_down,
                                       const vector<Blob<Dtype>*>& bottom) {
  if (!propagate_down[0]) return;
  const auto pass = backward_pass(*top[0], *top[0], bottom[0]);
  const Dtype *g = pass.in[0], *y = pass.in[1];
  Dtype* dx = pass.out;
  for_each_index(pass.count, [=](std::int64_t i) { dx[i] = g[i] * y[i] * (1 - y[i]); });
}

INSTANTIATE_CLASS(SigmoidLayer);
REGISTER_LAYER_CLASS(Sigmoid);

}  // namespace caffe

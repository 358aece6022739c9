// AbsVal over whichever layout its input is in.
#include "caffe/layers/absval_layer.hpp"

#include <cmath>

#include "caffe/backend/elementwise.hpp"
#include "caffe/layers/axis_span.hpp"

namespace caffe {

template <typename Dtype>
void AbsValLayer<Dtype>::LayerSetUp(const vector<Blob<Dtype>*>& bottom,
                                    const vector<Blob<Dtype>*>& top) {
  check_not_in_place(type(), bottom, top);
}

template <typename Dtype>
void AbsValLayer<Dtype>::Forward_cpu(const vector<Blob<Dtype>*>& bottom,
                                     const vector<Blob<Dtype>*>& top) {
  const auto pass = forward_pass(*bottom[0], top[0]);
  const Dtype* x = pass.in[0];
  Dtype* y = pass.out;
  for_each_index(pass.count, [=](std::int64_t i) { y[i] = std::fabs(x[i]); });
}

template <typename Dtype>
void AbsValLayer<Dtype>::Backward_cpu(const vector<Blob<Dtype>*>& top,
                                      const vector<bool>& propagate_down,
                                      const vector<Blob<Dtype>*>& bottom) {
  if (!propagate_down[0]) return;
  const auto pass = backward_pass(*top[0], *bottom[0], bottom[0]);
  const Dtype *g = pass.in[0], *x = pass.in[1];
  Dtype* dx = pass.out;
  for_each_index(pass.count, [=](std::int64_t i) {
    const Dtype gradient = g[i], value = x[i];
    dx[i] = value > 0 ? gradient : value < 0 ? -gradient : Dtype(0);
  });
}

INSTANTIATE_CLASS(AbsValLayer);
REGISTER_LAYER_CLASS(AbsVal);

}  // namespace caffe

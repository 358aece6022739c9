// Power: the cases power 1 and 2 without pow().
#include "caffe/layers/power_layer.hpp"

#include <cmath>

#include "caffe/backend/elementwise.hpp"

namespace caffe {

template <typename Dtype>
void PowerLayer<Dtype>::LayerSetUp(const vector<Blob<Dtype>*>&,
                                   const vector<Blob<Dtype>*>&) {
  const PowerParameter& param = this->layer_param_.power_param();
  power_ = param.power();
  scale_ = param.scale();
  shift_ = param.shift();
}

template <typename Dtype>
void PowerLayer<Dtype>::Forward_cpu(const vector<Blob<Dtype>*>& bottom,
                                    const vector<Blob<Dtype>*>& top) {
  if (bottom[0] == top[0] && power_ != Dtype(1) && !constant()) {
    input_.ReshapeLike(*bottom[0]);
    copy_data(*bottom[0], &input_);
  }
  const Dtype power = power_, scale = scale_, shift = shift_;
  auto pass = forward_pass(*bottom[0], top[0]);
  const Dtype* x = pass.in[0];
  Dtype* y = pass.out;
  if (constant()) {
    const Dtype value = power == Dtype(0) ? Dtype(1) : std::pow(shift, power);
    for_each_index(pass.count, [=](std::int64_t i) { y[i] = value; });
  } else if (power == Dtype(1)) {
    for_each_index(pass.count, [=](std::int64_t i) { y[i] = scale * x[i] + shift; });
  } else if (power == Dtype(2)) {
    for_each_index(pass.count, [=](std::int64_t i) {
      const Dtype base = scale * x[i] + shift;
      y[i] = base * base;
    });
  } else {
    for_each_index(pass.count,
                   [=](std::int64_t i) { y[i] = std::pow(scale * x[i] + shift, power); });
  }
  if (constant() || shift != Dtype(0) || power < Dtype(0)) pass.ZeroTail();
}

template <typename Dtype>
void PowerLayer<Dtype>::Backward_cpu(const vector<Blob<Dtype>*>& top,
                                     const vector<bool>& propagate_down,
                                     const vector<Blob<Dtype>*>& bottom) {
  if (!propagate_down[0]) return;
  const Dtype power = power_, scale = scale_, shift = shift_;
  if (constant()) {
    zero_memory<Dtype>(bottom[0]->diff().get(), BlockedLayout(), bottom[0]->count());
    return;
  }
  if (power == Dtype(1)) {
    scale_memory<Dtype>(top[0]->diff(), bottom[0]->diff(), bottom[0]->blocked_layout(),
                        bottom[0]->count(), scale);
    return;
  }
  const Blob<Dtype>& input = bottom[0] == top[0] ? input_ : *bottom[0];
  auto pass = backward_pass(*top[0], input, bottom[0]);
  const Dtype *g = pass.in[0], *x = pass.in[1];
  Dtype* dx = pass.out;
  if (power == Dtype(2)) {
    for_each_index(pass.count, [=](std::int64_t i) {
      dx[i] = 2 * scale * (scale * x[i] + shift) * g[i];
    });
    return;
  }
  for_each_index(pass.count, [=](std::int64_t i) {
    dx[i] = power * scale * std::pow(scale * x[i] + shift, power - 1) * g[i];
  });
  pass.ZeroTail();
}

INSTANTIATE_CLASS(PowerLayer);
REGISTER_LAYER_CLASS(Power);

}  // namespace caffe

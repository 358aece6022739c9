// Exp over whichever layout its input is in.
#include "caffe/layers/exp_layer.hpp"

#include <cmath>

#include "caffe/backend/elementwise.hpp"
#include "caffe/util/vector_math.hpp"

namespace caffe {

template <typename Dtype>
void ExpLayer<Dtype>::LayerSetUp(const vector<Blob<Dtype>*>&,
                                 const vector<Blob<Dtype>*>&) {
  const ExpParameter& param = this->layer_param_.exp_param();
  const Dtype base = param.base();
  CHECK_VALUE(base == Dtype(-1) || base > 0)
      << "exp_param: base must be positive, or -1 for e; it is " << base;
  const Dtype log_base = base == Dtype(-1) ? Dtype(1) : std::log(base);
  CHECK_VALUE(std::isfinite(log_base))
      << "exp_param: the logarithm of base " << base << " is not finite";
  inner_scale_ = log_base * param.scale();
  outer_scale_ = param.shift() == 0 ? Dtype(1) : std::exp(log_base * param.shift());
}

template <typename Dtype>
void ExpLayer<Dtype>::Forward_cpu(const vector<Blob<Dtype>*>& bottom,
                                  const vector<Blob<Dtype>*>& top) {
  auto pass = forward_pass(*bottom[0], top[0]);
  const Dtype inner = inner_scale_, outer = outer_scale_;
  const Dtype* x = pass.in[0];
  Dtype* y = pass.out;
  parallel_ranges(pass.count, 1 << 12, [=](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) y[i] = inner * x[i];
    vector_exp(end - begin, y + begin, y + begin);
    if (outer == Dtype(1)) return;
    for (std::int64_t i = begin; i < end; ++i) y[i] *= outer;
  });
  pass.ZeroTail();
}

template <typename Dtype>
void ExpLayer<Dtype>::Backward_cpu(const vector<Blob<Dtype>*>& top,
                                   const vector<bool>& propagate_down,
                                   const vector<Blob<Dtype>*>& bottom) {
  if (!propagate_down[0]) return;
  const auto pass = backward_pass(*top[0], *top[0], bottom[0]);
  const Dtype inner = inner_scale_;
  const Dtype *g = pass.in[0], *y = pass.in[1];
  Dtype* dx = pass.out;
  for_each_index(pass.count, [=](std::int64_t i) { dx[i] = g[i] * y[i] * inner; });
}

INSTANTIATE_CLASS(ExpLayer);
REGISTER_LAYER_CLASS(Exp);

}  // namespace caffe

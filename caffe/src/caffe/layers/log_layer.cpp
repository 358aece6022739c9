// Log: the gradient from whichever of input and output is there.
#include "caffe/layers/log_layer.hpp"

#include <cmath>

#include "caffe/backend/elementwise.hpp"
#include "caffe/util/vector_math.hpp"

namespace caffe {

template <typename Dtype>
void LogLayer<Dtype>::LayerSetUp(const vector<Blob<Dtype>*>&,
                                 const vector<Blob<Dtype>*>&) {
  const LogParameter& param = this->layer_param_.log_param();
  const Dtype base = param.base();
  CHECK_VALUE(base == Dtype(-1) || base > 0)
      << "log_param: base must be positive, or -1 for e; it is " << base;
  inverse_log_base_ = base == Dtype(-1) ? Dtype(1) : 1 / std::log(base);
  CHECK_VALUE(std::isfinite(inverse_log_base_) && inverse_log_base_ != 0)
      << "log_param: a logarithm to base " << base << " does not exist";
  scale_ = param.scale();
  shift_ = param.shift();
}

template <typename Dtype>
void LogLayer<Dtype>::Forward_cpu(const vector<Blob<Dtype>*>& bottom,
                                  const vector<Blob<Dtype>*>& top) {
  auto pass = forward_pass(*bottom[0], top[0]);
  const Dtype scale = scale_, shift = shift_, factor = inverse_log_base_;
  const Dtype* x = pass.in[0];
  Dtype* y = pass.out;
  parallel_ranges(pass.count, 1 << 12, [=](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) y[i] = scale * x[i] + shift;
    vector_log(end - begin, y + begin, y + begin);
    for (std::int64_t i = begin; i < end; ++i) y[i] *= factor;
  });
  pass.ZeroTail();
}

template <typename Dtype>
void LogLayer<Dtype>::Backward_cpu(const vector<Blob<Dtype>*>& top,
                                   const vector<bool>& propagate_down,
                                   const vector<Blob<Dtype>*>& bottom) {
  if (!propagate_down[0]) return;
  auto pass = backward_pass(*top[0], *bottom[0], bottom[0]);
  const Dtype scale = scale_, shift = shift_, factor = inverse_log_base_;
  const Dtype *g = pass.in[0], *x = pass.in[1];
  Dtype* dx = pass.out;
  if (bottom[0] == top[0]) {  // x is y: shift + scale x = exp(y / factor)
    for_each_index(pass.count, [=](std::int64_t i) {
      dx[i] = g[i] * scale * factor * std::exp(-x[i] / factor);
    });
  } else {
    for_each_index(pass.count, [=](std::int64_t i) {
      dx[i] = g[i] * scale * factor / (scale * x[i] + shift);
    });
  }
  pass.ZeroTail();
}

INSTANTIATE_CLASS(LogLayer);
REGISTER_LAYER_CLASS(Log);

}  // namespace caffe

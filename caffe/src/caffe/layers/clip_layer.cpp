// Clip over whichever layout its input is in.
#include "caffe/layers/clip_layer.hpp"

#include "caffe/backend/elementwise.hpp"

namespace caffe {

template <typename Dtype>
void ClipLayer<Dtype>::LayerSetUp(const vector<Blob<Dtype>*>&,
                                  const vector<Blob<Dtype>*>&) {
  const ClipParameter& param = this->layer_param_.clip_param();
  CHECK_VALUE(param.has_min() && param.has_max()) << "clip_param needs both min and max";
  CHECK_VALUE(param.min() <= param.max())
      << "clip_param: min " << param.min() << " is larger than max " << param.max();
  min_ = param.min();
  max_ = param.max();
}

template <typename Dtype>
Activation ClipLayer<Dtype>::activation() const {
  Activation activation;
  activation.kind = Activation::kClip;
  activation.lower = this->layer_param_.clip_param().min();
  activation.upper = this->layer_param_.clip_param().max();
  return activation;
}

template <typename Dtype>
void ClipLayer<Dtype>::Forward_cpu(const vector<Blob<Dtype>*>& bottom,
                                   const vector<Blob<Dtype>*>& top) {
  const Dtype lower = min_, upper = max_;
  auto pass = forward_pass(*bottom[0], top[0]);
  const Dtype* x = pass.in[0];
  Dtype* y = pass.out;
  for_each_index(pass.count, [=](std::int64_t i) {
    const Dtype value = x[i];
    const Dtype bounded = value > upper ? upper : value;
    y[i] = bounded < lower ? lower : bounded;
  });
  if (lower > 0 || upper < 0) pass.ZeroTail();
}

template <typename Dtype>
void ClipLayer<Dtype>::Backward_cpu(const vector<Blob<Dtype>*>& top,
                                    const vector<bool>& propagate_down,
                                    const vector<Blob<Dtype>*>& bottom) {
  if (!propagate_down[0]) return;
  const Dtype lower = min_, upper = max_;
  const auto pass = backward_pass(*top[0], *bottom[0], bottom[0]);
  const Dtype *g = pass.in[0], *x = pass.in[1];
  Dtype* dx = pass.out;
  if (bottom[0] == top[0]) {  // x is y: a value at a bound may have come from beyond it
    for_each_index(pass.count, [=](std::int64_t i) {
      const Dtype gradient = g[i], value = x[i];  // read in any case: so it is vectorised
      dx[i] = (value > lower) & (value < upper) ? gradient : Dtype(0);
    });
  } else {
    for_each_index(pass.count, [=](std::int64_t i) {
      const Dtype gradient = g[i], value = x[i];
      dx[i] = (value >= lower) & (value <= upper) ? gradient : Dtype(0);
    });
  }
}

INSTANTIATE_CLASS(ClipLayer);
REGISTER_LAYER_CLASS(Clip);

}  // namespace caffe

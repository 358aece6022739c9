// Normalize over whichever layout its input is in.
#include "caffe/layers/normalize_layer.hpp"

#include <cmath>

#include "caffe/backend/channel_norm.hpp"
#include "caffe/backend/elementwise.hpp"
#include "caffe/filler.hpp"
#include "caffe/layers/axis_span.hpp"

namespace caffe {

namespace {

// The array of one item.
ChannelArray OneItem(ChannelArray array) {
  array.outer = 1;
  return array;
}

double Sum(const vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return sum;
}

vector<double> Scaled(vector<double> values, double factor) {
  for (double& value : values) value *= factor;
  return values;
}

}  // namespace

template <typename Dtype>
void NormalizeLayer<Dtype>::LayerSetUp(const vector<Blob<Dtype>*>& bottom,
                                       const vector<Blob<Dtype>*>&) {
  const NormalizeParameter& param = this->layer_param_.norm_param();
  CHECK_GE(bottom[0]->num_axes(), 2)
      << "Normalize needs a channel axis (axis 1); bottom shape "
      << bottom[0]->shape_string();
  channels_ = bottom[0]->shape(1);
  across_spatial_ = param.across_spatial();
  channel_shared_ = param.channel_shared();
  eps_ = param.eps();
  const int scales = channel_shared_ ? 1 : channels_;
  if (this->blobs_.empty()) {
    FillerParameter filler = param.scale_filler();
    if (!param.has_scale_filler()) {
      filler.set_type("constant");
      filler.set_value(1);
    }
    this->blobs_.push_back(std::make_shared<Blob<Dtype>>(
        channel_shared_ ? vector<int>() : vector<int>{scales}));
    shared_ptr<Filler<Dtype>>(GetFiller<Dtype>(filler))->Fill(this->blobs_[0].get());
  }
  CHECK_EQ(this->blobs_[0]->count(), scales)
      << "the scale of Normalize has shape " << this->blobs_[0]->shape_string();
  this->param_propagate_down_.resize(1, true);
}

template <typename Dtype>
void NormalizeLayer<Dtype>::Reshape(const vector<Blob<Dtype>*>& bottom,
                                    const vector<Blob<Dtype>*>& top) {
  check_not_in_place(type(), bottom, top);
  CHECK_GE(bottom[0]->num_axes(), 2) << "Normalize needs a channel axis (axis 1)";
  CHECK_EQ(bottom[0]->shape(1), channels_)
      << "the channels of Normalize's bottom have changed";
  top[0]->ReshapeLike(*bottom[0]);
}

template <typename Dtype>
vector<Dtype> NormalizeLayer<Dtype>::Scales(int channels) const {
  const Dtype* scales = this->blobs_[0]->cpu_data();
  if (channel_shared_) return vector<Dtype>(channels, scales[0]);
  return vector<Dtype>(scales, scales + channels);
}

template <typename Dtype>
void NormalizeLayer<Dtype>::AddScaleGradient(const vector<double>& by_channel) {
  Dtype* diff = this->blobs_[0]->mutable_cpu_diff();
  if (channel_shared_) {
    diff[0] += static_cast<Dtype>(Sum(by_channel));
    return;
  }
  for (int c = 0; c < channels_; ++c) diff[c] += static_cast<Dtype>(by_channel[c]);
}

template <typename Dtype>
void NormalizeLayer<Dtype>::Forward_cpu(const vector<Blob<Dtype>*>& bottom,
                                        const vector<Blob<Dtype>*>& top) {
  const auto pass = forward_pass(*bottom[0], top[0]);
  const ChannelArray array = grouped_channel_array(*bottom[0], pass.layout);
  const vector<Dtype> scales = Scales(channels_);
  if (!across_spatial_) {
    normalize_channels(array, pass.in[0], array.template pad<Dtype>(scales.data()).data(),
                       eps_, pass.out);
    return;
  }
  const ChannelArray item = OneItem(array);
  for (std::int64_t n = 0; n < array.outer; ++n) {
    const std::int64_t at = n * item.count();
    const double inverse =
        1 / std::sqrt(Sum(channel_dot(item, pass.in[0] + at, pass.in[0] + at)) + eps_);
    vector<Dtype> factors = item.template pad<Dtype>(scales.data());
    for (Dtype& factor : factors) factor = static_cast<Dtype>(factor * inverse);
    channel_affine<Dtype>(item, pass.in[0] + at, factors.data(), nullptr, pass.out + at);
  }
}

template <typename Dtype>
void NormalizeLayer<Dtype>::Backward_cpu(const vector<Blob<Dtype>*>& top,
                                         const vector<bool>& propagate_down,
                                         const vector<Blob<Dtype>*>& bottom) {
  const bool wants_scale = this->param_propagate_down(0), wants_input = propagate_down[0];
  if (!wants_scale && !wants_input) return;
  const SyncedMemory unseen;
  const BlockedLayout layout =
      common_layout({top[0]->diff().get()}, wants_input ? *bottom[0]->diff() : unseen,
                    top[0]->blocked_layout());
  const ChannelArray array = grouped_channel_array(*bottom[0], layout);
  const Dtype* g = read_memory<Dtype>(top[0]->diff().get(), layout);
  const Dtype* x = read_memory<Dtype>(bottom[0]->data().get(), layout);
  Dtype* dx =
      wants_input ? overwrite_memory<Dtype>(bottom[0]->diff().get(), layout) : nullptr;
  const vector<Dtype> scales = array.template pad<Dtype>(Scales(channels_).data());
  vector<double> by_channel;
  if (!across_spatial_) {
    normalize_channels_gradient(array, x, scales.data(), eps_, g, dx,
                                wants_scale ? &by_channel : nullptr);
    if (wants_scale) AddScaleGradient(by_channel);
    return;
  }
  const ChannelArray item = OneItem(array);
  for (std::int64_t n = 0; n < array.outer; ++n) {
    const std::int64_t at = n * item.count();
    const double inverse = 1 / std::sqrt(Sum(channel_dot(item, x + at, x + at)) + eps_);
    by_channel = Scaled(channel_dot(item, g + at, x + at), inverse);
    if (wants_scale) AddScaleGradient(by_channel);
    if (!wants_input) continue;
    double along = 0;  // sum of h u
    for (int c = 0; c < channels_; ++c) along += scales[c] * by_channel[c];
    vector<Dtype> of_g(scales.size());
    for (size_t c = 0; c < scales.size(); ++c)
      of_g[c] = static_cast<Dtype>(scales[c] * inverse);
    const vector<Dtype> of_x(scales.size(),
                             static_cast<Dtype>(-inverse * inverse * along));
    const vector<Dtype> zeros(scales.size(), Dtype(0));
    channel_combine(item, g + at, of_g.data(), x + at, of_x.data(), zeros.data(),
                    dx + at);
  }
}

INSTANTIATE_CLASS(NormalizeLayer);
REGISTER_LAYER_CLASS(Normalize);

}  // namespace caffe

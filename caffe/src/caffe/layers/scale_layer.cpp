// Scale over whichever layout its input is in.
#include "caffe/layers/scale_layer.hpp"

#include "caffe/backend/channelwise.hpp"
#include "caffe/backend/elementwise.hpp"
#include "caffe/filler.hpp"
#include "caffe/layers/axis_span.hpp"

namespace caffe {

template <typename Dtype>
void ScaleLayer<Dtype>::LayerSetUp(const vector<Blob<Dtype>*>& bottom,
                                   const vector<Blob<Dtype>*>&) {
  const ScaleParameter& param = this->layer_param_.scale_param();
  const auto add_parameter = [this](const vector<int>& shape,
                                    const FillerParameter& filler) {
    this->blobs_.push_back(std::make_shared<Blob<Dtype>>(shape));
    shared_ptr<Filler<Dtype>>(GetFiller<Dtype>(filler))->Fill(this->blobs_.back().get());
  };
  if (bottom.size() == 1 && this->blobs_.empty()) {
    FillerParameter filler = param.filler();
    if (!param.has_filler()) {
      filler.set_type("constant");
      filler.set_value(1);
    }
    add_parameter(span_shape(*bottom[0], param.axis(), param.num_axes()), filler);
  }
  bias_term_ = param.bias_term();
  if (bias_term_) {
    // Ready-made blobs: the last one is the bias if there are enough of them.
    if (this->blobs_.size() + bottom.size() < 3) {
      add_parameter(factor(bottom)->shape(), param.bias_filler());
    }
    bias_index_ = static_cast<int>(this->blobs_.size()) - 1;
  }
  this->param_propagate_down_.resize(this->blobs_.size(), true);
}

template <typename Dtype>
void ScaleLayer<Dtype>::Reshape(const vector<Blob<Dtype>*>& bottom,
                                const vector<Blob<Dtype>*>& top) {
  const Blob<Dtype>& factors = *factor(bottom);
  CHECK(&factors != top[0]) << "Scale cannot work in place on its second bottom";
  axis_ = span_axis(*bottom[0], factors, this->layer_param_.scale_param().axis());
  factor_axes_ = factors.num_axes();
  if (bias_term_) {
    CHECK_EQ(this->blobs_[bias_index_]->count(), factors.count())
        << "the bias of Scale has shape " << this->blobs_[bias_index_]->shape_string()
        << ", its factor " << factors.shape_string();
  }
  own_channel_factor_ = bottom.size() == 1 && axis_ == 1 && factor_axes_ == 1;
  if (bottom[0] != top[0]) top[0]->ReshapeLike(*bottom[0]);
}

template <typename Dtype>
std::uint64_t ScaleLayer<Dtype>::affine_version() const {
  std::uint64_t version = 0;
  for (const auto& blob : this->blobs_) version += blob->data()->version();
  return version;
}

template <typename Dtype>
void ScaleLayer<Dtype>::compose_affine(std::vector<double>* scale,
                                       std::vector<double>* shift) const {
  const Dtype* factors = this->blobs_[0]->cpu_data();
  const Dtype* bias = bias_term_ ? this->blobs_[bias_index_]->cpu_data() : nullptr;
  for (int c = 0; c < this->blobs_[0]->count(); ++c) {
    (*scale)[c] *= factors[c];
    (*shift)[c] = (*shift)[c] * factors[c] + (bias != nullptr ? bias[c] : 0);
  }
}

template <typename Dtype>
void ScaleLayer<Dtype>::compose_affine_backward(const std::vector<double>& scale,
                                                const std::vector<double>& shift,
                                                AffineGradient* gradient) {
  const Dtype* factors = this->blobs_[0]->cpu_data();
  const bool want_factors = this->param_propagate_down(0);
  const bool want_bias = bias_term_ && this->param_propagate_down(bias_index_);
  Dtype* factors_diff = want_factors ? this->blobs_[0]->mutable_cpu_diff() : nullptr;
  Dtype* bias_diff = want_bias ? this->blobs_[bias_index_]->mutable_cpu_diff() : nullptr;
  for (int c = 0; c < this->blobs_[0]->count(); ++c) {
    double& scale_gradient = gradient->scale[c];
    double& shift_gradient = gradient->shift[c];
    if (want_factors) {
      factors_diff[c] +=
          static_cast<Dtype>(scale_gradient * scale[c] + shift_gradient * shift[c]);
    }
    if (want_bias) bias_diff[c] += static_cast<Dtype>(shift_gradient);
    scale_gradient *= factors[c];
    shift_gradient *= factors[c];
  }
}

template <typename Dtype>
void ScaleLayer<Dtype>::Forward_cpu(const vector<Blob<Dtype>*>& bottom,
                                    const vector<Blob<Dtype>*>& top) {
  // The factor's gradient needs x, which an in-place pass overwrites.
  if (bottom[0] == top[0] &&
      (factor_is_bottom(bottom) || this->param_propagate_down(0))) {
    input_.ReshapeLike(*bottom[0]);
    copy_data(*bottom[0], &input_);
  }
  const BlockedLayout layout =
      common_layout({bottom[0]->data().get()}, *top[0]->data(),
                    span_layout(*bottom[0], axis_, factor_axes_));
  const ChannelArray array = span_array(*bottom[0], axis_, factor_axes_, layout);
  const auto factors = array.template pad<Dtype>(factor(bottom)->cpu_data());
  vector<Dtype> bias;
  if (bias_term_) bias = array.template pad<Dtype>(this->blobs_[bias_index_]->cpu_data());
  const Dtype* x = read_memory<Dtype>(bottom[0]->data().get(), layout);
  Dtype* y = overwrite_memory<Dtype>(top[0]->data().get(), layout);
  channel_affine<Dtype>(array, x, factors.data(), bias_term_ ? bias.data() : nullptr, y);
}

template <typename Dtype>
bool ScaleLayer<Dtype>::NeedsFactorGradient(const vector<Blob<Dtype>*>& bottom,
                                            const vector<bool>& propagate_down) const {
  return factor_is_bottom(bottom) ? propagate_down[1] : this->param_propagate_down(0);
}

template <typename Dtype>
void ScaleLayer<Dtype>::Backward_cpu(const vector<Blob<Dtype>*>& top,
                                     const vector<bool>& propagate_down,
                                     const vector<Blob<Dtype>*>& bottom) {
  const SyncedMemory unseen;
  const BlockedLayout layout = common_layout(
      {top[0]->diff().get()}, propagate_down[0] ? *bottom[0]->diff() : unseen,
      span_layout(*bottom[0], axis_, factor_axes_));
  const ChannelArray array = span_array(*bottom[0], axis_, factor_axes_, layout);
  const Dtype* g = read_memory<Dtype>(top[0]->diff().get(), layout);
  const auto factors = array.template pad<Dtype>(factor(bottom)->cpu_data());
  const bool factor_learns = NeedsFactorGradient(bottom, propagate_down);
  const bool bias_learns = bias_term_ && this->param_propagate_down(bias_index_);
  Dtype* dx = propagate_down[0] ? overwrite_memory<Dtype>(bottom[0]->diff().get(), layout)
                                : nullptr;
  ChannelSums sums;
  if (factor_learns) {
    const Blob<Dtype>& input = bottom[0] == top[0] ? input_ : *bottom[0];
    const Dtype* x = read_memory<Dtype>(input.data().get(), layout);
    sums = channel_affine_gradient<Dtype>(array, g, x, nullptr, factors.data(), dx);
  } else {
    if (bias_learns) sums.g = channel_sum(array, g);
    if (dx != nullptr) channel_affine<Dtype>(array, g, factors.data(), nullptr, dx);
  }
  const auto add_to = [](const vector<double>& values, bool overwrite, Dtype* diff) {
    for (size_t c = 0; c < values.size(); ++c) {
      diff[c] = (overwrite ? Dtype(0) : diff[c]) + static_cast<Dtype>(values[c]);
    }
  };
  if (bias_learns) add_to(sums.g, false, this->blobs_[bias_index_]->mutable_cpu_diff());
  if (factor_learns) {
    add_to(sums.dot, factor_is_bottom(bottom), factor(bottom)->mutable_cpu_diff());
  }
}

INSTANTIATE_CLASS(ScaleLayer);
REGISTER_LAYER_CLASS(Scale);

}  // namespace caffe

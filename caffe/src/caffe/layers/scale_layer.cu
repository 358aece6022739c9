// Scale on the device.
#include "caffe/device/channelwise.hpp"
#include "caffe/device/device.hpp"
#include "caffe/layers/scale_layer.hpp"

namespace caffe {

namespace {

using device::ChannelOf;
using device::ChannelSpan;

template <typename Dtype>
void scale_channels(const ChannelSpan& span, const Dtype* factors, const Dtype* x,
                    Dtype* y) {
  const ChannelOf channel(span);
  launch(
      span.count(), CAFFE_LAMBDA(int i) { y[i] = factors[channel(i)] * x[i]; });
}

template <typename Dtype>
void scale_and_shift_channels(const ChannelSpan& span, const Dtype* factors,
                              const Dtype* bias, const Dtype* x, Dtype* y) {
  const ChannelOf channel(span);
  launch(
      span.count(), CAFFE_LAMBDA(int i) {
        const int c = channel(i);
        y[i] = factors[c] * x[i] + bias[c];
      });
}

/// diff[c] += the sum of g over channel c.
template <typename Dtype>
void bias_gradient(const ChannelSpan& span, const Dtype* g, Dtype* diff) {
  device::launch_channel_sums<double>(
      span, CAFFE_LAMBDA(int i, int) { return static_cast<double>(g[i]); },
      CAFFE_LAMBDA(int c, double sum) { diff[c] += static_cast<Dtype>(sum); });
}

/// diff[c] = (overwrite ? 0 : diff[c]) + the sum of g x over channel c.
template <typename Dtype>
void factor_gradient(const ChannelSpan& span, const Dtype* g, const Dtype* x,
                     bool overwrite, Dtype* diff) {
  device::launch_channel_sums<double>(
      span, CAFFE_LAMBDA(int i, int) { return static_cast<double>(g[i] * x[i]); },
      CAFFE_LAMBDA(int c, double sum) {
        diff[c] = (overwrite ? Dtype(0) : diff[c]) + static_cast<Dtype>(sum);
      });
}

/// scale <- factor scale, shift <- factor shift + bias.
template <typename Dtype>
void compose(int channels, const Dtype* factors, const Dtype* bias,
             const AffineRows& before, const AffineRows& after) {
  const AffineRows from = before, to = after;
  launch(
      channels, CAFFE_LAMBDA(int c) {
        to.scale[c] = from.scale_of(c) * factors[c];
        to.shift[c] = from.shift_of(c) * factors[c] + (bias == nullptr ? 0 : bias[c]);
      });
}

/// A null diff asks for none.
template <typename Dtype>
void compose_backward(int channels, const Dtype* factors, const AffineRows& before,
                      const AffineRows& gradient, Dtype* factors_diff, Dtype* bias_diff) {
  const AffineRows from = before, g = gradient;
  launch(
      channels, CAFFE_LAMBDA(int c) {
        if (factors_diff != nullptr) {
          factors_diff[c] += static_cast<Dtype>(g.scale[c] * from.scale_of(c) +
                                                g.shift[c] * from.shift_of(c));
        }
        if (bias_diff != nullptr) bias_diff[c] += static_cast<Dtype>(g.shift[c]);
        g.scale[c] *= factors[c];
        g.shift[c] *= factors[c];
      });
}

}  // namespace

template <typename Dtype>
void ScaleLayer<Dtype>::compose_affine_gpu(int channels, const AffineRows& before,
                                           const AffineRows& after) const {
  compose<Dtype>(channels, this->blobs_[0]->gpu_data(),
                 bias_term_ ? this->blobs_[bias_index_]->gpu_data() : nullptr, before,
                 after);
}

template <typename Dtype>
void ScaleLayer<Dtype>::compose_affine_backward_gpu(int channels,
                                                    const AffineRows& before,
                                                    const AffineRows& gradient) {
  const bool want_factors = this->param_propagate_down(0);
  const bool want_bias = bias_term_ && this->param_propagate_down(bias_index_);
  compose_backward<Dtype>(
      channels, this->blobs_[0]->gpu_data(), before, gradient,
      want_factors ? this->blobs_[0]->mutable_gpu_diff() : nullptr,
      want_bias ? this->blobs_[bias_index_]->mutable_gpu_diff() : nullptr);
}

template <typename Dtype>
void ScaleLayer<Dtype>::Forward_gpu(const vector<Blob<Dtype>*>& bottom,
                                    const vector<Blob<Dtype>*>& top) {
  SyncedMemory* in = bottom[0]->data().get();
  const auto [span, order] = device::span_in_order(*bottom[0], axis_, factor_axes_, {in});
  const Dtype* x = device::read_in_order<Dtype>(in, order);
  // The factor's gradient needs x, which an in-place pass overwrites.
  if (bottom[0] == top[0] &&
      (factor_is_bottom(bottom) || this->param_propagate_down(0))) {
    input_.ReshapeLike(*bottom[0]);
    device::copy_on_device(device::write_in_order<Dtype>(input_.data().get(), order), x,
                           sizeof(Dtype) * input_.count());
  }
  const Dtype* factors = factor(bottom)->gpu_data();
  Dtype* y = device::write_in_order<Dtype>(top[0]->data().get(), order);
  if (bias_term_) {
    scale_and_shift_channels(span, factors, this->blobs_[bias_index_]->gpu_data(), x, y);
  } else {
    scale_channels(span, factors, x, y);
  }
}

template <typename Dtype>
void ScaleLayer<Dtype>::Backward_gpu(const vector<Blob<Dtype>*>& top,
                                     const vector<bool>& propagate_down,
                                     const vector<Blob<Dtype>*>& bottom) {
  SyncedMemory* gradient = top[0]->diff().get();
  const auto [span, order] =
      device::span_in_order(*bottom[0], axis_, factor_axes_, {gradient});
  const Dtype* g = device::read_in_order<Dtype>(gradient, order);
  if (bias_term_ && this->param_propagate_down(bias_index_)) {
    bias_gradient(span, g, this->blobs_[bias_index_]->mutable_gpu_diff());
  }
  if (NeedsFactorGradient(bottom, propagate_down)) {
    const Blob<Dtype>& input = bottom[0] == top[0] ? input_ : *bottom[0];
    factor_gradient(span, g, device::read_in_order<Dtype>(input.data().get(), order),
                    factor_is_bottom(bottom), factor(bottom)->mutable_gpu_diff());
  }
  if (propagate_down[0]) {
    scale_channels(span, factor(bottom)->gpu_data(), g,
                   device::write_in_order<Dtype>(bottom[0]->diff().get(), order));
  }
}

INSTANTIATE_LAYER_GPU_FUNCS(ScaleLayer);
INSTANTIATE_AFFINE_GPU_FUNCS(ScaleLayer);

}  // namespace caffe

// Bias on the device.
#include "caffe/device/channelwise.hpp"
#include "caffe/device/device.hpp"
#include "caffe/layers/bias_layer.hpp"

namespace caffe {

namespace {

using device::ChannelOf;
using device::ChannelSpan;

template <typename Dtype>
void add_bias(const ChannelSpan& span, const Dtype* bias, const Dtype* x, Dtype* y) {
  const ChannelOf channel(span);
  launch(
      span.count(), CAFFE_LAMBDA(int i) { y[i] = x[i] + bias[channel(i)]; });
}

/// diff[c] = (overwrite ? 0 : diff[c]) + the sum of g over channel c.
template <typename Dtype>
void bias_gradient(const ChannelSpan& span, const Dtype* g, bool overwrite, Dtype* diff) {
  device::launch_channel_sums<double>(
      span, CAFFE_LAMBDA(int i, int) { return static_cast<double>(g[i]); },
      CAFFE_LAMBDA(int c, double sum) {
        diff[c] = (overwrite ? Dtype(0) : diff[c]) + static_cast<Dtype>(sum);
      });
}

/// shift <- shift + bias.
template <typename Dtype>
void compose(int channels, const Dtype* bias, const AffineRows& before,
             const AffineRows& after) {
  const AffineRows from = before, to = after;
  launch(
      channels, CAFFE_LAMBDA(int c) {
        to.scale[c] = from.scale_of(c);
        to.shift[c] = from.shift_of(c) + bias[c];
      });
}

template <typename Dtype>
void compose_backward(int channels, const AffineRows& gradient, Dtype* bias_diff) {
  const double* g = gradient.shift;
  launch(
      channels, CAFFE_LAMBDA(int c) { bias_diff[c] += static_cast<Dtype>(g[c]); });
}

}  // namespace

template <typename Dtype>
void BiasLayer<Dtype>::compose_affine_gpu(int channels, const AffineRows& before,
                                          const AffineRows& after) const {
  compose(channels, this->blobs_[0]->gpu_data(), before, after);
}

template <typename Dtype>
void BiasLayer<Dtype>::compose_affine_backward_gpu(int channels, const AffineRows&,
                                                   const AffineRows& gradient) {
  if (!this->param_propagate_down(0)) return;
  compose_backward(channels, gradient, this->blobs_[0]->mutable_gpu_diff());
}

template <typename Dtype>
void BiasLayer<Dtype>::Forward_gpu(const vector<Blob<Dtype>*>& bottom,
                                   const vector<Blob<Dtype>*>& top) {
  const Blob<Dtype>& bias = bottom.size() > 1 ? *bottom[1] : *this->blobs_[0];
  SyncedMemory* in = bottom[0]->data().get();
  const auto [span, order] = device::span_in_order(*bottom[0], axis_, bias_axes_, {in});
  const Dtype* x = device::read_in_order<Dtype>(in, order);
  add_bias(span, bias.gpu_data(), x,
           device::write_in_order<Dtype>(top[0]->data().get(), order));
}

template <typename Dtype>
void BiasLayer<Dtype>::Backward_gpu(const vector<Blob<Dtype>*>& top,
                                    const vector<bool>& propagate_down,
                                    const vector<Blob<Dtype>*>& bottom) {
  const bool from_bottom = bottom.size() > 1;
  SyncedMemory* gradient = top[0]->diff().get();
  const auto [span, order] =
      device::span_in_order(*bottom[0], axis_, bias_axes_, {gradient});
  const Dtype* g = device::read_in_order<Dtype>(gradient, order);
  if (from_bottom ? propagate_down[1] : this->param_propagate_down(0)) {
    Blob<Dtype>* bias = from_bottom ? bottom[1] : this->blobs_[0].get();
    bias_gradient(span, g, from_bottom, bias->mutable_gpu_diff());
  }
  if (propagate_down[0] && bottom[0] != top[0]) {
    device::copy_on_device(device::write_in_order<Dtype>(bottom[0]->diff().get(), order),
                           g, sizeof(Dtype) * top[0]->count());
  }
}

INSTANTIATE_LAYER_GPU_FUNCS(BiasLayer);
INSTANTIATE_AFFINE_GPU_FUNCS(BiasLayer);

}  // namespace caffe

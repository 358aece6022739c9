// PReLU on the device.
#include "caffe/device/channelwise.hpp"
#include "caffe/device/device.hpp"
#include "caffe/layers/prelu_layer.hpp"

namespace caffe {

namespace {

using device::ChannelOf;
using device::ChannelSpan;

/// With one slope for all the span has one channel.
template <typename Dtype>
ChannelSpan slope_span(const Blob<Dtype>& blob, bool channel_shared) {
  if (channel_shared) return {1, 1, blob.count()};
  return {blob.shape(0), blob.shape(1), blob.count(2)};
}

template <typename Dtype>
void prelu_forward(const ChannelSpan& span, const Dtype* slopes, const Dtype* x,
                   Dtype* y) {
  const ChannelOf channel(span);
  launch(
      span.count(), CAFFE_LAMBDA(int i) {
        const Dtype value = x[i];
        y[i] = value > 0 ? value : slopes[channel(i)] * value;
      });
}

template <typename Dtype>
void prelu_backward(const ChannelSpan& span, const Dtype* slopes, const Dtype* g,
                    const Dtype* x, Dtype* dx) {
  const ChannelOf channel(span);
  launch(
      span.count(), CAFFE_LAMBDA(int i) {
        const Dtype gradient = g[i];
        dx[i] = x[i] > 0 ? gradient : slopes[channel(i)] * gradient;
      });
}

template <typename Dtype>
void prelu_slope_gradient(const ChannelSpan& span, const Dtype* g, const Dtype* x,
                          Dtype* slopes_diff) {
  device::launch_channel_sums<double>(
      span,
      CAFFE_LAMBDA(int i, int) {
        return x[i] > 0 ? 0. : static_cast<double>(g[i] * x[i]);
      },
      CAFFE_LAMBDA(int c, double sum) { slopes_diff[c] += static_cast<Dtype>(sum); });
}

}  // namespace

template <typename Dtype>
void PReLULayer<Dtype>::Forward_gpu(const vector<Blob<Dtype>*>& bottom,
                                    const vector<Blob<Dtype>*>& top) {
  if (bottom[0] == top[0]) {
    input_.ReshapeLike(*bottom[0]);
    device::copy_on_device(input_.mutable_gpu_data(), bottom[0]->gpu_data(),
                           sizeof(Dtype) * input_.count());
  }
  prelu_forward(slope_span(*bottom[0], channel_shared_), this->blobs_[0]->gpu_data(),
                bottom[0]->gpu_data(), top[0]->mutable_gpu_data());
}

template <typename Dtype>
void PReLULayer<Dtype>::Backward_gpu(const vector<Blob<Dtype>*>& top,
                                     const vector<bool>& propagate_down,
                                     const vector<Blob<Dtype>*>& bottom) {
  const ChannelSpan span = slope_span(*bottom[0], channel_shared_);
  const Dtype* x = (bottom[0] == top[0] ? input_ : *bottom[0]).gpu_data();
  const Dtype* g = top[0]->gpu_diff();
  if (this->param_propagate_down(0)) {
    prelu_slope_gradient(span, g, x, this->blobs_[0]->mutable_gpu_diff());
  }
  if (!propagate_down[0]) return;
  prelu_backward(span, this->blobs_[0]->gpu_data(), g, x, bottom[0]->mutable_gpu_diff());
}

INSTANTIATE_LAYER_GPU_FUNCS(PReLULayer);

}  // namespace caffe

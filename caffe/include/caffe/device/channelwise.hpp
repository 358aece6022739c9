// Kernels with one coefficient, or one sum, a channel; only .cu files include this.
#ifndef CAFFE_DEVICE_CHANNELWISE_HPP_
#define CAFFE_DEVICE_CHANNELWISE_HPP_

#include "caffe/device/divisor.hpp"
#include "caffe/device/launch.hpp"

namespace caffe {
namespace device {

/// A row-major array of outer x channels x inner numbers.
struct ChannelSpan {
  int outer = 1, channels = 1, inner = 1;
  int count() const { return outer * channels * inner; }
};

/// The channel of element i.
class ChannelOf {
 public:
  explicit ChannelOf(const ChannelSpan& span)
      : inner_(span.inner), channels_(span.channels) {}
  CAFFE_HD int operator()(int i) const { return channels_.remainder(inner_.quotient(i)); }

 private:
  Divisor inner_, channels_;
};

/// value(index, channel) at place i of a channel's numbers.
template <typename Sum, typename Value>
struct ChannelLoad {
  Value value;
  Divisor inner;
  int channels;
  CAFFE_HD Sum operator()(int channel, int i) const {
    const int n = inner.quotient(i), within = i - n * inner.divisor();
    return value((n * channels + channel) * inner.divisor() + within, channel);
  }
};

/// One thread a channel: for channels of few numbers.
template <typename Sum, typename Load, typename Store>
struct ChannelLoop {
  Load load;
  Store store;
  int length;
  CAFFE_HD void operator()(int channel) const {
    Sum sum(0);
    for (int i = 0; i < length; ++i) sum += load(channel, i);
    store(channel, sum);
  }
};

/// store(channel, the sum of value(index, channel) over the channel's elements).
template <typename Sum, typename Value, typename Store>
void launch_channel_sums(const ChannelSpan& span, const Value& value,
                         const Store& store) {
  const int length = span.outer * span.inner;
  const ChannelLoad<Sum, Value> load{value, Divisor(span.inner), span.channels};
  // Neighbouring threads read neighbouring channels.
  if (length <= 4 || (span.inner == 1 && span.channels >= 32 && length <= 1024)) {
    launch(span.channels,
           ChannelLoop<Sum, ChannelLoad<Sum, Value>, Store>{load, store, length});
  } else {
    launch_row_sums<Sum>(span.channels, length, load, store);
  }
}

}  // namespace device
}  // namespace caffe

#endif  // CAFFE_DEVICE_CHANNELWISE_HPP_

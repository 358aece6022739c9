// Kernels with one coefficient, or one sum, a channel; only .cu files include this.
#ifndef CAFFE_DEVICE_CHANNELWISE_HPP_
#define CAFFE_DEVICE_CHANNELWISE_HPP_

#include <algorithm>
#include <vector>

#include "caffe/device/channels_last.hpp"
#include "caffe/device/divisor.hpp"
#include "caffe/device/launch.hpp"
#include "caffe/device/scratch.hpp"

namespace caffe {
namespace device {

/// A row-major array of outer x channels x inner numbers.
struct ChannelSpan {
  int outer = 1, channels = 1, inner = 1;
  int count() const { return outer * channels * inner; }
};

/// That of a blob's axis 1, in one of the orders of channels_last.hpp.
template <typename Dtype>
ChannelSpan channel_span(const Blob<Dtype>& blob, const ChannelsLast& order) {
  if (order.channels > 0) return {order.num * order.spatial, order.channels, 1};
  if (blob.num_axes() < 2) return {blob.count(), 1, 1};
  return {blob.shape(0), blob.shape(1), blob.count(2)};
}

/// Axes of a blob as the channels of a pass, and the order that the pass goes in:
/// channels-last where the axes are axis 1 and common_order says so.
struct SpanInOrder {
  ChannelSpan span;
  ChannelsLast order;
};
template <typename Dtype>
SpanInOrder span_in_order(const Blob<Dtype>& blob, int axis, int axes,
                          const std::vector<SyncedMemory*>& inputs) {
  const ChannelsLast order =
      axis == 1 && axes == 1 ? common_order(blob, inputs) : ChannelsLast();
  if (order.channels > 0) return {channel_span(blob, order), order};
  return {{blob.count(0, axis), blob.count(axis, axis + axes), blob.count(axis + axes)},
          order};
}

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

/// Channels last: thread (part, channel) sums some of the channel's numbers.
template <typename Sum, typename Value>
struct PartOfChannel {
  Value value;
  Divisor channels;
  int rows, length;
  Sum* sums;
  CAFFE_HD void operator()(int i) const {
    const int part = channels.quotient(i), channel = i - part * channels.divisor();
    const int first = part * length, end = rows < first + length ? rows : first + length;
    Sum sum(0);
    for (int row = first; row < end; ++row) {
      sum += value(row * channels.divisor() + channel, channel);
    }
    sums[i] = sum;
  }
};

template <typename Sum>
struct PartSum {
  const Sum* sums;
  int channels;
  CAFFE_HD Sum operator()(int channel, int part) const {
    return sums[part * channels + channel];
  }
};

/// launch_channel_sums of channels last: neighbouring threads read neighbouring channels.
template <typename Sum, typename Value, typename Store>
void launch_last_channel_sums(const ChannelSpan& span, const Value& value,
                              const Store& store) {
  const int channels = span.channels, rows = span.outer;
  const int most = std::min(1024, std::max(1, (1 << 17) / std::max(1, channels)));
  const int parts = std::max(1, std::min(most, rows / 16));
  const Scratch memory(sizeof(Sum) * std::size_t(parts) * channels);
  Sum* sums = memory.as<Sum>();
  launch(parts * channels, PartOfChannel<Sum, Value>{value, Divisor(channels), rows,
                                                     (rows + parts - 1) / parts, sums});
  launch_row_sums<Sum>(channels, parts, PartSum<Sum>{sums, channels}, store);
}

/// store(channel, the sum of value(index, channel) over the channel's elements).
template <typename Sum, typename Value, typename Store>
void launch_channel_sums(const ChannelSpan& span, const Value& value,
                         const Store& store) {
  const int length = span.outer * span.inner;
  if (span.inner == 1 && span.channels > 1 && length > 64) {
    launch_last_channel_sums<Sum>(span, value, store);
    return;
  }
  const ChannelLoad<Sum, Value> load{value, Divisor(span.inner), span.channels};
  // Neighbouring threads read neighbouring channels.
  if (length <= 4 || (span.inner == 1 && span.channels >= 32)) {
    launch(span.channels,
           ChannelLoop<Sum, ChannelLoad<Sum, Value>, Store>{load, store, length});
  } else {
    launch_row_sums<Sum>(span.channels, length, load, store);
  }
}

}  // namespace device
}  // namespace caffe

#endif  // CAFFE_DEVICE_CHANNELWISE_HPP_

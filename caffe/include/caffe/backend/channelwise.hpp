// Passes with one coefficient, or one sum, a channel, over row-major and blocked arrays.
#ifndef CAFFE_BACKEND_CHANNELWISE_HPP_
#define CAFFE_BACKEND_CHANNELWISE_HPP_

#include <cstdint>
#include <vector>

#include "caffe/blob.hpp"
#include "caffe/util/blocked_layout.hpp"

namespace caffe {

/// How an array lies around its channels: outer x groups x inner x lanes numbers, where
/// channel = group * lanes + lane.
///
/// Row-major: lanes = 1, groups = channels. Blocked: lanes = the block size; channels
/// beyond the last one exist in memory and hold zeros. A coefficient array has
/// padded_channels() entries (`pad` makes it), so that the lanes beyond the last channel
/// stay zero.
struct ChannelArray {
  std::int64_t outer = 0;
  std::int64_t groups = 0;
  std::int64_t inner = 0;
  std::int64_t lanes = 1;
  std::int64_t channels = 0;

  static ChannelArray Plain(std::int64_t outer, std::int64_t channels,
                            std::int64_t inner);
  static ChannelArray Blocked(const BlockedLayout& layout);
  std::int64_t count() const { return outer * groups * inner * lanes; }
  std::int64_t padded_channels() const { return groups * lanes; }

  /// `values` (one a channel) with zeros for the lanes beyond the last channel.
  template <typename Dtype, typename From>
  std::vector<Dtype> pad(const From* values) const {
    std::vector<Dtype> padded(padded_channels(), Dtype(0));
    for (std::int64_t c = 0; c < channels; ++c) padded[c] = static_cast<Dtype>(values[c]);
    return padded;
  }
};

/// The blob's array in the given layout, or row-major (channel axis 1) if it is not
/// valid().
template <typename Dtype>
ChannelArray channel_array(const Blob<Dtype>& blob, const BlockedLayout& layout) {
  if (layout.valid()) return ChannelArray::Blocked(layout);
  const int channels = blob.num_axes() > 1 ? blob.shape(1) : 1;
  const int outer = blob.num_axes() > 0 ? blob.shape(0) : 1;
  return ChannelArray::Plain(outer, channels, blob.num_axes() > 2 ? blob.count(2) : 1);
}

/// The array in which the axes [axis, axis + num_axes) of the blob are the channels:
/// blocked if `layout` is valid() (see `span_layout`).
template <typename Dtype>
ChannelArray span_array(const Blob<Dtype>& blob, int axis, int num_axes,
                        const BlockedLayout& layout) {
  if (layout.valid()) return ChannelArray::Blocked(layout);
  return ChannelArray::Plain(blob.count(0, axis), blob.count(axis, axis + num_axes),
                             blob.count(axis + num_axes));
}
/// The blob's blocked layout if these axes are the channel axis, else not valid().
template <typename Dtype>
BlockedLayout span_layout(const Blob<Dtype>& blob, int axis, int num_axes) {
  return axis == 1 && num_axes == 1 ? blob.blocked_layout() : BlockedLayout();
}

/// y = scale[c] * x + shift[c]. Either may be null (1 and 0). y may be x.
template <typename Dtype>
void channel_affine(const ChannelArray& array, const Dtype* x, const Dtype* scale,
                    const Dtype* shift, Dtype* y);

/// y = a[c] * x1 + b[c] * x2 + c[c]. y may be x1 or x2.
template <typename Dtype>
void channel_combine(const ChannelArray& array, const Dtype* x1, const Dtype* a,
                     const Dtype* x2, const Dtype* b, const Dtype* c, Dtype* y);

/// y = x > 0 ? x : slope[c] * x. y may be x.
template <typename Dtype>
void channel_leaky(const ChannelArray& array, const Dtype* x, const Dtype* slope,
                   Dtype* y);
/// y = x > 0 ? g : slope[c] * g. y may be g.
template <typename Dtype>
void channel_leaky_gradient(const ChannelArray& array, const Dtype* g, const Dtype* x,
                            const Dtype* slope, Dtype* y);

/// Sums over each channel (`channels` values); the same for any number of threads.
template <typename Dtype>
std::vector<double> channel_sum(const ChannelArray& array, const Dtype* x);
/// Sum of g * (x - centre[c]); `centre` is padded, null means 0.
template <typename Dtype>
std::vector<double> channel_dot(const ChannelArray& array, const Dtype* g, const Dtype* x,
                                const Dtype* centre = nullptr);
/// Sums over each channel of g and of g * (x - centre[c]).
struct ChannelSums {
  std::vector<double> g, dot;
};
/// Both at once, and dx = scale[c] * g unless dx is null; what Scale and BatchNorm need
/// of a gradient, in one walk over memory. dx may be g, and may be x. `centre` may be
/// null (0).
template <typename Dtype>
ChannelSums channel_affine_gradient(const ChannelArray& array, const Dtype* g,
                                    const Dtype* x, const Dtype* centre,
                                    const Dtype* scale, Dtype* dx);
/// Sum of (x - mean[c])^2. `mean` is padded.
template <typename Dtype>
std::vector<double> channel_square_deviation(const ChannelArray& array, const Dtype* x,
                                             const Dtype* mean);
/// Sum of g * x where x <= 0: the gradient of channel_leaky by its slopes.
template <typename Dtype>
std::vector<double> channel_negative_dot(const ChannelArray& array, const Dtype* g,
                                         const Dtype* x);

}  // namespace caffe

#endif  // CAFFE_BACKEND_CHANNELWISE_HPP_

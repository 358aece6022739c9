// Vectors over the channels of each position: their scaling to one length, and its
// gradient.
#ifndef CAFFE_BACKEND_CHANNEL_NORM_HPP_
#define CAFFE_BACKEND_CHANNEL_NORM_HPP_

#include <vector>

#include "caffe/backend/channelwise.hpp"

namespace caffe {

/// y = scale[c] * x / sqrt(sum over the channels of x^2 + eps) at each position. `scale`
/// is padded. y may be x.
template <typename Dtype>
void normalize_channels(const ChannelArray& array, const Dtype* x, const Dtype* scale,
                        Dtype eps, Dtype* y);

/// The gradient by x from that by y; dx may be null. With `scale_gradient` also the
/// gradient by the scales (one a channel, overwritten).
template <typename Dtype>
void normalize_channels_gradient(const ChannelArray& array, const Dtype* x,
                                 const Dtype* scale, Dtype eps, const Dtype* g, Dtype* dx,
                                 std::vector<double>* scale_gradient);

/// The array with its channels as groups, whatever its inner size.
template <typename Dtype>
ChannelArray grouped_channel_array(const Blob<Dtype>& blob, const BlockedLayout& layout) {
  if (layout.valid()) return ChannelArray::Blocked(layout);
  ChannelArray array;
  array.outer = blob.shape(0);
  array.groups = array.channels = blob.shape(1);
  array.inner = blob.count(2);
  return array;
}

}  // namespace caffe

#endif  // CAFFE_BACKEND_CHANNEL_NORM_HPP_

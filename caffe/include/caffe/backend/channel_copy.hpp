// Copies a range of channels between arrays, row-major or blocked: what Concat and Slice
// do.
#ifndef CAFFE_BACKEND_CHANNEL_COPY_HPP_
#define CAFFE_BACKEND_CHANNEL_COPY_HPP_

#include "caffe/util/blocked_layout.hpp"

namespace caffe {

/// Channels [from_channel, from_channel + channels) of `from` become channels
/// [to_channel, ...) of `to`. Both are blocked, of one batch, spatial size and block.
/// Zeroes the lanes beyond the last channel of `to` where it writes that channel.
void copy_channels(const BlockedLayout& from_layout, const float* from, int from_channel,
                   const BlockedLayout& to_layout, float* to, int to_channel,
                   int channels);

/// The same from a row-major array of `from_layout`'s shape.
void pack_channels(const BlockedLayout& from_layout, const float* from, int from_channel,
                   const BlockedLayout& to_layout, float* to, int to_channel,
                   int channels);

}  // namespace caffe

#endif  // CAFFE_BACKEND_CHANNEL_COPY_HPP_

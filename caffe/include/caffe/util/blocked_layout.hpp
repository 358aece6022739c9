// The channel-blocked layout that CPU back-ends leave activations in, and its reorders.
//
// A blob of shape N x C x spatial is stored as N x ceil(C/block) x spatial x block: the
// channels of a block are innermost (oneDNN calls it nChw16c, nChw8c). Lanes beyond C in
// the last block are always zero.
#ifndef CAFFE_UTIL_BLOCKED_LAYOUT_HPP_
#define CAFFE_UTIL_BLOCKED_LAYOUT_HPP_

#include <cstddef>
#include <cstdint>

namespace caffe {

struct BlockedLayout {
  int num = 0;
  int channels = 0;
  int spatial = 0;
  int block = 0;

  int blocks() const { return (channels + block - 1) / block; }
  /// Floats stored, zero lanes included.
  std::size_t padded_count() const {
    return static_cast<std::size_t>(num) * blocks() * spatial * block;
  }
  std::size_t count() const { return static_cast<std::size_t>(num) * channels * spatial; }
  /// Lanes of the last block that hold no channel.
  int tail_lanes() const { return blocks() * block - channels; }
  bool valid() const { return block > 0; }
  bool operator==(const BlockedLayout& o) const {
    return num == o.num && channels == o.channels && spatial == o.spatial &&
           block == o.block;
  }
  bool operator!=(const BlockedLayout& o) const { return !(*this == o); }
};

/// The block size that this processor's kernels want: 16 with AVX-512, 8 with AVX2, else
/// 0 (no blocked layouts).
int native_channel_block();

/// Row-major N x C x spatial -> blocked; zeroes the tail lanes. Threaded.
void reorder_to_blocked(const BlockedLayout& layout, const float* plain, float* blocked);
/// Blocked -> row-major.
void reorder_to_plain(const BlockedLayout& layout, const float* blocked, float* plain);
/// Sets the lanes beyond the last channel to zero (after an operation with f(0) != 0).
void zero_tail_lanes(const BlockedLayout& layout, float* blocked);

}  // namespace caffe

#endif  // CAFFE_UTIL_BLOCKED_LAYOUT_HPP_

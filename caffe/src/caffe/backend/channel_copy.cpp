// Channel ranges between blocked arrays: whole blocks where offsets allow, else lane
// runs.
#include "caffe/backend/channel_copy.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "caffe/util/parallel_for.hpp"

namespace caffe {

namespace {

constexpr int kStrip =
    256;  // positions: a strip of two blocks stays in the first-level cache

using LaneCopy = void (*)(const float* from, float* to, int block, int positions);

// Copies kLength neighbouring lanes at each position; a constant length makes plain
// moves.
template <int kLength>
void CopyLanes(const float* from, float* to, int block, int positions) {
  for (int s = 0; s < positions; ++s) {
    std::memcpy(to + s * block, from + s * block, kLength * sizeof(float));
  }
}

template <std::size_t... kLengths>
LaneCopy ChooseCopy(int length, std::index_sequence<kLengths...>) {
  static const LaneCopy copies[] = {CopyLanes<static_cast<int>(kLengths)>...};
  return copies[length];
}

LaneCopy ChooseCopy(int length) {
  return ChooseCopy(length, std::make_index_sequence<17>());
}

float* BlockAt(const BlockedLayout& layout, float* data, int n, int block) {
  return data + (static_cast<std::int64_t>(n) * layout.blocks() + block) *
                    layout.spatial * layout.block;
}
const float* BlockAt(const BlockedLayout& layout, const float* data, int n, int block) {
  return BlockAt(layout, const_cast<float*>(data), n, block);
}

void ZeroLanesFrom(float* block, int lane, int width, int begin, int end) {
  for (int s = begin; s < end; ++s) {
    std::fill(block + s * width + lane, block + (s + 1) * width, 0.f);
  }
}

// Calls write(n, block of `to`, first channel, channels, first position, last position)
// for every piece of the range that lies in one block, threaded; then zeroes the tail
// lanes.
template <typename Write>
void ForEachPiece(const BlockedLayout& to_layout, float* to, int to_channel, int channels,
                  const Write& write) {
  if (channels <= 0) return;
  const int block = to_layout.block;
  const int first = to_channel / block, last = (to_channel + channels - 1) / block;
  const int strips = (to_layout.spatial + kStrip - 1) / kStrip;
  const bool reaches_end = to_channel + channels == to_layout.channels;
  const std::int64_t items =
      static_cast<std::int64_t>(to_layout.num) * (last - first + 1) * strips;
  parallel_ranges(items, 8, [&](std::int64_t begin_item, std::int64_t end_item) {
    for (std::int64_t item = begin_item; item < end_item; ++item) {
      const int strip = static_cast<int>(item % strips);
      const int b = first + static_cast<int>(item / strips % (last - first + 1));
      const int n = static_cast<int>(item / strips / (last - first + 1));
      const int begin = strip * kStrip, end = std::min(to_layout.spatial, begin + kStrip);
      const int c0 = std::max(to_channel, b * block);
      const int c1 = std::min(to_channel + channels, (b + 1) * block);
      write(n, b, c0, c1 - c0, begin, end);
      if (b == last && reaches_end && c1 % block != 0) {
        ZeroLanesFrom(BlockAt(to_layout, to, n, b), c1 % block, block, begin, end);
      }
    }
  });
}

}  // namespace

void copy_channels(const BlockedLayout& from_layout, const float* from, int from_channel,
                   const BlockedLayout& to_layout, float* to, int to_channel,
                   int channels) {
  const int block = to_layout.block;
  ForEachPiece(
      to_layout, to, to_channel, channels,
      [&](int n, int b, int c0, int count, int begin, int end) {
        float* target = BlockAt(to_layout, to, n, b) + begin * block;
        int source_channel = from_channel + c0 - to_channel;
        if (count == block && source_channel % block == 0) {
          std::memcpy(
              target,
              BlockAt(from_layout, from, n, source_channel / block) + begin * block,
              sizeof(float) * block * (end - begin));
          return;
        }
        int lane = c0 % block;
        while (count > 0) {  // at most two source blocks
          const int source_lane = source_channel % block;
          const int length = std::min(count, block - source_lane);
          ChooseCopy(length)(BlockAt(from_layout, from, n, source_channel / block) +
                                 begin * block + source_lane,
                             target + lane, block, end - begin);
          lane += length;
          source_channel += length;
          count -= length;
        }
      });
}

void pack_channels(const BlockedLayout& from_layout, const float* from, int from_channel,
                   const BlockedLayout& to_layout, float* to, int to_channel,
                   int channels) {
  const int block = to_layout.block;
  const std::int64_t spatial = from_layout.spatial;
  ForEachPiece(to_layout, to, to_channel, channels,
               [&](int n, int b, int c0, int count, int begin, int end) {
                 float* target = BlockAt(to_layout, to, n, b) + c0 % block;
                 const float* source =
                     from + (static_cast<std::int64_t>(n) * from_layout.channels +
                             from_channel + c0 - to_channel) *
                                spatial;
                 for (int c = 0; c < count; ++c) {
                   for (int s = begin; s < end; ++s)
                     target[s * block + c] = source[c * spatial + s];
                 }
               });
}

}  // namespace caffe

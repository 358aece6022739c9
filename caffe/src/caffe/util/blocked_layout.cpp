// Reorders between row-major and channel-blocked memory.
#include "caffe/util/blocked_layout.hpp"

#include <algorithm>

#include "caffe/util/instruction_set.hpp"
#include "caffe/util/parallel_for.hpp"

namespace caffe {

int native_channel_block() {
#ifdef USE_ONEDNN
  switch (instruction_set()) {
    case InstructionSet::kAvx512:
      return 16;
    case InstructionSet::kAvx2:
      return 8;
    case InstructionSet::kPlain:
      break;
  }
#endif
  return 0;
}

namespace {

constexpr int kStrip =
    64;  // positions a tile: 64 x 16 floats stay in the first-level cache

template <int kBlock>
void PackBlock(const float* plain, float* blocked, int lanes, int spatial, int begin,
               int end) {
  for (int s0 = begin; s0 < end; s0 += kStrip) {
    const int s1 = std::min(end, s0 + kStrip);
    if (lanes == kBlock) {
      for (int s = s0; s < s1; ++s) {
        for (int c = 0; c < kBlock; ++c) blocked[s * kBlock + c] = plain[c * spatial + s];
      }
    } else {
      for (int s = s0; s < s1; ++s) {
        for (int c = 0; c < lanes; ++c) blocked[s * kBlock + c] = plain[c * spatial + s];
        for (int c = lanes; c < kBlock; ++c) blocked[s * kBlock + c] = 0.f;
      }
    }
  }
}

template <int kBlock>
void UnpackBlock(const float* blocked, float* plain, int lanes, int spatial, int begin,
                 int end) {
  for (int s0 = begin; s0 < end; s0 += kStrip) {
    const int s1 = std::min(end, s0 + kStrip);
    for (int c = 0; c < lanes; ++c) {
      float* row = plain + static_cast<std::int64_t>(c) * spatial;
      for (int s = s0; s < s1; ++s) row[s] = blocked[s * kBlock + c];
    }
  }
}

/// Runs `body(n, block, begin, end)` over all channel blocks, cut into strips of
/// positions.
template <typename Body>
void for_each_strip(const BlockedLayout& layout, Body&& body) {
  const int strips = std::max(1, layout.spatial / 4096);
  const std::int64_t items =
      static_cast<std::int64_t>(layout.num) * layout.blocks() * strips;
  parallel_ranges(items, std::max<std::int64_t>(1, 4096 / std::max(1, layout.spatial)),
                  [&](std::int64_t first, std::int64_t last) {
                    for (std::int64_t i = first; i < last; ++i) {
                      const int strip = static_cast<int>(i % strips);
                      const std::int64_t nb = i / strips;
                      const int begin = static_cast<int>(
                          static_cast<std::int64_t>(layout.spatial) * strip / strips);
                      const int end =
                          static_cast<int>(static_cast<std::int64_t>(layout.spatial) *
                                           (strip + 1) / strips);
                      body(static_cast<int>(nb / layout.blocks()),
                           static_cast<int>(nb % layout.blocks()), begin, end);
                    }
                  });
}

}  // namespace

void reorder_to_blocked(const BlockedLayout& layout, const float* plain, float* blocked) {
  const std::int64_t spatial = layout.spatial;
  for_each_strip(layout, [&](int n, int b, int begin, int end) {
    const int lanes = std::min(layout.block, layout.channels - b * layout.block);
    const float* from =
        plain +
        (static_cast<std::int64_t>(n) * layout.channels + b * layout.block) * spatial;
    float* to = blocked + (static_cast<std::int64_t>(n) * layout.blocks() + b) * spatial *
                              layout.block;
    if (layout.block == 16) {
      PackBlock<16>(from, to, lanes, layout.spatial, begin, end);
    } else {
      PackBlock<8>(from, to, lanes, layout.spatial, begin, end);
    }
  });
}

void reorder_to_plain(const BlockedLayout& layout, const float* blocked, float* plain) {
  const std::int64_t spatial = layout.spatial;
  for_each_strip(layout, [&](int n, int b, int begin, int end) {
    const int lanes = std::min(layout.block, layout.channels - b * layout.block);
    float* to =
        plain +
        (static_cast<std::int64_t>(n) * layout.channels + b * layout.block) * spatial;
    const float* from = blocked + (static_cast<std::int64_t>(n) * layout.blocks() + b) *
                                      spatial * layout.block;
    if (layout.block == 16) {
      UnpackBlock<16>(from, to, lanes, layout.spatial, begin, end);
    } else {
      UnpackBlock<8>(from, to, lanes, layout.spatial, begin, end);
    }
  });
}

void zero_tail_lanes(const BlockedLayout& layout, float* blocked) {
  if (layout.tail_lanes() == 0) return;
  const int lanes = layout.block - layout.tail_lanes();
  for (int n = 0; n < layout.num; ++n) {
    float* last = blocked + ((static_cast<std::int64_t>(n) + 1) * layout.blocks() - 1) *
                                layout.spatial * layout.block;
    for (int s = 0; s < layout.spatial; ++s) {
      std::fill(last + s * layout.block + lanes, last + (s + 1) * layout.block, 0.f);
    }
  }
}

}  // namespace caffe

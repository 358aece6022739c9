// Blobs as planes of interleaved channels: one view for the row-major and the blocked
// layout.
//
// An operator that does not mix channels runs the same loop on both: N * C planes of 1
// lane, or N * ceil(C / block) planes of `block` lanes.
#ifndef CAFFE_BACKEND_PLANES_HPP_
#define CAFFE_BACKEND_PLANES_HPP_

#include <cstdint>
#include <type_traits>

#include "caffe/blob.hpp"

namespace caffe {

template <typename Dtype>
struct Planes {
  Dtype* data = nullptr;
  std::int64_t planes = 0;
  int lanes = 1;
};

/// Whether an operator should take `memory` (data or diff of `blob`) as blocks: it is
/// blocked already and at least half of the lanes hold channels. (A flow of 2 channels is
/// cheaper reordered than carried through 16 lanes.)
template <typename Dtype>
bool prefers_blocks(const Blob<Dtype>& blob, const SyncedMemory& memory) {
  const BlockedLayout layout = blob.blocked_layout();
  return layout.valid() && 2 * layout.channels >= layout.block &&
         memory.blocked_is_current() && memory.layout() == layout;
}

/// The contents of `memory`, as blocks or row-major as told.
template <typename Dtype>
Planes<const Dtype> read_planes(const Blob<Dtype>& blob, SyncedMemory* memory,
                                bool blocked) {
  if constexpr (std::is_same<Dtype, float>::value) {
    if (blocked) {
      const BlockedLayout layout = blob.blocked_layout();
      return {memory->blocked_data(layout), std::int64_t{layout.num} * layout.blocks(),
              layout.block};
    }
  }
  return {static_cast<const Dtype*>(memory->cpu_data()), blob.count(0, 2), 1};
}

/// Memory to be overwritten completely, lanes beyond the last channel (with zeros)
/// included.
template <typename Dtype>
Planes<Dtype> write_planes(const Blob<Dtype>& blob, SyncedMemory* memory, bool blocked) {
  if constexpr (std::is_same<Dtype, float>::value) {
    if (blocked) {
      const BlockedLayout layout = blob.blocked_layout();
      return {memory->mutable_blocked_data(layout),
              std::int64_t{layout.num} * layout.blocks(), layout.block};
    }
  }
  return {static_cast<Dtype*>(memory->mutable_cpu_data()), blob.count(0, 2), 1};
}

}  // namespace caffe

#endif  // CAFFE_BACKEND_PLANES_HPP_

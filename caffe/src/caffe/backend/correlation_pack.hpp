// What both directions of correlation share: maps packed as tiles, and groups of rows.
#ifndef CAFFE_BACKEND_CORRELATION_PACK_HPP_
#define CAFFE_BACKEND_CORRELATION_PACK_HPP_

#include <algorithm>
#include <vector>

#include "caffe/backend/correlation.hpp"
#include "caffe/backend/planes.hpp"
#include "caffe/backend/scratch.hpp"
#include "caffe/util/parallel_for.hpp"
#include "correlation_kernels.hpp"

namespace caffe {

/// The table for this processor.
template <typename Dtype>
const CorrelationKernels<Dtype>& correlation_kernels();

/// Floats that a tile's operands may take: they should stay in the first-level cache.
constexpr int kCorrelationCache = 10 * 1024;

inline int floor_div(int a, int b) { return a >= 0 ? a / b : -((-a + b - 1) / b); }
inline int round_up(int a, int b) { return (a + b - 1) / b * b; }

/// Items a thread must at least have, each of the given number of products.
inline std::int64_t correlation_grain(std::int64_t products) {
  return std::max<std::int64_t>(1, (1 << 17) / std::max<std::int64_t>(1, products));
}

/// A map as [image][row][phase][block][channel][lane]: position p of a row is x = p /
/// phases of phase p mod phases, x = block * lanes + lane. What lies outside is not
/// stored.
template <typename Dtype>
class PackedTiles {
 public:
  /// Packs data of `blob`; `memory` of size() values is the caller's.
  PackedTiles(const CorrelationShape& shape, const Blob<Dtype>& blob, int phases)
      : kernels_(correlation_kernels<Dtype>()),
        blob_(blob),
        height_(shape.height),
        width_(shape.width),
        phases_(phases) {
    const BlockedLayout layout = blob.blocked_layout();
    blocked_ = prefers_blocks(blob, *blob.data()) && layout.block == kernels_.lanes;
    channels_ = blocked_ ? round_up(shape.channels, layout.block) : shape.channels;
    blocks_ = round_up((width_ + phases - 1) / phases, kernels_.lanes) / kernels_.lanes;
  }
  /// Channels stored: those beyond the blob's are zero.
  int channels() const { return channels_; }
  bool blocked() const { return blocked_; }
  std::int64_t size() const { return std::int64_t{blob_.num()} * height_ * row_size(); }
  bool inside(int y) const { return y >= 0 && y < height_; }

  /// Channel 0 of a block; null outside the map.
  const Dtype* block(int n, int y, int phase, int block) const {
    if (!inside(y) || block < 0 || block >= blocks_) return nullptr;
    return data_ + (std::int64_t{n} * height_ + y) * row_size() +
           (std::int64_t{phase} * blocks_ + block) * channels_ * kernels_.lanes;
  }

  /// Copies channels first .. first + count of `blocks` blocks of a row, side by side:
  /// to[c * blocks * lanes + x].
  void CopyWindow(int n, int y, int phase, int first_block, int blocks, int first,
                  int count, Dtype* to) const {
    const int lanes = kernels_.lanes;
    for (int b = 0; b < blocks; ++b) {
      const Dtype* from = block(n, y, phase, first_block + b);
      if (from != nullptr) from += std::int64_t{first} * lanes;
      kernels_.spread(from, count, to + b * lanes, std::int64_t{blocks} * lanes);
    }
  }

  void Pack(Dtype* memory) {
    data_ = memory;
    const Planes<const Dtype> planes = read_planes(blob_, blob_.data().get(), blocked_);
    const std::int64_t groups = planes.planes / blob_.num();
    const std::int64_t rows = std::int64_t{blob_.num()} * height_;
    parallel_ranges(
        rows, correlation_grain(8 * row_size()),
        [&](std::int64_t begin, std::int64_t end) {
          for (std::int64_t row = begin; row < end; ++row) {
            const std::int64_t n = row / height_, y = row % height_;
            for (std::int64_t g = 0; g < groups; ++g) {
              const Dtype* from =
                  planes.data + ((n * groups + g) * height_ + y) * width_ * planes.lanes;
              Dtype* to = memory + row * row_size() + g * planes.lanes * kernels_.lanes;
              if (blocked_ && phases_ == 1) {
                PackBlockedRow(from, to);
              } else {
                PackRow(from, planes.lanes, to);
              }
            }
          }
        });
  }

 private:
  std::int64_t row_size() const {
    return std::int64_t{phases_} * blocks_ * channels_ * kernels_.lanes;
  }
  void PackBlockedRow(const Dtype* from, Dtype* to) const {
    const int lanes = kernels_.lanes;
    for (int b = 0; b < blocks_; ++b) {
      const int used = std::min(lanes, width_ - b * lanes);
      kernels_.transpose(from + std::int64_t{b} * lanes * lanes, used,
                         to + std::int64_t{b} * channels_ * lanes, lanes);
    }
  }
  // One channel (or a block of them), position by position.
  void PackRow(const Dtype* from, int from_lanes, Dtype* to) const {
    const int lanes = kernels_.lanes;
    for (int phase = 0; phase < phases_; ++phase) {
      for (int b = 0; b < blocks_; ++b) {
        Dtype* tile = to + (std::int64_t{phase} * blocks_ + b) * channels_ * lanes;
        for (int c = 0; c < from_lanes; ++c, tile += lanes) {
          for (int l = 0; l < lanes; ++l) {
            const int p = (b * lanes + l) * phases_ + phase;
            tile[l] = p < width_ ? from[std::int64_t{p} * from_lanes + c] : Dtype(0);
          }
        }
      }
    }
  }

  const CorrelationKernels<Dtype>& kernels_;
  const Blob<Dtype>& blob_;
  int height_, width_, phases_, channels_, blocks_;
  bool blocked_;
  const Dtype* data_ = nullptr;
};

/// Rows first, first + step, ... that share rows of the other map.
struct RowGroup {
  int first, count;
};

inline std::vector<RowGroup> row_groups(int rows, int step) {
  std::vector<RowGroup> groups;
  for (int residue = 0; residue < std::min(step, rows); ++residue) {
    const int members = (rows - residue + step - 1) / step;
    for (int begin = 0; begin < members; begin += kCorrelationRows) {
      groups.push_back(
          {residue + begin * step, std::min(kCorrelationRows, members - begin)});
    }
  }
  return groups;
}

/// Cuts [0, count) into pieces of nearly equal size, at most `most`: calls body(begin,
/// size).
template <typename Body>
void for_each_piece(int count, int most, const Body& body) {
  const int pieces = (count + most - 1) / most;
  for (int p = 0; p < pieces; ++p) {
    const int begin = count * p / pieces;
    body(begin, count * (p + 1) / pieces - begin);
  }
}

/// Aligned memory of the calling thread that stays from pass to pass.
template <typename Dtype>
Dtype* correlation_thread_memory(std::int64_t count) {
  static thread_local HostBuffer buffer;
  return static_cast<Dtype*>(buffer.Need(count * sizeof(Dtype)));
}

}  // namespace caffe

#endif  // CAFFE_BACKEND_CORRELATION_PACK_HPP_

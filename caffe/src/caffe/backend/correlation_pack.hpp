// What both directions of correlation share: maps packed as rows, and groups of rows.
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

/// A vector of any instruction set has no more lanes.
constexpr int kMostLanes = 16;

/// Whether a result of so many values in lines of `width` is written past the caches: it
/// is too large for the next layer to find there, and its vectors are aligned.
template <typename Dtype>
bool is_streamed(const Dtype* data, std::int64_t count, int width, int lanes) {
  const std::uintptr_t bytes = lanes * sizeof(Dtype);
  return count * std::int64_t{sizeof(Dtype)} > (4 << 20) && width % lanes == 0 &&
         reinterpret_cast<std::uintptr_t>(data) % bytes == 0;
}

inline int floor_div(int a, int b) { return a >= 0 ? a / b : -((-a + b - 1) / b); }
inline int round_up(int a, int b) { return (a + b - 1) / b * b; }

/// Items a thread must at least have, each of the given number of products.
inline std::int64_t correlation_grain(std::int64_t products) {
  return std::max<std::int64_t>(1, (1 << 17) / std::max<std::int64_t>(1, products));
}

/// A map as [image][row][phase][channel][position]: position p of a row is x = p * phases
/// + phase. Zeros surround the map as far as a pass reads, so that a displacement is a
/// shift of a pointer.
template <typename Dtype>
class PackedRows {
 public:
  /// Positions that a pass reads: from `first`, and before `end`.
  struct Reach {
    int first, end;
  };

  /// Packs data of `blob`; `memory` of size() values is the caller's.
  PackedRows(const CorrelationShape& shape, const Blob<Dtype>& blob, int phases,
             Reach reach)
      : kernels_(correlation_kernels<Dtype>()),
        blob_(blob),
        height_(shape.height),
        width_(shape.width),
        phases_(phases) {
    const BlockedLayout layout = blob.blocked_layout();
    const int lanes = kernels_.lanes;
    blocked_ = prefers_blocks(blob, *blob.data()) && layout.block == lanes;
    channels_ = blocked_ ? round_up(shape.channels, layout.block) : shape.channels;
    // What a tile reads begins with a vector, so that it spans as few as it can.
    before_ = std::max(0, -reach.first);
    const int end = std::max(reach.end, round_up((width_ + phases - 1) / phases, lanes));
    stride_ = round_up(before_ + end, lanes);
    // An odd number of vectors: channels do not meet in the same sets of the cache.
    if (stride_ / lanes % 2 == 0) stride_ += lanes;
  }
  /// Channels stored: those beyond the blob's are zero.
  int channels() const { return channels_; }
  bool blocked() const { return blocked_; }
  /// From one channel to the next.
  int stride() const { return stride_; }
  std::int64_t size() const { return (rows() + 1) * row_size(); }
  bool inside(int y) const { return y >= 0 && y < height_; }

  /// Position 0 of a channel; zeros outside the map.
  const Dtype* at(int n, int y, int phase, int channel) const {
    const std::int64_t row = inside(y) ? std::int64_t{n} * height_ + y : rows();
    return data_ + row * row_size() + before_ + offset(phase, channel);
  }
  /// From position 0 of phase 0 and channel 0 in the same row.
  std::int64_t offset(int phase, int channel) const {
    return phase * phase_size() + std::int64_t{channel} * stride_;
  }

  /// From one row of an image to the next.
  std::int64_t row_size() const { return phases_ * phase_size(); }

  void Pack(Dtype* memory) {
    data_ = memory;
    std::fill_n(memory + rows() * row_size(), row_size(), Dtype(0));
    const Planes<const Dtype> planes = read_planes(blob_, blob_.data().get(), blocked_);
    const std::int64_t groups = planes.planes / blob_.num();
    parallel_ranges(
        rows(), correlation_grain(8 * row_size()),
        [&](std::int64_t begin, std::int64_t end) {
          // Rows of one plane one after the other: they lie so where they are read.
          for (std::int64_t first = begin; first < end;) {
            const std::int64_t n = first / height_;
            const std::int64_t last = std::min(end, (n + 1) * height_);
            for (std::int64_t g = 0; g < groups; ++g) {
              for (std::int64_t row = first; row < last; ++row) {
                const Dtype* from =
                    planes.data +
                    ((n * groups + g) * height_ + row % height_) * width_ * planes.lanes;
                Dtype* to =
                    memory + row * row_size() + g * planes.lanes * stride_ + before_;
                if (planes.lanes == 1 && phases_ == 1) {
                  CopyRow(from, to);
                } else if (blocked_ && phases_ == 1) {
                  CopyBlockedRow(from, to);
                } else {
                  SpreadRow(from, planes.lanes, to);
                }
              }
            }
            first = last;
          }
        });
  }

 private:
  std::int64_t rows() const { return std::int64_t{blob_.num()} * height_; }
  std::int64_t phase_size() const { return std::int64_t{channels_} * stride_; }
  int after(int end) const { return stride_ - before_ - end; }

  void CopyRow(const Dtype* from, Dtype* to) const {
    std::fill_n(to - before_, before_, Dtype(0));
    std::copy_n(from, width_, to);
    std::fill_n(to + width_, after(width_), Dtype(0));
  }
  void CopyBlockedRow(const Dtype* from, Dtype* to) const {
    alignas(64) Dtype tile[kMostLanes * kMostLanes];
    const int lanes = kernels_.lanes, covered = round_up(width_, lanes);
    for (int x = 0; x < width_; x += lanes) {
      kernels_.transpose(from + std::int64_t{x} * lanes, std::min(lanes, width_ - x),
                         tile, lanes);
      kernels_.spread(tile, lanes, lanes, to + x, stride_);
    }
    for (int c = 0; c < lanes; ++c, to += stride_) {
      std::fill_n(to - before_, before_, Dtype(0));
      std::fill_n(to + covered, after(covered), Dtype(0));
    }
  }
  // One channel (or a block of them), position by position.
  void SpreadRow(const Dtype* from, int from_lanes, Dtype* to) const {
    for (int phase = 0; phase < phases_; ++phase) {
      for (int c = 0; c < from_lanes; ++c) {
        Dtype* line = to + phase * phase_size() + std::int64_t{c} * stride_;
        std::fill_n(line - before_, stride_, Dtype(0));
        for (int x = phase; x < width_; x += phases_) {
          line[x / phases_] = from[std::int64_t{x} * from_lanes + c];
        }
      }
    }
  }

  const CorrelationKernels<Dtype>& kernels_;
  const Blob<Dtype>& blob_;
  int height_, width_, phases_, channels_, before_, stride_;
  bool blocked_;
  const Dtype* data_ = nullptr;
};

/// Rows first, first + step, ... that share rows of the other map.
struct RowGroup {
  int first, count;
};

/// Of at most `most` rows each.
inline std::vector<RowGroup> row_groups(int rows, int step, int most) {
  std::vector<RowGroup> groups;
  for (int residue = 0; residue < std::min(step, rows); ++residue) {
    const int members = (rows - residue + step - 1) / step;
    for (int begin = 0; begin < members; begin += most) {
      groups.push_back({residue + begin * step, std::min(most, members - begin)});
    }
  }
  return groups;
}

/// Cuts [0, count) into pieces of nearly equal size, at most `most`: calls body(begin,
/// size).
template <typename Body>
void for_each_piece(int count, int most, const Body& body) {
  const int pieces = (count + most - 1) / most;
  const auto start = [=](int p) {
    return static_cast<int>(std::int64_t{count} * p / pieces);
  };
  for (int p = 0; p < pieces; ++p) body(start(p), start(p + 1) - start(p));
}

/// Aligned memory of the calling thread that stays from pass to pass.
template <typename Dtype>
Dtype* correlation_thread_memory(std::int64_t count) {
  static thread_local HostBuffer buffer;
  return static_cast<Dtype*>(buffer.Need(count * sizeof(Dtype)));
}

}  // namespace caffe

#endif  // CAFFE_BACKEND_CORRELATION_PACK_HPP_

// What both directions of correlation share: rows of the maps as the tiles read them, and
// groups of rows.
#ifndef CAFFE_BACKEND_CORRELATION_PACK_HPP_
#define CAFFE_BACKEND_CORRELATION_PACK_HPP_

#include <algorithm>
#include <limits>
#include <utility>
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

/// Values of a map's rows that should stay in the second-level cache.
constexpr int kMapCache = 128 * 1024;

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
inline int ceil_div(int a, int b) { return -floor_div(-a, b); }
inline int round_up(int a, int b) { return (a + b - 1) / b * b; }

/// Items a thread must at least have, each of the given number of products.
inline std::int64_t correlation_grain(std::int64_t products) {
  return std::max<std::int64_t>(1, (1 << 17) / std::max<std::int64_t>(1, products));
}

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

/// What the tiles of a pass read of a map.
struct RowReach {
  int phases;         ///< position p of a phase is x = p * phases + phase
  int width;          ///< tiles stand at positions 0 .. width - 1,
  int first, beyond;  ///< read from so far before theirs and so far behind,
  int unit, rows;     ///< and a group of them reads `rows` rows, `unit` apart
};

/// A row of a map as the tiles of a strip of columns read it: [phase][channel][position].
/// Zeros stand where the map ends, so that a displacement is a shift of a pointer.
template <typename Dtype>
class RowFormat {
 public:
  /// For strips of so many positions.
  RowFormat(const CorrelationShape& shape, const Blob<Dtype>& blob, const RowReach& reach,
            int strip)
      : kernels_(correlation_kernels<Dtype>()),
        height_(shape.height),
        width_(shape.width),
        phases_(reach.phases),
        first_(reach.first) {
    const BlockedLayout layout = blob.blocked_layout();
    const int lanes = kernels_.lanes;
    blocked_ = prefers_blocks(blob, *blob.data()) && layout.block == lanes;
    channels_ = blocked_ ? round_up(shape.channels, layout.block) : shape.channels;
    // What a tile reads begins with a vector, so that it spans as few as it can.
    stride_ = round_up(std::max(1, strip + reach.beyond - first_), lanes);
    // An odd number of vectors: channels do not meet in the same sets of the cache.
    if (stride_ / lanes % 2 == 0) stride_ += lanes;
    planes_ = read_planes(blob, blob.data().get(), blocked_);
    groups_ = planes_.planes / std::max(1, blob.num());
  }
  /// Channels stored: those beyond the blob's are zero.
  int channels() const { return channels_; }
  bool blocked() const { return blocked_; }
  int height() const { return height_; }
  bool inside(int y) const { return y >= 0 && y < height_; }
  /// From one channel to the next.
  int stride() const { return stride_; }
  std::int64_t row_size() const { return phases_ * phase_size(); }
  /// Where in a row channel 0 has a position, counted from the strip's begin.
  std::int64_t offset(int phase, int position) const {
    return phase * phase_size() + position - first_;
  }

  /// A row of the map, and where it goes.
  typedef std::pair<int, Dtype*> Row;

  /// Packs rows of image n for the strip that begins at position `x`; rows outside the
  /// map are zero.
  void Pack(int n, int x, const std::vector<Row>& rows) const {
    const int lanes = planes_.lanes;
    const std::int64_t line = std::int64_t{width_} * lanes;
    for (int phase = 0; phase < phases_; ++phase) {
      const Range range = Stored(x, phase);
      // Rows of one plane one after the other: they lie so where they are read.
      for (std::int64_t g = 0; g < groups_; ++g) {
        const Dtype* const plane = planes_.data + (n * groups_ + g) * height_ * line;
        for (const Row& row : rows) {
          Dtype* const to = row.second + phase * phase_size() + g * lanes * stride_;
          const Dtype* const from = plane + row.first * line;
          if (!inside(row.first)) {
            std::fill_n(to, lanes * stride_, Dtype(0));
          } else if (phases_ > 1 || range.size() < lanes) {
            SpreadRow(from, phase, range, to);
          } else if (blocked_) {
            CopyBlockedRow(from, range, to);
          } else {
            CopyRow(from, range, to);
          }
        }
      }
    }
  }

 private:
  std::int64_t phase_size() const { return std::int64_t{channels_} * stride_; }

  /// Positions of a phase that the map has and a line stores, behind `before` zeros.
  struct Range {
    int begin, end, before;
    int size() const { return end - begin; }
  };
  Range Stored(int x, int phase) const {
    const int begin = std::max(0, x + first_);
    const int have = ceil_div(width_ - phase, phases_);
    const int end = std::max(begin, std::min(have, x + first_ + stride_));
    return {begin, end, std::min(begin - (x + first_), stride_)};
  }
  /// Puts zeros around the range; returns where its first position goes.
  Dtype* Surround(const Range& range, Dtype* line) const {
    std::fill_n(line, range.before, Dtype(0));
    const int after = stride_ - range.before - range.size();
    std::fill_n(line + stride_ - after, after, Dtype(0));
    return line + range.before;
  }

  void CopyRow(const Dtype* from, const Range& range, Dtype* to) const {
    // The rows of a plane lie far from those of the next.
    constexpr int kLine = 64 / sizeof(Dtype);
    const Dtype* const next = from + std::int64_t{height_} * width_;
    for (int i = range.begin; i < range.end; i += kLine) __builtin_prefetch(next + i);
    std::copy(from + range.begin, from + range.end, Surround(range, to));
  }
  void CopyBlockedRow(const Dtype* from, const Range& range, Dtype* to) const {
    const int lanes = kernels_.lanes;
    alignas(64) Dtype tile[kMostLanes * kMostLanes];
    for (int i = 0; i < range.size(); i += lanes) {
      i = std::min(i, range.size() - lanes);
      kernels_.transpose(from + std::int64_t{range.begin + i} * lanes, lanes, tile,
                         lanes);
      kernels_.spread(tile, lanes, lanes, to + range.before + i, stride_);
    }
    for (int c = 0; c < lanes; ++c, to += stride_) Surround(range, to);
  }
  // One channel (or a block of them), position by position.
  void SpreadRow(const Dtype* from, int phase, const Range& range, Dtype* to) const {
    const int lanes = planes_.lanes;
    for (int c = 0; c < lanes; ++c, to += stride_) {
      Dtype* const line = Surround(range, to);
      for (int i = 0; i < range.size(); ++i) {
        line[i] = from[(std::int64_t{range.begin + i} * phases_ + phase) * lanes + c];
      }
    }
  }

  const CorrelationKernels<Dtype>& kernels_;
  int height_, width_, phases_, first_, channels_, stride_;
  bool blocked_;
  Planes<const Dtype> planes_;
  std::int64_t groups_;  ///< planes of an image
};

/// The rows of a map that a pass reads: packed all at once before it, or by each thread
/// as it comes to them, a strip of columns at a time.
template <typename Dtype>
class PackedRows {
 public:
  /// `whole`: all at once, however large the map is.
  PackedRows(const CorrelationShape& shape, const Blob<Dtype>& blob,
             const RowReach& reach, bool whole)
      : num_(blob.num()),
        reach_(reach),
        strip_(whole ? all(reach) : StripFor(shape, blob, reach)),
        format_(shape, blob, reach, strip_) {}

  const RowFormat<Dtype>& format() const { return format_; }
  /// Positions of a strip, a multiple of the lanes; the last one may go beyond the tiles.
  int strip() const { return strip_; }
  int strips() const { return ceil_div(reach_.width, strip_); }
  bool by_strips() const { return strip_ < all(reach_); }

  /// Values that Pack() needs.
  std::int64_t size() const {
    return by_strips() ? 0 : (rows() + 1) * format_.row_size();
  }
  /// Values that each thread's window needs.
  std::int64_t window_size() const {
    return by_strips() ? reach_.rows * format_.row_size() : 0;
  }

  /// Packs all rows where the pass does not go by strips; the memory is the caller's.
  void Pack(Dtype* memory) {
    if (by_strips()) return;
    memory_ = memory;
    const std::int64_t row_size = format_.row_size(), height = format_.height();
    std::fill_n(memory + rows() * row_size, row_size, Dtype(0));
    parallel_ranges(
        rows(), correlation_grain(8 * row_size),
        [&](std::int64_t begin, std::int64_t end) {
          std::vector<typename RowFormat<Dtype>::Row> list;
          for (std::int64_t row = begin; row < end; ++row) {
            list.push_back({static_cast<int>(row % height), memory + row * row_size});
            if ((row + 1) % height != 0 && row + 1 < end) continue;
            format_.Pack(static_cast<int>(row / height), 0, list);
            list.clear();
          }
        });
  }

  /// What one thread sees of the rows: those around a group's, in one strip.
  class Window {
   public:
    /// `memory` has window_size() values.
    Window(const PackedRows& rows, Dtype* memory)
        : rows_(rows),
          memory_(memory),
          held_(rows.by_strips() ? rows.reach_.rows : 0, kNothing) {}

    /// Makes rows y, y + unit, ... of image n readable, for tiles from position `x` on.
    void Move(int n, int x, int y) {
      if (!rows_.by_strips()) {
        n_ = n;
        return;
      }
      if (n != n_ || x != x_) std::fill(held_.begin(), held_.end(), kNothing);
      n_ = n;
      x_ = x;
      lacking_.clear();
      for (int i = 0; i < rows_.reach_.rows; ++i, y += rows_.reach_.unit) {
        int& held = held_[Slot(y)];
        if (held != y) lacking_.push_back({y, At(Slot(y))});
        held = y;
      }
      if (!lacking_.empty()) rows_.format_.Pack(n, x, lacking_);
    }

    /// Row y as the format has it; zeros outside the map.
    const Dtype* Row(int y) const {
      if (rows_.by_strips()) return At(Slot(y));
      const RowFormat<Dtype>& format = rows_.format_;
      const std::int64_t row =
          format.inside(y) ? std::int64_t{n_} * format.height() + y : rows_.rows();
      return rows_.memory_ + row * format.row_size();
    }

   private:
    static constexpr int kNothing = std::numeric_limits<int>::min();

    /// Neighbours of a group lie in different slots.
    int Slot(int y) const {
      const int slots = rows_.reach_.rows, at = floor_div(y, rows_.reach_.unit);
      return at - floor_div(at, slots) * slots;
    }
    Dtype* At(int slot) const { return memory_ + slot * rows_.format_.row_size(); }

    const PackedRows& rows_;
    Dtype* memory_;
    int n_ = -1, x_ = 0;
    std::vector<int> held_;  ///< the row in each slot
    std::vector<typename RowFormat<Dtype>::Row> lacking_;
  };

 private:
  std::int64_t rows() const { return std::int64_t{num_} * format_.height(); }

  static int all(const RowReach& reach) {
    return round_up(std::max(1, reach.width), correlation_kernels<Dtype>().lanes);
  }
  /// As wide as the second-level cache allows. All of a map at once where it fits the
  /// caches of all threads, or where strips would mostly hold what their neighbours do.
  static int StripFor(const CorrelationShape& shape, const Blob<Dtype>& blob,
                      const RowReach& reach) {
    const int whole = all(reach), lanes = correlation_kernels<Dtype>().lanes;
    const std::int64_t threads = max_threads();
    const RowFormat<Dtype> format(shape, blob, reach, whole);
    if (std::int64_t{blob.num()} * shape.height * format.row_size() <=
        threads * kMapCache) {
      return whole;
    }
    const std::int64_t lines =
        std::int64_t{reach.rows} * reach.phases * format.channels();
    const int widest =
        static_cast<int>(kMapCache / lines) - (reach.beyond - reach.first) - lanes;
    if (widest < 2 * (reach.beyond - reach.first) || widest < 2 * lanes) return whole;
    const int strips = ceil_div(whole, widest / lanes * lanes);
    return round_up(ceil_div(whole, strips), lanes);
  }

  int num_;
  RowReach reach_;
  int strip_;
  RowFormat<Dtype> format_;
  Dtype* memory_ = nullptr;
};

}  // namespace caffe

#endif  // CAFFE_BACKEND_CORRELATION_PACK_HPP_

// Correlation on the device in blocks: windows of one position, strides of 1, float.
//
// A displacement is a multiple of stride_2, so positions whose coordinates leave the same
// rest by stride_2 (a phase) meet only each other: within a phase displacements go by
// ones, and four positions side by side times all displacements of a row need few numbers
// more than there are positions and displacements.
//
// Only .cu files include this.
#ifndef CAFFE_BACKEND_CORRELATION_BLOCKS_HPP_
#define CAFFE_BACKEND_CORRELATION_BLOCKS_HPP_

#include <cstdint>

#include "caffe/backend/correlation.hpp"
#include "caffe/device/launch_blocks.hpp"

namespace caffe {

/// Positions of one phase along x that a block has, and those of a thread.
constexpr int kCorrelationWidth = 32, kCorrelationPositions = 4;
constexpr int kCorrelationGroups = kCorrelationWidth / kCorrelationPositions;

/// What a tile of kCorrelationWidth positions needs of the other map's row, for `columns`
/// displacements; what one thread needs of that. Both are multiples of four.
constexpr int correlation_window(int columns) {
  return (columns + kCorrelationPositions - 1 + 3) / 4 * 4;
}
constexpr int correlation_row(int columns) {
  return kCorrelationWidth - kCorrelationPositions + correlation_window(columns);
}

/// The top: a block has kHeight output rows of one phase, both phases along x, and kRows
/// rows of kColumns displacements; a thread one row of each. A step is kDepth channels.
///
/// A stage holds, for each channel, the first map [row][phase][x] and the second one.
template <int kStride, int kColumns, int kRows, int kHeight, bool kSubtract>
struct CorrelationForwardBlock {
  static constexpr int kDepth = 8;
  static constexpr int kThreads = kCorrelationGroups * kStride * kRows * kHeight;
  static constexpr int kWindow = correlation_window(kColumns);
  static constexpr int kRow = correlation_row(kColumns);
  static constexpr int kFirst = kHeight * kStride * kCorrelationWidth;
  static constexpr int kSecond = (kHeight + kRows - 1) * kStride * kRow;
  static constexpr int kSlice = kFirst + kSecond;
  static constexpr int kSlots = (kSlice + kThreads - 1) / kThreads;
  static constexpr int kStageFloats = kDepth * kSlice;
  /// The tile of the top is put together in shared memory: [displacement][row][x].
  static constexpr int kOutWidth = kStride * kCorrelationWidth;
  static constexpr int kOut = kRows * kColumns * kHeight * kOutWidth;
  static constexpr int kSharedFloats = kOut > 2 * kStageFloats ? kOut : 2 * kStageFloats;

  CorrelationShape s;
  const float *a, *b;
  float* top;

  struct Thread {
    int offset[kSlots];  ///< in a plane, of what this thread loads; -1 outside
    float sum[kColumns][kCorrelationPositions];
  };

  static CAFFE_BLOCK_HD int ceil_div(int n, int d) { return (n + d - 1) / d; }
  CAFFE_BLOCK_HD int parts() const { return ceil_div(s.rows, kRows); }
  CAFFE_BLOCK_HD int row_tiles() const {
    return ceil_div(ceil_div(s.out_height, kStride), kHeight);
  }
  device::Grid grid(int num) const {
    return {ceil_div(s.out_width, kOutWidth), kStride * row_tiles() * parts(), num};
  }
  // A block's place: its first row of displacements, its phase, its first row within it.
  CAFFE_BLOCK_HD int first_displacement(const device::Block& block) const {
    return block.y % parts() * kRows;
  }
  CAFFE_BLOCK_HD int phase(const device::Block& block) const {
    return block.y / parts() % kStride;
  }
  CAFFE_BLOCK_HD int first_row(const device::Block& block) const {
    return block.y / parts() / kStride * kHeight;
  }
  // A thread's place in its block.
  static CAFFE_BLOCK_HD int group(int t) { return t % kCorrelationGroups; }
  static CAFFE_BLOCK_HD int column_phase(int t) {
    return t / kCorrelationGroups % kStride;
  }
  static CAFFE_BLOCK_HD int displacement(int t) {
    return t / (kCorrelationGroups * kStride) % kRows;
  }
  static CAFFE_BLOCK_HD int height(int t) {
    return t / (kCorrelationGroups * kStride * kRows);
  }

  CAFFE_BLOCK_HD int OffsetOfSlot(const device::Block& block, int slot) const {
    int row, column, column_phase;
    if (slot < kFirst) {
      column = block.x * kCorrelationWidth + slot % kCorrelationWidth;
      column_phase = slot / kCorrelationWidth % kStride;
      row = first_row(block) + slot / (kCorrelationWidth * kStride);
    } else {
      slot -= kFirst;
      column = block.x * kCorrelationWidth + slot % kRow + s.columns_first;
      column_phase = slot / kRow % kStride;
      row = first_row(block) + slot / (kRow * kStride) + s.rows_first +
            first_displacement(block);
    }
    const int y = row * kStride + phase(block) + s.origin_y;
    const int x = column * kStride + column_phase + s.origin_x;
    return y >= 0 && x >= 0 && y < s.height && x < s.width ? y * s.width + x : -1;
  }

  CAFFE_BLOCK_HD void Begin(const device::Block& block, int t, Thread* thread) const {
    CAFFE_UNROLL
    for (int k = 0; k < kSlots; ++k) {
      thread->offset[k] = OffsetOfSlot(block, t + k * kThreads);
    }
    CAFFE_UNROLL
    for (int i = 0; i < kColumns; ++i) {
      CAFFE_UNROLL
      for (int p = 0; p < kCorrelationPositions; ++p) thread->sum[i][p] = 0;
    }
  }

  CAFFE_BLOCK_HD int Steps(const device::Block&) const {
    return ceil_div(s.channels, kDepth);
  }

  CAFFE_BLOCK_HD void Load(const device::Block& block, int t, const Thread& thread,
                           int step, float* stage) const {
    for (int d = 0; d < kDepth; ++d) {
      const int c = step * kDepth + d;
      const bool inside = c < s.channels;
      const std::int64_t plane =
          inside ? (std::int64_t{block.z} * s.channels + c) * s.height * s.width : 0;
      CAFFE_UNROLL
      for (int k = 0; k < kSlots; ++k) {
        const int slot = t + k * kThreads;
        if (slot >= kSlice) break;
        const bool valid = inside && thread.offset[k] >= 0;
        const float* from = (slot < kFirst ? a : b) + plane;
        device::copy_async(stage + d * kSlice + slot,
                           from + (valid ? thread.offset[k] : 0), valid);
      }
    }
  }

  CAFFE_BLOCK_HD void Step(const device::Block&, int t, int, const float* stage,
                           Thread* thread) const {
    const float* first = stage +
                         (height(t) * kStride + column_phase(t)) * kCorrelationWidth +
                         kCorrelationPositions * group(t);
    const float* second =
        stage + kFirst +
        ((height(t) + displacement(t)) * kStride + column_phase(t)) * kRow +
        kCorrelationPositions * group(t);
    // Twice, so that the second channel is loaded while the first is multiplied.
    CAFFE_UNROLL_TWICE
    for (int d = 0; d < kDepth; ++d) {
      float u[kCorrelationPositions], v[kWindow];
      device::load4(first + d * kSlice, u);
      CAFFE_UNROLL
      for (int k = 0; k < kWindow; k += 4) device::load4(second + d * kSlice + k, v + k);
      CAFFE_UNROLL
      for (int i = 0; i < kColumns; ++i) {
        CAFFE_UNROLL
        for (int p = 0; p < kCorrelationPositions; ++p) {
          if (kSubtract) {
            const float difference = u[p] - v[i + p];
            thread->sum[i][p] += difference < 0 ? -difference : difference;
          } else {
            thread->sum[i][p] += u[p] * v[i + p];
          }
        }
      }
    }
  }

  CAFFE_BLOCK_HD void Put(const device::Block&, int t, const Thread& thread,
                          float* shared) const {
    CAFFE_UNROLL
    for (int i = 0; i < kColumns; ++i) {
      float* to = shared +
                  ((displacement(t) * kColumns + i) * kHeight + height(t)) * kOutWidth +
                  kCorrelationPositions * group(t) * kStride + column_phase(t);
      CAFFE_UNROLL
      for (int p = 0; p < kCorrelationPositions; ++p) to[p * kStride] = thread.sum[i][p];
    }
  }

  CAFFE_BLOCK_HD void Finish(const device::Block& block, int t, const Thread&,
                             const float* shared) const {
    const float scale = static_cast<float>(s.scale());
    for (int k = t; k < kOut; k += kThreads) {
      const int x = block.x * kOutWidth + k % kOutWidth;
      const int row = first_row(block) + k / kOutWidth % kHeight;
      const int y = row * kStride + phase(block);
      const int q = k / (kOutWidth * kHeight);
      const int j = first_displacement(block) + q / kColumns;
      if (x >= s.out_width || y >= s.out_height || j >= s.rows) continue;
      const std::int64_t plane =
          std::int64_t{block.z} * s.displacements() + j * kColumns + q % kColumns;
      top[(plane * s.out_height + y) * s.out_width + x] = scale * shared[k];
    }
  }
};

/// The diff of one bottom, of products: a block has one row, both phases along x, and 8
/// kSplit channels, of which a thread has 8. A step is one row of displacements.
///
/// diff[c, y, x] = scale sum_{j, i} g[j, i, y, x] other[c, y + e_y(j), x + e_x(i)], where
/// e are the displacements, for the second bottom negated and in reverse; g is the top's
/// diff at that displacement and the window of the first bottom's position, which for the
/// second bottom is the displaced one.
///
/// A stage holds the other map [channel][phase][x] and g [i][phase][x].
template <int kStride, int kColumns, int kSplit>
struct CorrelationBackwardBlock {
  static constexpr int kDepth = 8;  ///< channels of a thread
  static constexpr int kChannels = kDepth * kSplit;
  static constexpr int kThreads = kCorrelationGroups * kStride * kSplit;
  static constexpr int kWarps = kThreads / 32;
  static constexpr int kWindow = correlation_window(kColumns);
  static constexpr int kRow = correlation_row(kColumns);
  static constexpr int kOutWidth = kStride * kCorrelationWidth;
  static constexpr int kOther = kChannels * kStride * kRow;
  static constexpr int kStageFloats = kOther + kColumns * kOutWidth;
  static constexpr int kSharedFloats = 2 * kStageFloats;
  /// Columns of a row of the other map that one lane loads.
  static constexpr int kLoads = (kStride * kRow + 31) / 32;
  static_assert(kThreads % 32 == 0, "rows are loaded by whole warps");

  CorrelationShape s;
  bool second;  ///< the second bottom's diff
  const float *other, *top_diff;
  float* diff;

  struct Thread {
    float sum[kDepth][kCorrelationPositions];
  };

  static CAFFE_BLOCK_HD int ceil_div(int n, int d) { return (n + d - 1) / d; }
  device::Grid grid(int num) const {
    return {ceil_div(s.width, kOutWidth), s.height * ceil_div(s.channels, kChannels),
            num};
  }
  CAFFE_BLOCK_HD int row(const device::Block& block) const { return block.y % s.height; }
  CAFFE_BLOCK_HD int first_channel(const device::Block& block) const {
    return block.y / s.height * kChannels;
  }
  CAFFE_BLOCK_HD int row_displacement(int j) const {
    return second ? -s.row_displacement(s.rows - 1 - j) : s.row_displacement(j);
  }
  CAFFE_BLOCK_HD int column_displacement(int i) const {
    return second ? -s.column_displacement(kColumns - 1 - i) : s.column_displacement(i);
  }
  static CAFFE_BLOCK_HD int group(int t) { return t % kCorrelationGroups; }
  static CAFFE_BLOCK_HD int column_phase(int t) {
    return t / kCorrelationGroups % kStride;
  }
  static CAFFE_BLOCK_HD int split(int t) { return t / (kCorrelationGroups * kStride); }
  /// Where column f of a row, counted from the block's first one, lies in a stage's row.
  static CAFFE_BLOCK_HD int place(int f, int row_floats) {
    return f % kStride * row_floats + f / kStride;
  }

  /// Displacements with a row of the other map inside are begin .. begin + steps - 1.
  CAFFE_BLOCK_HD int FirstStep(const device::Block& block) const {
    const int least = -(row(block) + row_displacement(0));
    return least <= 0 ? 0 : ceil_div(least, kStride);
  }
  CAFFE_BLOCK_HD int Steps(const device::Block& block) const {
    const int room = s.height - 1 - (row(block) + row_displacement(0));
    if (room < 0) return 0;
    const int end = room / kStride + 1 < s.rows ? room / kStride + 1 : s.rows;
    const int steps = end - FirstStep(block);
    return steps > 0 ? steps : 0;
  }

  CAFFE_BLOCK_HD void Begin(const device::Block&, int, Thread* thread) const {
    CAFFE_UNROLL
    for (int k = 0; k < kDepth; ++k) {
      CAFFE_UNROLL
      for (int p = 0; p < kCorrelationPositions; ++p) thread->sum[k][p] = 0;
    }
  }

  CAFFE_BLOCK_HD void Load(const device::Block& block, int t, const Thread&, int step,
                           float* stage) const {
    const int j = FirstStep(block) + step;
    const int lane = t % 32, warp = t / 32;
    const int y = row(block) + row_displacement(j);  // inside
    const int first_x = block.x * kOutWidth;
    for (int d = warp; d < kChannels; d += kWarps) {
      const int c = first_channel(block) + d;
      const bool inside = c < s.channels;
      const float* from =
          other +
          (inside ? ((std::int64_t{block.z} * s.channels + c) * s.height + y) * s.width
                  : 0);
      float* to = stage + d * kStride * kRow;
      CAFFE_UNROLL
      for (int m = 0; m < kLoads; ++m) {
        const int f = m * 32 + lane;
        if (f >= kStride * kRow) break;
        const int x = first_x + f + column_displacement(0);
        const bool valid = inside && x >= 0 && x < s.width;
        device::copy_async(to + place(f, kRow), from + (valid ? x : 0), valid);
      }
    }
    const int out_y = (second ? y : row(block)) - s.origin_y;
    const bool row_inside = out_y >= 0 && out_y < s.out_height;
    for (int i = warp; i < kColumns; i += kWarps) {
      const int q =
          second ? (s.rows - 1 - j) * kColumns + (kColumns - 1 - i) : j * kColumns + i;
      const float* from =
          top_diff +
          (row_inside ? ((std::int64_t{block.z} * s.displacements() + q) * s.out_height +
                         out_y) *
                            s.out_width
                      : 0);
      const int first_out = first_x - s.origin_x + (second ? column_displacement(i) : 0);
      CAFFE_UNROLL
      for (int m = 0; m < kStride; ++m) {
        const int f = m * 32 + lane;
        const int x = first_out + f;
        const bool valid = row_inside && x >= 0 && x < s.out_width;
        device::copy_async(stage + kOther + i * kOutWidth + place(f, kCorrelationWidth),
                           from + (valid ? x : 0), valid);
      }
    }
  }

  CAFFE_BLOCK_HD void Step(const device::Block&, int t, int, const float* stage,
                           Thread* thread) const {
    const int x = kCorrelationPositions * group(t);
    float g[kColumns][kCorrelationPositions];
    CAFFE_UNROLL
    for (int i = 0; i < kColumns; ++i) {
      device::load4(
          stage + kOther + i * kOutWidth + column_phase(t) * kCorrelationWidth + x, g[i]);
    }
    CAFFE_UNROLL
    for (int k = 0; k < kDepth; ++k) {
      const float* from =
          stage + ((split(t) + kSplit * k) * kStride + column_phase(t)) * kRow + x;
      float v[kWindow];
      CAFFE_UNROLL
      for (int w = 0; w < kWindow; w += 4) device::load4(from + w, v + w);
      CAFFE_UNROLL
      for (int i = 0; i < kColumns; ++i) {
        CAFFE_UNROLL
        for (int p = 0; p < kCorrelationPositions; ++p) {
          thread->sum[k][p] += g[i][p] * v[i + p];
        }
      }
    }
  }

  CAFFE_BLOCK_HD void Put(const device::Block&, int, const Thread&, float*) const {}

  CAFFE_BLOCK_HD void Finish(const device::Block& block, int t, const Thread& thread,
                             const float*) const {
    const float scale = static_cast<float>(s.scale());
    const int first = block.x * kOutWidth + kCorrelationPositions * group(t) * kStride +
                      column_phase(t);
    CAFFE_UNROLL
    for (int k = 0; k < kDepth; ++k) {
      const int c = first_channel(block) + split(t) + kSplit * k;
      if (c >= s.channels) continue;
      float* to =
          diff +
          ((std::int64_t{block.z} * s.channels + c) * s.height + row(block)) * s.width;
      float value[kCorrelationPositions];
      CAFFE_UNROLL
      for (int p = 0; p < kCorrelationPositions; ++p) {
        value[p] = scale * thread.sum[k][p];
      }
      if (kStride == 1 && s.width % 4 == 0) {
        if (first < s.width) device::store4(value, to + first);
        continue;
      }
      CAFFE_UNROLL
      for (int p = 0; p < kCorrelationPositions; ++p) {
        if (first + p * kStride < s.width) to[first + p * kStride] = value[p];
      }
    }
  }
};

namespace correlation_blocks {

/// About as many blocks as a large GPU has multiprocessors.
constexpr int kManyBlocks = 128;

template <typename Kernel>
bool launch_if_it_fits(const Kernel& kernel, int num) {
  if (!device::can_launch_blocks<Kernel>(kernel.grid(num))) return false;
  launch_blocks(kernel.grid(num), kernel);
  return true;
}

template <int kStride, int kColumns, int kRows, int kHeight>
bool forward_of_height(const CorrelationShape& s, int num, const float* a, const float* b,
                       float* top) {
  if (s.subtract) {
    return launch_if_it_fits(
        CorrelationForwardBlock<kStride, kColumns, kRows, kHeight, true>{s, a, b, top},
        num);
  }
  return launch_if_it_fits(
      CorrelationForwardBlock<kStride, kColumns, kRows, kHeight, false>{s, a, b, top},
      num);
}

/// Higher blocks load less, if they are still many.
template <int kStride, int kColumns, int kRows, int kHeight>
bool forward(const CorrelationShape& s, int num, const float* a, const float* b,
             float* top) {
  const device::Grid grid =
      CorrelationForwardBlock<kStride, kColumns, kRows, kHeight, false>{s, a, b, top}
          .grid(num);
  if (std::int64_t{grid.x} * grid.y * grid.z >= kManyBlocks) {
    return forward_of_height<kStride, kColumns, kRows, kHeight>(s, num, a, b, top);
  }
  return forward_of_height<kStride, kColumns, kRows, 1>(s, num, a, b, top);
}

}  // namespace correlation_blocks

/// The top, if there are blocks for this shape (those of the networks that we know);
/// false if nothing was done.
inline bool correlation_forward_in_blocks(const CorrelationShape& s, int num,
                                          const float* a, const float* b, float* top) {
  if (device::plain_kernels() || s.kernel != 1 || s.stride_1 != 1) return false;
  if (s.stride_2 == 1 && s.columns == 7) {
    return correlation_blocks::forward<1, 7, 7, 4>(s, num, a, b, top);
  }
  if (s.stride_2 == 1 && s.columns == 9) {
    return correlation_blocks::forward<1, 9, 9, 4>(s, num, a, b, top);
  }
  if (s.stride_2 == 2 && s.columns == 11) {
    return correlation_blocks::forward<2, 11, 6, 2>(s, num, a, b, top);
  }
  if (s.stride_2 == 2 && s.columns == 21) {
    return correlation_blocks::forward<2, 21, 7, 2>(s, num, a, b, top);
  }
  return false;
}

/// The diff of the first or second bottom from the other one.
inline bool correlation_backward_in_blocks(const CorrelationShape& s, int num,
                                           bool second, const float* other,
                                           const float* top_diff, float* diff) {
  if (device::plain_kernels() || s.kernel != 1 || s.stride_1 != 1 || s.subtract) {
    return false;
  }
  using correlation_blocks::launch_if_it_fits;
  if (s.stride_2 == 1 && s.columns == 7) {
    return launch_if_it_fits(
        CorrelationBackwardBlock<1, 7, 4>{s, second, other, top_diff, diff}, num);
  }
  if (s.stride_2 == 1 && s.columns == 9) {
    return launch_if_it_fits(
        CorrelationBackwardBlock<1, 9, 4>{s, second, other, top_diff, diff}, num);
  }
  if (s.stride_2 == 2 && s.columns == 11) {
    return launch_if_it_fits(
        CorrelationBackwardBlock<2, 11, 8>{s, second, other, top_diff, diff}, num);
  }
  if (s.stride_2 == 2 && s.columns == 21) {
    return launch_if_it_fits(
        CorrelationBackwardBlock<2, 21, 8>{s, second, other, top_diff, diff}, num);
  }
  return false;
}

/// double: never.
inline bool correlation_forward_in_blocks(const CorrelationShape&, int, const double*,
                                          const double*, double*) {
  return false;
}
inline bool correlation_backward_in_blocks(const CorrelationShape&, int, bool,
                                           const double*, const double*, double*) {
  return false;
}

}  // namespace caffe

#endif  // CAFFE_BACKEND_CORRELATION_BLOCKS_HPP_

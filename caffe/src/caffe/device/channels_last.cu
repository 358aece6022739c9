// Reorders between row-major and channels-last on the device.
#include "caffe/device/channels_last.hpp"
#include "caffe/device/divisor.hpp"
#include "caffe/device/launch_blocks.hpp"

namespace caffe {
namespace device {

namespace {

/// `num` matrices (rows, columns) and their transposes.
struct Transpose {
  int num, rows, columns;
  const float* from;
  float* to;
  bool adds;  ///< to += instead of to =

  CAFFE_HD void Put(int n, int row, int column, float value) const {
    float* at = to + (std::int64_t{n} * columns + column) * rows + row;
    *at = adds ? *at + value : value;
  }
};

struct TransposeEach {
  Transpose matrices;
  Divisor columns, rows;
  explicit TransposeEach(const Transpose& t)
      : matrices(t), columns(t.columns), rows(t.rows) {}
  CAFFE_HD void operator()(int i) const {
    const int rest = columns.quotient(i), n = rows.quotient(rest);
    matrices.Put(n, rest - n * rows.divisor(), i - rest * columns.divisor(),
                 matrices.from[i]);
  }
};

/// By tiles: both sides are gone through along their rows.
struct TransposeTiles {
  static constexpr int kTile = 32, kRows = 8, kThreads = kTile * kRows;
  static constexpr int kStageFloats = 0, kSharedFloats = kTile * (kTile + 1);

  Transpose matrices;

  struct Thread {
    float values[kTile / kRows];
  };

  device::Grid grid() const {
    return {(matrices.columns + kTile - 1) / kTile, (matrices.rows + kTile - 1) / kTile,
            matrices.num};
  }
  CAFFE_BLOCK_HD void Begin(const Block& block, int t, Thread* thread) const {
    const int column = block.x * kTile + t % kTile;
    CAFFE_UNROLL
    for (int k = 0; k < kTile / kRows; ++k) {
      const int row = block.y * kTile + t / kTile + k * kRows;
      const bool inside = row < matrices.rows && column < matrices.columns;
      const std::int64_t at =
          (std::int64_t{block.z} * matrices.rows + row) * matrices.columns + column;
      thread->values[k] = inside ? matrices.from[at] : 0.f;
    }
  }
  CAFFE_BLOCK_HD int Steps(const Block&) const { return 0; }
  CAFFE_BLOCK_HD void Load(const Block&, int, const Thread&, int, float*) const {}
  CAFFE_BLOCK_HD void Step(const Block&, int, int, const float*, Thread*) const {}
  CAFFE_BLOCK_HD void Put(const Block&, int t, const Thread& thread,
                          float* shared) const {
    CAFFE_UNROLL
    for (int k = 0; k < kTile / kRows; ++k) {
      shared[(t / kTile + k * kRows) * (kTile + 1) + t % kTile] = thread.values[k];
    }
  }
  CAFFE_BLOCK_HD void Finish(const Block& block, int t, const Thread&,
                             const float* shared) const {
    const int row = block.y * kTile + t % kTile;
    CAFFE_UNROLL
    for (int k = 0; k < kTile / kRows; ++k) {
      const int within = t / kTile + k * kRows, column = block.x * kTile + within;
      if (row < matrices.rows && column < matrices.columns) {
        matrices.Put(block.z, row, column, shared[t % kTile * (kTile + 1) + within]);
      }
    }
  }
};

void transpose(const Transpose& matrices) {
  const TransposeTiles tiles{matrices};
  if (!plain_kernels() && can_launch_blocks<TransposeTiles>(tiles.grid())) {
    launch_blocks(tiles.grid(), tiles);
  } else {
    launch(matrices.num * matrices.rows * matrices.columns, TransposeEach(matrices));
  }
}

}  // namespace

void to_channels_last(const ChannelsLast& order, const float* row_major, float* last) {
  transpose({order.num, order.channels, order.spatial, row_major, last, false});
}

void to_row_major(const ChannelsLast& order, const float* last, float* row_major) {
  transpose({order.num, order.spatial, order.channels, last, row_major, false});
}

void add_to_row_major(const ChannelsLast& order, const float* last, float* row_major) {
  transpose({order.num, order.spatial, order.channels, last, row_major, true});
}

}  // namespace device
}  // namespace caffe

// Correlation backward: the top's diff times the rows of the other map.
//
// The tiles and groups are those of correlation.cpp, with channels in place of
// displacements: the sums of a few rows and channels stay in registers while the
// displacements of a row go by.
#include "correlation_pack.hpp"

namespace caffe {

namespace {

/// The diff of one bottom: sum over displacements of the top's diff times the other map,
/// displaced by `sign` (+1 for the first bottom, -1 for the second).
template <typename Dtype>
class BackwardPass {
 public:
  BackwardPass(const CorrelationShape& shape, int sign, const PackedTiles<Dtype>& self,
               const PackedTiles<Dtype>& other, const Dtype* top_diff)
      : s_(shape),
        sign_(sign),
        self_(self),
        other_(other),
        top_diff_(top_diff),
        kernels_(correlation_kernels<Dtype>()),
        lanes_(kernels_.lanes),
        blocks_(round_up(shape.width, lanes_) / lanes_) {
    const int near = sign_ * s_.column_displacement(0);
    const int far = sign_ * s_.column_displacement(s_.columns - 1);
    const int least = std::min(near, far), most = std::max(near, far);
    first_block_ = floor_div(least, lanes_);
    window_ = (floor_div(most + lanes_ - 1, lanes_) - first_block_ + 1) * lanes_;
    start_ = near - first_block_ * lanes_;
    const int width = kCorrelationRows * lanes_ + window_;
    chunk_ = std::max(lanes_, kCorrelationCache / width / lanes_ * lanes_);
  }

  /// Overwrites the diff of `blob`, as blocks if `blocked`.
  void Run(Blob<Dtype>* blob, bool blocked) const {
    const int num = blob->num();
    const Planes<Dtype> planes = write_planes(*blob, blob->diff().get(), blocked);
    const std::vector<RowGroup> groups = row_groups(s_.height, s_.stride_2);
    const std::int64_t count = groups.size();
    const std::int64_t products =
        std::int64_t{kCorrelationRows} * s_.width * s_.displacements() * s_.channels;
    parallel_ranges(
        num * count, correlation_grain(products),
        [&](std::int64_t begin, std::int64_t end) {
          Local local;
          const std::int64_t line = std::int64_t{blocks_} * lanes_;
          const std::int64_t diff = kCorrelationRows * line * s_.displacements();
          const std::int64_t sum = std::int64_t{kCorrelationRows} * chunk_ * lanes_;
          Dtype* memory = correlation_thread_memory<Dtype>(
              line + diff + sum + std::int64_t{chunk_} * window_);
          local.line = memory;
          local.diff = memory + line;
          local.sum = local.diff + diff;
          local.window = local.sum + sum;
          for (std::int64_t i = begin; i < end; ++i) {
            RunGroup(static_cast<int>(i / count), groups[i % count], local, planes);
          }
        });
  }

 private:
  /// Memory of one thread: a row of diff, the diff of a group
  /// [row][block][displacement][lane], the sums of a tile [row][channel][lane], a window
  /// of the other map [channel][x].
  struct Local {
    Dtype *line, *diff, *sum, *window;
  };

  void RunGroup(int n, RowGroup group, const Local& local, Planes<Dtype> to) const {
    for (int k = 0; k < group.count; ++k) {
      PackDiff(n, group.first + k * s_.stride_2, local.line,
               local.diff + std::int64_t{k} * blocks_ * s_.displacements() * lanes_);
    }
    for (int block = 0; block < blocks_; ++block) {
      // Those beyond the bottoms' channels are zero, and only there where both are
      // blocked.
      const int all = std::min(self_.channels(), other_.channels());
      for (int first = 0; first < all; first += chunk_) {
        const int channels = std::min(chunk_, all - first);
        std::fill_n(local.sum, std::int64_t{kCorrelationRows} * channels * lanes_,
                    Dtype(0));
        SumTile(n, group, block, first, channels, local);
        for (int k = 0; k < group.count; ++k) {
          Write(local.sum + std::int64_t{k} * channels * lanes_, n,
                group.first + k * s_.stride_2, block, first, channels, to);
        }
      }
    }
  }

  // Row `member` of the group meets a shared row of the other map by its displacement row
  // shared - sign * member.
  void SumTile(int n, RowGroup group, int block, int first, int channels,
               const Local& local) const {
    CorrelationBackwardTile<Dtype> tile;
    tile.count = s_.columns;
    tile.subtract = s_.subtract;
    tile.d_stride = lanes_;
    tile.s_stride = window_;
    tile.s_step = sign_ * s_.stride_2;
    tile.self_stride = lanes_;
    tile.sum_stride = lanes_;
    const int members = group.count - 1;
    const int least = sign_ > 0 ? 0 : -members,
              most = s_.rows + (sign_ > 0 ? members : 0);
    for (int shared = least; shared < most; ++shared) {
      const int row = group.first + sign_ * s_.row_displacement(shared);
      if (!s_.subtract && !other_.inside(row)) continue;
      const int begin = std::max(0, sign_ > 0 ? shared - s_.rows + 1 : -shared);
      const int end = std::min(group.count, sign_ > 0 ? shared + 1 : s_.rows - shared);
      tile.rows = end - begin;
      if (tile.rows <= 0) continue;
      other_.CopyWindow(n, row, 0, block + first_block_, window_ / lanes_, first,
                        channels, local.window);
      for_each_piece(channels, kernels_.columns, [&](int c, int size) {
        tile.channels = size;
        tile.s = local.window + std::int64_t{c} * window_ + start_;
        for (int k = 0; k < tile.rows; ++k) {
          const int member = begin + k;
          const int q = (shared - sign_ * member) * s_.columns;
          tile.d[k] =
              local.diff +
              ((std::int64_t{member} * blocks_ + block) * s_.displacements() + q) *
                  lanes_;
          tile.sum[k] = local.sum + (std::int64_t{member} * channels + c) * lanes_;
          if (s_.subtract) {
            tile.self[k] = self_.block(n, group.first + member * s_.stride_2, 0, block) +
                           std::int64_t{first + c} * lanes_;
          }
        }
        kernels_.backward(tile);
      });
    }
  }

  /// The top's diff times the scale, spread over the windows and brought to where it is
  /// used: position (y, x) of displacement q gets what its windows at (y, x) got, for the
  /// second bottom those at (y, x) minus the displacement.
  void PackDiff(int n, int y, Dtype* line, Dtype* to) const {
    for (int q = 0; q < s_.displacements(); ++q) {
      std::fill_n(line, std::int64_t{blocks_} * lanes_, Dtype(0));
      const int dy = sign_ < 0 ? s_.displacement_y(q) : 0;
      const int dx = sign_ < 0 ? s_.displacement_x(q) : 0;
      const Dtype* plane = top_diff_ + (std::int64_t{n} * s_.displacements() + q) *
                                           s_.out_height * s_.out_width;
      const int last = s_.end_output(y - dy, s_.origin_y, s_.out_height);
      for (int out = s_.first_output(y - dy, s_.origin_y); out < last; ++out) {
        AddRow(plane + std::int64_t{out} * s_.out_width, dx, line);
      }
      kernels_.spread(line, blocks_, to + std::int64_t{q} * lanes_,
                      std::int64_t{s_.displacements()} * lanes_);
    }
  }

  void AddRow(const Dtype* diff, int dx, Dtype* line) const {
    const Dtype scale = static_cast<Dtype>(s_.scale());
    const int step = s_.stride_1;
    for (int i = 0; i < s_.kernel; ++i) {
      const int start = s_.origin_x + i + dx;
      const int begin = start >= 0 ? 0 : (-start + step - 1) / step;
      const int end = std::min(s_.out_width, (s_.width - start + step - 1) / step);
      for (int x = begin; x < end; ++x) line[start + x * step] += scale * diff[x];
    }
  }

  // Writes the sums of one row of a tile to where the layout has them.
  void Write(const Dtype* sum, int n, int y, int block, int first, int channels,
             Planes<Dtype> to) const {
    const int x = block * lanes_, valid = std::min(lanes_, s_.width - x);
    const int groups = static_cast<int>((s_.channels + to.lanes - 1) / to.lanes);
    if (to.lanes == lanes_) {
      for (int c = 0; c < channels; c += lanes_) {
        const int g = (first + c) / lanes_;
        if (g >= groups) break;
        kernels_.transpose(
            sum + std::int64_t{c} * lanes_, std::min(lanes_, channels - c),
            to.data +
                ((std::int64_t{n} * groups + g) * s_.height + y) * s_.width * lanes_ +
                std::int64_t{x} * lanes_,
            valid);
      }
      return;
    }
    for (int c = 0; c < channels && first + c < s_.channels; ++c) {
      Dtype* out =
          to.data +
          ((std::int64_t{n} * s_.channels + first + c) * s_.height + y) * s_.width + x;
      std::copy_n(sum + std::int64_t{c} * lanes_, valid, out);
    }
  }

  const CorrelationShape& s_;
  int sign_;
  const PackedTiles<Dtype>& self_;
  const PackedTiles<Dtype>& other_;
  const Dtype* top_diff_;
  const CorrelationKernels<Dtype>& kernels_;
  int lanes_, blocks_;
  // The first block of a tile's window, its width, and where displacement column 0 begins
  // in it.
  int first_block_, window_, start_;
  int chunk_;  // channels of a tile
};

}  // namespace

template <typename Dtype>
void correlation_backward(const CorrelationShape& shape, const Blob<Dtype>& top,
                          bool a_wants_diff, bool b_wants_diff, Blob<Dtype>* a,
                          Blob<Dtype>* b) {
  PackedTiles<Dtype> a_tiles(shape, *a, 1), b_tiles(shape, *b, 1);
  const bool a_needed = b_wants_diff || shape.subtract,
             b_needed = a_wants_diff || shape.subtract;
  const Dtype* top_diff = top.cpu_diff();
  const std::int64_t a_size = a_needed ? a_tiles.size() : 0;
  Dtype* memory = static_cast<Dtype*>(
      scratch_memory((a_size + (b_needed ? b_tiles.size() : 0)) * sizeof(Dtype)));
  if (a_needed) a_tiles.Pack(memory);
  if (b_needed) b_tiles.Pack(memory + a_size);
  if (a_wants_diff) {
    BackwardPass<Dtype>(shape, 1, a_tiles, b_tiles, top_diff).Run(a, a_tiles.blocked());
  }
  if (b_wants_diff) {
    BackwardPass<Dtype>(shape, -1, b_tiles, a_tiles, top_diff).Run(b, b_tiles.blocked());
  }
}

#define INSTANTIATE_CORRELATION(Dtype)                                                  \
  template void correlation_backward(const CorrelationShape&, const Blob<Dtype>&, bool, \
                                     bool, Blob<Dtype>*, Blob<Dtype>*)

INSTANTIATE_CORRELATION(float);
INSTANTIATE_CORRELATION(double);
#undef INSTANTIATE_CORRELATION

}  // namespace caffe

// Correlation backward: the top's diff times the rows of the other map.
//
// As forward (correlation.cpp), with channels in place of displacements: the sums of a
// few rows and channels stay in registers while all displacements go by.
#include "correlation_pack.hpp"

namespace caffe {

namespace {

/// Values of a tile's diff that should stay in the first-level cache beside the map.
constexpr int kDiffCache = 15 * 1024;
/// Displacements whose diff is fetched ahead.
constexpr int kDiffAhead = 4;
/// Values of the other map's rows that should stay in the second-level cache.
constexpr int kMapCache = 128 * 1024;

/// The diff of one bottom: sum over displacements of the top's diff times the other map,
/// displaced by `sign` (+1 for the first bottom, -1 for the second).
template <typename Dtype>
class BackwardPass {
 public:
  BackwardPass(const CorrelationShape& shape, int sign, const PackedRows<Dtype>& self,
               const PackedRows<Dtype>& other, const Dtype* top_diff)
      : s_(shape),
        sign_(sign),
        self_(self),
        other_(other),
        top_diff_(top_diff),
        kernels_(correlation_kernels<Dtype>()),
        lanes_(kernels_.lanes),
        blocks_(round_up(shape.width, lanes_) / lanes_) {
    start_ = sign_ * s_.column_displacement(0);
    // Those beyond the bottoms' channels are zero, and only there where both are blocked.
    channels_ = std::min(self_.channels(), other_.channels());
  }

  /// Overwrites the diff of `blob`, as blocks if `blocked`.
  void Run(Blob<Dtype>* blob, bool blocked) const {
    const int num = blob->num();
    const Planes<Dtype> planes = write_planes(*blob, blob->diff().get(), blocked);
    const std::vector<RowGroup> groups =
        row_groups(s_.height, s_.stride_2, std::min(kernels_.sum_rows, s_.rows));
    const std::int64_t count = groups.size();
    const std::int64_t products =
        std::int64_t{kernels_.sum_rows} * s_.width * s_.displacements() * s_.channels;
    parallel_ranges(num * count, correlation_grain(products),
                    [&](std::int64_t begin, std::int64_t end) {
                      Local local;
                      const std::int64_t line = std::int64_t{blocks_} * lanes_;
                      const std::int64_t diff = blocks_ * diff_block();
                      const std::int64_t sum = std::int64_t{channels_} * diff_lane();
                      Dtype* memory = correlation_thread_memory<Dtype>(line + diff + sum);
                      local.line = memory;
                      local.diff = memory + line;
                      local.sum = local.diff + diff;
                      for (std::int64_t i = begin; i < end; ++i) {
                        RunGroup(static_cast<int>(i / count), groups[i % count], local,
                                 planes);
                      }
                      kernels_.finish_stream();
                    });
  }

 private:
  /// Memory of one thread: a row of diff, the diff of a group [block][shared row of the
  /// other map][displacement column][row][lane], the sums of a tile [row][channel][lane].
  struct Local {
    Dtype *line, *diff, *sum;
  };

  /// From one displacement column of the packed diff to the next, and so on.
  int diff_lane() const { return kernels_.sum_rows * lanes_; }
  std::int64_t diff_row() const { return std::int64_t{s_.columns} * diff_lane(); }
  std::int64_t diff_block() const {
    return (s_.rows + kernels_.sum_rows - 1) * diff_row();
  }
  /// The packed diff's row for a row of the group and a displacement row: the second
  /// bottom meets the last displacement first.
  std::int64_t diff_at(int member, int displacement_row) const {
    const int row = sign_ > 0 ? displacement_row : s_.rows - 1 - displacement_row;
    return (member + row) * diff_row() + member * lanes_;
  }

  void RunGroup(int n, RowGroup group, const Local& local, Planes<Dtype> to) const {
    for (int k = 0; k < group.count; ++k) {
      PackDiff(n, group.first + k * s_.stride_2, k, local);
    }
    if (s_.subtract) {
      AddSigns(n, group, local, to);
    } else {
      SumGroup(n, group, local, to);
    }
  }

  // Every displacement row at once, a few channels at a time. Row `member` of the group
  // meets the shared row j by displacement row j - member, counted from the last one for
  // the second bottom.
  void SumGroup(int n, RowGroup group, const Local& local, Planes<Dtype> to) const {
    std::vector<const Dtype*> shared(s_.rows + group.count - 1);
    for (int j = 0; j < static_cast<int>(shared.size()); ++j) {
      const int displacement = s_.row_displacement(sign_ > 0 ? j : s_.rows - 1 - j);
      const int y = group.first + sign_ * displacement;
      shared[j] = other_.inside(y) ? other_.at(n, y, 0, 0) + start_ : nullptr;
    }
    CorrelationSumTile<Dtype> tile;
    tile.rows = group.count;
    tile.displacement_rows = s_.rows;
    tile.d_row = diff_row();
    tile.s_channel = other_.stride();
    tile.s_step = sign_ * s_.stride_2;
    tile.s = shared.data();
    tile.before_row = std::int64_t{channels_} * lanes_;
    const std::int64_t plane = std::int64_t{s_.height} * s_.width;
    const bool stream =
        is_streamed(to.data, plane * to.planes * to.lanes, s_.width, lanes_);
    // As many columns at a time as keep their diff in the first-level cache, and as many
    // channels as keep the other map's rows in the second.
    const int columns = std::max(1, kDiffCache / (s_.rows * diff_lane()));
    const int most = round_up(kMapCache / (shared.size() * other_.stride()) + 1, lanes_);
    for (int first_channel = 0; first_channel < channels_; first_channel += most) {
      const int piece = std::min(most, channels_ - first_channel);
      for (int block = 0; block < blocks_; ++block) {
        const bool in_place = to.lanes == 1 && (block + 1) * lanes_ <= s_.width;
        for_each_piece(s_.columns, columns, [&](int first, int count) {
          const bool direct = in_place && first + count == s_.columns;
          tile.count = count;
          tile.d = local.diff + block * diff_block() + first * diff_lane();
          tile.out_channel = direct ? plane : lanes_;
          tile.out_row = direct ? std::int64_t{s_.stride_2} * s_.width : tile.before_row;
          tile.stream = direct && stream;
          for_each_piece(piece, kernels_.sum_channels, [&](int c, int size) {
            Dtype* const sum = local.sum + c * lanes_;
            tile.channels = size;
            tile.s_offset = (first_channel + c) * std::int64_t{other_.stride()} +
                            std::int64_t{block} * lanes_ + first * tile.s_step;
            tile.before = first == 0 ? nullptr : sum;
            tile.out =
                direct ? to.data +
                             (std::int64_t{n} * s_.channels + first_channel + c) * plane +
                             std::int64_t{group.first} * s_.width + block * lanes_
                       : sum;
            kernels_.sum(tile);
          });
        });
        for (int k = 0; k < group.count && !in_place; ++k) {
          Write(local.sum + k * tile.before_row, n, group.first + k * s_.stride_2, block,
                first_channel, piece, to);
        }
      }
    }
  }

  // The absolute difference's, whose slope depends on both maps: nothing is shared.
  void AddSigns(int n, RowGroup group, const Local& local, Planes<Dtype> to) const {
    CorrelationSignTile<Dtype> tile;
    tile.count = s_.columns;
    tile.s_step = sign_ * s_.stride_2;
    for (int block = 0; block < blocks_; ++block) {
      for (int k = 0; k < group.count; ++k) {
        const int y = group.first + k * s_.stride_2;
        std::fill_n(local.sum, std::int64_t{channels_} * lanes_, Dtype(0));
        for (int row = 0; row < s_.rows; ++row) {
          tile.d = local.diff + block * diff_block() + diff_at(k, row);
          for (int c = 0; c < channels_; ++c) {
            tile.self = self_.at(n, y, 0, c) + block * lanes_;
            tile.s = other_.at(n, y + sign_ * s_.row_displacement(row), 0, c) +
                     block * lanes_ + start_;
            tile.sum = local.sum + std::int64_t{c} * lanes_;
            kernels_.sign(tile);
          }
        }
        Write(local.sum, n, y, block, 0, channels_, to);
      }
    }
  }

  /// The top's diff times the scale, spread over the windows and brought to where it is
  /// used: position (y, x) of displacement q gets what its windows at (y, x) got, for the
  /// second bottom those at (y, x) minus the displacement.
  void PackDiff(int n, int y, int member, const Local& local) const {
    Dtype* const line = local.line;
    const std::int64_t area = std::int64_t{s_.out_height} * s_.out_width;
    for (int q = 0; q < s_.displacements(); ++q) {
      const int row = q / s_.columns, column = q % s_.columns;
      Dtype* to = local.diff + diff_at(member, row) + column * diff_lane();
      const int dy = sign_ < 0 ? s_.displacement_y(q) : 0;
      const int dx = sign_ < 0 ? s_.displacement_x(q) : 0;
      const int first = s_.first_output(y - dy, s_.origin_y);
      const int last = s_.end_output(y - dy, s_.origin_y, s_.out_height);
      const Dtype* from = top_diff_ + (std::int64_t{n} * s_.displacements() + q) * area +
                          std::int64_t{first} * s_.out_width;
      // The rows lie far apart.
      for (int x = 0; x < s_.out_width && first < last; x += lanes_) {
        __builtin_prefetch(from + kDiffAhead * area + x);
      }
      const bool as_it_is = s_.kernel == 1 && s_.stride_1 == 1 && s_.origin_x + dx == 0 &&
                            s_.out_width >= blocks_ * lanes_ && first < last;
      if (as_it_is) {
        kernels_.spread_scaled(from, blocks_, static_cast<Dtype>(s_.scale()), to,
                               diff_block());
        continue;
      }
      std::fill_n(line, std::int64_t{blocks_} * lanes_, Dtype(0));
      for (int out = first; out < last; ++out, from += s_.out_width) {
        AddRow(from, dx, line);
      }
      kernels_.spread(line, lanes_, blocks_, to, diff_block());
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
  const PackedRows<Dtype>& self_;
  const PackedRows<Dtype>& other_;
  const Dtype* top_diff_;
  const CorrelationKernels<Dtype>& kernels_;
  int lanes_, blocks_;
  int start_;  ///< where displacement column 0 begins
  int channels_;
};

}  // namespace

template <typename Dtype>
void correlation_backward(const CorrelationShape& shape, const Blob<Dtype>& top,
                          bool a_wants_diff, bool b_wants_diff, Blob<Dtype>* a,
                          Blob<Dtype>* b) {
  const int lanes = correlation_kernels<Dtype>().lanes;
  const int left = shape.column_displacement(0);
  const int right = shape.column_displacement(shape.columns - 1);
  const typename PackedRows<Dtype>::Reach reach = {
      std::min(left, -right), round_up(shape.width, lanes) + std::max(right, -left)};
  PackedRows<Dtype> a_rows(shape, *a, 1, reach), b_rows(shape, *b, 1, reach);
  const bool a_needed = b_wants_diff || shape.subtract,
             b_needed = a_wants_diff || shape.subtract;
  const Dtype* top_diff = top.cpu_diff();
  const std::int64_t a_size = a_needed ? a_rows.size() : 0;
  Dtype* memory = static_cast<Dtype*>(
      scratch_memory((a_size + (b_needed ? b_rows.size() : 0)) * sizeof(Dtype)));
  if (a_needed) a_rows.Pack(memory);
  if (b_needed) b_rows.Pack(memory + a_size);
  if (a_wants_diff) {
    BackwardPass<Dtype>(shape, 1, a_rows, b_rows, top_diff).Run(a, a_rows.blocked());
  }
  if (b_wants_diff) {
    BackwardPass<Dtype>(shape, -1, b_rows, a_rows, top_diff).Run(b, b_rows.blocked());
  }
}

#define INSTANTIATE_CORRELATION(Dtype)                                                  \
  template void correlation_backward(const CorrelationShape&, const Blob<Dtype>&, bool, \
                                     bool, Blob<Dtype>*, Blob<Dtype>*)

INSTANTIATE_CORRELATION(float);
INSTANTIATE_CORRELATION(double);
#undef INSTANTIATE_CORRELATION

}  // namespace caffe

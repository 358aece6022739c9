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
        blocks_(other.strip() / lanes_) {
    start_ = other_.format().offset(0, sign_ * s_.column_displacement(0));
    // Those beyond the bottoms' channels are zero, and only there where both are blocked.
    channels_ = std::min(self_.format().channels(), other_.format().channels());
  }

  /// Overwrites the diff of `blob`, as blocks if `blocked`.
  void Run(Blob<Dtype>* blob, bool blocked) const {
    const int num = blob->num();
    const Planes<Dtype> planes = write_planes(*blob, blob->diff().get(), blocked);
    const std::vector<RowGroup> groups =
        row_groups(s_.height, s_.stride_2, std::min(kernels_.sum_rows, s_.rows));
    const std::int64_t count = groups.size(), strips = other_.strips();
    const std::int64_t products = std::int64_t{kernels_.sum_rows} * other_.strip() *
                                  s_.displacements() * s_.channels;
    const std::int64_t diff = blocks_ * diff_block();
    const std::int64_t sum = std::int64_t{channels_} * diff_lane();
    parallel_ranges(
        num * strips * count, correlation_grain(products),
        [&](std::int64_t begin, std::int64_t end) {
          Dtype* memory =
              correlation_thread_memory<Dtype>(diff + sum + other_.window_size());
          Local local = {
              memory, memory + diff, {self_, nullptr}, {other_, memory + diff + sum}, {}};
          for (std::int64_t i = begin; i < end; ++i) {
            const int n = static_cast<int>(i / count / strips);
            const int strip = static_cast<int>(i / count % strips) * other_.strip();
            RunGroup({n, groups[i % count], strip}, local, planes);
          }
          kernels_.finish_stream();
        });
  }

 private:
  /// A group of rows of image n in the strip that begins at x.
  struct Place {
    int n;
    RowGroup group;
    int x;
  };
  /// Blocks of a strip of which every position is that of one output; position 0 is that
  /// of output `shift`.
  struct Inside {
    int begin, end, shift;
  };
  /// Memory of one thread: the diff of a group [block][shared row of the other
  /// map][displacement column][row][lane], the sums of a tile [row][channel][lane], and
  /// the maps.
  struct Local {
    Dtype *diff, *sum;
    typename PackedRows<Dtype>::Window self, other;
    std::vector<Inside> inside;
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

  void RunGroup(const Place& at, Local& local, Planes<Dtype> to) const {
    FindInside(at, &local.inside);
    for (int k = 0; k < at.group.count; ++k) PackDiff(at, k, local);
    const int first = s_.row_displacement(sign_ > 0 ? 0 : s_.rows - 1);
    local.other.Move(at.n, at.x, at.group.first + sign_ * first);
    if (s_.subtract) {
      local.self.Move(at.n, at.x, at.group.first);
      AddSigns(at, local, to);
    } else {
      SumGroup(at, local, to);
    }
  }
  /// Blocks of a strip in which the map has positions.
  int BlocksOf(const Place& at) const {
    return std::min(blocks_, ceil_div(s_.width - at.x, lanes_));
  }

  // Every displacement row at once, a few channels at a time. Row `member` of the group
  // meets the shared row j by displacement row j - member, counted from the last one for
  // the second bottom.
  void SumGroup(const Place& at, const Local& local, Planes<Dtype> to) const {
    const RowGroup& group = at.group;
    const RowFormat<Dtype>& rows = other_.format();
    std::vector<const Dtype*> shared(s_.rows + group.count - 1);
    for (int j = 0; j < static_cast<int>(shared.size()); ++j) {
      const int displacement = s_.row_displacement(sign_ > 0 ? j : s_.rows - 1 - j);
      const int y = group.first + sign_ * displacement;
      shared[j] = rows.inside(y) ? local.other.Row(y) + start_ : nullptr;
    }
    CorrelationSumTile<Dtype> tile;
    tile.rows = group.count;
    tile.displacement_rows = s_.rows;
    tile.d_row = diff_row();
    tile.s_channel = rows.stride();
    tile.s_step = sign_ * s_.stride_2;
    tile.s = shared.data();
    tile.before_row = std::int64_t{channels_} * lanes_;
    const std::int64_t plane = std::int64_t{s_.height} * s_.width;
    const bool stream =
        is_streamed(to.data, plane * to.planes * to.lanes, s_.width, lanes_);
    // As many columns at a time as keep their diff in the first-level cache, and as many
    // channels as keep the other map's rows in the second.
    const int columns = std::max(1, kDiffCache / (s_.rows * diff_lane()));
    const int most = round_up(kMapCache / (shared.size() * rows.stride()) + 1, lanes_);
    for (int first_channel = 0; first_channel < channels_; first_channel += most) {
      const int piece = std::min(most, channels_ - first_channel);
      for (int block = 0; block < BlocksOf(at); ++block) {
        const int x = at.x + block * lanes_;
        const bool in_place = to.lanes == 1 && x + lanes_ <= s_.width;
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
            tile.s_offset = (first_channel + c) * std::int64_t{rows.stride()} +
                            std::int64_t{block} * lanes_ + first * tile.s_step;
            tile.before = first == 0 ? nullptr : sum;
            tile.out =
                direct
                    ? to.data +
                          (std::int64_t{at.n} * s_.channels + first_channel + c) * plane +
                          std::int64_t{group.first} * s_.width + x
                    : sum;
            kernels_.sum(tile);
          });
        });
        for (int k = 0; k < group.count && !in_place; ++k) {
          Write(local.sum + k * tile.before_row, at.n, group.first + k * s_.stride_2, x,
                first_channel, piece, to);
        }
      }
    }
  }

  // The absolute difference's, whose slope depends on both maps: nothing is shared.
  void AddSigns(const Place& at, const Local& local, Planes<Dtype> to) const {
    const std::int64_t self_start = self_.format().offset(0, 0);
    CorrelationSignTile<Dtype> tile;
    tile.count = s_.columns;
    tile.s_step = sign_ * s_.stride_2;
    for (int block = 0; block < BlocksOf(at); ++block) {
      for (int k = 0; k < at.group.count; ++k) {
        const int y = at.group.first + k * s_.stride_2;
        const Dtype* const self = local.self.Row(y) + self_start + block * lanes_;
        std::fill_n(local.sum, std::int64_t{channels_} * lanes_, Dtype(0));
        for (int row = 0; row < s_.rows; ++row) {
          const Dtype* const other =
              local.other.Row(y + sign_ * s_.row_displacement(row)) + start_ +
              block * lanes_;
          tile.d = local.diff + block * diff_block() + diff_at(k, row);
          for (int c = 0; c < channels_; ++c) {
            tile.self = self + std::int64_t{c} * self_.format().stride();
            tile.s = other + std::int64_t{c} * other_.format().stride();
            tile.sum = local.sum + std::int64_t{c} * lanes_;
            kernels_.sign(tile);
          }
        }
        Write(local.sum, at.n, y, at.x + block * lanes_, 0, channels_, to);
      }
    }
  }

  /// Of a strip, by columns of displacements.
  void FindInside(const Place& at, std::vector<Inside>* inside) const {
    const int blocks = BlocksOf(at);
    inside->resize(s_.columns);
    for (int i = 0; i < s_.columns; ++i) {
      const int dx = sign_ < 0 ? s_.column_displacement(i) : 0;
      Inside& column = (*inside)[i];
      column.shift = at.x - s_.origin_x - dx;
      column.begin = column.end = blocks;
      if (s_.kernel > 1 || s_.stride_1 > 1) continue;
      column.begin = std::clamp(ceil_div(-column.shift, lanes_), 0, blocks);
      column.end = std::clamp(floor_div(s_.out_width - column.shift, lanes_),
                              column.begin, blocks);
    }
  }

  /// The top's diff times the scale, spread over the windows and brought to where it is
  /// used: position (y, x) of displacement q gets what its windows at (y, x) got, for the
  /// second bottom those at (y, x) minus the displacement.
  void PackDiff(const Place& at, int member, const Local& local) const {
    const int y = at.group.first + member * s_.stride_2, blocks = BlocksOf(at);
    const Dtype scale = static_cast<Dtype>(s_.scale());
    const std::int64_t area = std::int64_t{s_.out_height} * s_.out_width;
    for (int row = 0; row < s_.rows; ++row) {
      const int dy = sign_ < 0 ? s_.row_displacement(row) : 0;
      const int first = s_.first_output(y - dy, s_.origin_y);
      const int last = s_.end_output(y - dy, s_.origin_y, s_.out_height);
      const Dtype* from =
          top_diff_ +
          (std::int64_t{at.n} * s_.displacements() + row * s_.columns) * area +
          std::int64_t{first} * s_.out_width;
      Dtype* to = local.diff + diff_at(member, row);
      for (int i = 0; i < s_.columns; ++i, from += area, to += diff_lane()) {
        Inside in = local.inside[i];
        if (first >= last) in.begin = in.end = blocks;
        const Dtype* const inside = from + in.shift + in.begin * lanes_;
        // The rows lie far apart.
        for (int x = 0; x < (in.end - in.begin) * lanes_; x += lanes_) {
          __builtin_prefetch(inside + kDiffAhead * area + x);
        }
        kernels_.spread_scaled(inside, in.end - in.begin, scale,
                               to + in.begin * diff_block(), diff_block());
        const auto add = [&](int block) {
          AddBlock(from, last - first, in.shift + block * lanes_,
                   to + block * diff_block());
        };
        for (int block = 0; block < in.begin; ++block) add(block);
        for (int block = in.end; block < blocks; ++block) add(block);
      }
    }
  }

  /// What `rows` rows of outputs add to a block. Place i of output p's window is at
  /// p stride_1 + i - x there.
  void AddBlock(const Dtype* from, int rows, int x, Dtype* to) const {
    const Dtype scale = static_cast<Dtype>(s_.scale());
    const int step = s_.stride_1;
    std::fill_n(to, lanes_, Dtype(0));
    for (int row = 0; row < rows; ++row, from += s_.out_width) {
      for (int i = 0; i < s_.kernel; ++i) {
        const int begin = std::max(0, ceil_div(x - i, step));
        const int end = std::min(s_.out_width, ceil_div(x - i + lanes_, step));
        for (int p = begin; p < end; ++p) to[p * step + i - x] += scale * from[p];
      }
    }
  }

  // Writes the sums of one row of a tile to where the layout has them.
  void Write(const Dtype* sum, int n, int y, int x, int first, int channels,
             Planes<Dtype> to) const {
    const int valid = std::min(lanes_, s_.width - x);
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
  std::int64_t start_;  ///< where position 0 meets displacement column 0
  int channels_;
};

}  // namespace

template <typename Dtype>
void correlation_backward(const CorrelationShape& shape, const Blob<Dtype>& top,
                          bool a_wants_diff, bool b_wants_diff, Blob<Dtype>* a,
                          Blob<Dtype>* b) {
  const int left = shape.column_displacement(0);
  const int right = shape.column_displacement(shape.columns - 1);
  RowReach reach;
  reach.phases = 1;
  reach.width = shape.width;
  reach.first = std::min(left, -right);
  reach.beyond = std::max(right, -left);
  reach.unit = shape.stride_2;
  reach.rows = shape.rows + correlation_kernels<Dtype>().sum_rows - 1;
  PackedRows<Dtype> a_rows(shape, *a, reach, shape.subtract);
  PackedRows<Dtype> b_rows(shape, *b, reach, shape.subtract);
  const bool a_needed = b_wants_diff || shape.subtract,
             b_needed = a_wants_diff || shape.subtract;
  const Dtype* top_diff = top.cpu_diff();
  const std::int64_t a_size = a_needed ? a_rows.size() : 0;
  Dtype* memory = static_cast<Dtype*>(
      scratch_memory((a_size + (b_needed ? b_rows.size() : 0)) * sizeof(Dtype)));
  if (a_needed) a_rows.Pack(memory);
  if (b_needed) b_rows.Pack(memory + a_size);
  if (a_wants_diff) {
    BackwardPass<Dtype>(shape, 1, a_rows, b_rows, top_diff)
        .Run(a, a_rows.format().blocked());
  }
  if (b_wants_diff) {
    BackwardPass<Dtype>(shape, -1, b_rows, a_rows, top_diff)
        .Run(b, b_rows.format().blocked());
  }
}

#define INSTANTIATE_CORRELATION(Dtype)                                                  \
  template void correlation_backward(const CorrelationShape&, const Blob<Dtype>&, bool, \
                                     bool, Blob<Dtype>*, Blob<Dtype>*)

INSTANTIATE_CORRELATION(float);
INSTANTIATE_CORRELATION(double);
#undef INSTANTIATE_CORRELATION

}  // namespace caffe

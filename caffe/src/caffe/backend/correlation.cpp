// Correlation forward, as a product of rows.
//
// A register tile holds `lanes` positions of a few output rows and a few displacements:
// rows y and y + dy, y + t and y + t + dy', ... meet the same row of the second map, so
// each value loaded serves several products. The second map is packed as rows of channels
// with zeros around them: of a large map, each thread packs what its next rows need, a
// strip of columns at a time. What a tile needs of the first is packed just before. Every
// output is made by one thread in a fixed order: results do not depend on the thread
// count.
#include "caffe/backend/correlation.hpp"

#include <numeric>

#include "caffe/util/instruction_set.hpp"
#include "correlation_pack.hpp"

namespace caffe {

template <typename Dtype>
const CorrelationKernels<Dtype>& correlation_kernels() {
  static const CorrelationKernels<Dtype> table = [] {
#if defined(__x86_64__)
    switch (instruction_set()) {
      case InstructionSet::kAvx512:
        return correlation_kernels_avx512<Dtype>();
      case InstructionSet::kAvx2:
        return correlation_kernels_avx2<Dtype>();
      case InstructionSet::kPlain:
        break;
    }
#endif
    return correlation_kernels_base<Dtype>();
  }();
  return table;
}

namespace {

template <typename Dtype>
class ForwardPass {
 public:
  ForwardPass(const CorrelationShape& shape, const Blob<Dtype>& a, const Blob<Dtype>& b,
              Blob<Dtype>* top)
      : s_(shape),
        kernels_(correlation_kernels<Dtype>()),
        lanes_(kernels_.lanes),
        num_(a.num()),
        a_blocked_(prefers_blocks(a, *a.data()) && a.blocked_layout().block == lanes_),
        a_(read_planes(a, a.data().get(), a_blocked_)),
        step_(s_.stride_2 / std::gcd(s_.stride_1, s_.stride_2)),
        shift_(s_.stride_1 / std::gcd(s_.stride_1, s_.stride_2)),
        b_(shape, b, Reach(), false) {
    b_.Pack(static_cast<Dtype*>(scratch_memory(b_.size() * sizeof(Dtype))));
    out_ = top->mutable_cpu_data();
    stream_ = is_streamed(out_, top->count(), s_.out_width, lanes_);
    const int span = (s_.columns - 1) * s_.stride_2 / s_.stride_1 + 2 * lanes_;
    const int most = std::max(8, kCorrelationCache / (kCorrelationRows * lanes_ + span));
    pieces_ = (s_.channels + most - 1) / most;
    for (int i = 0; i < s_.kernel; ++i) {
      for (int column = 0; column < s_.columns; ++column) {
        const int at = s_.origin_x + i + s_.column_displacement(column);
        b_columns_.push_back(
            b_.format().offset(at - position(at) * s_.stride_1, position(at)));
      }
    }
    for_each_piece(s_.columns, kernels_.columns, [&](int first, int size) {
      column_pieces_.push_back({first, size});
    });
  }

  void Run() {
    const std::vector<RowGroup> groups =
        row_groups(s_.out_height, step_, kCorrelationRows);
    const std::int64_t count = groups.size(), strips = b_.strips();
    const std::int64_t products = std::int64_t{kCorrelationRows} * b_.strip() *
                                  s_.displacements() * s_.channels * s_.kernel *
                                  s_.kernel;
    const std::int64_t panel = std::int64_t{round_up(s_.channels, lanes_)} * panel_row();
    const std::int64_t sums =
        passes() > 1 ? std::int64_t{s_.displacements()} * panel_row() : 0;
    parallel_ranges(
        num_ * strips * count, correlation_grain(products),
        [&](std::int64_t begin, std::int64_t end) {
          Dtype* memory =
              correlation_thread_memory<Dtype>(panel + sums + b_.window_size());
          Local local = {memory, memory + panel, {b_, memory + panel + sums}};
          for (std::int64_t i = begin; i < end; ++i) {
            const RowGroup group = groups[i % count];
            const int n = static_cast<int>(i / count / strips);
            const int strip = static_cast<int>(i / count % strips) * b_.strip();
            local.b.Move(n, strip, s_.window_y(group.first) + s_.row_displacement(0));
            const int beyond = std::min(strip + b_.strip(), s_.out_width);
            for (int x = strip; x < beyond; x += lanes_) {
              RunTile({n, group, x, x - strip}, local);
            }
          }
          if (stream_) kernels_.finish_stream();
        });
  }

 private:
  struct Tile {
    int n;
    RowGroup group;
    int x, x_in_strip;
  };
  /// Memory of one thread: a tile of the first map [channel][row][lane], its sums
  /// [row][displacement][lane] where they take several passes, and the second map.
  struct Local {
    Dtype *panel, *sums;
    typename PackedRows<Dtype>::Window b;
  };
  /// Some channels of one position of the window.
  struct Pass {
    int first, channels;
    bool is_first, is_last;
  };
  /// Displacement columns of one tile.
  struct ColumnPiece {
    int first, count;
  };

  RowReach Reach() const {
    RowReach reach;
    reach.phases = s_.stride_1;
    reach.width = s_.out_width;
    reach.first = position(s_.origin_x + s_.column_displacement(0));
    reach.beyond =
        position(s_.origin_x + s_.kernel - 1 + s_.column_displacement(s_.columns - 1));
    // Rows that a group meets lie stride_2 apart; with a window, those between count,
    // too.
    const int most = std::min(kCorrelationRows, ceil_div(s_.out_height, step_));
    const int shared = s_.rows + (most - 1) * shift_;
    reach.unit = s_.kernel == 1 ? s_.stride_2 : 1;
    reach.rows = s_.kernel == 1 ? shared : (shared - 1) * s_.stride_2 + s_.kernel;
    return reach;
  }

  int panel_row() const { return kCorrelationRows * lanes_; }
  int passes() const { return s_.kernel * s_.kernel * pieces_; }
  /// Position of an offset among those of its phase.
  int position(int offset) const { return floor_div(offset, s_.stride_1); }
  int window_y(const Tile& t, int member) const {
    return s_.window_y(t.group.first + member * step_);
  }

  void RunTile(const Tile& tile, const Local& local) const {
    for (int i = 0; i < passes(); ++i) {
      const int window = i / pieces_, piece = i % pieces_;
      const int x = window % s_.kernel, y = window / s_.kernel;
      if (piece == 0) PackPanel(tile, y, x, local.panel);
      const int first = s_.channels * piece / pieces_;
      const int end = s_.channels * (piece + 1) / pieces_;
      RunPass(tile, y, x, {first, end - first, i == 0, i + 1 == passes()}, local);
    }
  }

  /// The values of the first map that position (j, i) of the tile's windows meets.
  void PackPanel(const Tile& t, int j, int i, Dtype* panel) const {
    const std::int64_t groups = a_.planes / num_;
    const int x = s_.window_x(t.x) + i;
    const bool whole = s_.stride_1 == 1 && x >= 0 && x + lanes_ <= s_.width;
    const std::int64_t plane = std::int64_t{s_.height} * s_.width * a_.lanes;
    for (int k = 0; k < t.group.count; ++k) {
      Dtype* to = panel + k * lanes_;
      const int y = window_y(t, k) + j;
      const bool inside = y >= 0 && y < s_.height;
      const Dtype* from = a_.data + t.n * groups * plane +
                          (std::int64_t{inside ? y : 0} * s_.width + x) * a_.lanes;
      if (inside && whole && a_blocked_) {
        alignas(64) Dtype square[kMostLanes * kMostLanes];
        for (std::int64_t g = 0; g < groups; ++g) {
          kernels_.transpose(from + g * plane, lanes_, square, lanes_);
          kernels_.spread(square, lanes_, lanes_, to + g * lanes_ * panel_row(),
                          panel_row());
        }
      } else if (inside && whole) {
        kernels_.spread(from, plane, s_.channels, to, panel_row());
      } else {
        // Positions begin .. end - 1 of the tile lie inside.
        const int begin = x < 0 ? (s_.stride_1 - 1 - x) / s_.stride_1 : 0;
        const int beyond = s_.width - x + s_.stride_1 - 1;
        const int end = inside ? std::min(lanes_, beyond / s_.stride_1) : 0;
        for (int c = 0; c < s_.channels; ++c, to += panel_row()) {
          const Dtype* const channel = from + c / a_.lanes * plane + c % a_.lanes;
          std::fill_n(to, lanes_, Dtype(0));
          for (int l = begin; l < end; ++l) to[l] = channel[l * s_.stride_1 * a_.lanes];
        }
      }
    }
  }

  // Row `member` of the group takes part at displacement row shared - member * shift_.
  void RunPass(const Tile& t, int j, int i, const Pass& pass, const Local& local) const {
    const std::int64_t plane = std::int64_t{s_.out_height} * s_.out_width;
    CorrelationForwardTile<Dtype> tile;
    tile.channels = pass.channels;
    tile.valid = pass.is_last ? std::min(lanes_, s_.out_width - t.x) : lanes_;
    tile.subtract = s_.subtract;
    tile.stream = stream_ && pass.is_last;
    tile.b_channel = b_.format().stride();
    // From a row to the next one of the group, which is some displacement rows behind.
    tile.before_row = (std::int64_t{s_.displacements()} - shift_ * s_.columns) * lanes_;
    tile.out_row = pass.is_last ? step_ * s_.out_width - shift_ * s_.columns * plane
                                : tile.before_row;
    tile.out_column = pass.is_last ? plane : lanes_;
    tile.scale = static_cast<Dtype>(s_.scale());
    const int shared_rows = s_.rows + (t.group.count - 1) * shift_;
    int begin = 0;  // the first row of the group that has not passed
    for (int shared = 0; shared < shared_rows; ++shared) {
      while (shared - begin * shift_ >= s_.rows) ++begin;
      int end = begin;
      while (end < t.group.count && end * shift_ <= shared) ++end;
      tile.rows = end - begin;
      if (tile.rows == 0) continue;
      const int q = (shared - begin * shift_) * s_.columns;
      Dtype* const sums =
          local.sums + (std::int64_t{begin} * s_.displacements() + q) * lanes_;
      Dtype* const out =
          pass.is_last ? out_ + (std::int64_t{t.n} * s_.displacements() + q) * plane +
                             (t.group.first + begin * step_) * s_.out_width + t.x
                       : sums;
      const Dtype* const before = pass.is_first ? nullptr : sums;
      const int b_y = window_y(t, 0) + j + s_.row_displacement(shared);
      if (!s_.subtract && !b_.format().inside(b_y)) {
        AddNothing(tile, before, out);
        continue;
      }
      tile.a = local.panel + std::int64_t{pass.first} * panel_row() + begin * lanes_;
      const Dtype* const b = local.b.Row(b_y) +
                             std::int64_t{pass.first} * b_.format().stride() +
                             t.x_in_strip;
      for (const ColumnPiece& piece : column_pieces_) {
        tile.columns = piece.count;
        const std::int64_t* columns = &b_columns_[i * s_.columns + piece.first];
        for (int c = 0; c < piece.count; ++c) tile.b[c] = b + columns[c];
        tile.before = before == nullptr ? nullptr : before + piece.first * lanes_;
        tile.out = out + piece.first * tile.out_column;
        kernels_.forward(tile);
      }
    }
  }

  /// A pass in which the second map's row lies outside.
  void AddNothing(const CorrelationForwardTile<Dtype>& tile, const Dtype* before,
                  Dtype* out) const {
    if (before == out) return;
    for (int k = 0; k < tile.rows; ++k) {
      for (int i = 0; i < s_.columns; ++i) {
        Dtype* const to = out + k * tile.out_row + i * tile.out_column;
        if (before == nullptr) {
          std::fill_n(to, tile.valid, Dtype(0));
        } else {
          std::copy_n(before + k * tile.before_row + i * lanes_, tile.valid, to);
        }
      }
    }
  }

  const CorrelationShape& s_;
  const CorrelationKernels<Dtype>& kernels_;
  int lanes_, num_;
  bool a_blocked_;
  Planes<const Dtype> a_;
  int step_;   ///< from a row of a group to the next
  int shift_;  ///< between the displacement rows by which they meet the same row
  PackedRows<Dtype> b_;
  /// Of each column of the window and of displacement, where a row of the second map has
  /// what position 0 meets.
  std::vector<std::int64_t> b_columns_;
  std::vector<ColumnPiece> column_pieces_;
  Dtype* out_;
  bool stream_;
  int pieces_;  ///< passes over the channels for one position of the window
};

}  // namespace

template <typename Dtype>
void correlation_forward(const CorrelationShape& shape, const Blob<Dtype>& a,
                         const Blob<Dtype>& b, Blob<Dtype>* top) {
  ForwardPass<Dtype>(shape, a, b, top).Run();
}

#define INSTANTIATE_CORRELATION(Dtype)                                           \
  template const CorrelationKernels<Dtype>& correlation_kernels<Dtype>();        \
  template void correlation_forward(const CorrelationShape&, const Blob<Dtype>&, \
                                    const Blob<Dtype>&, Blob<Dtype>*)

INSTANTIATE_CORRELATION(float);
INSTANTIATE_CORRELATION(double);
#undef INSTANTIATE_CORRELATION

}  // namespace caffe

// Correlation as a product of rows.
//
// Both maps are packed once as [row][channel][x] with zero margins, so that a
// displacement is a shift of a pointer. A tile then holds a few output rows and a few
// displacements (or channels) in registers, `lanes` positions x wide: rows y and y + dy,
// y + t and y + t + dy', ... meet the same row of the other map, so each value loaded
// serves several products. Every output is made by one thread in a fixed order: results
// do not depend on the thread count.
#include "caffe/backend/correlation.hpp"

#include <algorithm>
#include <numeric>
#include <vector>

#include "caffe/backend/planes.hpp"
#include "caffe/backend/scratch.hpp"
#include "caffe/util/parallel_for.hpp"
#include "caffe/util/simd.hpp"
#include "correlation_kernels.hpp"

namespace caffe {

namespace {

constexpr int kChannelChunk = 64;  // channels whose rows stay in the first-level cache

template <typename Dtype>
const CorrelationKernels<Dtype>& kernels() {
  static const CorrelationKernels<Dtype> table = [] {
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq")) {
      return correlation_kernels_avx512<Dtype>();
    }
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
      return correlation_kernels_avx2<Dtype>();
    }
#endif
    return correlation_kernels_base<Dtype>();
  }();
  return table;
}

/// Items a thread must at least have, each of the given number of products.
std::int64_t grain(std::int64_t products) {
  return std::max<std::int64_t>(1, (1 << 17) / std::max<std::int64_t>(1, products));
}

int floor_div(int a, int b) { return a >= 0 ? a / b : -((-a + b - 1) / b); }
int round_up(int a, int b) { return (a + b - 1) / b * b; }

/// A map as [image][row][phase][channel][x]; position p of a row is x = p / phases of
/// phase p mod phases. Around the row lie zeros as far as the given offsets reach.
template <typename Dtype>
struct PackedRows {
  int channels = 0, height = 0, width = 0, phases = 1;
  int left = 0, stride = 0;
  Dtype* data = nullptr;
  const Dtype* zeros = nullptr;

  /// `tiled` positions are read from every offset in [least, most].
  void Lay(const CorrelationShape& shape, int phase_count, int least, int most, int tiled,
           int lanes) {
    channels = shape.channels;
    height = shape.height;
    width = shape.width;
    phases = phase_count;
    left = round_up(std::max(0, -floor_div(least, phases)), lanes);
    const int right =
        std::max((width + phases - 1) / phases, floor_div(most, phases) + tiled);
    // An odd number of vectors spreads the channels over the sets of the cache.
    stride = round_up(left + right, lanes) / lanes;
    stride = (stride | 1) * lanes;
  }
  std::int64_t row_size() const { return std::int64_t{phases} * channels * stride; }
  std::int64_t size(int num) const {
    return (std::int64_t{num} * height + 1) * row_size();
  }

  /// The first channel of a row at an offset; rows outside are zero.
  const Dtype* at(int n, int y, int offset) const {
    const int x = floor_div(offset, phases);
    const std::int64_t in_row =
        std::int64_t{offset - x * phases} * channels * stride + left + x;
    if (!inside(y)) return zeros + in_row;
    return data + (std::int64_t{n} * height + y) * row_size() + in_row;
  }
  bool inside(int y) const { return y >= 0 && y < height; }
};

/// Copies `count` values to every row (channel) of one phase, first those of `from` at
/// `step`.
template <typename Dtype>
CAFFE_ALWAYS_INLINE void pack_lanes(const Dtype* from, int lanes, int used, int step,
                                    int count, Dtype* to, int stride) {
  constexpr int kStrip = 16;
  for (int x0 = 0; x0 < count; x0 += kStrip) {
    const int x1 = std::min(count, x0 + kStrip);
    for (int c = 0; c < used; ++c) {
      for (int x = x0; x < x1; ++x) {
        to[std::int64_t{c} * stride + x] = from[std::int64_t{x} * step * lanes + c];
      }
    }
  }
}

template <typename Dtype>
void pack(const Blob<Dtype>& blob, SyncedMemory* memory, PackedRows<Dtype>* packed,
          Dtype* to) {
  packed->data = to;
  const int num = blob.num();
  const bool blocked = prefers_blocks(blob, *memory);
  const Planes<const Dtype> planes = read_planes(blob, memory, blocked);
  const int lanes = planes.lanes, groups = static_cast<int>(planes.planes / num);
  const std::int64_t row_size = packed->row_size();
  Dtype* zeros = to + std::int64_t{num} * packed->height * row_size;
  std::fill_n(zeros, row_size, Dtype(0));
  packed->zeros = zeros;
  const std::int64_t rows = std::int64_t{num} * packed->height;
  parallel_ranges(rows, grain(8 * row_size), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      const std::int64_t n = row / packed->height, y = row % packed->height;
      Dtype* out = to + row * row_size;
      std::fill_n(out, row_size, Dtype(0));
      for (int g = 0; g < groups; ++g) {
        const Dtype* from =
            planes.data + ((n * groups + g) * packed->height + y) * packed->width * lanes;
        const int used = std::min(lanes, packed->channels - g * lanes);
        for (int phase = 0; phase < packed->phases && phase < packed->width; ++phase) {
          const int count = (packed->width - phase + packed->phases - 1) / packed->phases;
          Dtype* first =
              out +
              (std::int64_t{phase} * packed->channels + g * lanes) * packed->stride +
              packed->left;
          pack_lanes(from + std::int64_t{phase} * lanes, lanes, used, packed->phases,
                     count, first, packed->stride);
        }
      }
    }
  });
}

/// Output rows y0, y0 + step, ... that share rows of the other map.
struct RowGroup {
  int first, count;
};

std::vector<RowGroup> row_groups(int rows, int step) {
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

template <typename Dtype>
class ForwardPass {
 public:
  ForwardPass(const CorrelationShape& shape, const Blob<Dtype>& a, const Blob<Dtype>& b,
              Blob<Dtype>* top)
      : s_(shape), kernels_(kernels<Dtype>()), num_(a.num()) {
    const int tiled = round_up(s_.out_width, kernels_.lanes),
              last = s_.origin_x + s_.kernel - 1;
    a_.Lay(s_, s_.stride_1, s_.origin_x, last, tiled, kernels_.lanes);
    b_.Lay(s_, s_.stride_1, s_.origin_x + s_.column_displacement(0),
           last + s_.column_displacement(s_.columns - 1), tiled, kernels_.lanes);
    Dtype* memory = static_cast<Dtype*>(
        scratch_memory((a_.size(num_) + b_.size(num_)) * sizeof(Dtype)));
    pack(a, a.data().get(), &a_, memory);
    pack(b, b.data().get(), &b_, memory + a_.size(num_));
    out_ = top->mutable_cpu_data();
    step_ = s_.stride_2 / std::gcd(s_.stride_1, s_.stride_2);
    shift_ = step_ * s_.stride_1 / s_.stride_2;
  }

  void Run() {
    const std::vector<RowGroup> groups = row_groups(s_.out_height, step_);
    const std::int64_t count = groups.size();
    const std::int64_t products = std::int64_t{kCorrelationRows} * s_.out_width *
                                  s_.displacements() * s_.channels * s_.kernel *
                                  s_.kernel;
    parallel_ranges(num_ * count, grain(products),
                    [&](std::int64_t begin, std::int64_t end) {
                      for (std::int64_t i = begin; i < end; ++i) {
                        RunGroup(static_cast<int>(i / count), groups[i % count]);
                      }
                    });
  }

 private:
  void RunGroup(int n, RowGroup group) const {
    for (int x = 0; x < s_.out_width; x += kernels_.lanes) {
      bool accumulate = false;
      for (int window = 0; window < s_.kernel * s_.kernel; ++window) {
        for (int c = 0; c < s_.channels; c += kChannelChunk) {
          RunChunk(n, group, x, window, c, accumulate);
          accumulate = true;
        }
      }
    }
  }

  // Row `member` of the group takes part at rows_first + shared - member * shift_.
  void RunChunk(int n, RowGroup group, int x, int window, int c, bool accumulate) const {
    CorrelationForwardTile<Dtype> tile;
    tile.channels = std::min(kChannelChunk, s_.channels - c);
    tile.valid = std::min(kernels_.lanes, s_.out_width - x);
    tile.subtract = s_.subtract;
    tile.accumulate = accumulate;
    tile.out_stride = std::int64_t{s_.out_height} * s_.out_width;
    tile.scale = static_cast<Dtype>(s_.scale());
    const int j = window / s_.kernel, i = window % s_.kernel;
    for (int shared = 0; shared < s_.rows + (group.count - 1) * shift_; ++shared) {
      const int begin = std::max(0, (shared - s_.rows + shift_) / shift_);
      const int end = std::min(group.count, shared / shift_ + 1);
      tile.rows = end - begin;
      if (tile.rows <= 0) continue;
      const int b_row = s_.window_y(group.first) + j + s_.row_displacement(shared);
      const bool zero = !s_.subtract && !b_.inside(b_row);
      if (zero && accumulate) continue;
      Dtype* out[kCorrelationRows];
      for (int k = 0; k < tile.rows; ++k) {
        const int y = group.first + (begin + k) * step_;
        const int q = (shared - (begin + k) * shift_) * s_.columns;
        out[k] = out_ +
                 ((std::int64_t{n} * s_.displacements() + q) * s_.out_height + y) *
                     s_.out_width +
                 x;
        tile.a[k] = a_.at(n, s_.window_y(y) + j, s_.origin_x + i) + x +
                    std::int64_t{c} * a_.stride;
      }
      if (zero) {
        WriteZeros(tile, out);
        continue;
      }
      for_each_piece(s_.columns, kernels_.columns, [&](int first, int size) {
        tile.columns = size;
        for (int k = 0; k < size; ++k) {
          tile.b[k] =
              b_.at(n, b_row, s_.origin_x + i + s_.column_displacement(first + k)) + x +
              std::int64_t{c} * b_.stride;
        }
        for (int k = 0; k < tile.rows; ++k)
          tile.out[k] = out[k] + first * tile.out_stride;
        tile.a_stride = a_.stride;
        tile.b_stride = b_.stride;
        kernels_.forward(tile);
      });
    }
  }

  void WriteZeros(const CorrelationForwardTile<Dtype>& tile, Dtype* const* out) const {
    for (int k = 0; k < tile.rows; ++k) {
      for (int i = 0; i < s_.columns; ++i) {
        std::fill_n(out[k] + i * tile.out_stride, tile.valid, Dtype(0));
      }
    }
  }

  const CorrelationShape& s_;
  const CorrelationKernels<Dtype>& kernels_;
  int num_, step_, shift_;
  PackedRows<Dtype> a_, b_;
  Dtype* out_;
};

/// The top's diff times the scale, spread over the windows and shifted to where it is
/// used: [image][row][displacement][x], rows and x those of the bottoms.
template <typename Dtype>
class PackedDiff {
 public:
  PackedDiff(const CorrelationShape& shape, int num, int lanes)
      : s_(shape), num_(num), stride_(round_up(shape.width, lanes)) {
    stride_ = (stride_ / lanes | 1) * lanes;
  }
  std::int64_t row_size() const { return std::int64_t{s_.displacements()} * stride_; }
  std::int64_t size() const { return std::int64_t{num_} * s_.height * row_size(); }
  int stride() const { return stride_; }
  const Dtype* at(int n, int y, int q) const {
    return data_ + (std::int64_t{n} * s_.height + y) * row_size() +
           std::int64_t{q} * stride_;
  }

  /// `shifted`: row y, position x of displacement q hold what its window at (y, x) minus
  /// the displacement got (for the second bottom); else what the window at (y, x) got.
  void Pack(const Dtype* diff, bool shifted, Dtype* to) {
    data_ = to;
    const std::int64_t rows = std::int64_t{num_} * s_.height;
    parallel_ranges(
        rows, grain(8 * row_size()), [&](std::int64_t begin, std::int64_t end) {
          for (std::int64_t row = begin; row < end; ++row) {
            const int n = static_cast<int>(row / s_.height),
                      y = static_cast<int>(row % s_.height);
            for (int q = 0; q < s_.displacements(); ++q) {
              Dtype* line = to + row * row_size() + std::int64_t{q} * stride_;
              std::fill_n(line, stride_, Dtype(0));
              const int dy = shifted ? s_.displacement_y(q) : 0;
              const int dx = shifted ? s_.displacement_x(q) : 0;
              const Dtype* plane = diff + (std::int64_t{n} * s_.displacements() + q) *
                                              s_.out_height * s_.out_width;
              const int last = s_.end_output(y - dy, s_.origin_y, s_.out_height);
              for (int out = s_.first_output(y - dy, s_.origin_y); out < last; ++out) {
                AddRow(plane + std::int64_t{out} * s_.out_width, dx, line);
              }
            }
          }
        });
  }

 private:
  void AddRow(const Dtype* diff, int dx, Dtype* line) const {
    const Dtype scale = static_cast<Dtype>(s_.scale());
    const int step = s_.stride_1;
    for (int i = 0; i < s_.kernel; ++i) {
      const int start = s_.origin_x + i + dx;
      const int begin = start >= 0 ? 0 : (-start + step - 1) / step;
      const int end = std::min(s_.out_width, (s_.width - start + step - 1) / step);
      Dtype* to = line + start;
      for (int x = begin; x < end; ++x) to[std::int64_t{x} * step] += scale * diff[x];
    }
  }

  const CorrelationShape& s_;
  int num_, stride_;
  const Dtype* data_ = nullptr;
};

/// The diff of one bottom: sum over displacements of PackedDiff times the other map,
/// displaced by `sign` (+1 for the first bottom, -1 for the second).
template <typename Dtype>
class BackwardPass {
 public:
  BackwardPass(const CorrelationShape& shape, int sign, const PackedRows<Dtype>& self,
               const PackedRows<Dtype>& other, const PackedDiff<Dtype>& diff)
      : s_(shape),
        sign_(sign),
        self_(self),
        other_(other),
        diff_(diff),
        kernels_(kernels<Dtype>()),
        stride_(round_up(shape.width, kernels_.lanes)) {}

  void Run(int num, const Blob<Dtype>& blob, SyncedMemory* memory, bool blocked) const {
    const Planes<Dtype> planes = write_planes(blob, memory, blocked);
    const std::vector<RowGroup> groups = row_groups(s_.height, s_.stride_2);
    const std::int64_t count = groups.size();
    const std::int64_t products =
        std::int64_t{kCorrelationRows} * s_.width * s_.displacements() * s_.channels;
    parallel_ranges(
        num * count, grain(products), [&](std::int64_t begin, std::int64_t end) {
          std::vector<Dtype> sum(std::size_t{kCorrelationRows} * s_.channels * stride_);
          for (std::int64_t i = begin; i < end; ++i) {
            const int n = static_cast<int>(i / count);
            const RowGroup group = groups[i % count];
            std::fill(sum.begin(), sum.end(), Dtype(0));
            RunGroup(n, group, sum.data());
            for (int k = 0; k < group.count; ++k) {
              Unpack(sum.data() + std::int64_t{k} * s_.channels * stride_, n,
                     group.first + k * s_.stride_2, planes, planes.planes / num);
            }
          }
        });
  }

 private:
  // Row `member` of the group meets a shared row of the other map by its displacement row
  // shared - sign * member.
  void RunGroup(int n, RowGroup group, Dtype* sum) const {
    CorrelationBackwardTile<Dtype> tile;
    tile.count = s_.columns;
    tile.subtract = s_.subtract;
    tile.d_stride = diff_.stride();
    tile.s_stride = other_.stride;
    tile.s_step = sign_ * s_.stride_2;
    tile.self_stride = self_.stride;
    tile.sum_stride = stride_;
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
      const Dtype* source = other_.at(n, row, sign_ * s_.column_displacement(0));
      for (int x = 0; x < s_.width; x += kernels_.lanes) {
        for_each_piece(s_.channels, kernels_.columns, [&](int c, int size) {
          tile.channels = size;
          tile.s = source + std::int64_t{c} * other_.stride + x;
          for (int k = 0; k < tile.rows; ++k) {
            const int member = begin + k, y = group.first + member * s_.stride_2;
            tile.d[k] = diff_.at(n, y, (shared - sign_ * member) * s_.columns) + x;
            tile.sum[k] = sum + (std::int64_t{member} * s_.channels + c) * stride_ + x;
            if (s_.subtract) {
              tile.self[k] = self_.at(n, y, 0) + std::int64_t{c} * self_.stride + x;
            }
          }
          kernels_.backward(tile);
        });
      }
    }
  }

  // Writes one row of all channels to where the layout has it.
  void Unpack(const Dtype* row, int n, int y, Planes<Dtype> to,
              std::int64_t groups) const {
    for (std::int64_t g = 0; g < groups; ++g) {
      Dtype* out = to.data + ((n * groups + g) * s_.height + y) * s_.width * to.lanes;
      const int used =
          static_cast<int>(std::min<std::int64_t>(to.lanes, s_.channels - g * to.lanes));
      const Dtype* from = row + g * to.lanes * stride_;
      if (to.lanes == 1) {
        std::copy_n(from, s_.width, out);
        continue;
      }
      for (int x = 0; x < s_.width; ++x) {
        for (int c = 0; c < used; ++c) out[x * to.lanes + c] = from[c * stride_ + x];
        for (int c = used; c < to.lanes; ++c) out[x * to.lanes + c] = 0;
      }
    }
  }

  const CorrelationShape& s_;
  int sign_;
  const PackedRows<Dtype>&self_, &other_;
  const PackedDiff<Dtype>& diff_;
  const CorrelationKernels<Dtype>& kernels_;
  int stride_;
};

}  // namespace

template <typename Dtype>
void correlation_forward(const CorrelationShape& shape, const Blob<Dtype>& a,
                         const Blob<Dtype>& b, Blob<Dtype>* top) {
  ForwardPass<Dtype>(shape, a, b, top).Run();
}

template <typename Dtype>
void correlation_backward(const CorrelationShape& shape, const Blob<Dtype>& top,
                          bool a_wants_diff, bool b_wants_diff, Blob<Dtype>* a,
                          Blob<Dtype>* b) {
  const int num = a->num(), lanes = kernels<Dtype>().lanes;
  const int least = shape.column_displacement(0);
  const int most = shape.column_displacement(shape.columns - 1);
  PackedRows<Dtype> a_rows, b_rows;
  a_rows.Lay(shape, 1, std::min(0, -most), std::max(0, -least),
             round_up(shape.width, lanes), lanes);
  b_rows.Lay(shape, 1, std::min(0, least), std::max(0, most),
             round_up(shape.width, lanes), lanes);
  PackedDiff<Dtype> diff(shape, num, lanes);
  const bool a_needed = b_wants_diff || shape.subtract,
             b_needed = a_wants_diff || shape.subtract;
  // Read before scratch memory is asked for: a reorder may need it.
  const Dtype* top_diff = top.cpu_diff();
  const std::int64_t a_size = a_needed ? a_rows.size(num) : 0;
  const std::int64_t b_size = b_needed ? b_rows.size(num) : 0;
  Dtype* memory = static_cast<Dtype*>(
      scratch_memory((a_size + b_size + diff.size()) * sizeof(Dtype)));
  if (a_needed) pack(*a, a->data().get(), &a_rows, memory);
  if (b_needed) pack(*b, b->data().get(), &b_rows, memory + a_size);
  // Both may be one blob: its layout is looked at before anything is written.
  const bool a_blocked = prefers_blocks(*a, *a->data());
  const bool b_blocked = prefers_blocks(*b, *b->data());
  if (a_wants_diff) {
    diff.Pack(top_diff, false, memory + a_size + b_size);
    BackwardPass<Dtype>(shape, 1, a_rows, b_rows, diff)
        .Run(num, *a, a->diff().get(), a_blocked);
  }
  if (b_wants_diff) {
    diff.Pack(top_diff, true, memory + a_size + b_size);
    BackwardPass<Dtype>(shape, -1, b_rows, a_rows, diff)
        .Run(num, *b, b->diff().get(), b_blocked);
  }
}

#define INSTANTIATE_CORRELATION(Dtype)                                                  \
  template void correlation_forward(const CorrelationShape&, const Blob<Dtype>&,        \
                                    const Blob<Dtype>&, Blob<Dtype>*);                  \
  template void correlation_backward(const CorrelationShape&, const Blob<Dtype>&, bool, \
                                     bool, Blob<Dtype>*, Blob<Dtype>*)

INSTANTIATE_CORRELATION(float);
INSTANTIATE_CORRELATION(double);
#undef INSTANTIATE_CORRELATION

}  // namespace caffe

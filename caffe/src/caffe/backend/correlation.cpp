// Correlation forward, as a product of rows.
//
// Both maps are packed as rows of channels with zeros around them. A register tile holds
// `lanes` positions of a few output rows and a few displacements: rows y and y + dy, y +
// t and y + t + dy', ... meet the same row of the other map, so each value loaded serves
// several products. Every output is made by one thread in a fixed order: results do not
// depend on the thread count.
#include "caffe/backend/correlation.hpp"

#include <numeric>

#include "correlation_pack.hpp"

namespace caffe {

template <typename Dtype>
const CorrelationKernels<Dtype>& correlation_kernels() {
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

namespace {

template <typename Dtype>
class ForwardPass {
 public:
  ForwardPass(const CorrelationShape& shape, const Blob<Dtype>& a, const Blob<Dtype>& b,
              Blob<Dtype>* top)
      : s_(shape),
        kernels_(correlation_kernels<Dtype>()),
        num_(a.num()),
        a_(shape, a, shape.stride_1, reach(0, 0)),
        b_(shape, b, shape.stride_1,
           reach(shape.column_displacement(0),
                 shape.column_displacement(shape.columns - 1))) {
    Dtype* memory =
        static_cast<Dtype*>(scratch_memory((a_.size() + b_.size()) * sizeof(Dtype)));
    a_.Pack(memory);
    b_.Pack(memory + a_.size());
    out_ = top->mutable_cpu_data();
    const int span = (s_.columns - 1) * s_.stride_2 / s_.stride_1 + 2 * kernels_.lanes;
    chunk_ = std::max(8, kCorrelationCache / (kCorrelationRows * kernels_.lanes + span));
    step_ = s_.stride_2 / std::gcd(s_.stride_1, s_.stride_2);
    shift_ = step_ * s_.stride_1 / s_.stride_2;
  }

  void Run() {
    const std::vector<RowGroup> groups = row_groups(s_.out_height, step_);
    const std::int64_t count = groups.size();
    const std::int64_t products = std::int64_t{kCorrelationRows} * s_.out_width *
                                  s_.displacements() * s_.channels * s_.kernel *
                                  s_.kernel;
    parallel_ranges(num_ * count, correlation_grain(products),
                    [&](std::int64_t begin, std::int64_t end) {
                      for (std::int64_t i = begin; i < end; ++i) {
                        for (int x = 0; x < s_.out_width; x += kernels_.lanes) {
                          RunTile({static_cast<int>(i / count), groups[i % count], x});
                        }
                      }
                    });
  }

 private:
  struct Tile {
    int n;
    RowGroup group;
    int x;
  };
  // Channels of one pass over a tile; all passes but the first add to what is there.
  struct Chunk {
    int first, channels;
    bool accumulate;
  };

  // Position of an offset among those of its phase.
  int position(int offset) const { return floor_div(offset, s_.stride_1); }
  int phase(int offset) const { return offset - position(offset) * s_.stride_1; }
  // What the tiles read of a map displaced by least .. most.
  typename PackedRows<Dtype>::Reach reach(int least, int most) const {
    return {position(s_.origin_x + least), position(s_.origin_x + s_.kernel - 1 + most) +
                                               round_up(s_.out_width, kernels_.lanes)};
  }

  void RunTile(const Tile& tile) const {
    bool accumulate = false;
    const int channels = std::min(a_.channels(), b_.channels());
    for (int window = 0; window < s_.kernel * s_.kernel; ++window) {
      const int offset = s_.origin_x + window % s_.kernel, j = window / s_.kernel;
      for_each_piece(channels, chunk_, [&](int first, int count) {
        RunChunk(tile, offset, j, {first, count, accumulate});
        accumulate = true;
      });
    }
  }

  // Row `member` of the group takes part at displacement row shared - member * shift_.
  void RunChunk(const Tile& t, int offset, int j, const Chunk& chunk) const {
    CorrelationForwardTile<Dtype> tile;
    tile.channels = chunk.channels;
    tile.valid = std::min(kernels_.lanes, s_.out_width - t.x);
    tile.subtract = s_.subtract;
    tile.accumulate = chunk.accumulate;
    tile.a_stride = a_.stride();
    tile.b_stride = b_.stride();
    tile.b_next = s_.stride_2 * b_.row_size();
    tile.out_stride = std::int64_t{s_.out_height} * s_.out_width;
    tile.scale = static_cast<Dtype>(s_.scale());
    for (int shared = 0; shared < s_.rows + (t.group.count - 1) * shift_; ++shared) {
      const int begin = std::max(0, (shared - s_.rows + shift_) / shift_);
      const int end = std::min(t.group.count, shared / shift_ + 1);
      tile.rows = end - begin;
      if (tile.rows <= 0) continue;
      const int b_y = s_.window_y(t.group.first) + j + s_.row_displacement(shared);
      const bool zero = !s_.subtract && !b_.inside(b_y);
      if (zero && chunk.accumulate) continue;
      Dtype* out[kCorrelationRows];
      for (int k = 0; k < tile.rows; ++k) {
        const int q = (shared - (begin + k) * shift_) * s_.columns;
        out[k] = out_ +
                 ((std::int64_t{t.n} * s_.displacements() + q) * s_.out_height +
                  t.group.first + (begin + k) * step_) *
                     s_.out_width +
                 t.x;
        const int y = s_.window_y(t.group.first + (begin + k) * step_) + j;
        tile.a[k] = a_.at(t.n, y, phase(offset), chunk.first) + position(offset) + t.x;
      }
      if (zero) {
        WriteZeros(tile, out);
        continue;
      }
      for_each_piece(s_.columns, kernels_.columns, [&](int first, int size) {
        tile.columns = size;
        for (int i = 0; i < size; ++i) {
          const int at = offset + s_.column_displacement(first + i);
          tile.b[i] = b_.at(t.n, b_y, phase(at), chunk.first) + position(at) + t.x;
        }
        for (int k = 0; k < tile.rows; ++k)
          tile.out[k] = out[k] + first * tile.out_stride;
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
  int chunk_;  // channels of one pass over a tile
  PackedRows<Dtype> a_, b_;
  Dtype* out_;
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

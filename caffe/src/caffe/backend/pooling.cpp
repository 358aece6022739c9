// Pooling loops: one row of outputs at a time, `lanes` channels side by side.
#include "caffe/backend/pooling.hpp"

#include <cfloat>

#include "caffe/util/parallel_for.hpp"
#include "caffe/util/simd.hpp"

namespace caffe {

namespace {

template <typename Dtype, int kLanes>
CAFFE_ALWAYS_INLINE void max_row(const PoolShape& s, int y, const Dtype* in, Dtype* out,
                                 int* mask) {
  const PoolShape::Span rows = s.rows(y);
  for (int x = 0; x < s.pooled_width; ++x) {
    const PoolShape::Span columns = s.columns(x);
    Dtype best[kLanes];
    int index[kLanes];
    const bool empty = rows.empty() || columns.empty();
    for (int c = 0; c < kLanes; ++c) {
      best[c] = empty ? Dtype(0) : Dtype(-FLT_MAX);
      index[c] = -1;
    }
    for (int h = rows.begin; h < rows.end; ++h) {
      for (int w = columns.begin; w < columns.end; ++w) {
        const int at = h * s.width + w;
        const Dtype* value = in + std::int64_t{at} * kLanes;
        for (int c = 0; c < kLanes; ++c) {
          index[c] = value[c] > best[c] ? at : index[c];
          best[c] = value[c] > best[c] ? value[c] : best[c];
        }
      }
    }
    for (int c = 0; c < kLanes; ++c) out[x * kLanes + c] = best[c];
    if (mask != nullptr) {
      for (int c = 0; c < kLanes; ++c) mask[x * kLanes + c] = index[c];
    }
  }
}

template <typename Dtype, int kLanes>
CAFFE_ALWAYS_INLINE void average_row(const PoolShape& s, int y, const Dtype* in, Dtype* out) {
  const PoolShape::Span rows = s.rows(y);
  for (int x = 0; x < s.pooled_width; ++x) {
    const PoolShape::Span columns = s.columns(x);
    Dtype sum[kLanes] = {};
    for (int h = rows.begin; h < rows.end; ++h) {
      for (int w = columns.begin; w < columns.end; ++w) {
        const Dtype* value = in + (std::int64_t{h} * s.width + w) * kLanes;
        for (int c = 0; c < kLanes; ++c) sum[c] += value[c];
      }
    }
    const bool empty = rows.empty() || columns.empty();
    const Dtype divisor = empty ? Dtype(1) : Dtype(rows.counted * columns.counted);
    for (int c = 0; c < kLanes; ++c) out[x * kLanes + c] = sum[c] / divisor;
  }
}

template <typename Dtype, int kLanes>
CAFFE_ALWAYS_INLINE void average_diff_row(const PoolShape& s, int y, const Dtype* out_diff,
                                          Dtype* in_diff) {
  const PoolShape::Span rows = s.rows(y);
  for (int x = 0; x < s.pooled_width; ++x) {
    const PoolShape::Span columns = s.columns(x);
    if (rows.empty() || columns.empty()) continue;
    const Dtype divisor = Dtype(rows.counted * columns.counted);
    Dtype share[kLanes];
    for (int c = 0; c < kLanes; ++c) share[c] = out_diff[x * kLanes + c] / divisor;
    for (int h = rows.begin; h < rows.end; ++h) {
      for (int w = columns.begin; w < columns.end; ++w) {
        Dtype* value = in_diff + (std::int64_t{h} * s.width + w) * kLanes;
        for (int c = 0; c < kLanes; ++c) value[c] += share[c];
      }
    }
  }
}

// The instruction set is chosen for whole functions that are no templates.
#define DEFINE_POOL_ROWS(Dtype)                                                              \
  CAFFE_SIMD_CLONES void max_rows(const PoolShape& s, int y, int lanes, const Dtype* in,      \
                                  Dtype* out, int* mask) {                                    \
    if (lanes == 16) return max_row<Dtype, 16>(s, y, in, out, mask);                          \
    if (lanes == 8) return max_row<Dtype, 8>(s, y, in, out, mask);                            \
    max_row<Dtype, 1>(s, y, in, out, mask);                                                   \
  }                                                                                           \
  CAFFE_SIMD_CLONES void average_rows(const PoolShape& s, int y, int lanes, const Dtype* in,  \
                                      Dtype* out) {                                           \
    if (lanes == 16) return average_row<Dtype, 16>(s, y, in, out);                            \
    if (lanes == 8) return average_row<Dtype, 8>(s, y, in, out);                              \
    average_row<Dtype, 1>(s, y, in, out);                                                     \
  }                                                                                           \
  CAFFE_SIMD_CLONES void average_diff_rows(const PoolShape& s, int y, int lanes,              \
                                           const Dtype* out_diff, Dtype* in_diff) {           \
    if (lanes == 16) return average_diff_row<Dtype, 16>(s, y, out_diff, in_diff);             \
    if (lanes == 8) return average_diff_row<Dtype, 8>(s, y, out_diff, in_diff);               \
    average_diff_row<Dtype, 1>(s, y, out_diff, in_diff);                                      \
  }

DEFINE_POOL_ROWS(float)
DEFINE_POOL_ROWS(double)
#undef DEFINE_POOL_ROWS

// Pieces of a million values at most keep short poolings on one thread.
std::int64_t grain(std::int64_t work_per_item) {
  return std::max<std::int64_t>(1, (1 << 14) / std::max<std::int64_t>(1, work_per_item));
}

// Calls body(plane, y) for every row of outputs.
template <typename Body>
void for_each_output_row(const PoolShape& s, std::int64_t planes, int lanes,
                         const Body& body) {
  const std::int64_t window = std::int64_t{s.kernel_h} * s.kernel_w;
  parallel_ranges(planes * s.pooled_height, grain(window * s.pooled_width * lanes),
                  [&](std::int64_t begin, std::int64_t end) {
                    for (std::int64_t i = begin; i < end; ++i) {
                      body(i / s.pooled_height, static_cast<int>(i % s.pooled_height));
                    }
                  });
}

}  // namespace

template <typename Dtype>
void max_pool_forward(const PoolShape& s, std::int64_t planes, int lanes, const Dtype* in,
                      Dtype* out, int* mask) {
  for_each_output_row(s, planes, lanes, [&](std::int64_t plane, int y) {
    const std::int64_t at = (plane * s.pooled_plane() + std::int64_t{y} * s.pooled_width) * lanes;
    max_rows(s, y, lanes, in + plane * s.plane() * lanes, out + at,
             mask != nullptr ? mask + at : nullptr);
  });
}

template <typename Dtype>
void max_pool_backward(const PoolShape& s, std::int64_t planes, int lanes,
                       const Dtype* out_diff, const int* mask, Dtype* in_diff) {
  parallel_ranges(planes, grain(s.plane() * lanes), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t plane = begin; plane < end; ++plane) {
      Dtype* to = in_diff + plane * s.plane() * lanes;
      std::fill(to, to + s.plane() * lanes, Dtype(0));
      const std::int64_t from = plane * s.pooled_plane() * lanes;
      for (std::int64_t i = 0; i < s.pooled_plane(); ++i) {
        for (int c = 0; c < lanes; ++c) {
          const int index = mask[from + i * lanes + c];
          if (index >= 0) to[std::int64_t{index} * lanes + c] += out_diff[from + i * lanes + c];
        }
      }
    }
  });
}

template <typename Dtype>
void average_pool_forward(const PoolShape& s, std::int64_t planes, int lanes, const Dtype* in,
                          Dtype* out) {
  for_each_output_row(s, planes, lanes, [&](std::int64_t plane, int y) {
    average_rows(s, y, lanes, in + plane * s.plane() * lanes,
                 out + (plane * s.pooled_plane() + std::int64_t{y} * s.pooled_width) * lanes);
  });
}

template <typename Dtype>
void average_pool_backward(const PoolShape& s, std::int64_t planes, int lanes,
                           const Dtype* out_diff, Dtype* in_diff) {
  parallel_ranges(planes, grain(s.plane() * lanes), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t plane = begin; plane < end; ++plane) {
      Dtype* to = in_diff + plane * s.plane() * lanes;
      std::fill(to, to + s.plane() * lanes, Dtype(0));
      for (int y = 0; y < s.pooled_height; ++y) {
        average_diff_rows(
            s, y, lanes,
            out_diff + (plane * s.pooled_plane() + std::int64_t{y} * s.pooled_width) * lanes, to);
      }
    }
  });
}

#define INSTANTIATE_POOLING(Dtype)                                                         \
  template void max_pool_forward(const PoolShape&, std::int64_t, int, const Dtype*, Dtype*, \
                                 int*);                                                     \
  template void max_pool_backward(const PoolShape&, std::int64_t, int, const Dtype*,        \
                                  const int*, Dtype*);                                      \
  template void average_pool_forward(const PoolShape&, std::int64_t, int, const Dtype*,     \
                                     Dtype*);                                               \
  template void average_pool_backward(const PoolShape&, std::int64_t, int, const Dtype*,    \
                                      Dtype*)

INSTANTIATE_POOLING(float);
INSTANTIATE_POOLING(double);
#undef INSTANTIATE_POOLING

}  // namespace caffe

// Pooling loops: one row of outputs at a time, `lanes` channels side by side.
#include "caffe/backend/pooling.hpp"

#include <cfloat>
#include <climits>
#include <type_traits>
#include <vector>

#include "caffe/util/parallel_for.hpp"
#include "caffe/util/simd.hpp"

namespace caffe {

namespace {

// Maxima of `kLanes` channels side by side, as vectors of them.
template <int kLanes, bool kMask>
CAFFE_ALWAYS_INLINE void max_row_of_lanes(const PoolShape& s, int y, const float* in,
                                          float* out, int* mask) {
  typedef float Values __attribute__((vector_size(kLanes * sizeof(float))));
  typedef int Indices __attribute__((vector_size(kLanes * sizeof(int))));
  const PoolShape::Span rows = s.rows(y);
  for (int x = 0; x < s.pooled_width; ++x) {
    const PoolShape::Span columns = s.columns(x);
    const bool empty = rows.empty() || columns.empty();
    Values best = Values{} + (empty ? 0.f : -FLT_MAX);
    Indices index = Indices{} - 1;
    for (int h = rows.begin; h < rows.end; ++h) {
      for (int w = columns.begin; w < columns.end; ++w) {
        const int at = h * s.width + w;
        Values value;
        __builtin_memcpy(&value, in + std::int64_t{at} * kLanes, sizeof(value));
        if (kMask) index = value > best ? Indices{} + at : index;
        best = value > best ? value : best;
      }
    }
    __builtin_memcpy(out + x * kLanes, &best, sizeof(best));
    if (kMask) __builtin_memcpy(mask + x * kLanes, &index, sizeof(index));
  }
}

// Row-major: the maxima of the window's columns first, along whole rows. Of equal values
// the one that comes first in row-major order is the maximum.
template <typename Dtype>
CAFFE_ALWAYS_INLINE void max_row(const PoolShape& s, int y, const Dtype* in, Dtype* out,
                                 int* mask, Dtype* __restrict column_best,
                                 int* __restrict column_row) {
  const PoolShape::Span rows = s.rows(y);
  for (int w = 0; w < s.width; ++w) {
    column_best[w] = Dtype(-FLT_MAX);
    column_row[w] = INT_MAX;
  }
  for (int h = rows.begin; h < rows.end; ++h) {
    const Dtype* __restrict row = in + std::int64_t{h} * s.width;
    const int width = s.width;
#pragma omp simd
    for (int w = 0; w < width; ++w) {
      const bool higher = row[w] > column_best[w];
      column_row[w] = higher ? h : column_row[w];
      column_best[w] = higher ? row[w] : column_best[w];
    }
  }
  for (int x = 0; x < s.pooled_width; ++x) {
    const PoolShape::Span columns = s.columns(x);
    const bool empty = rows.empty() || columns.empty();
    Dtype best = empty ? Dtype(0) : Dtype(-FLT_MAX);
    int at_row = INT_MAX, at_column = 0;
    for (int w = columns.begin; w < columns.end; ++w) {
      // Without a branch: which one is the maximum cannot be foretold.
      const bool better =
          (column_best[w] > best) | ((column_best[w] == best) & (column_row[w] < at_row));
      best = better ? column_best[w] : best;
      at_row = better ? column_row[w] : at_row;
      at_column = better ? w : at_column;
    }
    out[x] = best;
    if (mask != nullptr) mask[x] = at_row == INT_MAX ? -1 : at_row * s.width + at_column;
  }
}

template <typename Dtype, int kLanes>
CAFFE_ALWAYS_INLINE void average_row(const PoolShape& s, int y, const Dtype* in,
                                     Dtype* out) {
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
CAFFE_ALWAYS_INLINE void average_diff_row(const PoolShape& s, int y,
                                          const Dtype* out_diff, Dtype* in_diff) {
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
#define DEFINE_POOL_ROWS(Dtype)                                                        \
  CAFFE_SIMD_CLONES void max_row_plain(const PoolShape& s, int y, const Dtype* in,     \
                                       Dtype* out, int* mask, Dtype* best, int* row) { \
    max_row<Dtype>(s, y, in, out, mask, best, row);                                    \
  }                                                                                    \
  CAFFE_SIMD_CLONES void average_rows(const PoolShape& s, int y, int lanes,            \
                                      const Dtype* in, Dtype* out) {                   \
    if (lanes == 16) return average_row<Dtype, 16>(s, y, in, out);                     \
    if (lanes == 8) return average_row<Dtype, 8>(s, y, in, out);                       \
    average_row<Dtype, 1>(s, y, in, out);                                              \
  }                                                                                    \
  CAFFE_SIMD_CLONES void average_diff_rows(const PoolShape& s, int y, int lanes,       \
                                           const Dtype* out_diff, Dtype* in_diff) {    \
    if (lanes == 16) return average_diff_row<Dtype, 16>(s, y, out_diff, in_diff);      \
    if (lanes == 8) return average_diff_row<Dtype, 8>(s, y, out_diff, in_diff);        \
    average_diff_row<Dtype, 1>(s, y, out_diff, in_diff);                               \
  }

DEFINE_POOL_ROWS(float)
DEFINE_POOL_ROWS(double)
#undef DEFINE_POOL_ROWS

CAFFE_SIMD_CLONES void max_row_blocked(const PoolShape& s, int y, int lanes,
                                       const float* in, float* out, int* mask) {
  if (lanes == 16) {
    if (mask != nullptr) return max_row_of_lanes<16, true>(s, y, in, out, mask);
    return max_row_of_lanes<16, false>(s, y, in, out, mask);
  }
  if (mask != nullptr) return max_row_of_lanes<8, true>(s, y, in, out, mask);
  max_row_of_lanes<8, false>(s, y, in, out, mask);
}

// Pieces of a million values at most keep short poolings on one thread.
std::int64_t grain(std::int64_t work_per_item) {
  return std::max<std::int64_t>(1, (1 << 14) / std::max<std::int64_t>(1, work_per_item));
}

// Calls body(begin, end) for pieces of all rows of outputs; row i is row i %
// pooled_height of plane i / pooled_height.
template <typename Body>
void for_output_rows(const PoolShape& s, std::int64_t planes, int lanes,
                     const Body& body) {
  const std::int64_t window = std::int64_t{s.kernel_h} * s.kernel_w;
  parallel_ranges(planes * s.pooled_height, grain(window * s.pooled_width * lanes), body);
}

}  // namespace

template <typename Dtype>
void max_pool_forward(const PoolShape& s, std::int64_t planes, int lanes, const Dtype* in,
                      Dtype* out, int* mask) {
  for_output_rows(s, planes, lanes, [&](std::int64_t begin, std::int64_t end) {
    std::vector<Dtype> column_best(lanes == 1 ? s.width : 0);
    std::vector<int> column_row(column_best.size());
    for (std::int64_t i = begin; i < end; ++i) {
      const Dtype* plane = in + i / s.pooled_height * s.plane() * lanes;
      const int y = static_cast<int>(i % s.pooled_height);
      const std::int64_t at = i * s.pooled_width * lanes;
      int* row_mask = mask != nullptr ? mask + at : nullptr;
      if constexpr (std::is_same<Dtype, float>::value) {
        if (lanes > 1) {
          max_row_blocked(s, y, lanes, plane, out + at, row_mask);
          continue;
        }
      }
      max_row_plain(s, y, plane, out + at, row_mask, column_best.data(),
                    column_row.data());
    }
  });
}

template <typename Dtype>
void max_pool_backward(const PoolShape& s, std::int64_t planes, int lanes,
                       const Dtype* out_diff, const int* mask, Dtype* in_diff) {
  parallel_ranges(
      planes, grain(s.plane() * lanes), [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t plane = begin; plane < end; ++plane) {
          Dtype* to = in_diff + plane * s.plane() * lanes;
          std::fill(to, to + s.plane() * lanes, Dtype(0));
          const std::int64_t from = plane * s.pooled_plane() * lanes;
          for (std::int64_t i = 0; i < s.pooled_plane(); ++i) {
            for (int c = 0; c < lanes; ++c) {
              const int index = mask[from + i * lanes + c];
              if (index >= 0)
                to[std::int64_t{index} * lanes + c] += out_diff[from + i * lanes + c];
            }
          }
        }
      });
}

template <typename Dtype>
void average_pool_forward(const PoolShape& s, std::int64_t planes, int lanes,
                          const Dtype* in, Dtype* out) {
  for_output_rows(s, planes, lanes, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      average_rows(s, static_cast<int>(i % s.pooled_height), lanes,
                   in + i / s.pooled_height * s.plane() * lanes,
                   out + i * s.pooled_width * lanes);
    }
  });
}

template <typename Dtype>
void average_pool_backward(const PoolShape& s, std::int64_t planes, int lanes,
                           const Dtype* out_diff, Dtype* in_diff) {
  parallel_ranges(
      planes, grain(s.plane() * lanes), [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t plane = begin; plane < end; ++plane) {
          Dtype* to = in_diff + plane * s.plane() * lanes;
          std::fill(to, to + s.plane() * lanes, Dtype(0));
          for (int y = 0; y < s.pooled_height; ++y) {
            average_diff_rows(
                s, y, lanes,
                out_diff +
                    (plane * s.pooled_plane() + std::int64_t{y} * s.pooled_width) * lanes,
                to);
          }
        }
      });
}

#define INSTANTIATE_POOLING(Dtype)                                                       \
  template void max_pool_forward(const PoolShape&, std::int64_t, int, const Dtype*,      \
                                 Dtype*, int*);                                          \
  template void max_pool_backward(const PoolShape&, std::int64_t, int, const Dtype*,     \
                                  const int*, Dtype*);                                   \
  template void average_pool_forward(const PoolShape&, std::int64_t, int, const Dtype*,  \
                                     Dtype*);                                            \
  template void average_pool_backward(const PoolShape&, std::int64_t, int, const Dtype*, \
                                      Dtype*)

INSTANTIATE_POOLING(float);
INSTANTIATE_POOLING(double);
#undef INSTANTIATE_POOLING

}  // namespace caffe

// The bodies of the correlation kernels, over vectors of one instruction set; included
// once for each.
#ifndef CAFFE_BACKEND_CORRELATION_TILES_HPP_
#define CAFFE_BACKEND_CORRELATION_TILES_HPP_

#include "correlation_kernels.hpp"
#include "lane_vectors.hpp"

namespace caffe {
namespace {

// kBytes: the size of a vector register.
template <typename Dtype, int kBytes>
struct CorrelationTiles : LaneVectors<Dtype, kBytes> {
  typedef LaneVectors<Dtype, kBytes> Base;
  typedef typename Base::Vec Vec;
  using Base::kLanes;
  using Base::Load;
  using Base::LoadOnce;
  using Base::Store;

  template <int kRows, int kColumns, bool kSubtract>
  static CAFFE_ALWAYS_INLINE void Forward(const CorrelationForwardTile<Dtype>& t) {
    Vec sum[kRows][kColumns];
    const Dtype *a[kRows], *b[kColumns];
#pragma GCC unroll 8
    for (int k = 0; k < kRows; ++k) {
      a[k] = t.a[k];
#pragma GCC unroll 8
      for (int i = 0; i < kColumns; ++i) sum[k][i] = Vec{};
    }
#pragma GCC unroll 8
    for (int i = 0; i < kColumns; ++i) b[i] = t.b[i];
    std::int64_t a_at = 0, b_at = 0;
    const Dtype* const first_next = t.b[0] + t.b_next;
    const Dtype* const last_next = t.b[kColumns - 1] + t.b_next + (kLanes - 1);
    for (int c = 0; c < t.channels; ++c, a_at += t.a_stride, b_at += t.b_stride) {
      __builtin_prefetch(first_next + b_at);
      __builtin_prefetch(last_next + b_at);
      Vec left[kRows];
#pragma GCC unroll 8
      for (int k = 0; k < kRows; ++k) LoadOnce(a[k] + a_at, &left[k]);
#pragma GCC unroll 8
      for (int i = 0; i < kColumns; ++i) {
        Vec right;
        LoadOnce(b[i] + b_at, &right);
#pragma GCC unroll 8
        for (int k = 0; k < kRows; ++k) {
          if (kSubtract) {
            const Vec difference = left[k] - right;
            sum[k][i] += difference < 0 ? -difference : difference;
          } else {
            sum[k][i] += left[k] * right;
          }
        }
      }
    }
#pragma GCC unroll 8
    for (int k = 0; k < kRows; ++k) {
#pragma GCC unroll 8
      for (int i = 0; i < kColumns; ++i) {
        Write(t, sum[k][i] * t.scale, t.out[k] + i * t.out_stride);
      }
    }
  }

  static CAFFE_ALWAYS_INLINE void Write(const CorrelationForwardTile<Dtype>& t,
                                        const Vec& value, Dtype* out) {
    if (t.valid >= kLanes) {
      Vec result = value;
      if (t.accumulate) {
        Vec before;
        Load(out, &before);
        result += before;
      }
      Store(result, out);
      return;
    }
    for (int x = 0; x < t.valid; ++x)
      out[x] = t.accumulate ? out[x] + value[x] : value[x];
  }

  template <int kRows, int kChannels, bool kSubtract>
  static CAFFE_ALWAYS_INLINE void Backward(const CorrelationBackwardTile<Dtype>& t) {
    Vec sum[kRows][kChannels], self[kRows][kChannels];
    const Dtype *d[kRows], *s[kChannels];
#pragma GCC unroll 8
    for (int k = 0; k < kRows; ++k) {
      d[k] = t.d[k];
#pragma GCC unroll 8
      for (int c = 0; c < kChannels; ++c) {
        Load(t.sum[k] + c * t.sum_stride, &sum[k][c]);
        if (kSubtract) Load(t.self[k] + c * t.self_stride, &self[k][c]);
      }
    }
#pragma GCC unroll 8
    for (int c = 0; c < kChannels; ++c) s[c] = t.s + c * t.s_stride;
    std::int64_t d_at = 0, s_at = 0;
    for (int i = 0; i < t.count; ++i, d_at += t.d_stride, s_at += t.s_step) {
      Vec diff[kRows];
#pragma GCC unroll 8
      for (int k = 0; k < kRows; ++k) LoadOnce(d[k] + d_at, &diff[k]);
#pragma GCC unroll 8
      for (int c = 0; c < kChannels; ++c) {
        Vec value;
        LoadOnce(s[c] + s_at, &value);
#pragma GCC unroll 8
        for (int k = 0; k < kRows; ++k) {
          if (kSubtract) {
            const Vec zero = {};
            sum[k][c] += self[k][c] > value ? diff[k] : zero;
            sum[k][c] -= self[k][c] < value ? diff[k] : zero;
          } else {
            sum[k][c] += diff[k] * value;
          }
        }
      }
    }
#pragma GCC unroll 8
    for (int k = 0; k < kRows; ++k) {
#pragma GCC unroll 8
      for (int c = 0; c < kChannels; ++c) Store(sum[k][c], t.sum[k] + c * t.sum_stride);
    }
  }

  // One row of the other map, that rows kBegin .. kEnd - 1 meet by displacement rows
  // shared - k.
  template <int kRows, int kChannels, int kBegin, int kEnd>
  static CAFFE_ALWAYS_INLINE void AddShared(const CorrelationBackwardSum<Dtype>& t,
                                            int shared, Vec (&sum)[kRows][kChannels]) {
    if (t.s[shared] == nullptr) return;
    const Dtype *d[kRows], *s[kChannels];
#pragma GCC unroll 8
    for (int k = kBegin; k < kEnd; ++k) d[k] = t.d[k] + (shared - k) * t.d_row_stride;
#pragma GCC unroll 8
    for (int c = 0; c < kChannels; ++c) s[c] = t.s[shared] + t.s_offset + c * t.s_stride;
    std::int64_t d_at = 0, s_at = 0;
    for (int i = 0; i < t.count; ++i, d_at += t.d_stride, s_at += t.s_step) {
      Vec diff[kRows];
#pragma GCC unroll 8
      for (int k = kBegin; k < kEnd; ++k) LoadOnce(d[k] + d_at, &diff[k]);
#pragma GCC unroll 8
      for (int c = 0; c < kChannels; ++c) {
        Vec value;
        LoadOnce(s[c] + s_at, &value);
#pragma GCC unroll 8
        for (int k = kBegin; k < kEnd; ++k) sum[k][c] += diff[k] * value;
      }
    }
  }

  // The sums stay in registers: first the shared rows that some rows do not reach yet,
  // then those that all meet, then those that some have passed.
  template <int kRows, int kChannels>
  static CAFFE_ALWAYS_INLINE void Sum(const CorrelationBackwardSum<Dtype>& t) {
    Vec sum[kRows][kChannels];
#pragma GCC unroll 8
    for (int k = 0; k < kRows; ++k) {
#pragma GCC unroll 8
      for (int c = 0; c < kChannels; ++c) sum[k][c] = Vec{};
    }
    if (kRows > 1) AddShared<kRows, kChannels, 0, 1>(t, 0, sum);
    if (kRows > 2) AddShared < kRows, kChannels, 0, kRows<2 ? 1 : 2>(t, 1, sum);
    if (kRows > 3) AddShared < kRows, kChannels, 0, kRows<3 ? 1 : 3>(t, 2, sum);
    const int last = t.displacement_rows;
    for (int shared = kRows - 1; shared < last; ++shared) {
      AddShared<kRows, kChannels, 0, kRows>(t, shared, sum);
    }
    if (kRows > 1) AddShared < kRows, kChannels, kRows<2 ? 0 : 1, kRows>(t, last, sum);
    if (kRows > 2)
      AddShared < kRows, kChannels, kRows<3 ? 0 : 2, kRows>(t, last + 1, sum);
    if (kRows > 3)
      AddShared < kRows, kChannels, kRows<4 ? 0 : 3, kRows>(t, last + 2, sum);
#pragma GCC unroll 8
    for (int k = 0; k < kRows; ++k) {
#pragma GCC unroll 8
      for (int c = 0; c < kChannels; ++c) Store(sum[k][c], t.out[k] + c * t.out_stride);
    }
  }
  template <int kRows, int kMost>
  static CAFFE_ALWAYS_INLINE void SumRowsOf(const CorrelationBackwardSum<Dtype>& t) {
    switch (t.channels) {
      case 1:
        return Sum<kRows, 1>(t);
      case 2:
        return Sum<kRows, 2>(t);
      case 3:
        return Sum < kRows, kMost < 3 ? kMost : 3 > (t);
      case 4:
        return Sum < kRows, kMost < 4 ? kMost : 4 > (t);
      case 5:
        return Sum < kRows, kMost < 5 ? kMost : 5 > (t);
      case 6:
        return Sum < kRows, kMost < 6 ? kMost : 6 > (t);
    }
  }
  template <int kMost>
  static void SumTile(const CorrelationBackwardSum<Dtype>& t) {
    switch (t.rows) {
      case 1:
        return SumRowsOf<1, kMost>(t);
      case 2:
        return SumRowsOf<2, kMost>(t);
      case 3:
        return SumRowsOf<3, kMost>(t);
      case 4:
        return SumRowsOf<4, kMost>(t);
    }
  }

  // Picks the body for a tile's rows and columns; absolute differences take one column at
  // a time.
  template <int kRows, int kMost>
  static CAFFE_ALWAYS_INLINE void ForwardRows(const CorrelationForwardTile<Dtype>& t) {
    switch (t.columns) {
      case 1:
        return Forward<kRows, 1, false>(t);
      case 2:
        return Forward<kRows, 2, false>(t);
      case 3:
        return Forward < kRows, kMost < 3 ? kMost : 3, false > (t);
      case 4:
        return Forward < kRows, kMost < 4 ? kMost : 4, false > (t);
      case 5:
        return Forward < kRows, kMost < 5 ? kMost : 5, false > (t);
      case 6:
        return Forward < kRows, kMost < 6 ? kMost : 6, false > (t);
    }
  }
  template <int kMost>
  static void ForwardTile(const CorrelationForwardTile<Dtype>& t) {
    if (t.subtract) {
      CorrelationForwardTile<Dtype> one = t;
      for (int k = 0; k < t.rows; ++k) {
        for (int i = 0; i < t.columns; ++i) {
          one.a[0] = t.a[k];
          one.b[0] = t.b[i];
          one.out[0] = t.out[k] + i * t.out_stride;
          Forward<1, 1, true>(one);
        }
      }
      return;
    }
    switch (t.rows) {
      case 1:
        return ForwardRows<1, kMost>(t);
      case 2:
        return ForwardRows<2, kMost>(t);
      case 3:
        return ForwardRows<3, kMost>(t);
      case 4:
        return ForwardRows<4, kMost>(t);
    }
  }

  template <int kRows, int kMost>
  static CAFFE_ALWAYS_INLINE void BackwardRows(const CorrelationBackwardTile<Dtype>& t) {
    switch (t.channels) {
      case 1:
        return Backward<kRows, 1, false>(t);
      case 2:
        return Backward<kRows, 2, false>(t);
      case 3:
        return Backward < kRows, kMost < 3 ? kMost : 3, false > (t);
      case 4:
        return Backward < kRows, kMost < 4 ? kMost : 4, false > (t);
      case 5:
        return Backward < kRows, kMost < 5 ? kMost : 5, false > (t);
      case 6:
        return Backward < kRows, kMost < 6 ? kMost : 6, false > (t);
    }
  }
  template <int kMost>
  static void BackwardTile(const CorrelationBackwardTile<Dtype>& t) {
    if (t.subtract) {
      CorrelationBackwardTile<Dtype> one = t;
      for (int k = 0; k < t.rows; ++k) {
        for (int c = 0; c < t.channels; ++c) {
          one.d[0] = t.d[k];
          one.self[0] = t.self[k] + c * t.self_stride;
          one.s = t.s + c * t.s_stride;
          one.sum[0] = t.sum[k] + c * t.sum_stride;
          Backward<1, 1, true>(one);
        }
      }
      return;
    }
    switch (t.rows) {
      case 1:
        return BackwardRows<1, kMost>(t);
      case 2:
        return BackwardRows<2, kMost>(t);
      case 3:
        return BackwardRows<3, kMost>(t);
      case 4:
        return BackwardRows<4, kMost>(t);
    }
  }

  static void Spread(const Dtype* from, int count, Dtype* to, std::int64_t stride) {
    if (from == nullptr) {
      for (int i = 0; i < count; ++i) Store(Vec{}, to + i * stride);
      return;
    }
#pragma GCC unroll 4
    for (int i = 0; i < count; ++i) {
      Vec value;
      Load(from + std::int64_t{i} * kLanes, &value);
      Store(value, to + i * stride);
    }
  }

  static void SpreadScaled(const Dtype* from, int count, Dtype scale, Dtype* to,
                           std::int64_t stride) {
    for (int i = 0; i < count; ++i) {
      Vec value;
      Load(from + std::int64_t{i} * kLanes, &value);
      Store(value * scale, to + i * stride);
    }
  }

  static void Transpose(const Dtype* from, int from_rows, Dtype* to, int to_rows) {
    Vec rows[kLanes];
#pragma GCC unroll 16
    for (int i = 0; i < kLanes; ++i) {
      rows[i] = Vec{};
      if (i < from_rows) Load(from + i * kLanes, &rows[i]);
    }
    Base::TransposeRows(rows);
#pragma GCC unroll 16
    for (int j = 0; j < kLanes; ++j) {
      if (j < to_rows) Store(rows[j], to + j * kLanes);
    }
  }

  template <int kMost>
  static CorrelationKernels<Dtype> Table() {
    return {kLanes,          kMost,   &ForwardTile<kMost>, &BackwardTile<kMost>,
            &SumTile<kMost>, &Spread, &SpreadScaled,       &Transpose};
  }
};

}  // namespace
}  // namespace caffe

#endif  // CAFFE_BACKEND_CORRELATION_TILES_HPP_

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

  // Rows of b that long ahead are fetched: far enough for the second-level cache, and
  // not so far that they push out what the tile still needs.
  static constexpr int kAhead = 16;

  template <int kRows, int kColumns, bool kSubtract>
  static CAFFE_ALWAYS_INLINE void Forward(const CorrelationForwardTile<Dtype>& t) {
    Vec sum[kRows][kColumns];
    const Dtype *a = t.a, *b[kColumns];
#pragma GCC unroll 8
    for (int k = 0; k < kRows; ++k) {
#pragma GCC unroll 8
      for (int i = 0; i < kColumns; ++i) sum[k][i] = Vec{};
    }
#pragma GCC unroll 8
    for (int i = 0; i < kColumns; ++i) b[i] = t.b[i];
    std::int64_t at = 0;
    const Dtype* const first_next = t.b[0] + kAhead * t.b_stride;
    const Dtype* const last_next = t.b[kColumns - 1] + kAhead * t.b_stride + (kLanes - 1);
    for (int c = 0; c < t.channels;
         ++c, a += kCorrelationRows * kLanes, at += t.b_stride) {
      __builtin_prefetch(first_next + at);
      __builtin_prefetch(last_next + at);
      Vec left[kRows];
#pragma GCC unroll 8
      for (int k = 0; k < kRows; ++k) LoadOnce(a + k * kLanes, &left[k]);
#pragma GCC unroll 8
      for (int i = 0; i < kColumns; ++i) {
        Vec right;
        LoadOnce(b[i] + at, &right);
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
    if (t.stream && t.before == nullptr) {
#pragma GCC unroll 8
      for (int k = 0; k < kRows; ++k) {
#pragma GCC unroll 8
        for (int i = 0; i < kColumns; ++i) {
          Base::Stream(sum[k][i] * t.scale, t.out[k] + i * t.out_stride);
        }
      }
      return;
    }
#pragma GCC unroll 8
    for (int k = 0; k < kRows; ++k) {
#pragma GCC unroll 8
      for (int i = 0; i < kColumns; ++i) {
        Vec value = sum[k][i] * t.scale;
        if (t.before != nullptr) {
          Vec before;
          Load(t.before + k * t.before_stride + i * kLanes, &before);
          value += before;
        }
        Dtype* const out = t.out[k] + i * t.out_stride;
        if (t.valid < kLanes) {
          for (int x = 0; x < t.valid; ++x) out[x] = value[x];
        } else {
          Put(value, t.stream, out);
        }
      }
    }
  }

  static CAFFE_ALWAYS_INLINE void Put(const Vec& value, bool stream, Dtype* out) {
    if (stream) {
      Base::Stream(value, out);
    } else {
      Store(value, out);
    }
  }

  template <int kRows, int kChannels, bool kSubtract>
  static CAFFE_ALWAYS_INLINE void Backward(const CorrelationBackwardTile<Dtype>& t) {
    Vec sum[kRows][kChannels], self[kRows][kChannels];
    const Dtype *d = t.d, *s[kChannels];
#pragma GCC unroll 8
    for (int k = 0; k < kRows; ++k) {
#pragma GCC unroll 8
      for (int c = 0; c < kChannels; ++c) {
        Load(t.sum[k] + c * t.sum_stride, &sum[k][c]);
        if (kSubtract) Load(t.self[k] + c * t.self_stride, &self[k][c]);
      }
    }
#pragma GCC unroll 8
    for (int c = 0; c < kChannels; ++c) s[c] = t.s + c * t.s_stride;
    std::int64_t s_at = 0;
    for (int i = 0; i < t.count; ++i, d += kCorrelationRows * kLanes, s_at += t.s_step) {
      Vec diff[kRows];
#pragma GCC unroll 8
      for (int k = 0; k < kRows; ++k) LoadOnce(d + k * kLanes, &diff[k]);
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
    constexpr int kStep = kCorrelationRows * kLanes;
    const Dtype* d = t.d + shared * t.d_stride;
    const Dtype* const end = d + std::int64_t{t.count} * kStep;
    const Dtype* s[kChannels];
#pragma GCC unroll 8
    for (int c = 0; c < kChannels; ++c) {
      s[c] = t.s[shared] + t.s_offset + c * t.s_stride;
      // What the next tile, of the channels behind these, reads.
      const Dtype* const next = s[c] + kChannels * t.s_stride;
      __builtin_prefetch(next);
      __builtin_prefetch(next + (t.count - 1) * t.s_step + (kLanes - 1));
    }
    for (std::int64_t s_at = 0; d != end; d += kStep, s_at += t.s_step) {
      Vec diff[kRows];
#pragma GCC unroll 8
      for (int k = kBegin; k < kEnd; ++k) LoadOnce(d + k * kLanes, &diff[k]);
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
      for (int c = 0; c < kChannels; ++c) {
        sum[k][c] = Vec{};
        if (t.before != nullptr) {
          Load(t.before + k * t.before_stride + c * kLanes, &sum[k][c]);
        }
      }
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
      for (int c = 0; c < kChannels; ++c) {
        Put(sum[k][c], t.stream, t.out[k] + c * t.out_stride);
      }
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
          one.a = t.a + k * kLanes;
          one.b[0] = t.b[i];
          if (t.before != nullptr) {
            one.before = t.before + k * t.before_stride + i * kLanes;
          }
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
          one.d = t.d + k * kLanes;
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

  static void Spread(const Dtype* from, std::int64_t from_stride, int count, Dtype* to,
                     std::int64_t to_stride) {
#pragma GCC unroll 4
    for (int i = 0; i < count; ++i) {
      Vec value;
      Load(from + i * from_stride, &value);
      __builtin_prefetch(from + i * from_stride + kLanes, 0, 2);
      Store(value, to + i * to_stride);
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
    return {kLanes,
            kMost,
            &ForwardTile<kMost>,
            &BackwardTile<kMost>,
            &SumTile<kMost>,
            &Spread,
            &SpreadScaled,
            &Transpose,
            &Base::FinishStream};
  }
};

}  // namespace
}  // namespace caffe

#endif  // CAFFE_BACKEND_CORRELATION_TILES_HPP_

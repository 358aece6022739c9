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
    const Dtype* const first_next = t.b[0] + kAhead * t.b_channel;
    const Dtype* const last_next =
        t.b[kColumns - 1] + kAhead * t.b_channel + (kLanes - 1);
    for (int c = 0; c < t.channels;
         ++c, a += kCorrelationRows * kLanes, at += t.b_channel) {
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
          Base::Stream(sum[k][i] * t.scale, t.out + k * t.out_row + i * t.out_column);
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
          Load(t.before + k * t.before_row + i * kLanes, &before);
          value += before;
        }
        Dtype* const out = t.out + k * t.out_row + i * t.out_column;
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

  // One row of the other map, that rows kBegin .. kEnd - 1 meet by displacement rows
  // shared - k.
  template <int kSumRows, int kRows, int kChannels, int kBegin, int kEnd>
  static CAFFE_ALWAYS_INLINE void AddShared(const CorrelationSumTile<Dtype>& t,
                                            int shared, Vec (&sum)[kRows][kChannels]) {
    if (t.s[shared] == nullptr) return;
    constexpr int kStep = kSumRows * kLanes;
    const Dtype* d = t.d + shared * t.d_row;
    const Dtype* const end = d + std::int64_t{t.count} * kStep;
    const std::int64_t ahead =
        t.s_step > 0 ? (t.count - 1) * t.s_step + kLanes - 1 : kLanes - 1;
    const Dtype* s[kChannels];
#pragma GCC unroll 8
    for (int c = 0; c < kChannels; ++c) {
      s[c] = t.s[shared] + t.s_offset + c * t.s_channel;
      // What the next tile, of the channels behind these, reads last; the rest is at hand
      // from the positions before.
      __builtin_prefetch(s[c] + kChannels * t.s_channel + ahead);
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
  // Shared rows that the last rows of the tile do not reach yet, from `kShared`.
  template <int kSumRows, int kShared, int kRows, int kChannels>
  static CAFFE_ALWAYS_INLINE void AddFirst(const CorrelationSumTile<Dtype>& t,
                                           Vec (&sum)[kRows][kChannels]) {
    if constexpr (kShared + 1 < kRows) {
      AddShared<kSumRows, kRows, kChannels, 0, kShared + 1>(t, kShared, sum);
      AddFirst<kSumRows, kShared + 1>(t, sum);
    }
  }
  // Those that the first kBegin rows have passed, and the later ones.
  template <int kSumRows, int kBegin, int kRows, int kChannels>
  static CAFFE_ALWAYS_INLINE void AddLast(const CorrelationSumTile<Dtype>& t,
                                          Vec (&sum)[kRows][kChannels]) {
    if constexpr (kBegin < kRows) {
      AddShared<kSumRows, kRows, kChannels, kBegin, kRows>(
          t, t.displacement_rows + kBegin - 1, sum);
      AddLast<kSumRows, kBegin + 1>(t, sum);
    }
  }

  // The sums stay in registers.
  template <int kSumRows, int kRows, int kChannels>
  static CAFFE_ALWAYS_INLINE void Sum(const CorrelationSumTile<Dtype>& t) {
    Vec sum[kRows][kChannels];
#pragma GCC unroll 8
    for (int k = 0; k < kRows; ++k) {
#pragma GCC unroll 8
      for (int c = 0; c < kChannels; ++c) {
        sum[k][c] = Vec{};
        if (t.before != nullptr) {
          Load(t.before + k * t.before_row + c * kLanes, &sum[k][c]);
        }
      }
    }
    AddFirst<kSumRows, 0>(t, sum);
    for (int shared = kRows - 1; shared < t.displacement_rows; ++shared) {
      AddShared<kSumRows, kRows, kChannels, 0, kRows>(t, shared, sum);
    }
    AddLast<kSumRows, 1>(t, sum);
#pragma GCC unroll 8
    for (int k = 0; k < kRows; ++k) {
#pragma GCC unroll 8
      for (int c = 0; c < kChannels; ++c) {
        Put(sum[k][c], t.stream, t.out + k * t.out_row + c * t.out_channel);
      }
    }
  }
  template <int kSumRows, int kRows, int kChannels>
  static CAFFE_ALWAYS_INLINE void SumChannels(const CorrelationSumTile<Dtype>& t) {
    if constexpr (kChannels > 1) {
      if (t.channels < kChannels) return SumChannels<kSumRows, kRows, kChannels - 1>(t);
    }
    Sum<kSumRows, kRows, kChannels>(t);
  }
  template <int kSumRows, int kRows, int kChannels>
  static CAFFE_ALWAYS_INLINE void PickSum(const CorrelationSumTile<Dtype>& t) {
    if constexpr (kRows > 1) {
      if (t.rows < kRows) return PickSum<kSumRows, kRows - 1, kChannels>(t);
    }
    SumChannels<kSumRows, kRows, kChannels>(t);
  }
  template <int kSumRows, int kChannels>
  static void SumTile(const CorrelationSumTile<Dtype>& t) {
    PickSum<kSumRows, kSumRows, kChannels>(t);
  }

  template <int kSumRows>
  static void SignTile(const CorrelationSignTile<Dtype>& t) {
    Vec sum, self;
    const Vec zero = {};
    Load(t.sum, &sum);
    Load(t.self, &self);
    const Dtype *d = t.d, *s = t.s;
    for (int i = 0; i < t.count; ++i, d += kSumRows * kLanes, s += t.s_step) {
      Vec diff, value;
      Load(d, &diff);
      Load(s, &value);
      sum += self > value ? diff : zero;
      sum -= self < value ? diff : zero;
    }
    Store(sum, t.sum);
  }

  // Picks the body for a tile's rows and columns; absolute differences take one column at
  // a time.
  template <int kRows, int kColumns>
  static CAFFE_ALWAYS_INLINE void ForwardColumns(const CorrelationForwardTile<Dtype>& t) {
    if constexpr (kColumns > 1) {
      if (t.columns < kColumns) return ForwardColumns<kRows, kColumns - 1>(t);
    }
    Forward<kRows, kColumns, false>(t);
  }
  template <int kRows, int kColumns>
  static CAFFE_ALWAYS_INLINE void PickForward(const CorrelationForwardTile<Dtype>& t) {
    if constexpr (kRows > 1) {
      if (t.rows < kRows) return PickForward<kRows - 1, kColumns>(t);
    }
    ForwardColumns<kRows, kColumns>(t);
  }
  template <int kColumns>
  static void ForwardTile(const CorrelationForwardTile<Dtype>& t) {
    if (!t.subtract) return PickForward<kCorrelationRows, kColumns>(t);
    CorrelationForwardTile<Dtype> one = t;
    for (int k = 0; k < t.rows; ++k) {
      for (int i = 0; i < t.columns; ++i) {
        one.a = t.a + k * kLanes;
        one.b[0] = t.b[i];
        if (t.before != nullptr) {
          one.before = t.before + k * t.before_row + i * kLanes;
        }
        one.out = t.out + k * t.out_row + i * t.out_column;
        Forward<1, 1, true>(one);
      }
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

  /// The most columns of a forward tile, rows and channels of a sum: their products and
  /// operands should fit the registers.
  template <int kColumns, int kSumRows, int kSumChannels>
  static CorrelationKernels<Dtype> Table() {
    static_assert(kColumns <= kCorrelationColumns);
    return {kLanes,
            kColumns,
            kSumRows,
            kSumChannels,
            &ForwardTile<kColumns>,
            &SumTile<kSumRows, kSumChannels>,
            &SignTile<kSumRows>,
            &Spread,
            &SpreadScaled,
            &Transpose,
            &Base::FinishStream};
  }
};

}  // namespace
}  // namespace caffe

#endif  // CAFFE_BACKEND_CORRELATION_TILES_HPP_

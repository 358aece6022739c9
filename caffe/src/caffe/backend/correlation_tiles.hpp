// The bodies of the correlation kernels, over GCC's vector types; included once for each
// instruction set.
#ifndef CAFFE_BACKEND_CORRELATION_TILES_HPP_
#define CAFFE_BACKEND_CORRELATION_TILES_HPP_

#include "caffe/util/simd.hpp"
#include "correlation_kernels.hpp"

namespace caffe {
namespace {

/// The integer of a float's or double's size.
template <int kSize>
struct MaskElement {
  typedef std::int32_t Type;
};
template <>
struct MaskElement<8> {
  typedef std::int64_t Type;
};

// kBytes: the size of a vector register.
template <typename Dtype, int kBytes>
struct CorrelationTiles {
  typedef Dtype Vec __attribute__((vector_size(kBytes)));
  typedef Dtype Loose
      __attribute__((vector_size(kBytes), aligned(sizeof(Dtype)), may_alias));
  typedef typename MaskElement<sizeof(Dtype)>::Type MaskLane;
  typedef MaskLane Mask __attribute__((vector_size(kBytes)));
  static constexpr int kLanes = kBytes / sizeof(Dtype);

  static CAFFE_ALWAYS_INLINE void Load(const Dtype* from, Vec* to) {
    *to = *reinterpret_cast<const Loose*>(from);
  }
  static CAFFE_ALWAYS_INLINE void Store(const Vec& from, Dtype* to) {
    *reinterpret_cast<Loose*>(to) = from;
  }
  // A load that stays one: GCC else repeats it in every product that uses it.
  static CAFFE_ALWAYS_INLINE void LoadOnce(const Dtype* from, Vec* to) {
    Load(from, to);
#if defined(__AVX512F__)
    asm("" : "+v"(*to));
#elif defined(__SSE2__)
    asm("" : "+x"(*to));
#endif
  }

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
    for (int c = 0; c < t.channels; ++c, a_at += t.a_stride, b_at += t.b_stride) {
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

  // Exchanges blocks of 1, 2, 4, ... lanes between rows that lie as far apart.
  static void Transpose(const Dtype* from, int from_rows, Dtype* to, int to_rows) {
#if defined(__clang__)
    for (int j = 0; j < to_rows; ++j) {
      for (int i = 0; i < kLanes; ++i) {
        to[j * kLanes + i] = i < from_rows ? from[i * kLanes + j] : Dtype(0);
      }
    }
#else
    Dtype padded[kLanes * kLanes];
    if (from_rows < kLanes) {
      for (int i = 0; i < kLanes * kLanes; ++i) {
        padded[i] = i < from_rows * kLanes ? from[i] : Dtype(0);
      }
      from = padded;
    }
    Vec rows[kLanes];
#pragma GCC unroll 16
    for (int i = 0; i < kLanes; ++i) Load(from + i * kLanes, &rows[i]);
#pragma GCC unroll 8
    for (int step = 1; step < kLanes; step *= 2) {
      Mask low = {}, high = {};
#pragma GCC unroll 16
      for (int l = 0; l < kLanes; ++l) {
        low[l] = l & step ? kLanes + l - step : l;
        high[l] = l & step ? kLanes + l : l + step;
      }
#pragma GCC unroll 16
      for (int i = 0; i < kLanes; ++i) {
        if (i & step) continue;
        const Vec a = rows[i], b = rows[i + step];
        rows[i] = __builtin_shuffle(a, b, low);
        rows[i + step] = __builtin_shuffle(a, b, high);
      }
    }
    if (to_rows == kLanes) {
#pragma GCC unroll 16
      for (int j = 0; j < kLanes; ++j) Store(rows[j], to + j * kLanes);
    } else {
#pragma GCC unroll 16
      for (int j = 0; j < kLanes; ++j) {
        if (j < to_rows) Store(rows[j], to + j * kLanes);
      }
    }
#endif
  }

  template <int kMost>
  static CorrelationKernels<Dtype> Table() {
    return {kLanes,  kMost,     &ForwardTile<kMost>, &BackwardTile<kMost>,
            &Spread, &Transpose};
  }
};

}  // namespace
}  // namespace caffe

#endif  // CAFFE_BACKEND_CORRELATION_TILES_HPP_

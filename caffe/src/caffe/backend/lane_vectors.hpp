// Vectors of one instruction set, over GCC's vector types: loads, stores, transposing.
//
// Included by the *_tiles.hpp bodies, once for each instruction set; uses nothing of the
// standard library (see correlation_kernels.hpp).
#ifndef CAFFE_BACKEND_LANE_VECTORS_HPP_
#define CAFFE_BACKEND_LANE_VECTORS_HPP_

#include <cstdint>

#if defined(__SSE2__)
#include <immintrin.h>
#endif

#include "caffe/util/simd.hpp"

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
struct LaneVectors {
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
  // A store to an aligned address that leaves the caches alone: for results too large to
  // be found there again. FinishStream() follows before another thread reads them.
  static CAFFE_ALWAYS_INLINE void Stream(const Vec& from, Dtype* to) {
#if defined(__AVX512F__)
    if constexpr (kBytes == 64) {
      return _mm512_stream_si512(reinterpret_cast<__m512i*>(to), (__m512i)from);
    }
#endif
#if defined(__AVX__)
    if constexpr (kBytes == 32) {
      return _mm256_stream_si256(reinterpret_cast<__m256i*>(to), (__m256i)from);
    }
#endif
#if defined(__SSE2__)
    if constexpr (kBytes == 16) {
      return _mm_stream_si128(reinterpret_cast<__m128i*>(to), (__m128i)from);
    }
#endif
    Store(from, to);
  }
  static void FinishStream() {
#if defined(__SSE2__)
    _mm_sfence();
#endif
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

  // low: lanes without bit `step` of a, the others from `step` lanes lower in b;
  // high: lanes without it from `step` lanes higher in a, the others of b.
  static CAFFE_ALWAYS_INLINE void Exchange(const Vec& a, const Vec& b, int step, Vec* low,
                                           Vec* high) {
    Mask from_low = {}, from_high = {};
#pragma GCC unroll 16
    for (int l = 0; l < kLanes; ++l) {
      from_low[l] = l & step ? kLanes + l - step : l;
      from_high[l] = l & step ? kLanes + l : l + step;
    }
#if defined(__clang__)
    for (int l = 0; l < kLanes; ++l) {
      const int i = from_low[l], j = from_high[l];
      (*low)[l] = i < kLanes ? a[i] : b[i - kLanes];
      (*high)[l] = j < kLanes ? a[j] : b[j - kLanes];
    }
#else
    const Vec first = a, second = b;
    *low = __builtin_shuffle(first, second, from_low);
    *high = __builtin_shuffle(first, second, from_high);
#endif
  }

  /// Lane j of row i becomes lane i of row j: exchanges blocks of 1, 2, 4, ... lanes
  /// between rows that lie as far apart.
  static CAFFE_ALWAYS_INLINE void TransposeRows(Vec* rows) {
#pragma GCC unroll 8
    for (int step = 1; step < kLanes; step *= 2) {
#pragma GCC unroll 16
      for (int i = 0; i < kLanes; ++i) {
        if (i & step) continue;
        const Vec a = rows[i], b = rows[i + step];
        Exchange(a, b, step, &rows[i], &rows[i + step]);
      }
    }
  }

  /// Lane i of the result is the sum of row i's lanes; the rows are used up.
  static CAFFE_ALWAYS_INLINE Vec SumRows(Vec* rows) {
#pragma GCC unroll 8
    for (int step = 1; step < kLanes; step *= 2) {
#pragma GCC unroll 16
      for (int i = 0; i < kLanes; i += 2 * step) {
        Vec low, high;
        Exchange(rows[i], rows[i + step], step, &low, &high);
        rows[i] = low + high;
      }
    }
    return rows[0];
  }
};

}  // namespace
}  // namespace caffe

#endif  // CAFFE_BACKEND_LANE_VECTORS_HPP_

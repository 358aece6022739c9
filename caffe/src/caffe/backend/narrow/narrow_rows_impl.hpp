// The loops of narrow_rows.hpp for one vector length: included by one source file for
// each instruction set. Everything has internal linkage, and nothing of the standard
// library is used: an inline function compiled here for AVX-512 must not be picked by the
// linker for the rest of the program.
#include "narrow_rows.hpp"

namespace {

typedef float Vector __attribute__((vector_size(CAFFE_NARROW_LANES * sizeof(float))));
constexpr int kLanes = CAFFE_NARROW_LANES;
constexpr int kTile = 64;  // positions whose sums stay in the first-level cache

using caffe::NarrowShape;

inline Vector load(const float* from) {
  return *reinterpret_cast<const Vector*>(from);  // blocked memory is aligned to 64 bytes
}
inline void store(Vector value, float* to) { *reinterpret_cast<Vector*>(to) = value; }

inline float sum_of_lanes(Vector v) {
  float sums[kLanes];
  __builtin_memcpy(sums, &v, sizeof(v));
  for (int half = kLanes / 2; half > 0; half /= 2) {
    for (int i = 0; i < half; ++i) sums[i] += sums[i + half];
  }
  return sums[0];
}

inline bool inside(int value, int size) { return value >= 0 && value < size; }

// Positions [begin, end) of one axis all of whose taps are inside: tap k of position x
// reads x * stride - pad + k * dilation.
struct Interior {
  int begin, end;
  Interior(int positions, int size, int kernel, int stride, int pad, int dilation) {
    begin = (pad + stride - 1) / stride;
    const int last = size - 1 + pad - (kernel - 1) * dilation;
    end = last < 0 ? 0 : last / stride + 1;
    if (begin > positions) begin = positions;
    if (end > positions) end = positions;
    if (end < begin) end = begin;
  }
};

// sums[x][o] += source * weights over the taps of one channel block, kCount positions at
// once.
template <int kOutputs, int kCount, bool kChecked>
inline void add_taps(const NarrowShape& s, int y, int x, const float* source,
                     const float* weights, Vector* sums) {
  Vector acc[kCount][kOutputs];
  for (int i = 0; i < kCount; ++i) {
    for (int o = 0; o < kOutputs; ++o) acc[i][o] = sums[i * kOutputs + o];
  }
  for (int ky = 0; ky < s.kernel_h; ++ky) {
    const int row = y * s.stride_h - s.pad_h + ky * s.dilation_h;
    if (!inside(row, s.height)) continue;
    for (int kx = 0; kx < s.kernel_w; ++kx) {
      const int column = x * s.stride_w - s.pad_w + kx * s.dilation_w;
      if (kChecked && !inside(column, s.width)) continue;
      const float* from = source + (static_cast<long>(row) * s.width + column) * kLanes;
      const float* w = weights + (ky * s.kernel_w + kx) * kOutputs * kLanes;
      for (int i = 0; i < kCount; ++i) {
        const Vector value = load(from + static_cast<long>(i) * s.stride_w * kLanes);
        for (int o = 0; o < kOutputs; ++o) acc[i][o] += value * load(w + o * kLanes);
      }
    }
  }
  for (int i = 0; i < kCount; ++i) {
    for (int o = 0; o < kOutputs; ++o) sums[i * kOutputs + o] = acc[i][o];
  }
}

template <int kOutputs>
void forward_row(const NarrowShape& s, int y, const float* source, const float* weights,
                 const float* bias, float* map) {
  constexpr int kCount = kOutputs == 1 ? 8 : kOutputs == 2 ? 4 : 2;
  const Interior columns(s.map_width, s.width, s.kernel_w, s.stride_w, s.pad_w,
                         s.dilation_w);
  const long plane = static_cast<long>(s.height) * s.width * kLanes;
  const long block_weights =
      static_cast<long>(s.kernel_h) * s.kernel_w * kOutputs * kLanes;
  const long map_plane = static_cast<long>(s.map_height) * s.map_width;
  Vector sums[kTile * kOutputs];
  for (int first = 0; first < s.map_width; first += kTile) {
    const int last = first + kTile < s.map_width ? first + kTile : s.map_width;
    for (int i = 0; i < (last - first) * kOutputs; ++i) sums[i] = Vector{};
    for (int block = 0; block < s.blocks; ++block) {
      const float* from = source + block * plane;
      const float* w = weights + block * block_weights;
      for (int x = first; x < last;) {
        Vector* to = sums + (x - first) * kOutputs;
        if (x >= columns.begin && x + kCount <= columns.end && x + kCount <= last) {
          add_taps<kOutputs, kCount, false>(s, y, x, from, w, to);
          x += kCount;
        } else {
          add_taps<kOutputs, 1, true>(s, y, x, from, w, to);
          ++x;
        }
      }
    }
    for (int x = first; x < last; ++x) {
      for (int o = 0; o < kOutputs; ++o) {
        map[o * map_plane + static_cast<long>(y) * s.map_width + x] =
            sum_of_lanes(sums[(x - first) * kOutputs + o]) +
            (bias != nullptr ? bias[o] : 0.f);
      }
    }
  }
}

// kCount neighbouring source positions from x on; stride 1.
template <int kOutputs, int kCount, bool kChecked>
inline void gather_diff(const NarrowShape& s, int y, int x, const float* map_diff,
                        const float* weights, float* to) {
  const long map_plane = static_cast<long>(s.map_height) * s.map_width;
  Vector acc[kCount] = {};
  for (int ky = 0; ky < s.kernel_h; ++ky) {
    const int row = y + s.pad_h - ky * s.dilation_h;
    if (!inside(row, s.map_height)) continue;
    for (int kx = 0; kx < s.kernel_w; ++kx) {
      const int column = x + s.pad_w - kx * s.dilation_w;
      if (kChecked && !inside(column, s.map_width)) continue;
      const float* w = weights + (ky * s.kernel_w + kx) * kOutputs * kLanes;
      for (int o = 0; o < kOutputs; ++o) {
        const float* from =
            map_diff + o * map_plane + static_cast<long>(row) * s.map_width + column;
        const Vector weight = load(w + o * kLanes);
        for (int i = 0; i < kCount; ++i) acc[i] += from[i] * weight;
      }
    }
  }
  for (int i = 0; i < kCount; ++i) store(acc[i], to + i * kLanes);
}

template <int kOutputs>
void backward_data_row(const NarrowShape& s, int block, int y, const float* map_diff,
                       const float* weights, float* source_diff) {
  constexpr int kCount = 6;
  const float* w =
      weights + static_cast<long>(block) * s.kernel_h * s.kernel_w * kOutputs * kLanes;
  float* row = source_diff + (static_cast<long>(block) * s.height + y) * s.width * kLanes;
  // All taps of x read map columns x + pad - (kernel - 1) * dilation ... x + pad.
  const int begin = (s.kernel_w - 1) * s.dilation_w - s.pad_w;
  const int end = s.map_width - s.pad_w;
  for (int x = 0; x < s.width;) {
    if (x >= begin && x + kCount <= end && x + kCount <= s.width) {
      gather_diff<kOutputs, kCount, false>(s, y, x, map_diff, w, row + x * kLanes);
      x += kCount;
    } else {
      gather_diff<kOutputs, 1, true>(s, y, x, map_diff, w, row + x * kLanes);
      ++x;
    }
  }
}

// One map row against one source row, kTaps neighbouring taps at once.
template <int kOutputs, int kTaps>
inline void add_row_gradient(const NarrowShape& s, int first_tap, const float* source_row,
                             const float* map_row, float* weights_diff) {
  const long map_plane = static_cast<long>(s.map_height) * s.map_width;
  const int shift = first_tap * s.dilation_w - s.pad_w;
  Vector acc[kTaps][kOutputs] = {};
  for (int x = 0; x < s.map_width; ++x) {
    const int column = x * s.stride_w + shift;
    const bool whole = column >= 0 && column + (kTaps - 1) * s.dilation_w < s.width;
    for (int k = 0; k < kTaps; ++k) {
      const int at = column + k * s.dilation_w;
      if (!whole && !inside(at, s.width)) continue;
      const Vector value = load(source_row + static_cast<long>(at) * kLanes);
      for (int o = 0; o < kOutputs; ++o) acc[k][o] += map_row[o * map_plane + x] * value;
    }
  }
  for (int k = 0; k < kTaps; ++k) {
    for (int o = 0; o < kOutputs; ++o) {
      float* to = weights_diff + (k * kOutputs + o) * kLanes;
      store(load(to) + acc[k][o], to);
    }
  }
}

template <int kOutputs>
void add_weight_gradient(const NarrowShape& s, int block, const float* source,
                         const float* map_diff, float* weights_diff) {
  const float* plane = source + static_cast<long>(block) * s.height * s.width * kLanes;
  for (int y = 0; y < s.map_height; ++y) {
    const float* map_row = map_diff + static_cast<long>(y) * s.map_width;
    for (int ky = 0; ky < s.kernel_h; ++ky) {
      const int row = y * s.stride_h - s.pad_h + ky * s.dilation_h;
      if (!inside(row, s.height)) continue;
      const float* source_row = plane + static_cast<long>(row) * s.width * kLanes;
      float* to = weights_diff + ky * s.kernel_w * kOutputs * kLanes;
      int kx = 0;
      for (; kx + 3 <= s.kernel_w; kx += 3) {
        add_row_gradient<kOutputs, 3>(s, kx, source_row, map_row,
                                      to + kx * kOutputs * kLanes);
      }
      for (; kx < s.kernel_w; ++kx) {
        add_row_gradient<kOutputs, 1>(s, kx, source_row, map_row,
                                      to + kx * kOutputs * kLanes);
      }
    }
  }
}

// One map row against one source row, kTaps neighbouring taps at once.
template <int kTaps>
inline void add_depthwise_row(const NarrowShape& s, int first_tap,
                              const float* source_row, const float* map_row,
                              float* weights_diff) {
  const int shift = first_tap * s.dilation_w - s.pad_w;
  Vector acc[kTaps] = {};
  for (int x = 0; x < s.map_width; ++x) {
    const int column = x * s.stride_w + shift;
    const bool whole = column >= 0 && column + (kTaps - 1) * s.dilation_w < s.width;
    const Vector diff = load(map_row + static_cast<long>(x) * kLanes);
    for (int k = 0; k < kTaps; ++k) {
      const int at = column + k * s.dilation_w;
      if (!whole && !inside(at, s.width)) continue;
      acc[k] += diff * load(source_row + static_cast<long>(at) * kLanes);
    }
  }
  for (int k = 0; k < kTaps; ++k) {
    float* to = weights_diff + k * kLanes;
    store(load(to) + acc[k], to);
  }
}

void depthwise_gradient(const NarrowShape& s, int block, const float* source,
                        const float* map_diff, float* weights_diff) {
  const float* plane = source + static_cast<long>(block) * s.height * s.width * kLanes;
  const float* map =
      map_diff + static_cast<long>(block) * s.map_height * s.map_width * kLanes;
  for (int y = 0; y < s.map_height; ++y) {
    const float* map_row = map + static_cast<long>(y) * s.map_width * kLanes;
    for (int ky = 0; ky < s.kernel_h; ++ky) {
      const int row = y * s.stride_h - s.pad_h + ky * s.dilation_h;
      if (!inside(row, s.height)) continue;
      const float* source_row = plane + static_cast<long>(row) * s.width * kLanes;
      float* to = weights_diff + ky * s.kernel_w * kLanes;
      int kx = 0;
      for (; kx + 5 <= s.kernel_w; kx += 5) {
        add_depthwise_row<5>(s, kx, source_row, map_row, to + kx * kLanes);
      }
      for (; kx + 3 <= s.kernel_w; kx += 3) {
        add_depthwise_row<3>(s, kx, source_row, map_row, to + kx * kLanes);
      }
      for (; kx < s.kernel_w; ++kx) {
        add_depthwise_row<1>(s, kx, source_row, map_row, to + kx * kLanes);
      }
    }
  }
}

// From the number of outputs to the code for it.
void forward_any(const NarrowShape& s, int y, const float* source, const float* weights,
                 const float* bias, float* map) {
  if (s.outputs == 1) return forward_row<1>(s, y, source, weights, bias, map);
  if (s.outputs == 2) return forward_row<2>(s, y, source, weights, bias, map);
  if (s.outputs == 3) return forward_row<3>(s, y, source, weights, bias, map);
  forward_row<4>(s, y, source, weights, bias, map);
}

void backward_data_any(const NarrowShape& s, int block, int y, const float* map_diff,
                       const float* weights, float* source_diff) {
  if (s.outputs == 1)
    return backward_data_row<1>(s, block, y, map_diff, weights, source_diff);
  if (s.outputs == 2)
    return backward_data_row<2>(s, block, y, map_diff, weights, source_diff);
  if (s.outputs == 3)
    return backward_data_row<3>(s, block, y, map_diff, weights, source_diff);
  backward_data_row<4>(s, block, y, map_diff, weights, source_diff);
}

void weight_gradient_any(const NarrowShape& s, int block, const float* source,
                         const float* map_diff, float* weights_diff) {
  if (s.outputs == 1)
    return add_weight_gradient<1>(s, block, source, map_diff, weights_diff);
  if (s.outputs == 2)
    return add_weight_gradient<2>(s, block, source, map_diff, weights_diff);
  if (s.outputs == 3)
    return add_weight_gradient<3>(s, block, source, map_diff, weights_diff);
  add_weight_gradient<4>(s, block, source, map_diff, weights_diff);
}

}  // namespace

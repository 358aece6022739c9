// Channel vectors in strips of positions: one pass for the sums, one for the result.
#include "caffe/backend/channel_norm.hpp"

#include <algorithm>
#include <cmath>

#include "caffe/util/parallel_for.hpp"
#include "caffe/util/simd.hpp"

namespace caffe {

namespace {

constexpr int kNumbers = 1024;  // of one group in a strip

// One strip: `positions` neighbouring positions of all groups.
struct Strip {
  std::int64_t groups, group_stride;
  int positions;
};

// Each lane of a position becomes the sum of the position's lanes.
template <int kLanes, typename Dtype>
CAFFE_ALWAYS_INLINE void SpreadLaneSums(int positions, Dtype* sums) {
  if (kLanes == 1) return;
  for (int s = 0; s < positions; ++s) {
    Dtype sum = 0;
    for (int l = 0; l < kLanes; ++l) sum += sums[s * kLanes + l];
    for (int l = 0; l < kLanes; ++l) sums[s * kLanes + l] = sum;
  }
}

template <int kLanes, typename Dtype>
CAFFE_ALWAYS_INLINE void Forward(const Strip& strip, const Dtype* x, const Dtype* scale,
                                 Dtype eps, Dtype* y) {
  Dtype factor[kNumbers];
  const int count = strip.positions * kLanes;
  for (int i = 0; i < count; ++i) factor[i] = 0;
  for (std::int64_t g = 0; g < strip.groups; ++g) {
    const Dtype* from = x + g * strip.group_stride;
#pragma omp simd
    for (int i = 0; i < count; ++i) factor[i] += from[i] * from[i];
  }
  SpreadLaneSums<kLanes>(strip.positions, factor);
#pragma omp simd
  for (int i = 0; i < count; ++i) factor[i] = 1 / std::sqrt(factor[i] + eps);
  for (std::int64_t g = 0; g < strip.groups; ++g) {
    const Dtype *from = x + g * strip.group_stride, *of_lane = scale + g * kLanes;
    Dtype* to = y + g * strip.group_stride;
    for (int s = 0; s < strip.positions; ++s) {
#pragma omp simd
      for (int l = 0; l < kLanes; ++l) {
        to[s * kLanes + l] = from[s * kLanes + l] * factor[s * kLanes + l] * of_lane[l];
      }
    }
  }
}

template <typename Dtype>
struct Gradients {
  const Dtype *x, *scale, *g;
  Dtype eps;
  Dtype* dx;           // or null
  double* scale_sums;  // of each padded channel, or null
};

template <int kLanes, typename Dtype>
CAFFE_ALWAYS_INLINE void Backward(const Strip& strip, const Gradients<Dtype>& data) {
  Dtype inverse[kNumbers], along[kNumbers];
  const int count = strip.positions * kLanes;
  for (int i = 0; i < count; ++i) inverse[i] = along[i] = 0;
  for (std::int64_t g = 0; g < strip.groups; ++g) {
    const Dtype *x = data.x + g * strip.group_stride,
                *dy = data.g + g * strip.group_stride;
    const Dtype* of_lane = data.scale + g * kLanes;
    for (int s = 0; s < strip.positions; ++s) {
#pragma omp simd
      for (int l = 0; l < kLanes; ++l) {
        const int i = s * kLanes + l;
        inverse[i] += x[i] * x[i];
        along[i] += x[i] * dy[i] * of_lane[l];
      }
    }
  }
  SpreadLaneSums<kLanes>(strip.positions, inverse);
  SpreadLaneSums<kLanes>(strip.positions, along);
#pragma omp simd
  for (int i = 0; i < count; ++i) {
    inverse[i] = 1 / std::sqrt(inverse[i] + data.eps);
    along[i] *= inverse[i] * inverse[i];
  }
  for (std::int64_t g = 0; g < strip.groups; ++g) {
    const Dtype *x = data.x + g * strip.group_stride,
                *dy = data.g + g * strip.group_stride;
    const Dtype* of_lane = data.scale + g * kLanes;
    if (data.scale_sums != nullptr) {
      Dtype sums[kLanes] = {};
      for (int s = 0; s < strip.positions; ++s) {
#pragma omp simd
        for (int l = 0; l < kLanes; ++l) {
          const int i = s * kLanes + l;
          sums[l] += dy[i] * x[i] * inverse[i];
        }
      }
      for (int l = 0; l < kLanes; ++l) data.scale_sums[g * kLanes + l] += sums[l];
    }
    if (data.dx == nullptr) continue;
    Dtype* dx = data.dx + g * strip.group_stride;
    for (int s = 0; s < strip.positions; ++s) {
#pragma omp simd
      for (int l = 0; l < kLanes; ++l) {
        const int i = s * kLanes + l;
        dx[i] = inverse[i] * (of_lane[l] * dy[i] - x[i] * along[i]);
      }
    }
  }
}

#define CAFFE_CHANNEL_NORM_KERNELS(attribute, T)                                  \
  attribute void ForwardStrip(const Strip& strip, std::int64_t lanes, const T* x, \
                              const T* scale, T eps, T* y) {                      \
    if (lanes == 16) {                                                            \
      Forward<16>(strip, x, scale, eps, y);                                       \
    } else if (lanes == 8) {                                                      \
      Forward<8>(strip, x, scale, eps, y);                                        \
    } else {                                                                      \
      Forward<1>(strip, x, scale, eps, y);                                        \
    }                                                                             \
  }                                                                               \
  attribute void BackwardStrip(const Strip& strip, std::int64_t lanes,            \
                               const Gradients<T>& data) {                        \
    if (lanes == 16) {                                                            \
      Backward<16>(strip, data);                                                  \
    } else if (lanes == 8) {                                                      \
      Backward<8>(strip, data);                                                   \
    } else {                                                                      \
      Backward<1>(strip, data);                                                   \
    }                                                                             \
  }
CAFFE_CHANNEL_NORM_KERNELS(CAFFE_SIMD_CLONES, float)
CAFFE_CHANNEL_NORM_KERNELS(, double)
#undef CAFFE_CHANNEL_NORM_KERNELS

// Calls body(strip, offset of its first number, index of the strip), threaded.
template <typename Body>
void ForEachStrip(const ChannelArray& array, const Body& body) {
  const std::int64_t positions = std::max<std::int64_t>(1, kNumbers / array.lanes);
  const std::int64_t strips = (array.inner + positions - 1) / positions;
  const std::int64_t group_stride = array.inner * array.lanes;
  const std::int64_t numbers =
      std::max<std::int64_t>(1, positions * array.groups * array.lanes);
  parallel_ranges(
      array.outer * strips, std::max<std::int64_t>(1, (1 << 14) / numbers),
      [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t i = begin; i < end; ++i) {
          const std::int64_t first = i % strips * positions;
          const Strip strip{array.groups, group_stride,
                            static_cast<int>(std::min(positions, array.inner - first))};
          body(strip, i / strips * array.groups * group_stride + first * array.lanes, i);
        }
      });
}

}  // namespace

template <typename Dtype>
void normalize_channels(const ChannelArray& array, const Dtype* x, const Dtype* scale,
                        Dtype eps, Dtype* y) {
  ForEachStrip(array, [&](const Strip& strip, std::int64_t at, std::int64_t) {
    ForwardStrip(strip, array.lanes, x + at, scale, eps, y + at);
  });
}

template <typename Dtype>
void normalize_channels_gradient(const ChannelArray& array, const Dtype* x,
                                 const Dtype* scale, Dtype eps, const Dtype* g, Dtype* dx,
                                 std::vector<double>* scale_gradient) {
  const std::int64_t positions = std::max<std::int64_t>(1, kNumbers / array.lanes);
  const std::int64_t strips = array.outer * ((array.inner + positions - 1) / positions);
  std::vector<double> sums(scale_gradient ? strips * array.padded_channels() : 0);
  ForEachStrip(array, [&](const Strip& strip, std::int64_t at, std::int64_t index) {
    double* strip_sums =
        scale_gradient ? &sums[index * array.padded_channels()] : nullptr;
    BackwardStrip(
        strip, array.lanes,
        Gradients<Dtype>{x + at, scale, g + at, eps, dx ? dx + at : nullptr, strip_sums});
  });
  if (scale_gradient == nullptr) return;
  scale_gradient->assign(array.channels, 0.);
  for (std::int64_t i = 0; i < strips; ++i) {
    for (std::int64_t c = 0; c < array.channels; ++c) {
      (*scale_gradient)[c] += sums[i * array.padded_channels() + c];
    }
  }
}

#define CAFFE_INSTANTIATE_CHANNEL_NORM(T)                                               \
  template void normalize_channels<T>(const ChannelArray&, const T*, const T*, T, T*);  \
  template void normalize_channels_gradient<T>(const ChannelArray&, const T*, const T*, \
                                               T, const T*, T*, std::vector<double>*)
CAFFE_INSTANTIATE_CHANNEL_NORM(float);
CAFFE_INSTANTIATE_CHANNEL_NORM(double);
#undef CAFFE_INSTANTIATE_CHANNEL_NORM

}  // namespace caffe

// Channelwise passes: strips of numbers, each with the coefficients of its group of
// channels.
#include "caffe/backend/channelwise.hpp"

#include <algorithm>

#include "caffe/util/parallel_for.hpp"
#include "caffe/util/simd.hpp"

namespace caffe {

ChannelArray ChannelArray::Plain(std::int64_t outer, std::int64_t channels,
                                 std::int64_t inner) {
  ChannelArray array;
  array.channels = channels;
  if (inner == 1) {  // (N, C): the channels themselves are the lanes
    array.outer = array.groups = 1;
    array.inner = outer;
    array.lanes = channels;
    return array;
  }
  array.outer = outer;
  array.groups = channels;
  array.inner = inner;
  return array;
}

ChannelArray ChannelArray::Blocked(const BlockedLayout& layout) {
  ChannelArray array;
  array.outer = layout.num;
  array.groups = layout.blocks();
  array.inner = layout.spatial;
  array.lanes = layout.block;
  array.channels = layout.channels;
  return array;
}

namespace {

constexpr std::int64_t kStrip =
    8192;  // numbers of one piece of work: fits the first cache

// The pieces of an array: each lies in one group and holds whole positions.
struct Strips {
  explicit Strips(const ChannelArray& array) : array_(array) {
    positions =
        std::max<std::int64_t>(1, kStrip / std::max<std::int64_t>(1, array.lanes));
    positions = std::max<std::int64_t>(1, std::min(positions, array.inner));
    per_row = (array.inner + positions - 1) / positions;
    count = array.outer * array.groups * per_row;
  }
  std::int64_t group(std::int64_t strip) const { return strip / per_row % array_.groups; }
  std::int64_t offset(std::int64_t strip) const {
    return (strip / per_row * array_.inner + strip % per_row * positions) * array_.lanes;
  }
  std::int64_t length(std::int64_t strip) const {  // positions
    return std::min(positions, array_.inner - strip % per_row * positions);
  }
  // Calls body(strip) for all strips, threaded.
  template <typename Body>
  void ForEach(const Body& body) const {
    const std::int64_t numbers = std::max<std::int64_t>(1, positions * array_.lanes);
    parallel_ranges(count, std::max<std::int64_t>(1, 2 * kStrip / numbers),
                    [&](std::int64_t begin, std::int64_t end) {
                      for (std::int64_t strip = begin; strip < end; ++strip) body(strip);
                    });
  }

  std::int64_t positions, per_row, count;

 private:
  const ChannelArray& array_;
};

// One strip of an elementwise pass: f(i, l) for number i, whose lane is l. kLanes 0: any
// number.
template <int kLanes, typename Function>
CAFFE_ALWAYS_INLINE void MapLanes(std::int64_t positions, std::int64_t lanes,
                                  const Function& f) {
  const std::int64_t count = kLanes > 0 ? kLanes : lanes;
  for (std::int64_t s = 0; s < positions; ++s) {
#pragma omp simd
    for (std::int64_t l = 0; l < count; ++l) f(s * count + l, l);
  }
}

template <typename Function>
CAFFE_ALWAYS_INLINE void MapStrip(std::int64_t positions, std::int64_t lanes,
                                  const Function& f) {
  if (lanes == 16) {
    MapLanes<16>(positions, lanes, f);
  } else if (lanes == 8) {
    MapLanes<8>(positions, lanes, f);
  } else {
    MapLanes<0>(positions, lanes, f);
  }
}

// One strip of a sum: sums[l] = the sum of f(i, l) over the numbers i of lane l.
template <int kLanes, typename Dtype, typename Function>
CAFFE_ALWAYS_INLINE void SumLanes(std::int64_t positions, const Function& f,
                                  double* sums) {
  Dtype partial[kLanes] = {};
  for (std::int64_t s = 0; s < positions; ++s) {
#pragma omp simd
    for (int l = 0; l < kLanes; ++l) partial[l] += f(s * kLanes + l, l);
  }
  for (int l = 0; l < kLanes; ++l) sums[l] = partial[l];
}

template <typename Dtype, typename Function>
CAFFE_ALWAYS_INLINE void SumStrip(std::int64_t positions, std::int64_t lanes,
                                  const Function& f, double* sums) {
  if (lanes == 1) {
    constexpr int kWidth = 16;  // partial sums: a fixed order for every instruction set
    Dtype partial[kWidth] = {};
    std::int64_t s = 0;
    for (; s + kWidth <= positions; s += kWidth) {
#pragma omp simd
      for (int l = 0; l < kWidth; ++l) partial[l] += f(s + l, 0);
    }
    double sum = 0;
    for (int l = 0; l < kWidth; ++l) sum += partial[l];
    for (; s < positions; ++s) sum += f(s, 0);
    sums[0] = sum;
  } else if (lanes == 16) {
    SumLanes<16, Dtype>(positions, f, sums);
  } else if (lanes == 8) {
    SumLanes<8, Dtype>(positions, f, sums);
  } else {
    std::fill(sums, sums + lanes, 0.);
    for (std::int64_t s = 0; s < positions; ++s) {
      for (std::int64_t l = 0; l < lanes; ++l) sums[l] += f(s * lanes + l, l);
    }
  }
}

// Runs strip_sum(strip, sums) for all strips and adds the results up in their order.
// `kinds` sums are made at once, one behind the other in `sums`, `lanes` numbers each.
template <typename StripSum>
std::vector<std::vector<double>> SumStrips(const ChannelArray& array, int kinds,
                                           const StripSum& strip_sum) {
  const Strips strips(array);
  const std::int64_t size = kinds * array.lanes;  // of one strip's sums
  std::vector<double> partial(strips.count * size);
  strips.ForEach([&](std::int64_t strip) { strip_sum(strip, &partial[strip * size]); });
  std::vector<std::vector<double>> sums(kinds,
                                        std::vector<double>(array.padded_channels()));
  for (std::int64_t strip = 0; strip < strips.count; ++strip) {
    for (int kind = 0; kind < kinds; ++kind) {
      const double* from = &partial[strip * size + kind * array.lanes];
      double* group = &sums[kind][strips.group(strip) * array.lanes];
      for (std::int64_t l = 0; l < array.lanes; ++l) group[l] += from[l];
    }
  }
  for (std::vector<double>& sum : sums) sum.resize(array.channels);
  return sums;
}

// The strip kernels. A row (one lane) has its coefficients in registers; reads are never
// conditional: otherwise the loops are not vectorised.

template <typename T>
CAFFE_ALWAYS_INLINE void Affine(std::int64_t n, std::int64_t lanes, const T* x,
                                const T* a, const T* b, T* y) {
  if (lanes == 1) {
    const T scale = a[0], shift = b[0];
#pragma omp simd
    for (std::int64_t i = 0; i < n; ++i) y[i] = scale * x[i] + shift;
    return;
  }
  MapStrip(n, lanes, [=](std::int64_t i, std::int64_t l) { y[i] = a[l] * x[i] + b[l]; });
}

template <typename T>
CAFFE_ALWAYS_INLINE void Combine(std::int64_t n, std::int64_t lanes, const T* x1,
                                 const T* a, const T* x2, const T* b, const T* c, T* y) {
  if (lanes == 1) {
    const T of_x1 = a[0], of_x2 = b[0], shift = c[0];
#pragma omp simd
    for (std::int64_t i = 0; i < n; ++i) y[i] = of_x1 * x1[i] + of_x2 * x2[i] + shift;
    return;
  }
  MapStrip(n, lanes, [=](std::int64_t i, std::int64_t l) {
    y[i] = a[l] * x1[i] + b[l] * x2[i] + c[l];
  });
}

template <typename T>
CAFFE_ALWAYS_INLINE void Leaky(std::int64_t n, std::int64_t lanes, const T* g, const T* x,
                               const T* slope, T* y) {
  if (lanes == 1) {
    const T factor = slope[0];
#pragma omp simd
    for (std::int64_t i = 0; i < n; ++i) {
      const T gradient = g[i];
      y[i] = x[i] > 0 ? gradient : factor * gradient;
    }
    return;
  }
  MapStrip(n, lanes, [=](std::int64_t i, std::int64_t l) {
    const T gradient = g[i], below = slope[l] * gradient;
    y[i] = x[i] > 0 ? gradient : below;
  });
}

template <typename T>
CAFFE_ALWAYS_INLINE void Total(std::int64_t n, std::int64_t lanes, const T* x,
                               double* sums) {
  SumStrip<T>(
      n, lanes, [=](std::int64_t i, std::int64_t) { return x[i]; }, sums);
}

template <typename T>
CAFFE_ALWAYS_INLINE void Dot(std::int64_t n, std::int64_t lanes, const T* g, const T* x,
                             const T* centre, double* sums) {
  SumStrip<T>(
      n, lanes, [=](std::int64_t i, std::int64_t l) { return g[i] * (x[i] - centre[l]); },
      sums);
}

template <typename T>
CAFFE_ALWAYS_INLINE void Deviation(std::int64_t n, std::int64_t lanes, const T* x,
                                   const T* mean, double* sums) {
  SumStrip<T>(
      n, lanes,
      [=](std::int64_t i, std::int64_t l) { return (x[i] - mean[l]) * (x[i] - mean[l]); },
      sums);
}

template <typename T>
CAFFE_ALWAYS_INLINE void NegativeDot(std::int64_t n, std::int64_t lanes, const T* g,
                                     const T* x, double* sums) {
  SumStrip<T>(
      n, lanes,
      [=](std::int64_t i, std::int64_t) {
        const T product = g[i] * x[i];
        return x[i] > 0 ? T(0) : product;
      },
      sums);
}

// The same by type: float in clones for several instruction sets, double in one version.
#define CAFFE_STRIP_KERNELS(attribute, T)                                                \
  attribute void AffineStrip(std::int64_t n, std::int64_t lanes, const T* x, const T* a, \
                             const T* b, T* y) {                                         \
    Affine(n, lanes, x, a, b, y);                                                        \
  }                                                                                      \
  attribute void CombineStrip(std::int64_t n, std::int64_t lanes, const T* x1,           \
                              const T* a, const T* x2, const T* b, const T* c, T* y) {   \
    Combine(n, lanes, x1, a, x2, b, c, y);                                               \
  }                                                                                      \
  attribute void LeakyStrip(std::int64_t n, std::int64_t lanes, const T* g, const T* x,  \
                            const T* slope, T* y) {                                      \
    Leaky(n, lanes, g, x, slope, y);                                                     \
  }                                                                                      \
  attribute void TotalStrip(std::int64_t n, std::int64_t lanes, const T* x,              \
                            double* sums) {                                              \
    Total(n, lanes, x, sums);                                                            \
  }                                                                                      \
  attribute void DotStrip(std::int64_t n, std::int64_t lanes, const T* g, const T* x,    \
                          const T* centre, double* sums) {                               \
    Dot(n, lanes, g, x, centre, sums);                                                   \
  }                                                                                      \
  attribute void DeviationStrip(std::int64_t n, std::int64_t lanes, const T* x,          \
                                const T* mean, double* sums) {                           \
    Deviation(n, lanes, x, mean, sums);                                                  \
  }                                                                                      \
  attribute void NegativeDotStrip(std::int64_t n, std::int64_t lanes, const T* g,        \
                                  const T* x, double* sums) {                            \
    NegativeDot(n, lanes, g, x, sums);                                                   \
  }
CAFFE_STRIP_KERNELS(CAFFE_SIMD_CLONES, float)
CAFFE_STRIP_KERNELS(, double)
#undef CAFFE_STRIP_KERNELS

}  // namespace

template <typename Dtype>
void channel_affine(const ChannelArray& array, const Dtype* x, const Dtype* scale,
                    const Dtype* shift, Dtype* y) {
  std::vector<Dtype> ones, zeros;
  if (scale == nullptr) {
    ones.assign(array.padded_channels(), Dtype(1));
    scale = ones.data();
  }
  if (shift == nullptr) {
    zeros.assign(array.padded_channels(), Dtype(0));
    shift = zeros.data();
  }
  const Strips strips(array);
  strips.ForEach([&](std::int64_t strip) {
    const std::int64_t at = strips.offset(strip),
                       first = strips.group(strip) * array.lanes;
    AffineStrip(strips.length(strip), array.lanes, x + at, scale + first, shift + first,
                y + at);
  });
}

template <typename Dtype>
void channel_combine(const ChannelArray& array, const Dtype* x1, const Dtype* a,
                     const Dtype* x2, const Dtype* b, const Dtype* c, Dtype* y) {
  const Strips strips(array);
  strips.ForEach([&](std::int64_t strip) {
    const std::int64_t at = strips.offset(strip),
                       first = strips.group(strip) * array.lanes;
    CombineStrip(strips.length(strip), array.lanes, x1 + at, a + first, x2 + at,
                 b + first, c + first, y + at);
  });
}

template <typename Dtype>
void channel_leaky(const ChannelArray& array, const Dtype* x, const Dtype* slope,
                   Dtype* y) {
  channel_leaky_gradient(array, x, x, slope, y);
}

template <typename Dtype>
void channel_leaky_gradient(const ChannelArray& array, const Dtype* g, const Dtype* x,
                            const Dtype* slope, Dtype* y) {
  const Strips strips(array);
  strips.ForEach([&](std::int64_t strip) {
    const std::int64_t at = strips.offset(strip),
                       first = strips.group(strip) * array.lanes;
    LeakyStrip(strips.length(strip), array.lanes, g + at, x + at, slope + first, y + at);
  });
}

template <typename Dtype>
std::vector<double> channel_sum(const ChannelArray& array, const Dtype* x) {
  const Strips strips(array);
  return SumStrips(array, 1, [&](std::int64_t strip, double* sums) {
    TotalStrip(strips.length(strip), array.lanes, x + strips.offset(strip), sums);
  })[0];
}

template <typename Dtype>
std::vector<double> channel_dot(const ChannelArray& array, const Dtype* g, const Dtype* x,
                                const Dtype* centre) {
  std::vector<Dtype> zeros;
  if (centre == nullptr) {
    zeros.assign(array.padded_channels(), Dtype(0));
    centre = zeros.data();
  }
  const Strips strips(array);
  return SumStrips(array, 1, [&](std::int64_t strip, double* sums) {
    const std::int64_t at = strips.offset(strip);
    DotStrip(strips.length(strip), array.lanes, g + at, x + at,
             centre + strips.group(strip) * array.lanes, sums);
  })[0];
}

template <typename Dtype>
std::vector<double> channel_square_deviation(const ChannelArray& array, const Dtype* x,
                                             const Dtype* mean) {
  const Strips strips(array);
  return SumStrips(array, 1, [&](std::int64_t strip, double* sums) {
    DeviationStrip(strips.length(strip), array.lanes, x + strips.offset(strip),
                   mean + strips.group(strip) * array.lanes, sums);
  })[0];
}

template <typename Dtype>
ChannelSums channel_affine_gradient(const ChannelArray& array, const Dtype* g,
                                    const Dtype* x, const Dtype* centre,
                                    const Dtype* scale, Dtype* dx) {
  const std::vector<Dtype> zeros(array.padded_channels(), Dtype(0));
  const Strips strips(array);
  const auto sums = SumStrips(array, 2, [&](std::int64_t strip, double* strip_sums) {
    const std::int64_t n = strips.length(strip), at = strips.offset(strip);
    const std::int64_t first = strips.group(strip) * array.lanes;
    TotalStrip(n, array.lanes, g + at, strip_sums);
    DotStrip(n, array.lanes, g + at, x + at, (centre ? centre : zeros.data()) + first,
             strip_sums + array.lanes);
    if (dx == nullptr) return;
    AffineStrip(n, array.lanes, g + at, scale + first, zeros.data() + first, dx + at);
  });
  return {sums[0], sums[1]};
}

template <typename Dtype>
std::vector<double> channel_negative_dot(const ChannelArray& array, const Dtype* g,
                                         const Dtype* x) {
  const Strips strips(array);
  return SumStrips(array, 1, [&](std::int64_t strip, double* sums) {
    const std::int64_t at = strips.offset(strip);
    NegativeDotStrip(strips.length(strip), array.lanes, g + at, x + at, sums);
  })[0];
}

#define CAFFE_INSTANTIATE_CHANNELWISE(T)                                               \
  template void channel_affine<T>(const ChannelArray&, const T*, const T*, const T*,   \
                                  T*);                                                 \
  template void channel_combine<T>(const ChannelArray&, const T*, const T*, const T*,  \
                                   const T*, const T*, T*);                            \
  template void channel_leaky<T>(const ChannelArray&, const T*, const T*, T*);         \
  template void channel_leaky_gradient<T>(const ChannelArray&, const T*, const T*,     \
                                          const T*, T*);                               \
  template std::vector<double> channel_sum<T>(const ChannelArray&, const T*);          \
  template std::vector<double> channel_dot<T>(const ChannelArray&, const T*, const T*, \
                                              const T*);                               \
  template ChannelSums channel_affine_gradient<T>(const ChannelArray&, const T*,       \
                                                  const T*, const T*, const T*, T*);   \
  template std::vector<double> channel_square_deviation<T>(const ChannelArray&,        \
                                                           const T*, const T*);        \
  template std::vector<double> channel_negative_dot<T>(const ChannelArray&, const T*,  \
                                                       const T*)
CAFFE_INSTANTIATE_CHANNELWISE(float);
CAFFE_INSTANTIATE_CHANNELWISE(double);
#undef CAFFE_INSTANTIATE_CHANNELWISE

}  // namespace caffe

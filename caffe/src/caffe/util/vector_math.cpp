// Vectorised exp, log, sigmoid and tanh; the polynomials are our own minimax fits.
#include "caffe/util/vector_math.hpp"

#include <cmath>
#include <cstring>
#include <limits>

#include "caffe/util/parallel_for.hpp"
#include "caffe/util/simd.hpp"

namespace caffe {
namespace {

// Fewer elements a thread than this cost more to hand out than they save.
constexpr int64_t kGrain = 1 << 13;

constexpr float kLn2High = 0.693359375f;  // few bits: k * kLn2High is exact
constexpr float kLn2Low = -2.12194440e-4f;
constexpr float kInfinity = std::numeric_limits<float>::infinity();

CAFFE_ALWAYS_INLINE float from_bits(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

CAFFE_ALWAYS_INLINE uint32_t to_bits(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}

// x = k * ln 2 + r with |r| <= ln 2 / 2; `em1` is exp(r) - 1, error 0.05 ulp before
// rounding.
struct ReducedExp {
  int32_t k;
  float em1;
};

// Needs |x| < 2^21 or NaN. NaN: em1 is NaN, k is any number.
CAFFE_ALWAYS_INLINE ReducedExp reduce_exp(float x) {
  constexpr float kLog2E = 1.44269504f;
  constexpr float kRound = 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer
  const float shifted = x * kLog2E + kRound;
  const int32_t k = static_cast<int32_t>(to_bits(shifted) - to_bits(kRound));
  const float kf = shifted - kRound;
  const float r = (x - kf * kLn2High) - kf * kLn2Low;
  float p = 0.0013814539f;
  p = p * r + 0.008368745f;
  p = p * r + 0.04166839f;
  p = p * r + 0.16666521f;
  p = p * r + 0.49999994f;
  return {k, r + r * r * p};
}

// 2^k for k in [-126, 127].
CAFFE_ALWAYS_INLINE float power_of_two(int32_t k) {
  return from_bits(static_cast<uint32_t>(k + 127) << 23);
}

CAFFE_ALWAYS_INLINE float exp_one(float x) {
  // Beyond these the result is inf or 0; the comparisons keep NaN.
  float bounded = x > 90.0f ? 90.0f : x;
  bounded = bounded < -105.0f ? -105.0f : bounded;
  const ReducedExp reduced = reduce_exp(bounded);
  // Two factors: 2^k alone leaves the range for results near FLT_MAX or below FLT_MIN.
  const int32_t half = reduced.k >> 1;
  return (1.0f + reduced.em1) * power_of_two(half) * power_of_two(reduced.k - half);
}

CAFFE_ALWAYS_INLINE float log_one(float x) {
  // Denormals are scaled up first; the exponent gives it back.
  const bool tiny = x < std::numeric_limits<float>::min();
  const float scaled = tiny ? x * 8388608.0f : x;
  const uint32_t bits = to_bits(scaled);
  // Mantissa in [sqrt(1/2), sqrt(2)): 0x3f3504f3 is sqrt(1/2).
  const uint32_t shifted = bits - 0x3f3504f3u;
  const int32_t exponent = static_cast<int32_t>(shifted) >> 23;
  const float mantissa = from_bits((shifted & 0x007fffffu) + 0x3f3504f3u);
  const float k = static_cast<float>(exponent) - (tiny ? 23.0f : 0.0f);
  const float f = mantissa - 1.0f;
  float p = 0.067466386f;
  p = p * f - 0.11675651f;
  p = p * f + 0.11888163f;
  p = p * f - 0.12405589f;
  p = p * f + 0.14219552f;
  p = p * f - 0.16667996f;
  p = p * f + 0.20002119f;
  p = p * f - 0.2500001f;
  p = p * f + 0.33333313f;
  const float square = f * f;
  const float tail = square * f * p + k * kLn2Low;
  float result = k * kLn2High + (f + (tail - 0.5f * square));
  result = x == kInfinity ? kInfinity : result;
  result = x == 0.0f ? -kInfinity : result;
  return x >= 0.0f ? result : std::numeric_limits<float>::quiet_NaN();
}

CAFFE_ALWAYS_INLINE float sigmoid_one(float x) { return 1.0f / (1.0f + exp_one(-x)); }

CAFFE_ALWAYS_INLINE float tanh_one(float x) {
  // tanh|x| = e / (e + 2) with e = exp(2|x|) - 1; 1 to the last bit beyond 9.02.
  const float magnitude = from_bits(to_bits(x) & 0x7fffffffu);
  const float doubled = magnitude > 10.0f ? 20.0f : 2.0f * magnitude;
  const ReducedExp reduced = reduce_exp(doubled);
  const float scale = power_of_two(reduced.k & 63);  // k <= 29; the mask tames NaN's k
  const float e = scale * reduced.em1 + (scale - 1.0f);
  const float value = e / (e + 2.0f);
  return from_bits(to_bits(value) | (to_bits(x) & 0x80000000u));
}

CAFFE_SIMD_CLONES void exp_range(const float* x, float* y, int64_t n) {
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) {
    y[i] = exp_one(x[i]);
  }
}

CAFFE_SIMD_CLONES void log_range(const float* x, float* y, int64_t n) {
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) {
    y[i] = log_one(x[i]);
  }
}

CAFFE_SIMD_CLONES void sigmoid_range(const float* x, float* y, int64_t n) {
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) {
    y[i] = sigmoid_one(x[i]);
  }
}

CAFFE_SIMD_CLONES void tanh_range(const float* x, float* y, int64_t n) {
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) {
    y[i] = tanh_one(x[i]);
  }
}

double sigmoid_double(double x) { return 1.0 / (1.0 + std::exp(-x)); }

template <double (*function)(double)>
void double_range(const double* x, double* y, int64_t n) {
  for (int64_t i = 0; i < n; ++i) {
    y[i] = function(x[i]);
  }
}

template <typename Dtype>
void in_threads(int64_t n, const Dtype* x, Dtype* y,
                void (*range)(const Dtype*, Dtype*, int64_t)) {
  parallel_ranges(n, kGrain, [=](int64_t begin, int64_t end) {
    range(x + begin, y + begin, end - begin);
  });
}

}  // namespace

template <>
void vector_exp<float>(int64_t n, const float* x, float* y) {
  in_threads(n, x, y, &exp_range);
}
template <>
void vector_exp<double>(int64_t n, const double* x, double* y) {
  in_threads(n, x, y, &double_range<std::exp>);
}
template <>
void vector_log<float>(int64_t n, const float* x, float* y) {
  in_threads(n, x, y, &log_range);
}
template <>
void vector_log<double>(int64_t n, const double* x, double* y) {
  in_threads(n, x, y, &double_range<std::log>);
}
template <>
void vector_sigmoid<float>(int64_t n, const float* x, float* y) {
  in_threads(n, x, y, &sigmoid_range);
}
template <>
void vector_sigmoid<double>(int64_t n, const double* x, double* y) {
  in_threads(n, x, y, &double_range<sigmoid_double>);
}
template <>
void vector_tanh<float>(int64_t n, const float* x, float* y) {
  in_threads(n, x, y, &tanh_range);
}
template <>
void vector_tanh<double>(int64_t n, const double* x, double* y) {
  in_threads(n, x, y, &double_range<std::tanh>);
}

}  // namespace caffe

// What a place adds to LpqLoss, and its slope.
#ifndef CAFFE_BACKEND_LPQ_DIFFERENCE_HPP_
#define CAFFE_BACKEND_LPQ_DIFFERENCE_HPP_

#include <cmath>
#include <cstdint>

#include "caffe/device/body.hpp"

namespace caffe {

/// d = a - b (b may be null: d = a), two maps (N, channels, plane places). Entries whose
/// d is NaN are unknown: they count as 0 and have no slope.
///
/// loss(place) = (s + q_epsilon)^q, s = omega sum_c (|d| + p_epsilon)^p.
template <typename Dtype>
struct LpqDifference {
  const Dtype *a = nullptr, *b = nullptr;
  int channels = 1;
  std::int64_t plane = 1;
  double p = 1, q = 1, p_epsilon = 0, q_epsilon = 0, omega = 1;

  CAFFE_HD double at(std::int64_t i) const {
    return b == nullptr ? static_cast<double>(a[i]) : static_cast<double>(a[i]) - b[i];
  }
  CAFFE_HD bool is_known(std::int64_t i) const {
    const double d = at(i);
    return d == d;
  }
  CAFFE_HD std::int64_t first_entry(std::int64_t place) const {
    return place / plane * channels * plane + place % plane;
  }
  /// The exponents that published losses use without a call of pow.
  CAFFE_HD static double power(double base, double exponent) {
    if (exponent == 1) return base;
    if (exponent == 2) return base * base;
    return exponent == 0.5 ? std::sqrt(base) : std::pow(base, exponent);
  }
  CAFFE_HD double sum(std::int64_t place) const {
    std::int64_t i = first_entry(place);
    double s = 0;
    for (int c = 0; c < channels; ++c, i += plane) {
      const double d = at(i);
      s += power((d == d ? std::fabs(d) : 0) + p_epsilon, p);
    }
    return omega * s;
  }
  CAFFE_HD double loss(std::int64_t place) const {
    return power(sum(place) + q_epsilon, q);
  }
};

/// All channels of one place: diff = sign normalizer top_diff (d loss / d a).
template <typename Dtype>
struct LpqGradient {
  LpqDifference<Dtype> d;
  double sign;               ///< of the bottom
  const double* normalizer;  ///< one number
  const Dtype* top_diff;     ///< one number
  Dtype* diff;
  CAFFE_HD void operator()(std::int64_t place) const {
    const double scale = sign * *normalizer * *top_diff;
    const double s = d.sum(place) + d.q_epsilon;
    // Without q_epsilon the root has no slope at 0.
    const double outer = s > 0 ? scale * d.q * d.power(s, d.q - 1) * d.omega * d.p : 0;
    std::int64_t i = d.first_entry(place);
    for (int c = 0; c < d.channels; ++c, i += d.plane) {
      const double value = d.at(i);
      // Neither equal nor unknown entries have a slope.
      const bool has_slope = value > 0 || value < 0;
      diff[i] = static_cast<Dtype>(
          has_slope ? (value > 0 ? outer : -outer) *
                          d.power(std::fabs(value) + d.p_epsilon, d.p - 1)
                    : 0);
    }
  }
};

}  // namespace caffe

#endif  // CAFFE_BACKEND_LPQ_DIFFERENCE_HPP_

// What a place adds to LpqLoss, and its slope.
#ifndef CAFFE_BACKEND_LPQ_DIFFERENCE_HPP_
#define CAFFE_BACKEND_LPQ_DIFFERENCE_HPP_

#include <cmath>

#include "caffe/backend/map_difference.hpp"

namespace caffe {

/// loss(place) = (s + q_epsilon)^q, s = omega sum_c (|d| + p_epsilon)^p. Unknown entries
/// count as 0 and have no slope.
template <typename Dtype>
struct LpqDifference : MapDifference<Dtype> {
  double p = 1, q = 1, p_epsilon = 0, q_epsilon = 0, omega = 1;

  explicit LpqDifference(const MapDifference<Dtype>& difference)
      : MapDifference<Dtype>(difference) {}
  using MapDifference<Dtype>::at;
  using MapDifference<Dtype>::is_known;
  using MapDifference<Dtype>::first_entry;
  using MapDifference<Dtype>::channels;
  using MapDifference<Dtype>::plane;

  int terms(int count) const { return count > 0 ? count / channels : 0; }
  /// The exponents that published losses use without a call of pow.
  CAFFE_HD static double power(double base, double exponent) {
    if (exponent == 1) return base;
    if (exponent == 2) return base * base;
    return exponent == 0.5 ? std::sqrt(base) : std::pow(base, exponent);
  }
  CAFFE_HD double sum(int place) const {
    int i = first_entry(place);
    double s = 0;
    for (int c = 0; c < channels; ++c, i += plane) {
      const double d = at(i);
      s += power((is_known(d) ? std::fabs(d) : 0) + p_epsilon, p);
    }
    return omega * s;
  }
  CAFFE_HD double loss(int place) const { return power(sum(place) + q_epsilon, q); }
  /// diff = scale (d loss / d a) at all channels of the place.
  CAFFE_HD void write_gradient(int place, double scale, Dtype* diff) const {
    const double s = sum(place) + q_epsilon;
    // Without q_epsilon the root has no slope at 0.
    const double outer = s > 0 ? scale * q * power(s, q - 1) * omega * p : 0;
    int i = first_entry(place);
    for (int c = 0; c < channels; ++c, i += plane) {
      const double value = at(i);
      // Neither equal nor unknown entries have a slope.
      const bool has_slope = value > 0 || value < 0;
      diff[i] =
          static_cast<Dtype>(has_slope ? (value > 0 ? outer : -outer) *
                                             power(std::fabs(value) + p_epsilon, p - 1)
                                       : 0);
    }
  }
};

}  // namespace caffe

#endif  // CAFFE_BACKEND_LPQ_DIFFERENCE_HPP_

// L1Loss's formulas at an entry and at a location, on host and device.
#ifndef CAFFE_LAYERS_L1_DIFFERENCE_HPP_
#define CAFFE_LAYERS_L1_DIFFERENCE_HPP_

#include <cmath>

#include "caffe/backend/map_difference.hpp"
#include "caffe/proto/caffe.pb.h"

namespace caffe {

/// What the modes make of a difference: a term an entry, or a term a location (n, y, x).
template <typename Dtype>
struct L1Difference : MapDifference<Dtype> {
  int by_location;
  double plateau, epsilon, power, omega;

  L1Difference(const L1LossParameter& param, const MapDifference<Dtype>& difference)
      : MapDifference<Dtype>(difference),
        by_location(param.l2_per_location()),
        plateau(param.plateau()),
        epsilon(param.epsilon()),
        power(param.power()),
        omega(param.l2_prescale_by_channels() ? 1.0 / difference.channels : 1.0) {}
  using MapDifference<Dtype>::at;
  using MapDifference<Dtype>::is_known;
  using MapDifference<Dtype>::first_entry;
  using MapDifference<Dtype>::channels;
  using MapDifference<Dtype>::plane;

  int terms(int count) const {
    return by_location && count > 0 ? count / channels : count;
  }
  CAFFE_HD double loss(int term) const {
    return by_location ? location_loss(term) : entry_loss(term);
  }
  /// diff = scale (d loss / d a) at the term's entries.
  CAFFE_HD void write_gradient(int term, double scale, Dtype* diff) const {
    if (!by_location) {
      diff[term] = static_cast<Dtype>(scale * entry_slope(term));
      return;
    }
    const double slope = scale * location_slope(term);
    int i = first_entry(term);
    for (int c = 0; c < channels; ++c, i += plane) {
      const double value = at(i);
      diff[i] = static_cast<Dtype>(is_known(value) ? slope * value : 0);
    }
  }

  CAFFE_HD double entry_loss(int i) const {
    const double size = std::fabs(at(i));
    return size >= plateau ? size : 0;  // 0 where it is NaN
  }
  /// By the difference.
  CAFFE_HD double entry_slope(int i) const {
    const double value = at(i);
    if (!(std::fabs(value) >= plateau)) return 0;
    return value > 0 ? 1 : value < 0 ? -1 : 0;
  }

  /// Sum of squares of a location, unknown entries left out.
  CAFFE_HD double squares(int location) const {
    const int first = first_entry(location);
    double sum = 0;
    for (int c = 0; c < channels; ++c) {
      const double d = at(first + c * plane);
      if (is_known(d)) sum += d * d;
    }
    return omega * sum;
  }
  CAFFE_HD double location_loss(int location) const {
    const double s = squares(location);
    const double base = (in_plateau(s) ? 0 : s) + epsilon;
    return power == 0.5 ? std::sqrt(base) : std::pow(base, power);
  }
  /// The loss's derivative by an entry, divided by the entry.
  CAFFE_HD double location_slope(int location) const {
    const double s = squares(location);
    // Without epsilon the root has no slope at 0.
    if (in_plateau(s) || s + epsilon <= 0) return 0;
    const double root =
        power == 0.5 ? 1 / std::sqrt(s + epsilon) : std::pow(s + epsilon, power - 1);
    return power * root * 2 * omega;
  }
  CAFFE_HD bool in_plateau(double s) const { return s < plateau * plateau; }
};

}  // namespace caffe

#endif  // CAFFE_LAYERS_L1_DIFFERENCE_HPP_

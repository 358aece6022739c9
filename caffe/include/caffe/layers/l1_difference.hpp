// L1Loss's formulas at an entry and at a location, on host and device.
#ifndef CAFFE_LAYERS_L1_DIFFERENCE_HPP_
#define CAFFE_LAYERS_L1_DIFFERENCE_HPP_

#include <cmath>
#include <cstdint>

#include "caffe/blob.hpp"
#include "caffe/device/body.hpp"
#include "caffe/proto/caffe.pb.h"

namespace caffe {

/// The difference of the bottoms at an entry, and what the modes make of it. A location
/// is one (n, y, x); indices fit an int, as a blob's count does.
template <typename Dtype>
struct L1Difference {
  const Dtype *a, *b;  ///< b may be null
  int channels;
  int plane;  ///< height * width
  double plateau, epsilon, power, omega;

  L1Difference(const L1LossParameter& param, const Blob<Dtype>& shape, const Dtype* a,
               const Dtype* b)
      : a(a),
        b(b),
        channels(shape.channels()),
        plane(shape.height() * shape.width()),
        plateau(param.plateau()),
        epsilon(param.epsilon()),
        power(param.power()),
        omega(param.l2_prescale_by_channels() ? 1.0 / shape.channels() : 1.0) {}

  CAFFE_HD double at(std::int64_t i) const {
    return b == nullptr ? static_cast<double>(a[i]) : static_cast<double>(a[i]) - b[i];
  }
  CAFFE_HD static bool is_known(double value) { return value == value; }

  CAFFE_HD double entry_loss(std::int64_t i) const {
    const double size = std::fabs(at(i));
    return size >= plateau ? size : 0;  // 0 where it is NaN
  }
  /// By the difference.
  CAFFE_HD double entry_slope(std::int64_t i) const {
    const double value = at(i);
    if (!(std::fabs(value) >= plateau)) return 0;
    return value > 0 ? 1 : value < 0 ? -1 : 0;
  }

  CAFFE_HD int first_entry(int location) const {
    const int item = location / plane;
    return item * channels * plane + (location - item * plane);
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

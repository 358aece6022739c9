// The difference of two maps in which places are unknown: what L1Loss and LpqLoss
// measure.
#ifndef CAFFE_BACKEND_MAP_DIFFERENCE_HPP_
#define CAFFE_BACKEND_MAP_DIFFERENCE_HPP_

#include <cstdint>

#include "caffe/device/body.hpp"

namespace caffe {

/// d = a - b (b may be null: d = a), two maps (N, channels, plane places). Entries whose
/// d is NaN are unknown. Indices fit an int, as a blob's count does.
template <typename Dtype>
struct MapDifference {
  const Dtype *a = nullptr, *b = nullptr;
  int channels = 1, plane = 1;

  CAFFE_HD double at(std::int64_t i) const {
    return b == nullptr ? static_cast<double>(a[i]) : static_cast<double>(a[i]) - b[i];
  }
  CAFFE_HD static bool is_known(double value) { return value == value; }
  /// The entry of channel 0 at a place; the next channel's lies `plane` behind it.
  CAFFE_HD int first_entry(int place) const {
    const int item = place / plane;
    return item * channels * plane + (place - item * plane);
  }
};

}  // namespace caffe

#endif  // CAFFE_BACKEND_MAP_DIFFERENCE_HPP_

// The index map of Downsample: corner-aligned positions under a tent as wide as the
// scale.
#ifndef CAFFE_BACKEND_DOWNSAMPLE_HPP_
#define CAFFE_BACKEND_DOWNSAMPLE_HPP_

#include <cmath>
#include <cstdint>

#include "caffe/device/body.hpp"

namespace caffe {

/// One axis from `in` to `out` pixels. Output o lies at o (in - 1) / (out - 1), the
/// middle where out is 1; input p weighs max(0, 1 - |p - X| / half_width).
struct DownsampleAxis {
  int in = 1, out = 1;

  CAFFE_HD double position(int o) const {
    if (out == 1) return (in - 1) / 2.0;
    return static_cast<double>(std::int64_t{o} * (in - 1)) / (out - 1);
  }
  CAFFE_HD double half_width() const {
    if (out == 1) return in > 3 ? (in - 1) / 2.0 : 1;
    return in == 1 ? 1 : static_cast<double>(in - 1) / (out - 1);
  }
  /// First and last (included) input pixel that may have a weight.
  CAFFE_HD int first(int o) const {
    const int p = static_cast<int>(std::ceil(position(o) - half_width()));
    return p < 0 ? 0 : p;
  }
  CAFFE_HD int last(int o) const {
    const int p = static_cast<int>(std::floor(position(o) + half_width()));
    return p > in - 1 ? in - 1 : p;
  }
  CAFFE_HD double weight(int o, int p) const {
    const double d = std::fabs(p - position(o)) / half_width();
    return d < 1 ? 1 - d : 0;
  }
  /// First and last output that may reach input p: some too many, none too few.
  CAFFE_HD int first_output(int p) const {
    if (out == 1 || in == 1) return 0;
    const double least = (p - half_width()) * (out - 1) / (in - 1);
    return least < 1 ? 0 : static_cast<int>(least) - 1;
  }
  CAFFE_HD int last_output(int p) const {
    if (out == 1 || in == 1) return out - 1;
    const double most = (p + half_width()) * (out - 1) / (in - 1) + 2;
    return most < out - 1 ? static_cast<int>(most) : out - 1;
  }
};

/// Weighted sums of one output pixel.
struct DownsampleSums {
  double value = 0, known = 0, unknown = 0;

  CAFFE_HD bool is_known() const { return known > 0 && unknown <= 0.5 * known; }

  /// Of output (y, x) of a plane.
  template <typename Dtype>
  CAFFE_HD static DownsampleSums At(const DownsampleAxis& rows,
                                    const DownsampleAxis& columns, const Dtype* plane,
                                    int y, int x) {
    DownsampleSums sums;
    for (int s = rows.first(y); s <= rows.last(y); ++s) {
      const double row_weight = rows.weight(y, s);
      for (int p = columns.first(x); p <= columns.last(x); ++p) {
        const double weight = row_weight * columns.weight(x, p);
        const double value = plane[std::int64_t{s} * columns.in + p];
        if (value != value) {
          sums.unknown += weight;
        } else {
          sums.known += weight;
          sums.value += weight * value;
        }
      }
    }
    return sums;
  }
};

}  // namespace caffe

#endif  // CAFFE_BACKEND_DOWNSAMPLE_HPP_

// The index map of Downsample: corner-aligned positions under a tent as wide as the
// scale.
#ifndef CAFFE_BACKEND_DOWNSAMPLE_HPP_
#define CAFFE_BACKEND_DOWNSAMPLE_HPP_

#include <cmath>
#include <cstdint>

namespace caffe {

/// One axis from `in` to `out` pixels. Output o lies at o (in - 1) / (out - 1), the
/// middle where out is 1; input p weighs max(0, 1 - |p - X| / half_width).
struct DownsampleAxis {
  int in = 1, out = 1;

  double position(int o) const {
    if (out == 1) return (in - 1) / 2.0;
    return static_cast<double>(std::int64_t{o} * (in - 1)) / (out - 1);
  }
  double half_width() const {
    if (out == 1) return in > 3 ? (in - 1) / 2.0 : 1;
    return in == 1 ? 1 : static_cast<double>(in - 1) / (out - 1);
  }
  /// First and last (included) input pixel that may have a weight.
  int first(int o) const {
    const int p = static_cast<int>(std::ceil(position(o) - half_width()));
    return p < 0 ? 0 : p;
  }
  int last(int o) const {
    const int p = static_cast<int>(std::floor(position(o) + half_width()));
    return p > in - 1 ? in - 1 : p;
  }
  double weight(int o, int p) const {
    const double d = std::fabs(p - position(o)) / half_width();
    return d < 1 ? 1 - d : 0;
  }
};

}  // namespace caffe

#endif  // CAFFE_BACKEND_DOWNSAMPLE_HPP_

// Resizing of planes: where an output pixel lies in the input, and which pixels it
// weighs.
#ifndef CAFFE_BACKEND_RESAMPLE_HPP_
#define CAFFE_BACKEND_RESAMPLE_HPP_

#include <cmath>
#include <cstdint>
#include <vector>

#include "caffe/backend/planes.hpp"

namespace caffe {

/// One axis of a resize from `in` to `out` pixels, with half-pixel centres.
///
/// Output o lies at X = (o + 1/2) in / out - 1/2 and is sum_p kappa((p - X) / stretch)
/// I[p] over the pixels p inside the image, divided by the sum of these weights (borders
/// are left out, not repeated). `stretch` widens the kernel by the scale where an
/// antialiased axis shrinks.
struct ResampleAxis {
  enum Kernel { kNearest, kLinear, kCubic };

  int in = 1, out = 1;
  Kernel kernel = kLinear;
  double stretch = 1;

  static ResampleAxis Make(int in, int out, Kernel kernel, bool antialias) {
    const bool shrinks = in > out;
    return {in, out, kernel, antialias && shrinks ? static_cast<double>(in) / out : 1.0};
  }

  double position(int o) const {
    return static_cast<double>((2 * std::int64_t{o} + 1) * in) / (2.0 * out) - 0.5;
  }
  /// The position rounded, halves upwards.
  int nearest(int o) const {
    return static_cast<int>((2 * std::int64_t{o} + 1) * in / (2 * std::int64_t{out}));
  }
  /// Half the width of the kernel, in input pixels.
  double radius() const { return kernel == kCubic ? 2 * stretch : stretch; }
  /// First and last (included) input pixel that may have a weight.
  int first(int o) const {
    if (kernel == kNearest) return nearest(o);
    const int p = static_cast<int>(std::ceil(position(o) - radius()));
    return p < 0 ? 0 : p;
  }
  int last(int o) const {
    if (kernel == kNearest) return nearest(o);
    const int p = static_cast<int>(std::floor(position(o) + radius()));
    return p > in - 1 ? in - 1 : p;
  }
  /// Weight before division by the sum.
  double weight(int o, int p) const {
    if (kernel == kNearest) return 1;
    const double d = std::fabs((p - position(o)) / stretch);
    if (kernel == kLinear) return d < 1 ? 1 - d : 0;
    // Keys' cubic with a = -1/2.
    if (d <= 1) return (1.5 * d - 2.5) * d * d + 1;
    return d < 2 ? ((-0.5 * d + 2.5) * d - 4) * d + 2 : 0;
  }
};

/// A matrix of contiguous rows: out[o] = sum_k weight[o][k] in[first[o] + k], k <
/// length[o].
template <typename Dtype>
struct ResampleTaps {
  int in = 0, out = 0, most = 0;
  std::vector<int> first, length;  ///< one an output; length may be 0
  std::vector<Dtype> weight;       ///< out x most
  /// Ends of the runs of outputs with equally many taps.
  std::vector<int> runs;

  static ResampleTaps Make(const ResampleAxis& axis);
  /// Any rows: the first input and the weights of each output.
  static ResampleTaps Of(int in, const std::vector<int>& first,
                         const std::vector<std::vector<double>>& weights);
  /// The adjoint: gathers for each input pixel what it gave.
  ResampleTaps Transposed() const;

 private:
  void FindRuns();
};

/// out = rows (x) columns applied to every plane of `in`; lanes must agree. Overwrites
/// `out`.
template <typename Dtype>
void resample_planes(const ResampleTaps<Dtype>& rows, const ResampleTaps<Dtype>& columns,
                     Planes<const Dtype> in, Planes<Dtype> out);

}  // namespace caffe

#endif  // CAFFE_BACKEND_RESAMPLE_HPP_

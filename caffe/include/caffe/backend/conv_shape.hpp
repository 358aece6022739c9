// ConvShape: the sizes of one convolution or deconvolution, as every back-end takes them.
#ifndef CAFFE_BACKEND_CONV_SHAPE_HPP_
#define CAFFE_BACKEND_CONV_SHAPE_HPP_

#include <cstdint>
#include <functional>
#include <numeric>
#include <vector>

namespace caffe {

/// `input` and `output` are the spatial sizes of bottom and top, one entry an axis.
///
/// A deconvolution (`transposed`) is the adjoint of the convolution that leads from its
/// top to its bottom: the "image" below is then the top and the "map" the bottom.
struct ConvShape {
  int num = 0;  ///< independent items
  int channels = 0, num_output = 0, group = 1;
  bool transposed = false;
  bool has_bias = false;
  std::vector<int> input, output, kernel, stride, pad, dilation;

  int spatial_axes() const { return static_cast<int>(kernel.size()); }
  std::int64_t input_positions() const { return volume(input); }
  std::int64_t output_positions() const { return volume(output); }
  std::int64_t taps() const { return volume(kernel); }

  /// The side that the kernel slides over, and the side with one value a kernel position.
  const std::vector<int>& image() const { return transposed ? output : input; }
  const std::vector<int>& map() const { return transposed ? input : output; }
  int image_channels() const { return transposed ? num_output : channels; }
  int map_channels() const { return transposed ? channels : num_output; }

  /// Weights are map_channels() x (image_channels() / group) x kernel, row-major.
  std::int64_t weight_count() const {
    return static_cast<std::int64_t>(map_channels()) * (image_channels() / group) *
           taps();
  }
  /// One channel a group on both sides.
  bool depthwise() const { return group > 1 && group == channels && group == num_output; }
  /// Kernel 1, stride 1, no padding: a product of matrices.
  bool pointwise() const {
    for (int axis = 0; axis < spatial_axes(); ++axis) {
      if (kernel[axis] != 1 || stride[axis] != 1 || pad[axis] != 0) return false;
    }
    return true;
  }
  /// Multiplications and additions of one pass.
  double flops() const {
    return 2.0 * num * volume(map()) * map_channels() * (image_channels() / group) *
           taps();
  }
  bool operator==(const ConvShape& o) const {
    return num == o.num && channels == o.channels && num_output == o.num_output &&
           group == o.group && transposed == o.transposed && has_bias == o.has_bias &&
           input == o.input && output == o.output && kernel == o.kernel &&
           stride == o.stride && pad == o.pad && dilation == o.dilation;
  }
  bool operator!=(const ConvShape& o) const { return !(*this == o); }

  static std::int64_t volume(const std::vector<int>& sizes) {
    return std::accumulate(sizes.begin(), sizes.end(), std::int64_t{1},
                           std::multiplies<std::int64_t>());
  }
};

}  // namespace caffe

#endif  // CAFFE_BACKEND_CONV_SHAPE_HPP_

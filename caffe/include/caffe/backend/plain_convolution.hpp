// The reference convolution: unfolded columns times weights, in strips; depthwise
// directly.
#ifndef CAFFE_BACKEND_PLAIN_CONVOLUTION_HPP_
#define CAFFE_BACKEND_PLAIN_CONVOLUTION_HPP_

#include "caffe/backend/conv_shape.hpp"

namespace caffe {

/// Works on ONE item of row-major memory, for any number of spatial axes, groups and
/// dilation. Image and map are the two sides of ConvShape; weights are in Caffe's order.
///
/// Columns of a large image are made for a strip of output rows at a time, so that the
/// buffer stays within a few megabytes. The general N-d code (other than two spatial
/// axes, or `force_nd`) unfolds whole.
template <typename Dtype>
class PlainConvolution {
 public:
  PlainConvolution() = default;
  explicit PlainConvolution(const ConvShape& shape, bool force_nd = false);

  /// map = weights * columns(image).
  void Correlate(const Dtype* image, const Dtype* weights, Dtype* map) const;
  /// image = fold(weights^T * map).
  void Adjoint(const Dtype* map, const Dtype* weights, Dtype* image) const;
  /// weights_diff += map * columns(image)^T.
  void AddWeightGradient(const Dtype* image, const Dtype* map, Dtype* weights_diff) const;

  const ConvShape& shape() const { return shape_; }

 private:
  struct Strip;
  template <typename Body>
  void ForEachStrip(const Body& body) const;
  void Unfold(const Dtype* image, const Strip& strip, Dtype* columns) const;
  void Fold(const Dtype* columns, const Strip& strip, Dtype* image) const;

  ConvShape shape_;
  bool general_ = true;  ///< N-d code
  bool pointwise_ = false;
  bool direct_ = false;           ///< depthwise loops
  std::int64_t column_rows_ = 0;  ///< image channels * taps, all groups
  std::int64_t map_positions_ = 0, image_positions_ = 0;
};

/// Two-dimensional convolutions with one channel a group; see PlainConvolution.
template <typename Dtype>
void depthwise_correlate(const ConvShape& shape, const Dtype* image, const Dtype* weights,
                         Dtype* map);
template <typename Dtype>
void depthwise_adjoint(const ConvShape& shape, const Dtype* map, const Dtype* weights,
                       Dtype* image);
template <typename Dtype>
void depthwise_weight_gradient(const ConvShape& shape, const Dtype* image,
                               const Dtype* map, Dtype* weights_diff);

}  // namespace caffe

#endif  // CAFFE_BACKEND_PLAIN_CONVOLUTION_HPP_

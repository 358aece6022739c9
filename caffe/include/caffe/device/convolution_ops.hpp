// Convolutions on device pointers: the implementations that a tuner chooses from.
#ifndef CAFFE_DEVICE_CONVOLUTION_OPS_HPP_
#define CAFFE_DEVICE_CONVOLUTION_OPS_HPP_

#include <cstdint>
#include <memory>
#include <string>

#include "caffe/backend/conv_shape.hpp"
#include "caffe/device/workspace.hpp"

namespace caffe {
namespace device {

enum class ConvOp {
  kCorrelate,       ///< map = weights (*) image
  kAdjoint,         ///< image = adjoint of that, of map
  kWeightGradient,  ///< weights += gradient, from image and map
};

/// The operands of one call; which one is written follows from the operation. Image and
/// map are (num, channels, positions), weights (map channels, image channels / group,
/// taps); channels-last (num, positions, channels) and (map channels, taps, image
/// channels / group).
template <typename Dtype>
struct ConvOperands {
  Dtype* image = nullptr;
  Dtype* map = nullptr;
  Dtype* weights = nullptr;
};

/// What may be fused behind kCorrelate: map = [relu](weights (*) image + bias + addend).
template <typename Dtype>
struct ConvTail {
  const Dtype* bias = nullptr;
  const Dtype* addend = nullptr;
  bool relu = false;
};

/// One shape, one library. `image` and `map` are ConvShape's: for a deconvolution the
/// image is the top. All pointers are device pointers.
template <typename Dtype>
class ConvolutionOps {
 public:
  virtual ~ConvolutionOps() = default;
  /// The order of all operands.
  virtual bool channels_last() const { return false; }
  /// Number of ways (algorithms) to run the operation; 0: it cannot.
  virtual int variants(ConvOp op) = 0;
  virtual std::string name(ConvOp op, int variant) = 0;
  virtual void Run(ConvOp op, int variant, const ConvOperands<Dtype>& operands) = 0;

  /// The same for kCorrelate with a tail in one call; 0: it cannot.
  virtual int fused_variants(bool /*with_bias*/, bool /*with_relu*/) { return 0; }
  virtual void RunFused(int /*variant*/, const ConvOperands<Dtype>& /*operands*/,
                        const ConvTail<Dtype>& /*tail*/) {}
};

/// Unfolding and products of matrices; any number of spatial axes up to 6. Always there.
/// At most `column_bytes` are unfolded at once (more only where one position of the map
/// has more).
template <typename Dtype>
std::unique_ptr<ConvolutionOps<Dtype>> make_gemm_convolution(
    const ConvShape& shape, std::int64_t column_bytes = workspace_limit());
/// One thread an output: depthwise convolutions; null for others.
template <typename Dtype>
std::unique_ptr<ConvolutionOps<Dtype>> make_depthwise_convolution(const ConvShape& shape);
/// A thread an output position: up to four outputs, kCorrelate alone; null for others.
template <typename Dtype>
std::unique_ptr<ConvolutionOps<Dtype>> make_narrow_convolution(const ConvShape& shape);
/// cuDNN; null without it and for shapes that it does not take.
template <typename Dtype>
std::unique_ptr<ConvolutionOps<Dtype>> make_cudnn_convolution(const ConvShape& shape);
/// The same channels-last; for float, two spatial axes and one group.
std::unique_ptr<ConvolutionOps<float>> make_cudnn_channels_last(const ConvShape& shape);
/// Channels-last as a product of matrices; pointwise with one group.
std::unique_ptr<ConvolutionOps<float>> make_channels_last_product(const ConvShape& shape);
/// Channels-last by reordering the operands of `plain`, to compare with.
std::unique_ptr<ConvolutionOps<float>> make_reordering_convolution(
    const ConvShape& shape, std::unique_ptr<ConvolutionOps<float>> plain);

}  // namespace device
}  // namespace caffe

#endif  // CAFFE_DEVICE_CONVOLUTION_OPS_HPP_

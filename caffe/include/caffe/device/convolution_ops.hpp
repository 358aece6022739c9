// Convolutions on device pointers: the implementations that a tuner chooses from.
#ifndef CAFFE_DEVICE_CONVOLUTION_OPS_HPP_
#define CAFFE_DEVICE_CONVOLUTION_OPS_HPP_

#include <memory>
#include <string>

#include "caffe/backend/conv_shape.hpp"

namespace caffe {
namespace device {

enum class ConvOp {
  kCorrelate,       ///< map = weights (*) image
  kAdjoint,         ///< image = adjoint of that, of map
  kWeightGradient,  ///< weights += gradient, from image and map
};

/// The operands of one call; which one is written follows from the operation.
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
  bool any() const { return bias != nullptr || addend != nullptr || relu; }
};

/// One shape, one library. `image` and `map` are ConvShape's: for a deconvolution the
/// image is the top. All pointers are device pointers.
template <typename Dtype>
class ConvolutionOps {
 public:
  virtual ~ConvolutionOps() = default;
  /// Number of ways (algorithms) to run the operation; 0: it cannot.
  virtual int variants(ConvOp op) = 0;
  virtual std::string name(ConvOp op, int variant) = 0;
  virtual void Run(ConvOp op, int variant, const ConvOperands<Dtype>& operands) = 0;

  /// The same for kCorrelate with a tail in one call; 0: it cannot.
  virtual int fused_variants(const ConvTail<Dtype>& /*tail*/) { return 0; }
  virtual void RunFused(int /*variant*/, const ConvOperands<Dtype>& /*operands*/,
                        const ConvTail<Dtype>& /*tail*/) {}
};

/// Unfolding and products of matrices; any number of spatial axes up to 6. Always there.
template <typename Dtype>
std::unique_ptr<ConvolutionOps<Dtype>> make_gemm_convolution(const ConvShape& shape);
/// One thread an output: depthwise convolutions; null for others.
template <typename Dtype>
std::unique_ptr<ConvolutionOps<Dtype>> make_depthwise_convolution(const ConvShape& shape);
/// A thread an output position: up to four outputs, kCorrelate alone; null for others.
template <typename Dtype>
std::unique_ptr<ConvolutionOps<Dtype>> make_narrow_convolution(const ConvShape& shape);
/// cuDNN; null without it and for shapes that it does not take.
template <typename Dtype>
std::unique_ptr<ConvolutionOps<Dtype>> make_cudnn_convolution(const ConvShape& shape);

/// map = activation(map + bias[channel] + addend), with `positions` numbers a channel;
/// bias and addend may be null. `slope` multiplies negative values: 1 for no activation.
template <typename Dtype>
struct MapTail {
  int num = 0, channels = 0, positions = 0;
  const Dtype* bias = nullptr;
  const Dtype* addend = nullptr;
  Dtype slope = 1;
  bool clip = false;
  Dtype lower = 0, upper = 0;
};
template <typename Dtype>
void apply_map_tail(const MapTail<Dtype>& tail, Dtype* map);

/// sums[channel] += sum over items and positions.
template <typename Dtype>
void add_channel_sums(int num, int channels, int positions, const Dtype* map,
                      Dtype* sums);

}  // namespace device
}  // namespace caffe

#endif  // CAFFE_DEVICE_CONVOLUTION_OPS_HPP_

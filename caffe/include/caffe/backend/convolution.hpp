// The interface of fast convolutions and deconvolutions, and the choice among them.
#ifndef CAFFE_BACKEND_CONVOLUTION_HPP_
#define CAFFE_BACKEND_CONVOLUTION_HPP_

#include <memory>
#include <string>
#include <vector>

#include "caffe/backend/conv_shape.hpp"
#include "caffe/backend/epilogue.hpp"
#include "caffe/blob.hpp"

namespace caffe {

/// Weights (in Caffe's order) and bias (null: none). Kernels look at the version counters
/// of these blobs and keep what they have packed until a version changes.
struct ConvParameters {
  const Blob<float>* weights = nullptr;
  const Blob<float>* bias = nullptr;
};

/// One convolution of one shape in float. Blobs are read and written in whichever layout
/// the kernel wants; whoever reads them otherwise gets them reordered by SyncedMemory.
class ConvolutionKernel {
 public:
  virtual ~ConvolutionKernel() = default;
  /// For reports: which code runs ("onednn jit_wino_4x3:avx512_core").
  virtual std::string name() const = 0;

  /// Whether Forward takes this epilogue (by its parts, not its numbers).
  virtual bool Accepts(const Epilogue<float>& epilogue) const = 0;
  /// top.data = activation(scale * (weights (*) bottom.data + bias) + shift + addend).
  virtual void Forward(const Blob<float>& bottom, const ConvParameters& parameters,
                       const Epilogue<float>& epilogue, Blob<float>* top) = 0;

  /// bottom.diff = adjoint(scale * weights, top.diff). False: not available, nothing is
  /// done.
  virtual bool BackwardData(const Blob<float>& top, const ConvParameters& parameters,
                            const Epilogue<float>& epilogue, Blob<float>* bottom) = 0;
  /// ADDS the gradients of weights (Caffe's order) and bias; a null pointer asks for
  /// none. False: not available, nothing is done.
  virtual bool BackwardWeights(const Blob<float>& bottom, const Blob<float>& top,
                               float* weights_diff, float* bias_diff) = 0;
};

/// The fastest kernel for the shape, or null where the plain code has to run: not two
/// spatial axes, nothing fast for the shape, or CAFFE_ENGINE=plain in the environment.
std::unique_ptr<ConvolutionKernel> make_convolution_kernel(const ConvShape& shape);

/// oneDNN; null without oneDNN or where only its reference code would run.
std::unique_ptr<ConvolutionKernel> make_onednn_convolution(const ConvShape& shape);
/// Convolutions with one to four outputs from a channel-blocked source.
std::unique_ptr<ConvolutionKernel> make_narrow_convolution(const ConvShape& shape);
/// Deconvolutions from few channels, or depthwise (bilinear upsampling).
std::unique_ptr<ConvolutionKernel> make_direct_deconvolution(const ConvShape& shape);

/// CAFFE_ENGINE=plain: no back-end but the plain one runs in this process.
bool plain_engine_forced();

/// Weights and bias with the epilogue's channel scale and shift folded in (computed in
/// double), in Caffe's order. `bias` is empty where neither bias nor shift is there.
struct FoldedParameters {
  std::vector<float> weights, bias;
};
FoldedParameters fold_parameters(const ConvShape& shape, const ConvParameters& parameters,
                                 const Epilogue<float>& epilogue);
/// Changes whenever fold_parameters would give another result.
std::uint64_t parameter_version(const ConvParameters& parameters,
                                const Epilogue<float>& epilogue);

/// Adds the weight gradient of a depthwise convolution, both sides channel-blocked.
/// False: not available, nothing is done.
bool add_depthwise_weight_gradient(const ConvShape& shape, const Blob<float>& bottom,
                                   const Blob<float>& top, float* weights_diff);
/// sums[c] += sum over items and positions of the blob's diff, in whichever layout it is.
void add_channel_sums_of_diff(const Blob<float>& blob, float* sums);
/// data = activation(data + addend.data): the part of an epilogue that a kernel left out.
/// `addend` may be null.
void apply_activation(const Activation& activation, const Blob<float>* addend,
                      Blob<float>* blob);
/// diff = diff * activation'(.), taken from the activated data of the same blob.
void activation_backward(const Activation& activation, Blob<float>* blob);

}  // namespace caffe

#endif  // CAFFE_BACKEND_CONVOLUTION_HPP_

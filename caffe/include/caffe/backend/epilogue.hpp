// What may run in the same call behind a convolution, and the roles of layers in a fused
// chain.
//
// The net's plan looks for chains Convolution -> BatchNorm -> Scale -> ReLU (-> Eltwise
// SUM -> ReLU). It knows layers only by these interfaces (found by dynamic_cast), so a
// layer of another type joins by implementing one of them.
#ifndef CAFFE_BACKEND_EPILOGUE_HPP_
#define CAFFE_BACKEND_EPILOGUE_HPP_

#include <cstdint>
#include <vector>

#include "caffe/blob.hpp"
#include "caffe/device/body.hpp"

namespace caffe {

/// An elementwise non-linearity that kernels apply to their own output.
struct Activation {
  enum Kind { kNone, kReLU, kClip };
  Kind kind = kNone;
  float slope = 0;             ///< kReLU: factor of negative values
  float lower = 0, upper = 0;  ///< kClip
  bool operator==(const Activation& o) const {
    return kind == o.kind && slope == o.slope && lower == o.lower && upper == o.upper;
  }
};

/// Channel constants, or their gradients, on the device: two rows of one number a
/// channel. Null as a map: the identity.
struct AffineRows {
  double* scale = nullptr;
  double* shift = nullptr;

  CAFFE_HD double scale_of(int c) const { return scale == nullptr ? 1 : scale[c]; }
  CAFFE_HD double shift_of(int c) const { return shift == nullptr ? 0 : shift[c]; }
};

/// top = activation(scale[c] * operator(bottom) + shift[c] + addend).
template <typename Dtype>
struct Epilogue {
  std::vector<double> scale, shift;  ///< empty: identity; else one value a channel
  AffineRows on_device;       ///< GPU mode: the same there, instead of the two vectors
  std::uint64_t version = 0;  ///< changes whenever scale or shift may have changed; 0:
                              ///< they may have in every pass
  const Blob<Dtype>* addend = nullptr;  ///< of the top's shape, or null
  Activation activation;

  bool has_affine() const { return !scale.empty() || on_device.scale != nullptr; }
};

/// Gradients with respect to an epilogue's channel constants: where those are.
struct AffineGradient {
  std::vector<double> scale, shift;
  AffineRows on_device;
};

/// A layer that, as configured, is y[c] = a[c] * x[c] + b[c] with constants from its
/// parameters: BatchNorm with global statistics, Scale and Bias over axis 1 with own
/// blobs.
class ChannelAffine {
 public:
  virtual ~ChannelAffine() = default;
  virtual bool is_channel_affine() const = 0;
  /// Sum of the versions of the parameter blobs.
  virtual std::uint64_t affine_version() const = 0;
  /// Applies the map after (scale, shift): scale <- a * scale, shift <- a * shift + b, in
  /// double.
  virtual void compose_affine(std::vector<double>* scale,
                              std::vector<double>* shift) const = 0;
  /// True if compose_affine_backward is there.
  virtual bool has_affine_backward() const { return false; }
  /// The adjoint of compose_affine(scale, shift): `gradient` holds the gradients with
  /// respect to what that call left, and is turned into those with respect to what it was
  /// given (the arguments); gradients of the layer's own parameters are added to their
  /// diffs.
  virtual void compose_affine_backward(const std::vector<double>& /*scale*/,
                                       const std::vector<double>& /*shift*/,
                                       AffineGradient* /*gradient*/) {}

  /// True if the two calls below are there.
  virtual bool composes_on_device() const { return false; }
  /// compose_affine of `before`, which stays, into `after`.
  virtual void compose_affine_gpu(int /*channels*/, const AffineRows& /*before*/,
                                  const AffineRows& /*after*/) const {}
  /// compose_affine_backward with `gradient` changed in place.
  virtual void compose_affine_backward_gpu(int /*channels*/, const AffineRows& /*before*/,
                                           const AffineRows& /*gradient*/) {}
};

#define INSTANTIATE_AFFINE_GPU_FUNCS_OF(Class)                                       \
  template void Class::compose_affine_gpu(int, const AffineRows&, const AffineRows&) \
      const;                                                                         \
  template void Class::compose_affine_backward_gpu(int, const AffineRows&,           \
                                                   const AffineRows&)
/// In the .cu of a class template that has them.
#define INSTANTIATE_AFFINE_GPU_FUNCS(Template)      \
  INSTANTIATE_AFFINE_GPU_FUNCS_OF(Template<float>); \
  INSTANTIATE_AFFINE_GPU_FUNCS_OF(Template<double>)

/// A layer that, as configured, is an Activation (ReLU, Clip).
class ActivationRole {
 public:
  virtual ~ActivationRole() = default;
  virtual Activation activation() const = 0;
};

/// A layer that can run an epilogue in its own call (Convolution; others as they learn
/// to).
template <typename Dtype>
class EpilogueHost {
 public:
  virtual ~EpilogueHost() = default;
  /// Whether this host, with its present shapes and back-end, can run the given epilogue
  /// (looks at which parts are there, not at the numbers).
  virtual bool AcceptsEpilogue(const Epilogue<Dtype>& epilogue) const = 0;
  /// Forward (reshaping excluded) with the epilogue; `top` holds the final value.
  virtual void ForwardWithEpilogue(const std::vector<Blob<Dtype>*>& bottom,
                                   const std::vector<Blob<Dtype>*>& top,
                                   const Epilogue<Dtype>& epilogue) = 0;

  /// Whether BackwardWithEpilogue runs for this epilogue.
  virtual bool AcceptsEpilogueBackward(const Epilogue<Dtype>& /*epilogue*/) const {
    return false;
  }
  /// The backward pass of ForwardWithEpilogue: reads top.data and top.diff, and leaves in
  /// top.diff the gradient in front of the activation (which is that of the addend, too).
  /// Adds to the diffs of the host's parameters as asked for (param_propagate_down),
  /// writes bottom.diff where `propagate_down` says so, and fills `affine` unless it is
  /// null.
  virtual void BackwardWithEpilogue(const std::vector<Blob<Dtype>*>& /*top*/,
                                    const std::vector<bool>& /*propagate_down*/,
                                    const std::vector<Blob<Dtype>*>& /*bottom*/,
                                    const Epilogue<Dtype>& /*epilogue*/,
                                    AffineGradient* /*affine*/) {}
};

}  // namespace caffe

#endif  // CAFFE_BACKEND_EPILOGUE_HPP_

// A convolution on the device: the fastest of what there is, with folded parameters.
#ifndef CAFFE_DEVICE_CONVOLUTION_HPP_
#define CAFFE_DEVICE_CONVOLUTION_HPP_

#include <cstdint>
#include <memory>
#include <string>

#include "caffe/backend/epilogue.hpp"
#include "caffe/blob.hpp"
#include "caffe/device/convolution_ops.hpp"
#include "caffe/device/convolution_tail.hpp"

namespace caffe {
namespace device {

template <typename Dtype>
class ConvolutionRunner;
template <typename Dtype>
struct ConvCall;

/// What a net asks of a convolution of one shape. Which implementation runs, and in which
/// order, is measured once a shape and operation in this process (never inside a graph
/// that is recorded); CAFFE_DETERMINISTIC=1 takes the library's first choice instead, so
/// that two processes agree bit for bit.
template <typename Dtype>
class Convolution {
 public:
  /// `plain`: unfolding and products alone. `fixed_weights`: they seldom change, and the
  /// device may hold them in one order alone.
  Convolution(const ConvShape& shape, bool plain, bool fixed_weights);
  ~Convolution();

  const ConvShape& shape() const { return shape_; }
  /// For reports: what runs forward ("cuDNN correlate algorithm 1").
  std::string name() const;

  /// top = activation(scale * (weights (*) bottom + bias) + shift + addend); `bias` may
  /// be null.
  void Forward(const Blob<Dtype>& bottom, const Blob<Dtype>& weights,
               const Blob<Dtype>* bias, const Epilogue<Dtype>& epilogue,
               Blob<Dtype>* top);
  /// top.diff times the activation's derivative, which is read from top.data.
  void BackwardActivation(const Activation& activation, Blob<Dtype>* top) const;
  /// bottom.diff from top.diff; with the weights that the last Forward folded where the
  /// epilogue scales.
  void BackwardBottom(const Blob<Dtype>& top, const Blob<Dtype>& weights,
                      const Epilogue<Dtype>& epilogue, Blob<Dtype>* bottom);
  /// gradient += that of the weights, in their shape.
  void AddWeightGradient(const Blob<Dtype>& bottom, const Blob<Dtype>& top,
                         Dtype* gradient);
  /// gradient[o] += the sum of top.diff.
  void AddBiasGradient(const Blob<Dtype>& top, Dtype* gradient);
  /// The gradients where Forward folded `map` into the parameters: added to `diffs`
  /// (null: not wanted); those of scale and shift are written to `affine` (null
  /// likewise).
  void AddFoldedGradients(const Blob<Dtype>& bottom, const Blob<Dtype>& top,
                          const ParameterPointers<const Dtype>& parameters,
                          const AffineRows& map, const ParameterPointers<Dtype>& diffs,
                          const AffineRows& affine);

  /// The plain operations on one item, for other people's layers.
  void RunPlain(ConvOp op, const ConvOperands<Dtype>& operands);

 private:
  /// A call over data (or diff) of a bottom and a top.
  ConvCall<Dtype> CallOf(ConvOp op, SyncedMemory* bottom, SyncedMemory* top) const;
  void SetWeights(const Blob<Dtype>& weights, ConvCall<Dtype>* call) const;
  void RefreshFolded(const Blob<Dtype>& weights, const Blob<Dtype>* bias,
                     const Epilogue<Dtype>& epilogue);
  void FoldOnDevice(const Blob<Dtype>& weights, const Blob<Dtype>* bias,
                    const AffineRows& map);

  ConvShape shape_;
  const bool fixed_weights_;
  std::unique_ptr<ConvolutionRunner<Dtype>> runner_;
  Blob<Dtype> folded_weights_, folded_bias_;
  std::uint64_t folded_version_ = 0;
};

}  // namespace device
}  // namespace caffe

#endif  // CAFFE_DEVICE_CONVOLUTION_HPP_

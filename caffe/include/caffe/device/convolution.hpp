// A convolution on the device: the fastest of what there is, with folded parameters.
#ifndef CAFFE_DEVICE_CONVOLUTION_HPP_
#define CAFFE_DEVICE_CONVOLUTION_HPP_

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "caffe/backend/epilogue.hpp"
#include "caffe/blob.hpp"
#include "caffe/device/convolution_ops.hpp"

namespace caffe {
namespace device {

/// What a net asks of a convolution of one shape. Which implementation runs is measured
/// once a shape and operation in this process (never inside a graph that is recorded);
/// CAFFE_DETERMINISTIC=1 takes the library's first choice instead, so that two processes
/// agree bit for bit.
template <typename Dtype>
class Convolution {
 public:
  Convolution(const ConvShape& shape, bool plain);
  ~Convolution();

  const ConvShape& shape() const { return shape_; }
  /// For reports: what runs forward ("cuDNN correlate algorithm 1").
  std::string name() const { return name_; }

  /// top = activation(scale * (weights (*) bottom + bias) + shift + addend); `bias` may
  /// be null.
  void Forward(const Blob<Dtype>& bottom, const Blob<Dtype>& weights,
               const Blob<Dtype>* bias, const Epilogue<Dtype>& epilogue,
               Blob<Dtype>* top);
  /// bottom.diff from top.diff.
  void BackwardBottom(const Blob<Dtype>& top, const Blob<Dtype>& weights,
                      Blob<Dtype>* bottom);
  /// weights.diff += the gradient.
  void AddWeightGradient(const Blob<Dtype>& bottom, const Blob<Dtype>& top,
                         Blob<Dtype>* weights);
  /// bias.diff += the sums of top.diff.
  void AddBiasGradient(const Blob<Dtype>& top, Blob<Dtype>* bias);

  /// The plain operations on one item, for other people's layers.
  void RunPlain(ConvOp op, const ConvOperands<Dtype>& operands);

 private:
  struct Choice {
    ConvolutionOps<Dtype>* ops = nullptr;
    int variant = 0;
    bool fused = false;
  };

  void Prepare();
  Choice Choose(ConvOp op, const ConvOperands<Dtype>& operands,
                const ConvTail<Dtype>& tail);
  void RunChoice(const Choice& choice, ConvOp op, const ConvOperands<Dtype>& operands,
                 const ConvTail<Dtype>& tail);
  void RefreshFolded(const Blob<Dtype>& weights, const Blob<Dtype>* bias,
                     const Epilogue<Dtype>& epilogue);
  void ApplyTail(const Dtype* bias, const Dtype* addend, const Activation& activation,
                 Dtype* top) const;

  ConvShape shape_;
  std::vector<std::unique_ptr<ConvolutionOps<Dtype>>> implementations_;
  std::map<int, Choice> choices_;  ///< by operation and tail
  bool plain_ = false, tf32_ = false;
  std::string name_;
  Blob<Dtype> folded_weights_, folded_bias_;
  std::uint64_t folded_version_ = 0;
};

}  // namespace device
}  // namespace caffe

#endif  // CAFFE_DEVICE_CONVOLUTION_HPP_

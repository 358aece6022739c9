// The channel-affine layers behind a convolution as one map, and its gradients.
#ifndef CAFFE_BACKEND_AFFINE_CHAIN_HPP_
#define CAFFE_BACKEND_AFFINE_CHAIN_HPP_

#include <memory>
#include <vector>

#include "caffe/backend/epilogue.hpp"
#include "caffe/blob.hpp"

namespace caffe {

/// y[c] = scale[c] * x[c] + shift[c] for layers one after another.
class AffineChain {
 public:
  void Add(ChannelAffine* layer) { layers_.push_back(layer); }
  bool empty() const { return layers_.empty(); }
  /// Whether all of them still are channel-affine.
  bool holds() const;
  bool composes_on_device() const;

  /// Gives the epilogue the map of this chain, on the host; anew if a parameter has
  /// changed.
  template <typename Dtype>
  void Fold(int channels, Epilogue<Dtype>* epilogue) const;
  /// The same on the device, anew in every call: nothing is read on the host.
  template <typename Dtype>
  void FoldOnDevice(int channels, Epilogue<Dtype>* epilogue);

  /// Where a host is to leave the gradient after FoldOnDevice.
  AffineRows gradient_on_device(int channels);
  /// From the gradient with respect to the chain's map to those of the layers'
  /// parameters, which are added to their diffs; last layer first.
  void Backward(AffineGradient* gradient);

 private:
  void BackwardOnDevice(const AffineRows& gradient);

  std::vector<ChannelAffine*> layers_;
  /// On the device: what each layer left (layers, 2, channels), and (2, channels).
  std::unique_ptr<Blob<double>> maps_ = std::make_unique<Blob<double>>();
  std::unique_ptr<Blob<double>> gradient_ = std::make_unique<Blob<double>>();
};

}  // namespace caffe

#endif  // CAFFE_BACKEND_AFFINE_CHAIN_HPP_

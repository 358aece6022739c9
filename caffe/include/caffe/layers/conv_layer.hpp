// Convolution: a bank of filters over the spatial axes behind a channel axis.
#ifndef CAFFE_CONV_LAYER_HPP_
#define CAFFE_CONV_LAYER_HPP_

#include <vector>

#include "caffe/backend/epilogue.hpp"
#include "caffe/blob.hpp"
#include "caffe/layer.hpp"
#include "caffe/layers/base_conv_layer.hpp"
#include "caffe/proto/caffe.pb.h"

namespace caffe {

/// y[o, q] = b[o] + sum over c, k of W[o, c, k] * x[c, q * stride - pad + k * dilation]
///
/// bottom (..., C, d...) -> top (..., O, floor((d + 2 pad - extent) / stride) + 1, ...),
/// with extent = dilation * (kernel - 1) + 1. Several bottoms share the parameters. In
/// float with two spatial axes a fast kernel runs; `engine: CAFFE` keeps the plain code.
template <typename Dtype>
class ConvolutionLayer : public BaseConvolutionLayer<Dtype>, public EpilogueHost<Dtype> {
 public:
  explicit ConvolutionLayer(const LayerParameter& param)
      : BaseConvolutionLayer<Dtype>(param) {}
  const char* type() const override { return "Convolution"; }

  bool AcceptsEpilogue(const Epilogue<Dtype>& epilogue) const override;
  void ForwardWithEpilogue(const std::vector<Blob<Dtype>*>& bottom,
                           const std::vector<Blob<Dtype>*>& top,
                           const Epilogue<Dtype>& epilogue) override;
  bool AcceptsEpilogueBackward(const Epilogue<Dtype>& epilogue) const override;
  void BackwardWithEpilogue(const std::vector<Blob<Dtype>*>& top,
                            const std::vector<bool>& propagate_down,
                            const std::vector<Blob<Dtype>*>& bottom,
                            const Epilogue<Dtype>& epilogue,
                            AffineGradient* affine) override;

 protected:
  void Forward_cpu(const vector<Blob<Dtype>*>& bottom,
                   const vector<Blob<Dtype>*>& top) override;
  void Backward_cpu(const vector<Blob<Dtype>*>& top, const vector<bool>& propagate_down,
                    const vector<Blob<Dtype>*>& bottom) override;
  void Forward_gpu(const vector<Blob<Dtype>*>& bottom,
                   const vector<Blob<Dtype>*>& top) override {
    this->ForwardAllOnDevice(bottom, top, Epilogue<Dtype>());
  }
  void Backward_gpu(const vector<Blob<Dtype>*>& top, const vector<bool>& propagate_down,
                    const vector<Blob<Dtype>*>& bottom) override {
    this->BackwardAllOnDevice(top, propagate_down, bottom);
  }
  bool reverse_dimensions() override { return false; }
  void compute_output_shape() override;

 private:
  void FoldedParameterGradients(const Blob<Dtype>& bottom, const Blob<Dtype>& top,
                                const Epilogue<Dtype>& epilogue, AffineGradient* affine);
};

}  // namespace caffe

#endif  // CAFFE_CONV_LAYER_HPP_

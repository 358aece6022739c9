// ChannelNorm: the length of each pixel's vector of channels.
#ifndef CAFFE_CHANNEL_NORM_LAYER_HPP_
#define CAFFE_CHANNEL_NORM_LAYER_HPP_

#include <vector>

#include "caffe/blob.hpp"
#include "caffe/layer.hpp"

namespace caffe {

/// Bottom (N, C, H, W), top (N, 1, H, W): y = sqrt(sum_c x[c]^2); dx[c] = dy x[c] / (y +
/// 1e-9), so 0 where all channels are 0.
///
/// From FlowNet2 and LiteFlowNet (facts: layers_flow.md 5.1).
template <typename Dtype>
class ChannelNormLayer : public Layer<Dtype> {
 public:
  explicit ChannelNormLayer(const LayerParameter& param) : Layer<Dtype>(param) {}
  void Reshape(const vector<Blob<Dtype>*>& bottom,
               const vector<Blob<Dtype>*>& top) override;

  const char* type() const override { return "ChannelNorm"; }
  int ExactNumBottomBlobs() const override { return 1; }
  int ExactNumTopBlobs() const override { return 1; }
  bool RepeatsOnDevice() const override { return true; }

 protected:
  void Forward_cpu(const vector<Blob<Dtype>*>& bottom,
                   const vector<Blob<Dtype>*>& top) override;
  void Backward_cpu(const vector<Blob<Dtype>*>& top, const vector<bool>& propagate_down,
                    const vector<Blob<Dtype>*>& bottom) override;
  void Forward_gpu(const vector<Blob<Dtype>*>& bottom,
                   const vector<Blob<Dtype>*>& top) override;
  void Backward_gpu(const vector<Blob<Dtype>*>& top, const vector<bool>& propagate_down,
                    const vector<Blob<Dtype>*>& bottom) override;
};

}  // namespace caffe

#endif  // CAFFE_CHANNEL_NORM_LAYER_HPP_

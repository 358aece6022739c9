// SigmoidCrossEntropyLoss: cross-entropy of the sigmoid of logits.
#ifndef CAFFE_SIGMOID_CROSS_ENTROPY_LOSS_LAYER_HPP_
#define CAFFE_SIGMOID_CROSS_ENTROPY_LOSS_LAYER_HPP_

#include <vector>

#include "caffe/layers/loss_layer.hpp"

namespace caffe {

/// y = 1 / Z * sum over positions of weight * (max(x, 0) - x t + ln(1 + exp(-|x|))):
/// logits x, targets t in [0, 1] of the same count, and, ours, an optional weight (see
/// PositionLoss). Gradient: w / Z * weight * (sigmoid(x) - t), 0 where ignored. Z:
/// BATCH_SIZE by default.
template <typename Dtype>
class SigmoidCrossEntropyLossLayer : public LossLayer<Dtype> {
 public:
  explicit SigmoidCrossEntropyLossLayer(const LayerParameter& param)
      : LossLayer<Dtype>(param) {}
  void LayerSetUp(const vector<Blob<Dtype>*>& bottom,
                  const vector<Blob<Dtype>*>& top) override;
  void Reshape(const vector<Blob<Dtype>*>& bottom,
               const vector<Blob<Dtype>*>& top) override;

  inline const char* type() const override { return "SigmoidCrossEntropyLoss"; }
  inline int ExactNumBottomBlobs() const override { return -1; }
  inline int MinBottomBlobs() const override { return 2; }
  inline int MaxBottomBlobs() const override { return 3; }
  inline bool AllowForceBackward(const int bottom_index) const override {
    return bottom_index == 0;
  }
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
  /// The divisor Z for a number of valid positions.
  virtual Dtype get_normalizer(LossParameter_NormalizationMode mode, int valid_count);

 private:
  PositionLoss<Dtype> positions_;
  Blob<Dtype> normalizer_{vector<int>()};  // Z of the last forward, one number
};

}  // namespace caffe

#endif  // CAFFE_SIGMOID_CROSS_ENTROPY_LOSS_LAYER_HPP_

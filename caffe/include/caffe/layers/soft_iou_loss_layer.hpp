// SoftIoULoss (ours): one minus the overlap of a soft mask and its label.
#ifndef CAFFE_SOFT_IOU_LOSS_LAYER_HPP_
#define CAFFE_SOFT_IOU_LOSS_LAYER_HPP_

#include <vector>

#include "caffe/layers/loss_layer.hpp"

namespace caffe {

/// For each item, with p = sigmoid(logit), labels y in [0, 1] and weights w (1 without a
/// third bottom):
///   1 - (sum w p y + smooth) / (sum w (p + y - p y) + smooth);
/// the loss is the mean over the batch. An item whose weights are all 0 gives 0. The
/// weight holds one number a position or one an item. Gradient only to the logits.
template <typename Dtype>
class SoftIoULossLayer : public LossLayer<Dtype> {
 public:
  explicit SoftIoULossLayer(const LayerParameter& param) : LossLayer<Dtype>(param) {}
  void LayerSetUp(const vector<Blob<Dtype>*>& bottom,
                  const vector<Blob<Dtype>*>& top) override;
  void Reshape(const vector<Blob<Dtype>*>& bottom,
               const vector<Blob<Dtype>*>& top) override;

  inline const char* type() const override { return "SoftIoULoss"; }
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

 private:
  PositionLoss<Dtype> positions_;  // holds the weights
  Blob<double> overlaps_;  // (items, 2): intersection and union of the last forward
};

}  // namespace caffe

#endif  // CAFFE_SOFT_IOU_LOSS_LAYER_HPP_

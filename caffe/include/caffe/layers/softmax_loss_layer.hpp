// SoftmaxWithLoss: cross-entropy of the softmax of scores.
#ifndef CAFFE_SOFTMAX_LOSS_LAYER_HPP_
#define CAFFE_SOFTMAX_LOSS_LAYER_HPP_

#include <vector>

#include "caffe/layers/loss_layer.hpp"

namespace caffe {

/// y = 1 / Z * sum over positions of -weight * ln max(p[label], FLT_MIN), p = softmax
/// over `softmax_param.axis`. Bottoms: scores; labels (outer * inner class numbers, such
/// as N x H x W for N x C x H x W); and, ours, an optional weight (see PositionLoss).
/// Gradient: w / Z * weight * (p - onehot), 0 where ignored. Top 1, if asked for, is p.
/// Z: PositionLoss; VALID by default. Errors: a number of labels that does not fit; a
/// label that is no class (on a device: after the net's pass, see CheckTargets); a loss
/// weight on top 1.
template <typename Dtype>
class SoftmaxWithLossLayer : public LossLayer<Dtype> {
 public:
  explicit SoftmaxWithLossLayer(const LayerParameter& param) : LossLayer<Dtype>(param) {}
  void LayerSetUp(const vector<Blob<Dtype>*>& bottom,
                  const vector<Blob<Dtype>*>& top) override;
  void Reshape(const vector<Blob<Dtype>*>& bottom,
               const vector<Blob<Dtype>*>& top) override;

  inline const char* type() const override { return "SoftmaxWithLoss"; }
  inline int ExactNumBottomBlobs() const override { return -1; }
  inline int MinBottomBlobs() const override { return 2; }
  inline int MaxBottomBlobs() const override { return 3; }
  inline bool AllowForceBackward(const int bottom_index) const override {
    return bottom_index == 0;
  }
  inline int ExactNumTopBlobs() const override { return -1; }
  inline int MinTopBlobs() const override { return 1; }
  inline int MaxTopBlobs() const override { return 2; }
  bool RepeatsOnDevice() const override { return true; }
  void CheckTargets(const vector<Blob<Dtype>*>& bottom) const override;

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
  Dtype Normalizer(const Blob<Dtype>& label);

  shared_ptr<Layer<Dtype>> softmax_layer_;
  Blob<Dtype> prob_;
  vector<Blob<Dtype>*> softmax_bottom_, softmax_top_;
  PositionLoss<Dtype> positions_;
  int outer_ = 0, classes_ = 0, inner_ = 0;
  Blob<Dtype> normalizer_{vector<int>()};  // Z of the last forward, one number
};

}  // namespace caffe

#endif  // CAFFE_SOFTMAX_LOSS_LAYER_HPP_

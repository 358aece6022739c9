// Accuracy: the share of positions whose class is among the top_k scores.
#ifndef CAFFE_ACCURACY_LAYER_HPP_
#define CAFFE_ACCURACY_LAYER_HPP_

#include <vector>

#include "caffe/blob.hpp"
#include "caffe/layer.hpp"

namespace caffe {

/// Bottoms: scores; labels (outer * inner class numbers around `axis`). A position is
/// right if fewer than top_k other classes score at least as high as the true one (ties
/// count against it; NaN is wrong). Top 0: right / counted, 0 if nothing counted; top 1,
/// if asked for: the same for each class. Positions with `ignore_label` do not count. A
/// label that is no class is an error; on a device it makes top 0 NaN, and who reads that
/// asks CheckTargets (solver and `caffe test` do). No gradient.
template <typename Dtype>
class AccuracyLayer : public Layer<Dtype> {
 public:
  explicit AccuracyLayer(const LayerParameter& param) : Layer<Dtype>(param) {}
  void Reshape(const vector<Blob<Dtype>*>& bottom,
               const vector<Blob<Dtype>*>& top) override;

  inline const char* type() const override { return "Accuracy"; }
  inline int ExactNumBottomBlobs() const override { return 2; }
  inline int MinTopBlobs() const override { return 1; }
  inline int MaxTopBlobs() const override { return 2; }
  inline bool AllowForceBackward(const int) const override { return false; }
  bool RepeatsOnDevice() const override { return true; }

  /// An error for a label that is no class.
  void CheckTargets(const vector<Blob<Dtype>*>& bottom) const;

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
  bool Ignores(Dtype label) const {
    const AccuracyParameter& param = this->layer_param_.accuracy_param();
    return param.has_ignore_label() && label == label &&
           static_cast<int>(label) == param.ignore_label();
  }

  int outer_ = 0, classes_ = 0, inner_ = 0;
};

}  // namespace caffe

#endif  // CAFFE_ACCURACY_LAYER_HPP_

// LossLayer: the base of layers that end in one number, and what losses over positions
// share.
#ifndef CAFFE_LOSS_LAYER_HPP_
#define CAFFE_LOSS_LAYER_HPP_

#include <vector>

#include "caffe/blob.hpp"
#include "caffe/device/body.hpp"
#include "caffe/layer.hpp"
#include "caffe/proto/caffe.pb.h"

namespace caffe {

const float kLOG_THRESHOLD = 1e-20;

/// Bottom 0 = prediction, bottom 1 = target; top 0 has 0 axes. loss_weight is 1 unless
/// given.
template <typename Dtype>
class LossLayer : public Layer<Dtype> {
 public:
  explicit LossLayer(const LayerParameter& param) : Layer<Dtype>(param) {}
  void LayerSetUp(const vector<Blob<Dtype>*>& bottom,
                  const vector<Blob<Dtype>*>& top) override;
  void Reshape(const vector<Blob<Dtype>*>& bottom,
               const vector<Blob<Dtype>*>& top) override;

  inline int ExactNumBottomBlobs() const override { return 2; }
  inline int ExactNumTopBlobs() const override { return 1; }
  inline bool AutoTopBlobs() const override { return true; }
  inline bool AllowForceBackward(const int bottom_index) const override {
    return bottom_index != 1;
  }

  /// An error for targets that the loss is not defined for, such as a label that is no
  /// class. A kernel cannot throw: on a device the loss of these is NaN, and the net, who
  /// sees that, asks here.
  virtual void CheckTargets(const vector<Blob<Dtype>*>& /*bottom*/) const {}

 protected:
  /// An error for gradients that do not exist: those of labels and weights.
  void CheckOnlyPrediction(const vector<bool>& propagate_down) const;
};

/// How a loss over outer x inner positions is divided, and what a position counts.
///
/// differs: an optional third bottom holds a weight for each position (outer * inner
/// numbers) or each item (outer numbers); the loss of a position is multiplied by it.
/// With VALID normalisation the divisor is then the sum of the weights of the positions
/// that are not ignored; FULL, BATCH_SIZE and NONE stay as they are.
template <typename Dtype>
class PositionLoss {
 public:
  /// `default_mode` holds where loss_param gives neither normalization nor normalize.
  PositionLoss(const LossParameter& param, LossParameter_NormalizationMode default_mode);
  PositionLoss() = default;

  /// Takes the shape and checks the weights' (null: none).
  void SetShape(int outer, int inner, const Blob<Dtype>* weight);
  bool has_weight() const { return weight_ != nullptr; }
  /// The weight of each position, as a function.
  struct Weights {
    const Dtype* data = nullptr;
    int inner = 1;  ///< positions that share one weight
    CAFFE_HD Dtype operator()(int position) const {
      if (data == nullptr) return Dtype(1);
      return data[inner == 1 ? position : position / inner];
    }
  };
  Weights weights() const;
  /// With the device's pointer.
  Weights gpu_weights() const;

  /// Which targets do not count, as a function.
  struct Ignored {
    bool has_label = false;
    int label = 0;
    CAFFE_HD bool operator()(Dtype target) const {
      return has_label && target == target && static_cast<int>(target) == label;
    }
  };
  Ignored ignored() const { return {has_ignore_label_, ignore_label_}; }
  bool ignores(Dtype target) const { return ignored()(target); }
  bool has_ignore_label() const { return has_ignore_label_; }
  LossParameter_NormalizationMode mode() const { return mode_; }
  /// The divisor; `valid` is the number of positions that are not ignored, or the sum of
  /// their weights. Never 0: without anything valid the loss is 0 / 1.
  Dtype normalizer(LossParameter_NormalizationMode mode, Dtype valid) const;
  /// The same as a function of what is valid, for kernels.
  struct Divisor {
    int counts_valid = 1;  ///< else `fixed` is the divisor
    int has_weight = 0;
    Dtype fixed = 1;
    CAFFE_HD Dtype operator()(double valid) const {
      if (!counts_valid) return fixed;
      if (has_weight) return valid > 0 ? static_cast<Dtype>(valid) : Dtype(1);
      return valid > 1 ? static_cast<Dtype>(valid) : Dtype(1);
    }
  };
  Divisor divisor() const;

 private:
  LossParameter_NormalizationMode mode_ = LossParameter_NormalizationMode_VALID;
  bool has_ignore_label_ = false;
  int ignore_label_ = 0;
  int outer_ = 0, inner_ = 0;
  const Blob<Dtype>* weight_ = nullptr;
};

/// The class that a label names. Error (value, position) if it is not in [0, classes).
template <typename Dtype>
int class_of_label(Dtype label, int position, int classes) {
  CHECK_VALUE(label > Dtype(-1) && label < Dtype(classes))
      << "label " << label << " at position " << position << " is not a class of 0 to "
      << classes - 1;
  return static_cast<int>(label);
}

}  // namespace caffe

#endif  // CAFFE_LOSS_LAYER_HPP_

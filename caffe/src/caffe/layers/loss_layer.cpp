// LossLayer: the default loss weight and the 0-axis top; divisors of losses over
// positions.
#include "caffe/layers/loss_layer.hpp"

#include <algorithm>

namespace caffe {

template <typename Dtype>
void LossLayer<Dtype>::LayerSetUp(const vector<Blob<Dtype>*>&,
                                  const vector<Blob<Dtype>*>& top) {
  if (this->layer_param_.loss_weight_size() > 0) return;
  this->layer_param_.add_loss_weight(1);
  for (size_t i = 1; i < top.size(); ++i) this->layer_param_.add_loss_weight(0);
}

template <typename Dtype>
void LossLayer<Dtype>::Reshape(const vector<Blob<Dtype>*>& bottom,
                               const vector<Blob<Dtype>*>& top) {
  const auto items = [](const Blob<Dtype>& blob) {
    return blob.num_axes() > 0 ? blob.shape(0) : 1;
  };
  CHECK_EQ(items(*bottom[0]), items(*bottom[1]))
      << "the prediction, shape " << bottom[0]->shape_string()
      << ", and the target, shape " << bottom[1]->shape_string()
      << ", hold different numbers of items";
  top[0]->Reshape(vector<int>());
}

template <typename Dtype>
void LossLayer<Dtype>::CheckOnlyPrediction(const vector<bool>& propagate_down) const {
  for (size_t i = 1; i < propagate_down.size(); ++i) {
    CHECK(!propagate_down[i]) << this->type() << " has no gradient for bottom " << i
                              << ": labels and weights take none";
  }
}

template <typename Dtype>
PositionLoss<Dtype>::PositionLoss(const LossParameter& param,
                                  LossParameter_NormalizationMode default_mode)
    : mode_(default_mode),
      has_ignore_label_(param.has_ignore_label()),
      ignore_label_(param.ignore_label()) {
  if (param.has_normalization()) {
    mode_ = param.normalization();
  } else if (param.has_normalize()) {
    mode_ = param.normalize() ? LossParameter_NormalizationMode_VALID
                              : LossParameter_NormalizationMode_BATCH_SIZE;
  }
}

template <typename Dtype>
void PositionLoss<Dtype>::SetShape(int outer, int inner, const Blob<Dtype>* weight) {
  outer_ = outer;
  inner_ = inner;
  weight_ = weight;
  if (weight == nullptr) return;
  CHECK(weight->count() == outer * inner || weight->count() == outer)
      << "the weight, shape " << weight->shape_string()
      << ", must hold one number for each of " << outer << " x " << inner
      << " positions, or for each of the " << outer << " items";
}

template <typename Dtype>
typename PositionLoss<Dtype>::Weights PositionLoss<Dtype>::weights() const {
  Weights weights;
  if (weight_ == nullptr) return weights;
  weights.data = weight_->cpu_data();
  weights.inner = weight_->count() == outer_ * inner_ ? 1 : inner_;
  return weights;
}

template <typename Dtype>
typename PositionLoss<Dtype>::Weights PositionLoss<Dtype>::gpu_weights() const {
  Weights weights;
  if (weight_ == nullptr) return weights;
  weights.data = weight_->gpu_data();
  weights.inner = weight_->count() == outer_ * inner_ ? 1 : inner_;
  return weights;
}

template <typename Dtype>
typename PositionLoss<Dtype>::Divisor PositionLoss<Dtype>::divisor() const {
  Divisor divisor;
  divisor.counts_valid = mode_ == LossParameter_NormalizationMode_VALID;
  divisor.has_weight = has_weight();
  divisor.fixed = divisor.counts_valid ? Dtype(1) : normalizer(mode_, 1);
  return divisor;
}

template <typename Dtype>
Dtype PositionLoss<Dtype>::normalizer(LossParameter_NormalizationMode mode,
                                      Dtype valid) const {
  switch (mode) {
    case LossParameter_NormalizationMode_FULL:
      return std::max<Dtype>(1, static_cast<Dtype>(outer_) * inner_);
    case LossParameter_NormalizationMode_VALID:
      if (has_weight()) return valid > 0 ? valid : Dtype(1);
      return std::max<Dtype>(1, valid);
    case LossParameter_NormalizationMode_BATCH_SIZE:
      return std::max<Dtype>(1, static_cast<Dtype>(outer_));
    case LossParameter_NormalizationMode_NONE:
      return 1;
  }
  CAFFE_THROW(kValue) << "unknown normalization mode " << static_cast<int>(mode);
}

INSTANTIATE_CLASS(LossLayer);
template class PositionLoss<float>;
template class PositionLoss<double>;

}  // namespace caffe

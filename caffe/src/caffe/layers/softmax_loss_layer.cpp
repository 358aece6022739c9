// SoftmaxWithLoss: an inner Softmax, then the labels' probabilities.
#include "caffe/layers/softmax_loss_layer.hpp"

#include <cfloat>
#include <cmath>

#include "caffe/layer_factory.hpp"
#include "caffe/util/parallel_sum.hpp"
#include "caffe/util/vector_math.hpp"

namespace caffe {

namespace {
constexpr int kPiece = 1024;
}

template <typename Dtype>
void SoftmaxWithLossLayer<Dtype>::LayerSetUp(const vector<Blob<Dtype>*>& bottom,
                                             const vector<Blob<Dtype>*>& top) {
  LossLayer<Dtype>::LayerSetUp(bottom, top);
  if (top.size() > 1 && this->layer_param_.loss_weight_size() > 1) {
    CHECK_EQ(this->layer_param_.loss_weight(1), 0.f)
        << "the second top of SoftmaxWithLoss, the probabilities, cannot carry a loss "
           "weight";
  }
  LayerParameter softmax_param(this->layer_param_);
  softmax_param.set_type("Softmax");
  softmax_param.clear_loss_weight();
  softmax_param.clear_blobs();
  softmax_layer_ = LayerRegistry<Dtype>::CreateLayer(softmax_param);
  softmax_bottom_ = {bottom[0]};
  softmax_top_ = {&prob_};
  softmax_layer_->SetUp(softmax_bottom_, softmax_top_);
  positions_ = PositionLoss<Dtype>(this->layer_param_.loss_param(),
                                   LossParameter_NormalizationMode_VALID);
}

template <typename Dtype>
void SoftmaxWithLossLayer<Dtype>::Reshape(const vector<Blob<Dtype>*>& bottom,
                                          const vector<Blob<Dtype>*>& top) {
  LossLayer<Dtype>::Reshape(bottom, top);
  softmax_bottom_ = {bottom[0]};
  softmax_layer_->Reshape(softmax_bottom_, softmax_top_);
  const int axis =
      bottom[0]->CanonicalAxisIndex(this->layer_param_.softmax_param().axis());
  outer_ = bottom[0]->count(0, axis);
  classes_ = bottom[0]->shape(axis);
  inner_ = bottom[0]->count(axis + 1);
  CHECK_EQ(outer_ * inner_, bottom[1]->count())
      << "the number of labels must be that of predictions: scores of shape "
      << bottom[0]->shape_string() << " need " << outer_ * inner_
      << " labels (N*H*W for N x C x H x W, each a class number in [0, C)), not "
      << bottom[1]->shape_string();
  positions_.SetShape(outer_, inner_, bottom.size() > 2 ? bottom[2] : nullptr);
  if (top.size() > 1) {
    top[1]->ReshapeLike(*bottom[0]);
    top[1]->ShareData(prob_);
  }
}

template <typename Dtype>
Dtype SoftmaxWithLossLayer<Dtype>::get_normalizer(LossParameter_NormalizationMode mode,
                                                  int valid_count) {
  return positions_.normalizer(mode, static_cast<Dtype>(valid_count));
}

template <typename Dtype>
Dtype SoftmaxWithLossLayer<Dtype>::Normalizer(const Blob<Dtype>& label) {
  const Dtype* labels = label.cpu_data();
  const auto weights = positions_.weights();
  const auto ignored = positions_.ignored();
  const double valid = parallel_sum_of(label.count(), [=](std::int64_t i) {
    return ignored(labels[i]) ? Dtype(0) : weights(static_cast<int>(i));
  });
  if (!positions_.has_weight()) {
    return get_normalizer(positions_.mode(), static_cast<int>(valid));
  }
  return positions_.normalizer(positions_.mode(), static_cast<Dtype>(valid));
}

template <typename Dtype>
void SoftmaxWithLossLayer<Dtype>::Forward_cpu(const vector<Blob<Dtype>*>& bottom,
                                              const vector<Blob<Dtype>*>& top) {
  softmax_layer_->Forward(softmax_bottom_, softmax_top_);
  const Dtype *prob = prob_.cpu_data(), *labels = bottom[1]->cpu_data();
  const auto weights = positions_.weights();
  const std::int64_t inner = inner_;
  const auto piece_loss = [&](std::int64_t begin, std::int64_t end) {
    Dtype log_prob[kPiece] = {};  // ignored positions: ln 1
    for (std::int64_t i = begin; i < end; ++i) {
      log_prob[i - begin] = 1;
      if (positions_.ignores(labels[i])) continue;
      const int c = class_of_label(labels[i], static_cast<int>(i), classes_);
      const Dtype p = prob[(i / inner * classes_ + c) * inner + i % inner];
      log_prob[i - begin] = std::max(p, Dtype(FLT_MIN));
    }
    vector_log(end - begin, log_prob, log_prob);
    double sum = 0;
    for (std::int64_t i = begin; i < end; ++i) {
      sum -= weights(static_cast<int>(i)) * log_prob[i - begin];
    }
    return sum;
  };
  const double loss = parallel_sum(bottom[1]->count(), piece_loss, kPiece);
  const Dtype normalizer = Normalizer(*bottom[1]);
  normalizer_.mutable_cpu_data()[0] = normalizer;
  top[0]->mutable_cpu_data()[0] = static_cast<Dtype>(loss / normalizer);
  if (top.size() > 1) top[1]->ShareData(prob_);
}

template <typename Dtype>
void SoftmaxWithLossLayer<Dtype>::Backward_cpu(const vector<Blob<Dtype>*>& top,
                                               const vector<bool>& propagate_down,
                                               const vector<Blob<Dtype>*>& bottom) {
  this->CheckOnlyPrediction(propagate_down);
  if (!propagate_down[0]) return;
  const Dtype *prob = prob_.cpu_data(), *labels = bottom[1]->cpu_data();
  Dtype* diff = bottom[0]->mutable_cpu_diff();
  const Dtype scale = top[0]->cpu_diff()[0] / normalizer_.cpu_data()[0];
  const auto weights = positions_.weights();
  const std::int64_t inner = inner_;
  parallel_ranges(bottom[1]->count(), 4096, [&](std::int64_t begin, std::int64_t end) {
    for (int c = 0; c < classes_; ++c) {
      for (std::int64_t i = begin; i < end; ++i) {
        const std::int64_t at = (i / inner * classes_ + c) * inner + i % inner;
        const bool ignored = positions_.ignores(labels[i]);
        const Dtype target = static_cast<int>(labels[i]) == c ? Dtype(1) : Dtype(0);
        diff[at] = ignored ? Dtype(0)
                           : scale * weights(static_cast<int>(i)) * (prob[at] - target);
      }
    }
  });
}

template <typename Dtype>
void SoftmaxWithLossLayer<Dtype>::CheckTargets(const vector<Blob<Dtype>*>& bottom) const {
  const Dtype* labels = bottom[1]->cpu_data();
  for (int i = 0; i < bottom[1]->count(); ++i) {
    if (!positions_.ignores(labels[i])) class_of_label(labels[i], i, classes_);
  }
}

INSTANTIATE_CLASS(SoftmaxWithLossLayer);
REGISTER_LAYER_CLASS(SoftmaxWithLoss);

}  // namespace caffe

// DifferenceLossLayer: the base of L1Loss and LpqLoss.
#ifndef CAFFE_DIFFERENCE_LOSS_LAYER_HPP_
#define CAFFE_DIFFERENCE_LOSS_LAYER_HPP_

#include <cmath>
#include <vector>

#include "caffe/backend/map_difference.hpp"
#include "caffe/blob.hpp"
#include "caffe/layers/loss_layer.hpp"
#include "caffe/util/parallel_for.hpp"
#include "caffe/util/parallel_sum.hpp"

namespace caffe {

/// One bottom d or two bottoms a, b of equal shape, d = a - b (N, C, H, W); top: one
/// number, L = 1/Z times a sum of terms. Z = N, or the number of known entries divided by
/// C.
///
/// A `Rule` is a MapDifference with the formula: `terms(count)` terms, `loss(term)` of
/// each, and `write_gradient(term, scale, diff)` for the entries of diff that it reads.
template <typename Dtype>
class DifferenceLossLayer : public LossLayer<Dtype> {
 public:
  explicit DifferenceLossLayer(const LayerParameter& param) : LossLayer<Dtype>(param) {}
  void Reshape(const vector<Blob<Dtype>*>& bottom,
               const vector<Blob<Dtype>*>& top) override {
    CHECK_VALUE(bottom[0]->num_axes() == 4)
        << where() << "a bottom (N, C, H, W) is needed, not "
        << bottom[0]->shape_string();
    CHECK_VALUE(bottom.size() == 1 || bottom[0]->shape() == bottom[1]->shape())
        << where() << "both bottoms must have the same shape; they are "
        << bottom[0]->shape_string() << " and " << bottom[1]->shape_string();
    top[0]->Reshape(vector<int>());
  }

  int ExactNumBottomBlobs() const override { return -1; }
  int MinBottomBlobs() const override { return 1; }
  int MaxBottomBlobs() const override { return 2; }
  bool AllowForceBackward(const int) const override { return true; }

 protected:
  typedef vector<Blob<Dtype>*> Blobs;

  string where() const {
    return this->type() + (" layer '" + this->layer_param_.name()) + "': ";
  }
  /// Errors for a setting that makes no loss: what `why` says goes wrong.
  void CheckNotNegative(const string& setting, double value, const string& why) const {
    CHECK_VALUE(value >= 0 && std::isfinite(value))
        << where() << setting << " must be 0 or more, not " << value << ": " << why;
  }
  void CheckPositive(const string& setting, double value, const string& why) const {
    CHECK_VALUE(value > 0 && std::isfinite(value))
        << where() << setting << " must be more than 0, not " << value << ": " << why;
  }

  static MapDifference<Dtype> OnHost(const Blobs& bottom) {
    return {bottom[0]->cpu_data(), bottom.size() > 1 ? bottom[1]->cpu_data() : nullptr,
            bottom[0]->channels(), bottom[0]->count(2)};
  }
  static MapDifference<Dtype> OnDevice(const Blobs& bottom) {
    return {bottom[0]->gpu_data(), bottom.size() > 1 ? bottom[1]->gpu_data() : nullptr,
            bottom[0]->channels(), bottom[0]->count(2)};
  }

  /// On the host: the loss, and normalizer_.
  template <typename Rule>
  Dtype LossOnHost(const Rule& rule, bool by_entries, const Blob<Dtype>& bottom) {
    double divisor = bottom.num();
    if (by_entries) {
      divisor = parallel_sum_of(bottom.count(), [=](std::int64_t i) {
        return rule.is_known(rule.at(i)) ? 1. : 0.;
      });
      divisor /= rule.channels;
    }
    const double normalizer = divisor > 0 ? 1 / divisor : 0;
    normalizer_.mutable_cpu_data()[0] = normalizer;
    const double sum = parallel_sum_of(rule.terms(bottom.count()), [=](std::int64_t i) {
      return rule.loss(static_cast<int>(i));
    });
    return static_cast<Dtype>(normalizer * sum);
  }
  /// On the host: the gradients of the bottoms that want one.
  template <typename Rule>
  void GradientsOnHost(const Rule& rule, Dtype top_diff,
                       const vector<bool>& propagate_down, const Blobs& bottom) {
    for (size_t side = 0; side < bottom.size(); ++side) {
      if (!propagate_down[side]) continue;
      const double scale = (side == 0 ? 1 : -1) * normalizer_.cpu_data()[0] * top_diff;
      Dtype* diff = bottom[side]->mutable_cpu_diff();
      for_each_index(rule.terms(bottom[side]->count()), [=](std::int64_t i) {
        rule.write_gradient(static_cast<int>(i), scale, diff);
      });
    }
  }

  /// 1/Z of the last forward pass, one number; 0 where nothing was known.
  Blob<double> normalizer_{vector<int>()};
};

}  // namespace caffe

#endif  // CAFFE_DIFFERENCE_LOSS_LAYER_HPP_

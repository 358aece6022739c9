// LpqLoss: the p-th power over channels, the q-th over places, by a schedule.
#ifndef CAFFE_LPQ_LOSS_LAYER_HPP_
#define CAFFE_LPQ_LOSS_LAYER_HPP_

#include <vector>

#include "caffe/backend/lpq_difference.hpp"
#include "caffe/blob.hpp"
#include "caffe/layers/difference_loss_layer.hpp"

namespace caffe {

/// One bottom d or two bottoms a, b of equal shape, d = a - b (N, C, H, W); top: one
/// number. L = 1/Z sum over n, y, x of (omega sum_c (|d| + p_epsilon)^p + q_epsilon)^q;
/// omega = 1/C with l2_prescale_by_channels, else 1. L1 is p = q = 1, the end-point error
/// p = 2, q = 0.5. Entries where d is NaN count as 0 and have no gradient. Z = N, or with
/// normalize_by_num_entries the number of entries that are not NaN, divided by C.
///
/// Schedule: entry k of p and q holds from training iteration
/// pq_episode_starts_at_iter[k] on (0 outside a net); test nets follow the training.
///
/// From FlowNet2 (facts: layers_flow.md 4.2).
/// differs: the derivative at d = 0 is 0 (there -1, or NaN for other p without
/// p_epsilon); without any known entry loss and gradient are 0 under
/// normalize_by_num_entries; the schedule can go back and holds in test nets; with one
/// bottom NaN stays in the bottom; exponents must be above 0, epsilons not below.
template <typename Dtype>
class LpqLossLayer : public DifferenceLossLayer<Dtype> {
 public:
  explicit LpqLossLayer(const LayerParameter& param)
      : DifferenceLossLayer<Dtype>(param) {}
  void LayerSetUp(const vector<Blob<Dtype>*>& bottom,
                  const vector<Blob<Dtype>*>& top) override;

  const char* type() const override { return "LpqLoss"; }
  bool RepeatsOnDevice() const override {  // without a schedule
    return this->layer_param_.lpq_loss_param().p_size() == 1;
  }

 protected:
  void Forward_cpu(const vector<Blob<Dtype>*>& bottom,
                   const vector<Blob<Dtype>*>& top) override;
  void Forward_gpu(const vector<Blob<Dtype>*>& bottom,
                   const vector<Blob<Dtype>*>& top) override;
  void Backward_cpu(const vector<Blob<Dtype>*>& top, const vector<bool>& propagate_down,
                    const vector<Blob<Dtype>*>& bottom) override;
  void Backward_gpu(const vector<Blob<Dtype>*>& top, const vector<bool>& propagate_down,
                    const vector<Blob<Dtype>*>& bottom) override;

 private:
  /// The entry of the schedule that holds at an iteration.
  int EpisodeAt(int iteration) const;
  /// The loss by the exponents of this pass.
  LpqDifference<Dtype> Rule(const MapDifference<Dtype>& difference) const;
  bool by_entries() const {
    return this->layer_param_.lpq_loss_param().normalize_by_num_entries();
  }

  int episode_ = 0;  ///< of the last forward pass
};

}  // namespace caffe

#endif  // CAFFE_LPQ_LOSS_LAYER_HPP_

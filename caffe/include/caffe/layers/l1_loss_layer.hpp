// L1Loss: absolute difference or end-point error, without the places of unknown truth.
#ifndef CAFFE_L1_LOSS_LAYER_HPP_
#define CAFFE_L1_LOSS_LAYER_HPP_

#include <vector>

#include "caffe/blob.hpp"
#include "caffe/layers/difference_loss_layer.hpp"

namespace caffe {

/// One bottom d or two bottoms a, b of equal shape, d = a - b (N, C, H, W); top: one
/// number. Entries where d is NaN are left out: d = 0 and no gradient there.
///
/// Default: L = 1/Z sum |d|; differences smaller than `plateau` are left out.
/// l2_per_location: L = 1/Z sum over n, y, x of (s + epsilon)^power, s = omega sum_c d^2,
/// omega = 1/C with l2_prescale_by_channels, else 1; places with s < plateau^2 count as s
/// = 0, without gradient. (Places of unknown truth add epsilon^power each: the published
/// losses.) Z = N, or with normalize_by_num_entries the number of entries that are not
/// NaN, divided by C.
///
/// From the flow forks (facts: layers_flow.md 4.1).
/// differs: the derivative of |d| at 0 is 0 (there -1); with one bottom NaN stays in the
/// bottom; without any known entry loss and gradient are 0 under normalize_by_num_entries
/// (there NaN); negative plateau, epsilon, power and a power of 0 are errors.
template <typename Dtype>
class L1LossLayer : public DifferenceLossLayer<Dtype> {
 public:
  explicit L1LossLayer(const LayerParameter& param) : DifferenceLossLayer<Dtype>(param) {}
  void LayerSetUp(const vector<Blob<Dtype>*>& bottom,
                  const vector<Blob<Dtype>*>& top) override;

  const char* type() const override { return "L1Loss"; }
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

#endif  // CAFFE_L1_LOSS_LAYER_HPP_

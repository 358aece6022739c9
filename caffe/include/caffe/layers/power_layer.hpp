// Power: y = (shift + scale * x) ^ power.
#ifndef CAFFE_POWER_LAYER_HPP_
#define CAFFE_POWER_LAYER_HPP_

#include <vector>

#include "caffe/layers/neuron_layer.hpp"

namespace caffe {

/// Gradient: power * scale * (shift + scale * x)^(power - 1) * g, without a division
/// (differs: BVLC's was NaN at base 0). In place it keeps a copy of x unless power is 1
/// or the result constant.
template <typename Dtype>
class PowerLayer : public NeuronLayer<Dtype> {
 public:
  explicit PowerLayer(const LayerParameter& param) : NeuronLayer<Dtype>(param) {}
  void LayerSetUp(const vector<Blob<Dtype>*>& bottom,
                  const vector<Blob<Dtype>*>& top) override;

  inline const char* type() const override { return "Power"; }
  bool RepeatsOnDevice() const override { return true; }

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
  bool constant() const { return power_ == Dtype(0) || scale_ == Dtype(0); }

  Dtype power_ = 1, scale_ = 1, shift_ = 0;
  Blob<Dtype> input_;  // x, where the layer works in place and its gradient needs x
};

}  // namespace caffe

#endif  // CAFFE_POWER_LAYER_HPP_

// ReLU: y = max(x, 0) + negative_slope * min(x, 0).
#ifndef CAFFE_RELU_LAYER_HPP_
#define CAFFE_RELU_LAYER_HPP_

#include <vector>

#include "caffe/backend/epilogue.hpp"
#include "caffe/layers/neuron_layer.hpp"

namespace caffe {

/// Gradient: g where x > 0, else negative_slope * g. In place it is read from the sign of
/// y, which is x's sign unless the slope is negative: then in-place backward is an error
/// (differs: BVLC gave a wrong gradient).
template <typename Dtype>
class ReLULayer : public NeuronLayer<Dtype>, public ActivationRole {
 public:
  explicit ReLULayer(const LayerParameter& param) : NeuronLayer<Dtype>(param) {}

  inline const char* type() const override { return "ReLU"; }
  Activation activation() const override;
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
};

}  // namespace caffe

#endif  // CAFFE_RELU_LAYER_HPP_

// PReLU: y = max(x, 0) + slope[c] * min(x, 0) with learned slopes.
#ifndef CAFFE_PRELU_LAYER_HPP_
#define CAFFE_PRELU_LAYER_HPP_

#include <vector>

#include "caffe/layers/neuron_layer.hpp"

namespace caffe {

/// One slope a channel (axis 1), or one in all with `channel_shared`; `filler` 0.25
/// unless given. Gradient: g where x > 0, else slope * g; for the slope the sum of g x
/// where x <= 0. In place a copy of x is kept. Errors: fewer than 2 axes; slopes of
/// another count.
template <typename Dtype>
class PReLULayer : public NeuronLayer<Dtype> {
 public:
  explicit PReLULayer(const LayerParameter& param) : NeuronLayer<Dtype>(param) {}
  void LayerSetUp(const vector<Blob<Dtype>*>& bottom,
                  const vector<Blob<Dtype>*>& top) override;
  void Reshape(const vector<Blob<Dtype>*>& bottom,
               const vector<Blob<Dtype>*>& top) override;

  inline const char* type() const override { return "PReLU"; }
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
  // The slopes as one a channel.
  vector<Dtype> Slopes(int channels) const;

  bool channel_shared_ = false;
  Blob<Dtype> input_;  // x, where the layer works in place
};

}  // namespace caffe

#endif  // CAFFE_PRELU_LAYER_HPP_

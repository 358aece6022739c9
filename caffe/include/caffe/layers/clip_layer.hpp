// Clip: y = max(min, min(x, max)).
#ifndef CAFFE_CLIP_LAYER_HPP_
#define CAFFE_CLIP_LAYER_HPP_

#include <vector>

#include "caffe/backend/epilogue.hpp"
#include "caffe/layers/neuron_layer.hpp"

namespace caffe {

/// Gradient: g where min <= x <= max, else 0.
/// differs: in place the gradient is that of min < y < max, because y at a bound does not
/// tell whether x was beyond it (BVLC's mask was 1 everywhere). Errors: min or max
/// missing, min > max.
template <typename Dtype>
class ClipLayer : public NeuronLayer<Dtype>, public ActivationRole {
 public:
  explicit ClipLayer(const LayerParameter& param) : NeuronLayer<Dtype>(param) {}
  void LayerSetUp(const vector<Blob<Dtype>*>& bottom,
                  const vector<Blob<Dtype>*>& top) override;

  inline const char* type() const override { return "Clip"; }
  bool RepeatsOnDevice() const override { return true; }
  Activation activation() const override;

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
  Dtype min_ = 0, max_ = 0;
};

}  // namespace caffe

#endif  // CAFFE_CLIP_LAYER_HPP_

// Dropout: zeroes a share of the values in training.
#ifndef CAFFE_DROPOUT_LAYER_HPP_
#define CAFFE_DROPOUT_LAYER_HPP_

#include <vector>

#include "caffe/layers/dropout_mask.hpp"
#include "caffe/layers/neuron_layer.hpp"
#include "caffe/util/blocked_layout.hpp"

namespace caffe {

/// TRAIN: y = x m / (1 - ratio), m = 1 with probability 1 - ratio; g likewise. TEST: the
/// identity. m is a function of a seed, drawn once a forward pass from the thread's
/// generator, and of the value's row-major position; so it needs no memory and is the
/// same in every layout and on every device. Errors: a ratio outside [0, 1).
template <typename Dtype>
class DropoutLayer : public NeuronLayer<Dtype> {
 public:
  explicit DropoutLayer(const LayerParameter& param) : NeuronLayer<Dtype>(param) {}
  void LayerSetUp(const vector<Blob<Dtype>*>& bottom,
                  const vector<Blob<Dtype>*>& top) override;

  inline const char* type() const override { return "Dropout"; }
  bool RepeatsOnDevice() const override { return this->phase_ == TEST; }

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
  void DrawMask();           // for a forward pass
  DropoutMask Mask() const;  // of the last forward pass

  Dtype ratio_ = 0;
  unsigned int seed_[2] = {0, 0};  // of the last forward pass
};

}  // namespace caffe

#endif  // CAFFE_DROPOUT_LAYER_HPP_

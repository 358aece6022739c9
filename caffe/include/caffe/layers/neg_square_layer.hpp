// NegSquare: y = -x^2.
#ifndef CAFFE_NEG_SQUARE_LAYER_HPP_
#define CAFFE_NEG_SQUARE_LAYER_HPP_

#include <cstdint>
#include <vector>

#include "caffe/device/body.hpp"
#include "caffe/layers/neuron_layer.hpp"

namespace caffe {

/// y[i] = -x[i]^2.
template <typename Dtype>
struct NegSquareValue {
  const Dtype* x;
  Dtype* y;
  CAFFE_HD void operator()(std::int64_t i) const { y[i] = -x[i] * x[i]; }
};

/// dx[i] = -2 x[i] g[i].
template <typename Dtype>
struct NegSquareGradient {
  const Dtype *g, *x;
  Dtype* dx;
  CAFFE_HD void operator()(std::int64_t i) const { dx[i] = Dtype(-2) * x[i] * g[i]; }
};

/// Gradient: -2 x g. Not in place (an error at set-up): it reads its input.
///
/// From LiteFlowNet (facts: layers_flow.md 5.3).
/// differs: there the gradient multiplies whatever was in the bottom's diff.
template <typename Dtype>
class NegSquareLayer : public NeuronLayer<Dtype> {
 public:
  explicit NegSquareLayer(const LayerParameter& param) : NeuronLayer<Dtype>(param) {}
  void LayerSetUp(const vector<Blob<Dtype>*>& bottom,
                  const vector<Blob<Dtype>*>& top) override;
  inline const char* type() const override { return "NegSquare"; }
  inline bool RepeatsOnDevice() const override { return true; }

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

#endif  // CAFFE_NEG_SQUARE_LAYER_HPP_

// NegReLU: y = min(x, 0) + negative_slope * max(x, 0).
#ifndef CAFFE_NEG_RELU_LAYER_HPP_
#define CAFFE_NEG_RELU_LAYER_HPP_

#include <cstdint>
#include <vector>

#include "caffe/device/body.hpp"
#include "caffe/layers/neuron_layer.hpp"

namespace caffe {

/// y[i]; NaN stays NaN.
template <typename Dtype>
struct NegReLUValue {
  const Dtype* x;
  Dtype* y;
  Dtype slope;
  CAFFE_HD void operator()(std::int64_t i) const {
    const Dtype value = x[i];
    y[i] = value > 0 ? slope * value : value;
  }
};

/// dx[i] from the top's diff g and x, or in place y, which has the sign of x.
template <typename Dtype>
struct NegReLUGradient {
  const Dtype *g, *x;
  Dtype* dx;
  Dtype slope;
  CAFFE_HD void operator()(std::int64_t i) const {
    const Dtype gradient = g[i];  // read in any case: so it is vectorised
    dx[i] = x[i] < 0 ? gradient : slope * gradient;
  }
};

/// The half of a signal that ReLU drops; `relu_param.negative_slope` is the slope of the
/// positive half. Gradient: g where x < 0, else negative_slope * g. In place it is read
/// from the sign of y; with a negative slope in-place backward is an error.
///
/// From the flow forks (facts: layers_flow.md 5.2).
/// differs: there in-place backward with a negative slope is silently wrong.
template <typename Dtype>
class NegReLULayer : public NeuronLayer<Dtype> {
 public:
  explicit NegReLULayer(const LayerParameter& param) : NeuronLayer<Dtype>(param) {}
  inline const char* type() const override { return "NegReLU"; }
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

 private:
  Dtype Slope() const { return this->layer_param_.relu_param().negative_slope(); }
  /// An error where the sign of the input is lost.
  void CheckBackward(const Blob<Dtype>* top, const Blob<Dtype>* bottom) const;
};

}  // namespace caffe

#endif  // CAFFE_NEG_RELU_LAYER_HPP_

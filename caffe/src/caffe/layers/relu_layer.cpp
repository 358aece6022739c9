// ReLU over whichever layout its input is in.
#include "caffe/layers/relu_layer.hpp"

#include "caffe/backend/elementwise.hpp"

namespace caffe {

template <typename Dtype>
Activation ReLULayer<Dtype>::activation() const {
  Activation activation;
  activation.kind = Activation::kReLU;
  activation.slope = this->layer_param_.relu_param().negative_slope();
  return activation;
}

template <typename Dtype>
void ReLULayer<Dtype>::Forward_cpu(const vector<Blob<Dtype>*>& bottom,
                                   const vector<Blob<Dtype>*>& top) {
  const Dtype slope = this->layer_param_.relu_param().negative_slope();
  const auto pass = forward_pass(*bottom[0], top[0]);
  const Dtype* x = pass.in[0];
  Dtype* y = pass.out;
  // NaN stays NaN, as in max(x, 0).
  if (slope == Dtype(0)) {
    for_each_index(pass.count, [=](std::int64_t i) {
      const Dtype value = x[i];
      y[i] = value < 0 ? Dtype(0) : value;
    });
  } else {
    for_each_index(pass.count, [=](std::int64_t i) {
      const Dtype value = x[i];
      y[i] = value < 0 ? slope * value : value;
    });
  }
}

template <typename Dtype>
void ReLULayer<Dtype>::Backward_cpu(const vector<Blob<Dtype>*>& top,
                                    const vector<bool>& propagate_down,
                                    const vector<Blob<Dtype>*>& bottom) {
  if (!propagate_down[0]) return;
  const Dtype slope = this->layer_param_.relu_param().negative_slope();
  CHECK(slope >= 0 || bottom[0] != top[0])
      << "ReLU with negative_slope " << slope
      << " cannot run backward in place: the sign of "
      << "its input is lost. Give its top another name";
  const auto pass = backward_pass(*top[0], *bottom[0], bottom[0]);
  const Dtype *g = pass.in[0], *x = pass.in[1];
  Dtype* dx = pass.out;
  if (slope == Dtype(0)) {
    for_each_index(pass.count, [=](std::int64_t i) {
      const Dtype gradient =
          g[i];  // read in any case: a conditional read is not vectorised
      dx[i] = x[i] > 0 ? gradient : Dtype(0);
    });
  } else {
    for_each_index(pass.count, [=](std::int64_t i) {
      const Dtype gradient = g[i];
      dx[i] = x[i] > 0 ? gradient : slope * gradient;
    });
  }
}

INSTANTIATE_CLASS(ReLULayer);
REGISTER_LAYER_CLASS(ReLU);

}  // namespace caffe

// NegReLU over whichever layout its input is in.
#include "caffe/layers/neg_relu_layer.hpp"

#include "caffe/backend/elementwise.hpp"

namespace caffe {

template <typename Dtype>
void NegReLULayer<Dtype>::CheckBackward(const Blob<Dtype>* top,
                                        const Blob<Dtype>* bottom) const {
  CHECK(Slope() >= 0 || bottom != top)
      << "NegReLU with negative_slope " << Slope()
      << " cannot run backward in place: the sign of its input is lost. Give its top "
      << "another name";
}

template <typename Dtype>
void NegReLULayer<Dtype>::Forward_cpu(const vector<Blob<Dtype>*>& bottom,
                                      const vector<Blob<Dtype>*>& top) {
  const auto pass = forward_pass(*bottom[0], top[0]);
  for_each_index(pass.count, NegReLUValue<Dtype>{pass.in[0], pass.out, Slope()});
}

template <typename Dtype>
void NegReLULayer<Dtype>::Backward_cpu(const vector<Blob<Dtype>*>& top,
                                       const vector<bool>& propagate_down,
                                       const vector<Blob<Dtype>*>& bottom) {
  if (!propagate_down[0]) return;
  CheckBackward(top[0], bottom[0]);
  const auto pass = backward_pass(*top[0], *bottom[0], bottom[0]);
  for_each_index(pass.count,
                 NegReLUGradient<Dtype>{pass.in[0], pass.in[1], pass.out, Slope()});
}

INSTANTIATE_CLASS(NegReLULayer);
REGISTER_LAYER_CLASS(NegReLU);

}  // namespace caffe

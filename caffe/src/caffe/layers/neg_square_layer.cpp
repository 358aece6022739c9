// NegSquare over whichever layout its input is in.
#include "caffe/layers/neg_square_layer.hpp"

#include "caffe/backend/elementwise.hpp"

namespace caffe {

template <typename Dtype>
void NegSquareLayer<Dtype>::LayerSetUp(const vector<Blob<Dtype>*>& bottom,
                                       const vector<Blob<Dtype>*>& top) {
  CHECK_VALUE(bottom[0] != top[0])
      << "NegSquare layer '" << this->layer_param_.name()
      << "' cannot work in place: its gradient reads its input. Give its top another "
      << "name";
}

template <typename Dtype>
void NegSquareLayer<Dtype>::Forward_cpu(const vector<Blob<Dtype>*>& bottom,
                                        const vector<Blob<Dtype>*>& top) {
  const auto pass = forward_pass(*bottom[0], top[0]);
  for_each_index(pass.count, NegSquareValue<Dtype>{pass.in[0], pass.out});
}

template <typename Dtype>
void NegSquareLayer<Dtype>::Backward_cpu(const vector<Blob<Dtype>*>& top,
                                         const vector<bool>& propagate_down,
                                         const vector<Blob<Dtype>*>& bottom) {
  if (!propagate_down[0]) return;
  const auto pass = backward_pass(*top[0], *bottom[0], bottom[0]);
  for_each_index(pass.count, NegSquareGradient<Dtype>{pass.in[0], pass.in[1], pass.out});
}

INSTANTIATE_CLASS(NegSquareLayer);
REGISTER_LAYER_CLASS(NegSquare);

}  // namespace caffe

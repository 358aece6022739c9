// NegReLU on the device.
#include "caffe/device/launch.hpp"
#include "caffe/layers/neg_relu_layer.hpp"

namespace caffe {

template <typename Dtype>
void NegReLULayer<Dtype>::Forward_gpu(const vector<Blob<Dtype>*>& bottom,
                                      const vector<Blob<Dtype>*>& top) {
  const Dtype* x = bottom[0]->gpu_data();
  launch(top[0]->count(), NegReLUValue<Dtype>{x, top[0]->mutable_gpu_data(), Slope()});
}

template <typename Dtype>
void NegReLULayer<Dtype>::Backward_gpu(const vector<Blob<Dtype>*>& top,
                                       const vector<bool>& propagate_down,
                                       const vector<Blob<Dtype>*>& bottom) {
  if (!propagate_down[0]) return;
  CheckBackward(top[0], bottom[0]);
  const Dtype *g = top[0]->gpu_diff(), *x = bottom[0]->gpu_data();
  launch(top[0]->count(),
         NegReLUGradient<Dtype>{g, x, bottom[0]->mutable_gpu_diff(), Slope()});
}

INSTANTIATE_LAYER_GPU_FUNCS(NegReLULayer);

}  // namespace caffe

// NegSquare on the device.
#include "caffe/device/launch.hpp"
#include "caffe/layers/neg_square_layer.hpp"

namespace caffe {

template <typename Dtype>
void NegSquareLayer<Dtype>::Forward_gpu(const vector<Blob<Dtype>*>& bottom,
                                        const vector<Blob<Dtype>*>& top) {
  launch(top[0]->count(),
         NegSquareValue<Dtype>{bottom[0]->gpu_data(), top[0]->mutable_gpu_data()});
}

template <typename Dtype>
void NegSquareLayer<Dtype>::Backward_gpu(const vector<Blob<Dtype>*>& top,
                                         const vector<bool>& propagate_down,
                                         const vector<Blob<Dtype>*>& bottom) {
  if (!propagate_down[0]) return;
  launch(top[0]->count(),
         NegSquareGradient<Dtype>{top[0]->gpu_diff(), bottom[0]->gpu_data(),
                                  bottom[0]->mutable_gpu_diff()});
}

INSTANTIATE_LAYER_GPU_FUNCS(NegSquareLayer);

}  // namespace caffe

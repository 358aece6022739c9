// Grid on the device.
#include "caffe/device/launch.hpp"
#include "caffe/layers/grid_layer.hpp"

namespace caffe {

template <typename Dtype>
void GridLayer<Dtype>::Forward_gpu(const vector<Blob<Dtype>*>&,
                                   const vector<Blob<Dtype>*>& top) {
  launch(top[0]->count(),
         GridValue<Dtype>{top[0]->height(), top[0]->width(), top[0]->mutable_gpu_data()});
}

template <typename Dtype>
void GridLayer<Dtype>::Backward_gpu(const vector<Blob<Dtype>*>&,
                                    const vector<bool>& propagate_down,
                                    const vector<Blob<Dtype>*>& bottom) {
  if (!propagate_down[0]) return;
  launch_fill(bottom[0]->count(), Dtype(0), bottom[0]->mutable_gpu_diff());
}

INSTANTIATE_LAYER_GPU_FUNCS(GridLayer);

}  // namespace caffe

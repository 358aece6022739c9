// FlowAugmentation on the device. (The maps are made on the host.)
#include "caffe/device/launch.hpp"
#include "caffe/layers/flow_augmentation_layer.hpp"
#include "caffe/util/math_functions_gpu.hpp"

namespace caffe {

template <typename Dtype>
void FlowAugmentationLayer<Dtype>::Forward_gpu(const vector<Blob<Dtype>*>& bottom,
                                               const vector<Blob<Dtype>*>& top) {
  MakeMaps(bottom);
  if (top[0]->count() == 0) return;
  launch(top[0]->count() / 2,
         FlowSampler<Dtype>{shape_,
                            reinterpret_cast<const FlowMap<Dtype>*>(maps_.gpu_data()),
                            bottom[0]->gpu_data(), top[0]->mutable_gpu_data()});
}

template <typename Dtype>
void FlowAugmentationLayer<Dtype>::Backward_gpu(const vector<Blob<Dtype>*>&,
                                                const vector<bool>& propagate_down,
                                                const vector<Blob<Dtype>*>& bottom) {
  for (size_t i = 0; i < bottom.size(); ++i) {
    if (!propagate_down[i]) continue;
    caffe_gpu_set(bottom[i]->count(), Dtype(0), bottom[i]->mutable_gpu_diff());
  }
}

INSTANTIATE_LAYER_GPU_FUNCS(FlowAugmentationLayer);

}  // namespace caffe

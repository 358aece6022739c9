// ExpMax on the device: one thread a place.
#include "caffe/device/launch.hpp"
#include "caffe/layers/exp_max_layer.hpp"

namespace caffe {

template <typename Dtype>
void ExpMaxLayer<Dtype>::Forward_gpu(const vector<Blob<Dtype>*>& bottom,
                                     const vector<Blob<Dtype>*>& top) {
  launch(static_cast<int>(place_count_),
         ExpMaxValue<Dtype>{places_, exponent_, factor_, bottom[0]->gpu_data(),
                            top[0]->mutable_gpu_data()});
}

template <typename Dtype>
void ExpMaxLayer<Dtype>::Backward_gpu(const vector<Blob<Dtype>*>& top,
                                      const vector<bool>& propagate_down,
                                      const vector<Blob<Dtype>*>& bottom) {
  if (!propagate_down[0]) return;
  launch(
      static_cast<int>(place_count_),
      ExpMaxGradient<Dtype>{places_, exponent_, bottom[0]->gpu_data(), top[0]->gpu_data(),
                            top[0]->gpu_diff(), bottom[0]->mutable_gpu_diff()});
}

INSTANTIATE_LAYER_GPU_FUNCS(ExpMaxLayer);

}  // namespace caffe

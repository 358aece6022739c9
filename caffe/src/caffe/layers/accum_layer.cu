// Accum on the device: forward and backward gather, one thread an entry.
#include "caffe/device/launch.hpp"
#include "caffe/layers/accum_layer.hpp"

namespace caffe {

template <typename Dtype>
void AccumLayer<Dtype>::Forward_gpu(const vector<Blob<Dtype>*>& bottom,
                                    const vector<Blob<Dtype>*>& top) {
  for (size_t k = 0; k < parts_.size(); ++k) {
    const std::int64_t count = bottom[k]->count(0, 2) * parts_[k].out_plane();
    launch(static_cast<int>(count), AccumValue<Dtype>{parts_[k], bottom[k]->gpu_data(),
                                                      top[0]->mutable_gpu_data()});
  }
}

template <typename Dtype>
void AccumLayer<Dtype>::Backward_gpu(const vector<Blob<Dtype>*>& top,
                                     const vector<bool>& propagate_down,
                                     const vector<Blob<Dtype>*>& bottom) {
  for (size_t k = 0; k < bottom.size(); ++k) {
    if (!propagate_down[k]) continue;
    if (k == parts_.size()) {  // the reference
      launch_fill(bottom[k]->count(), Dtype(0), bottom[k]->mutable_gpu_diff());
      continue;
    }
    launch(bottom[k]->count(), AccumGradient<Dtype>{parts_[k], top[0]->gpu_diff(),
                                                    bottom[k]->mutable_gpu_diff()});
  }
}

INSTANTIATE_LAYER_GPU_FUNCS(AccumLayer);

}  // namespace caffe

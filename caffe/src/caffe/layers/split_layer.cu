// Split on the device.
#include "caffe/device/channels_last.hpp"
#include "caffe/device/weighted_sum.hpp"
#include "caffe/layers/split_layer.hpp"
#include "caffe/util/math_functions_gpu.hpp"

namespace caffe {

template <typename Dtype>
void SplitLayer<Dtype>::Forward_gpu(const vector<Blob<Dtype>*>& bottom,
                                    const vector<Blob<Dtype>*>& top) {
  ShareBottom(*bottom[0], top);
}

template <typename Dtype>
void SplitLayer<Dtype>::Backward_gpu(const vector<Blob<Dtype>*>& top,
                                     const vector<bool>& propagate_down,
                                     const vector<Blob<Dtype>*>& bottom) {
  if (!propagate_down[0]) return;
  const int n = bottom[0]->count();
  vector<SyncedMemory*> memories;
  for (size_t i = 0; i < top.size(); ++i) {
    if (this->top_has_gradient(static_cast<int>(i))) {
      memories.push_back(top[i]->diff().get());
    }
  }
  const ChannelsLast order = device::common_order(*bottom[0], memories);
  vector<const Dtype*> gradients;
  for (SyncedMemory* memory : memories) {
    gradients.push_back(device::read_in_order<Dtype>(memory, order));
  }
  Dtype* sum = device::write_in_order<Dtype>(bottom[0]->diff().get(), order);
  if (gradients.empty()) {
    caffe_gpu_set(n, Dtype(0), sum);
  } else {
    device::weighted_sum<Dtype>(n, gradients, {}, sum);
  }
}

INSTANTIATE_LAYER_GPU_FUNCS(SplitLayer);

}  // namespace caffe

// Slice on the device.
#include "caffe/layers/slice_layer.hpp"

namespace caffe {

template <typename Dtype>
void SliceLayer<Dtype>::Forward_gpu(const vector<Blob<Dtype>*>& bottom,
                                    const vector<Blob<Dtype>*>& top) {
  if (top.size() == 1) return;
  vector<SyncedMemory*> parts;
  for (const Blob<Dtype>* blob : top) parts.push_back(blob->data().get());
  joint_.CutGpu(bottom[0]->data().get(), parts);
}

template <typename Dtype>
void SliceLayer<Dtype>::Backward_gpu(const vector<Blob<Dtype>*>& top,
                                     const vector<bool>& propagate_down,
                                     const vector<Blob<Dtype>*>& bottom) {
  if (!propagate_down[0] || top.size() == 1) return;
  vector<SyncedMemory*> parts;
  for (size_t i = 0; i < top.size(); ++i) {
    const bool has_gradient = this->top_has_gradient(static_cast<int>(i));
    parts.push_back(has_gradient ? top[i]->diff().get() : nullptr);
  }
  joint_.JoinGpu(parts, bottom[0]->diff().get());
}

INSTANTIATE_LAYER_GPU_FUNCS(SliceLayer);

}  // namespace caffe

// Concat on the device.
#include "caffe/layers/concat_layer.hpp"

namespace caffe {

template <typename Dtype>
void ConcatLayer<Dtype>::Forward_gpu(const vector<Blob<Dtype>*>& bottom,
                                     const vector<Blob<Dtype>*>& top) {
  if (bottom.size() == 1) return;
  vector<SyncedMemory*> parts;
  for (const Blob<Dtype>* blob : bottom) parts.push_back(blob->data().get());
  joint_.JoinGpu(parts, top[0]->data().get());
}

template <typename Dtype>
void ConcatLayer<Dtype>::Backward_gpu(const vector<Blob<Dtype>*>& top,
                                      const vector<bool>& propagate_down,
                                      const vector<Blob<Dtype>*>& bottom) {
  if (bottom.size() == 1) return;
  vector<SyncedMemory*> parts;
  for (size_t i = 0; i < bottom.size(); ++i) {
    parts.push_back(propagate_down[i] ? bottom[i]->diff().get() : nullptr);
  }
  joint_.CutGpu(top[0]->diff().get(), parts);
}

INSTANTIATE_LAYER_GPU_FUNCS(ConcatLayer);

}  // namespace caffe

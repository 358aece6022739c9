// Split: shared data forward, summed gradients backward.
#include "caffe/layers/split_layer.hpp"

#include "caffe/backend/elementwise.hpp"
#include "caffe/layers/axis_span.hpp"

namespace caffe {

template <typename Dtype>
void SplitLayer<Dtype>::ShareBottom(const Blob<Dtype>& bottom,
                                    const vector<Blob<Dtype>*>& top) const {
  for (Blob<Dtype>* blob : top) blob->ShareData(bottom);
}

template <typename Dtype>
void SplitLayer<Dtype>::Reshape(const vector<Blob<Dtype>*>& bottom,
                                const vector<Blob<Dtype>*>& top) {
  check_not_in_place(type(), bottom, top);
  for (Blob<Dtype>* blob : top) blob->ReshapeLike(*bottom[0]);
  ShareBottom(*bottom[0], top);
}

template <typename Dtype>
void SplitLayer<Dtype>::Forward_cpu(const vector<Blob<Dtype>*>& bottom,
                                    const vector<Blob<Dtype>*>& top) {
  ShareBottom(*bottom[0], top);
}

template <typename Dtype>
void SplitLayer<Dtype>::Backward_cpu(const vector<Blob<Dtype>*>& top,
                                     const vector<bool>& propagate_down,
                                     const vector<Blob<Dtype>*>& bottom) {
  if (!propagate_down[0]) return;
  vector<shared_ptr<SyncedMemory>> gradients;
  for (size_t i = 0; i < top.size(); ++i) {
    if (this->top_has_gradient(static_cast<int>(i))) gradients.push_back(top[i]->diff());
  }
  SyncedMemory* sum = bottom[0]->diff().get();
  if (gradients.empty()) {
    zero_memory<Dtype>(sum, BlockedLayout(), bottom[0]->count());
  } else {
    weighted_sum<Dtype>(gradients, {}, sum, bottom[0]->blocked_layout(),
                        bottom[0]->count());
  }
}

INSTANTIATE_CLASS(SplitLayer);
REGISTER_LAYER_CLASS(Split);

}  // namespace caffe

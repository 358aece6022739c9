// Silence: nothing forward, zeros backward.
#include "caffe/layers/silence_layer.hpp"

#include "caffe/backend/elementwise.hpp"

namespace caffe {

template <typename Dtype>
void SilenceLayer<Dtype>::Forward_cpu(const vector<Blob<Dtype>*>&,
                                      const vector<Blob<Dtype>*>&) {}

template <typename Dtype>
void SilenceLayer<Dtype>::Backward_cpu(const vector<Blob<Dtype>*>&,
                                       const vector<bool>& propagate_down,
                                       const vector<Blob<Dtype>*>& bottom) {
  for (size_t i = 0; i < bottom.size(); ++i) {
    if (!propagate_down[i]) continue;
    zero_memory<Dtype>(bottom[i]->diff().get(), BlockedLayout(), bottom[i]->count());
  }
}

INSTANTIATE_CLASS(SilenceLayer);
REGISTER_LAYER_CLASS(Silence);

}  // namespace caffe

// L1Loss.
#include "caffe/layers/l1_loss_layer.hpp"

#include "caffe/layers/l1_difference.hpp"

namespace caffe {

template <typename Dtype>
void L1LossLayer<Dtype>::Forward_cpu(const vector<Blob<Dtype>*>& bottom,
                                     const vector<Blob<Dtype>*>& top) {
  const L1LossParameter& param = this->layer_param_.l1_loss_param();
  const L1Difference<Dtype> d(param, this->OnHost(bottom));
  top[0]->mutable_cpu_data()[0] =
      this->LossOnHost(d, param.normalize_by_num_entries(), *bottom[0]);
}

template <typename Dtype>
void L1LossLayer<Dtype>::Backward_cpu(const vector<Blob<Dtype>*>& top,
                                      const vector<bool>& propagate_down,
                                      const vector<Blob<Dtype>*>& bottom) {
  const L1Difference<Dtype> d(this->layer_param_.l1_loss_param(), this->OnHost(bottom));
  this->GradientsOnHost(d, top[0]->cpu_diff()[0], propagate_down, bottom);
}

INSTANTIATE_CLASS(L1LossLayer);
REGISTER_LAYER_CLASS(L1Loss);

}  // namespace caffe

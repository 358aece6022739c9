// L1Loss.
#include "caffe/layers/l1_loss_layer.hpp"

#include "caffe/layers/idle_setting.hpp"
#include "caffe/layers/l1_difference.hpp"

namespace caffe {

template <typename Dtype>
void L1LossLayer<Dtype>::LayerSetUp(const vector<Blob<Dtype>*>& bottom,
                                    const vector<Blob<Dtype>*>& top) {
  LossLayer<Dtype>::LayerSetUp(bottom, top);
  const L1LossParameter& param = this->layer_param_.l1_loss_param();
  this->CheckNotNegative("l1_loss_param.plateau", param.plateau(),
                         "differences smaller than it are left out");
  this->CheckNotNegative("l1_loss_param.epsilon", param.epsilon(),
                         "it keeps what stands under the root from being negative");
  this->CheckPositive("l1_loss_param.power", param.power(),
                      "the loss must grow with the difference");
  if (param.l2_per_location()) return;
  const string reason = "it is a setting of l2_per_location, which is false";
  const string where = this->where();
  if (param.has_epsilon()) warn_idle(where, "l1_loss_param.epsilon", reason);
  if (param.has_power()) warn_idle(where, "l1_loss_param.power", reason);
  if (param.l2_prescale_by_channels()) {
    warn_idle(where, "l1_loss_param.l2_prescale_by_channels", reason);
  }
}

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

// Bias over whichever layout its input is in.
#include "caffe/layers/bias_layer.hpp"

#include "caffe/backend/channelwise.hpp"
#include "caffe/backend/elementwise.hpp"
#include "caffe/filler.hpp"
#include "caffe/layers/axis_span.hpp"

namespace caffe {

template <typename Dtype>
void BiasLayer<Dtype>::LayerSetUp(const vector<Blob<Dtype>*>& bottom,
                                  const vector<Blob<Dtype>*>&) {
  if (bottom.size() > 1) return;
  if (this->blobs_.empty()) {
    const BiasParameter& param = this->layer_param_.bias_param();
    this->blobs_.push_back(std::make_shared<Blob<Dtype>>(
        span_shape(*bottom[0], param.axis(), param.num_axes())));
    shared_ptr<Filler<Dtype>>(GetFiller<Dtype>(param.filler()))
        ->Fill(this->blobs_[0].get());
  }
  this->param_propagate_down_.resize(this->blobs_.size(), true);
}

template <typename Dtype>
void BiasLayer<Dtype>::Reshape(const vector<Blob<Dtype>*>& bottom,
                               const vector<Blob<Dtype>*>& top) {
  const Blob<Dtype>& bias = bottom.size() > 1 ? *bottom[1] : *this->blobs_[0];
  CHECK(&bias != top[0]) << "Bias cannot work in place on its second bottom";
  axis_ = span_axis(*bottom[0], bias, this->layer_param_.bias_param().axis());
  bias_axes_ = bias.num_axes();
  own_channel_bias_ = bottom.size() == 1 && axis_ == 1 && bias_axes_ == 1;
  if (bottom[0] != top[0]) top[0]->ReshapeLike(*bottom[0]);
}

template <typename Dtype>
void BiasLayer<Dtype>::compose_affine(std::vector<double>*,
                                      std::vector<double>* shift) const {
  const Dtype* bias = this->blobs_[0]->cpu_data();
  for (int c = 0; c < this->blobs_[0]->count(); ++c) (*shift)[c] += bias[c];
}

template <typename Dtype>
void BiasLayer<Dtype>::compose_affine_backward(const std::vector<double>&,
                                               const std::vector<double>&,
                                               AffineGradient* gradient) {
  if (!this->param_propagate_down(0)) return;
  Dtype* bias_diff = this->blobs_[0]->mutable_cpu_diff();
  for (int c = 0; c < this->blobs_[0]->count(); ++c) {
    bias_diff[c] += static_cast<Dtype>(gradient->shift[c]);
  }
}

template <typename Dtype>
void BiasLayer<Dtype>::Forward_cpu(const vector<Blob<Dtype>*>& bottom,
                                   const vector<Blob<Dtype>*>& top) {
  const Blob<Dtype>& bias = bottom.size() > 1 ? *bottom[1] : *this->blobs_[0];
  const BlockedLayout layout = common_layout({bottom[0]->data().get()}, *top[0]->data(),
                                             span_layout(*bottom[0], axis_, bias_axes_));
  const ChannelArray array = span_array(*bottom[0], axis_, bias_axes_, layout);
  const Dtype* x = read_memory<Dtype>(bottom[0]->data().get(), layout);
  Dtype* y = overwrite_memory<Dtype>(top[0]->data().get(), layout);
  channel_affine<Dtype>(array, x, nullptr,
                        array.template pad<Dtype>(bias.cpu_data()).data(), y);
}

template <typename Dtype>
void BiasLayer<Dtype>::Backward_cpu(const vector<Blob<Dtype>*>& top,
                                    const vector<bool>& propagate_down,
                                    const vector<Blob<Dtype>*>& bottom) {
  const bool from_bottom = bottom.size() > 1;
  if (from_bottom ? propagate_down[1] : this->param_propagate_down(0)) {
    const BlockedLayout layout =
        common_layout({top[0]->diff().get()}, SyncedMemory(),
                      span_layout(*bottom[0], axis_, bias_axes_));
    const ChannelArray array = span_array(*bottom[0], axis_, bias_axes_, layout);
    const vector<double> sums =
        channel_sum(array, read_memory<Dtype>(top[0]->diff().get(), layout));
    Dtype* diff = (from_bottom ? bottom[1] : this->blobs_[0].get())->mutable_cpu_diff();
    for (size_t c = 0; c < sums.size(); ++c) {
      diff[c] = (from_bottom ? Dtype(0) : diff[c]) + static_cast<Dtype>(sums[c]);
    }
  }
  if (propagate_down[0]) copy_diff(*top[0], bottom[0]);
}

INSTANTIATE_CLASS(BiasLayer);
REGISTER_LAYER_CLASS(Bias);

}  // namespace caffe

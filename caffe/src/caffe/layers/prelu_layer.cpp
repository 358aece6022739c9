// PReLU over whichever layout its input is in.
#include "caffe/layers/prelu_layer.hpp"

#include "caffe/backend/channelwise.hpp"
#include "caffe/backend/elementwise.hpp"
#include "caffe/filler.hpp"

namespace caffe {

template <typename Dtype>
void PReLULayer<Dtype>::LayerSetUp(const vector<Blob<Dtype>*>& bottom,
                                   const vector<Blob<Dtype>*>&) {
  const PReLUParameter& param = this->layer_param_.prelu_param();
  CHECK_GE(bottom[0]->num_axes(), 2)
      << "PReLU needs a channel axis (axis 1); bottom shape "
      << bottom[0]->shape_string();
  channel_shared_ = param.channel_shared();
  const int slopes = channel_shared_ ? 1 : bottom[0]->shape(1);
  if (this->blobs_.empty()) {
    FillerParameter filler = param.filler();
    if (!param.has_filler()) {
      filler.set_type("constant");
      filler.set_value(0.25);
    }
    this->blobs_.push_back(std::make_shared<Blob<Dtype>>(
        channel_shared_ ? vector<int>() : vector<int>{slopes}));
    shared_ptr<Filler<Dtype>>(GetFiller<Dtype>(filler))->Fill(this->blobs_[0].get());
  }
  CHECK_EQ(this->blobs_[0]->count(), slopes)
      << "the slopes of PReLU have shape " << this->blobs_[0]->shape_string();
  this->param_propagate_down_.resize(1, true);
}

template <typename Dtype>
void PReLULayer<Dtype>::Reshape(const vector<Blob<Dtype>*>& bottom,
                                const vector<Blob<Dtype>*>& top) {
  CHECK_GE(bottom[0]->num_axes(), 2) << "PReLU needs a channel axis (axis 1)";
  CHECK(channel_shared_ || bottom[0]->shape(1) == this->blobs_[0]->count())
      << "PReLU has " << this->blobs_[0]->count() << " slopes, its bottom has shape "
      << bottom[0]->shape_string();
  NeuronLayer<Dtype>::Reshape(bottom, top);
}

template <typename Dtype>
vector<Dtype> PReLULayer<Dtype>::Slopes(int channels) const {
  const Dtype* slopes = this->blobs_[0]->cpu_data();
  if (channel_shared_) return vector<Dtype>(channels, slopes[0]);
  return vector<Dtype>(slopes, slopes + channels);
}

template <typename Dtype>
void PReLULayer<Dtype>::Forward_cpu(const vector<Blob<Dtype>*>& bottom,
                                    const vector<Blob<Dtype>*>& top) {
  if (bottom[0] == top[0]) {
    input_.ReshapeLike(*bottom[0]);
    copy_data(*bottom[0], &input_);
  }
  const auto pass = forward_pass(*bottom[0], top[0]);
  const ChannelArray array = channel_array(*bottom[0], pass.layout);
  const auto slopes = array.template pad<Dtype>(Slopes(bottom[0]->shape(1)).data());
  channel_leaky(array, pass.in[0], slopes.data(), pass.out);
}

template <typename Dtype>
void PReLULayer<Dtype>::Backward_cpu(const vector<Blob<Dtype>*>& top,
                                     const vector<bool>& propagate_down,
                                     const vector<Blob<Dtype>*>& bottom) {
  const Blob<Dtype>& input = bottom[0] == top[0] ? input_ : *bottom[0];
  if (this->param_propagate_down(0)) {
    const BlockedLayout layout =
        common_layout({top[0]->diff().get()}, SyncedMemory(), top[0]->blocked_layout());
    const vector<double> sums = channel_negative_dot(
        channel_array(*top[0], layout), read_memory<Dtype>(top[0]->diff().get(), layout),
        read_memory<Dtype>(input.data().get(), layout));
    Dtype* diff = this->blobs_[0]->mutable_cpu_diff();
    for (size_t c = 0; c < sums.size(); ++c) {
      diff[channel_shared_ ? 0 : c] += static_cast<Dtype>(sums[c]);
    }
  }
  if (!propagate_down[0]) return;
  const auto pass = backward_pass(*top[0], input, bottom[0]);
  const ChannelArray array = channel_array(*bottom[0], pass.layout);
  const auto slopes = array.template pad<Dtype>(Slopes(bottom[0]->shape(1)).data());
  channel_leaky_gradient(array, pass.in[0], pass.in[1], slopes.data(), pass.out);
}

INSTANTIATE_CLASS(PReLULayer);
REGISTER_LAYER_CLASS(PReLU);

}  // namespace caffe

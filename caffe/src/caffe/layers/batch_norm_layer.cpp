// BatchNorm over whichever layout its input is in.
#include "caffe/layers/batch_norm_layer.hpp"

#include <cmath>

#include "caffe/backend/channelwise.hpp"
#include "caffe/backend/elementwise.hpp"

namespace caffe {

template <typename Dtype>
void BatchNormLayer<Dtype>::LayerSetUp(const vector<Blob<Dtype>*>& bottom,
                                       const vector<Blob<Dtype>*>&) {
  const BatchNormParameter& param = this->layer_param_.batch_norm_param();
  moving_average_fraction_ = param.moving_average_fraction();
  eps_ = param.eps();
  use_global_stats_ =
      param.has_use_global_stats() ? param.use_global_stats() : this->phase_ == TEST;
  channels_ = bottom[0]->num_axes() > 1 ? bottom[0]->shape(1) : 1;
  const vector<vector<int>> shapes = {{channels_}, {channels_}, {1}};
  if (this->blobs_.empty()) {
    for (const vector<int>& shape : shapes) {
      this->blobs_.push_back(std::make_shared<Blob<Dtype>>(shape));
      caffe_set(this->blobs_.back()->count(), Dtype(0),
                this->blobs_.back()->mutable_cpu_data());
    }
  }
  CHECK_EQ(this->blobs_.size(), 3u)
      << "BatchNorm has three parameters: sum of means, sum of variances, their divisor";
  for (int i = 0; i < 3; ++i) {
    CHECK_EQ(this->blobs_[i]->count(), i < 2 ? channels_ : 1)
        << "parameter " << i << " of BatchNorm has shape "
        << this->blobs_[i]->shape_string();
  }
  for (int i = 0; i < this->layer_param_.param_size(); ++i) {
    CHECK_EQ(this->layer_param_.param(i).lr_mult(), 0.f)
        << "param " << i
        << ": the statistics of BatchNorm cannot be learned; lr_mult must be 0";
  }
  while (this->layer_param_.param_size() < 3)
    this->layer_param_.add_param()->set_lr_mult(0);
}

template <typename Dtype>
void BatchNormLayer<Dtype>::Reshape(const vector<Blob<Dtype>*>& bottom,
                                    const vector<Blob<Dtype>*>& top) {
  CHECK_GE(bottom[0]->num_axes(), 1) << "BatchNorm needs a bottom with axes";
  CHECK_EQ(bottom[0]->num_axes() > 1 ? bottom[0]->shape(1) : 1, channels_)
      << "the channels of BatchNorm's bottom have changed; shape now "
      << bottom[0]->shape_string();
  if (bottom[0] != top[0]) top[0]->ReshapeLike(*bottom[0]);
}

template <typename Dtype>
std::uint64_t BatchNormLayer<Dtype>::affine_version() const {
  std::uint64_t version = 0;
  for (const auto& blob : this->blobs_) version += blob->data()->version();
  return version;
}

template <typename Dtype>
void BatchNormLayer<Dtype>::compose_affine(std::vector<double>* scale,
                                           std::vector<double>* shift) const {
  const Statistics statistics = GlobalStatistics();
  for (int c = 0; c < channels_; ++c) {
    const double factor = statistics.inverse_deviation[c];
    (*scale)[c] *= factor;
    (*shift)[c] = ((*shift)[c] - statistics.mean[c]) * factor;
  }
}

template <typename Dtype>
void BatchNormLayer<Dtype>::compose_affine_backward(const std::vector<double>&,
                                                    const std::vector<double>&,
                                                    AffineGradient* gradient) {
  const Statistics statistics = GlobalStatistics();
  for (int c = 0; c < channels_; ++c) {
    gradient->scale[c] *= statistics.inverse_deviation[c];
    gradient->shift[c] *= statistics.inverse_deviation[c];
  }
}

template <typename Dtype>
typename BatchNormLayer<Dtype>::Statistics BatchNormLayer<Dtype>::GlobalStatistics()
    const {
  const Dtype *means = this->blobs_[0]->cpu_data(),
              *variances = this->blobs_[1]->cpu_data();
  const double divisor = this->blobs_[2]->cpu_data()[0];
  const double factor = divisor == 0 ? 0 : 1 / divisor;
  Statistics statistics;
  for (int c = 0; c < channels_; ++c) {
    statistics.mean.push_back(means[c] * factor);
    statistics.inverse_deviation.push_back(1 / std::sqrt(variances[c] * factor + eps_));
  }
  return statistics;
}

/// The batch's statistics; adds them to the sums.
template <typename Dtype>
typename BatchNormLayer<Dtype>::Statistics BatchNormLayer<Dtype>::BatchStatistics(
    const Blob<Dtype>& bottom) {
  const BlockedLayout layout =
      common_layout({bottom.data().get()}, SyncedMemory(), bottom.blocked_layout());
  const ChannelArray array = channel_array(bottom, layout);
  const Dtype* x = read_memory<Dtype>(bottom.data().get(), layout);
  const double values = static_cast<double>(bottom.count()) / channels_;
  Statistics statistics;
  statistics.mean = channel_sum(array, x);
  for (double& mean : statistics.mean) mean /= values;
  const auto padded_mean = array.template pad<Dtype>(statistics.mean.data());
  vector<double> variance = channel_square_deviation(array, x, padded_mean.data());

  Dtype *means = this->blobs_[0]->mutable_cpu_data(),
        *variances = this->blobs_[1]->mutable_cpu_data();
  Dtype& divisor = this->blobs_[2]->mutable_cpu_data()[0];
  divisor = moving_average_fraction_ * divisor + 1;
  const double unbiased = values > 1 ? values / (values - 1) : 1;
  for (int c = 0; c < channels_; ++c) {
    variance[c] /= values;
    means[c] =
        moving_average_fraction_ * means[c] + static_cast<Dtype>(statistics.mean[c]);
    variances[c] = moving_average_fraction_ * variances[c] +
                   static_cast<Dtype>(unbiased * variance[c]);
    statistics.inverse_deviation.push_back(1 / std::sqrt(variance[c] + eps_));
  }
  return statistics;
}

template <typename Dtype>
void BatchNormLayer<Dtype>::Forward_cpu(const vector<Blob<Dtype>*>& bottom,
                                        const vector<Blob<Dtype>*>& top) {
  if (!use_global_stats_) batch_ = BatchStatistics(*bottom[0]);
  const Statistics statistics = use_global_stats_ ? GlobalStatistics() : batch_;
  vector<double> shift(channels_);
  for (int c = 0; c < channels_; ++c) {
    shift[c] = -statistics.mean[c] * statistics.inverse_deviation[c];
  }
  const auto pass = forward_pass(*bottom[0], top[0]);
  const ChannelArray array = channel_array(*bottom[0], pass.layout);
  channel_affine(array, pass.in[0],
                 array.template pad<Dtype>(statistics.inverse_deviation.data()).data(),
                 array.template pad<Dtype>(shift.data()).data(), pass.out);
  if (!use_global_stats_ && bottom[0] == top[0]) {
    normalized_.ReshapeLike(*top[0]);
    copy_data(*top[0], &normalized_);
  }
}

template <typename Dtype>
void BatchNormLayer<Dtype>::Backward_cpu(const vector<Blob<Dtype>*>& top,
                                         const vector<bool>& propagate_down,
                                         const vector<Blob<Dtype>*>& bottom) {
  if (!propagate_down[0]) return;
  if (!use_global_stats_) {
    BackwardBatch(*top[0], bottom[0]);
    return;
  }
  const Statistics statistics = GlobalStatistics();
  const auto pass = backward_pass(*top[0], bottom[0]);
  const ChannelArray array = channel_array(*bottom[0], pass.layout);
  channel_affine<Dtype>(
      array, pass.in[0],
      array.template pad<Dtype>(statistics.inverse_deviation.data()).data(), nullptr,
      pass.out);
}

/// dx = (g - mean(g) - y mean(g y)) / deviation. In place y is the kept copy; else
/// y = (x - mean) / deviation is read from the bottom (a later layer may have overwritten
/// y).
template <typename Dtype>
void BatchNormLayer<Dtype>::BackwardBatch(const Blob<Dtype>& top, Blob<Dtype>* bottom) {
  const bool in_place = bottom == &top;
  const auto pass = backward_pass(top, in_place ? normalized_ : *bottom, bottom);
  const ChannelArray array = channel_array(*bottom, pass.layout);
  const double values = static_cast<double>(bottom->count()) / channels_;
  const vector<double> zeros(channels_, 0.), ones(channels_, 1.);
  const vector<double>& centre = in_place ? zeros : batch_.mean;
  const vector<double>& spread =
      in_place ? ones : batch_.inverse_deviation;  // y = spread (x - centre)
  const auto padded_centre = array.template pad<Dtype>(centre.data());
  const ChannelSums sums = channel_affine_gradient<Dtype>(
      array, pass.in[0], pass.in[1], padded_centre.data(), nullptr, nullptr);
  vector<double> of_x(channels_), constant(channels_);
  for (int c = 0; c < channels_; ++c) {
    const double factor = batch_.inverse_deviation[c];
    of_x[c] = -factor * spread[c] * spread[c] * sums.dot[c] / values;
    constant[c] = -factor * sums.g[c] / values - of_x[c] * centre[c];
  }
  channel_combine(array, pass.in[0],
                  array.template pad<Dtype>(batch_.inverse_deviation.data()).data(),
                  pass.in[1], array.template pad<Dtype>(of_x.data()).data(),
                  array.template pad<Dtype>(constant.data()).data(), pass.out);
}

INSTANTIATE_CLASS(BatchNormLayer);
REGISTER_LAYER_CLASS(BatchNorm);

}  // namespace caffe

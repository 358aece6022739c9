// MVN: each group is one "channel" of a row-major array.
#include "caffe/layers/mvn_layer.hpp"

#include <algorithm>
#include <cmath>

#include "caffe/backend/channelwise.hpp"

namespace caffe {

namespace {

// The groups whose statistics are taken: planes, or whole items.
template <typename Dtype>
ChannelArray Groups(const Blob<Dtype>& blob, bool across_channels) {
  const int groups = across_channels ? blob.num() : blob.num() * blob.channels();
  return ChannelArray::Plain(1, groups, groups == 0 ? 0 : blob.count() / groups);
}

}  // namespace

template <typename Dtype>
void MVNLayer<Dtype>::Reshape(const vector<Blob<Dtype>*>& bottom,
                              const vector<Blob<Dtype>*>& top) {
  top[0]->Reshape(bottom[0]->num(), bottom[0]->channels(), bottom[0]->height(),
                  bottom[0]->width());
  const bool across = this->layer_param_.mvn_param().across_channels();
  inverse_deviation_.Reshape({bottom[0]->num() * (across ? 1 : bottom[0]->channels())});
}

template <typename Dtype>
void MVNLayer<Dtype>::Forward_cpu(const vector<Blob<Dtype>*>& bottom,
                                  const vector<Blob<Dtype>*>& top) {
  const MVNParameter& param = this->layer_param_.mvn_param();
  const ChannelArray array = Groups(*bottom[0], param.across_channels());
  const double values = static_cast<double>(array.outer * array.inner);
  const Dtype* x = bottom[0]->cpu_data();
  vector<double> shift = channel_sum(array, x);
  for (double& mean : shift) mean /= values;
  double* inverse = inverse_deviation_.mutable_cpu_data();
  std::fill(inverse, inverse + shift.size(), 1.);
  if (param.normalize_variance()) {
    const auto mean = array.template pad<Dtype>(shift.data());
    const vector<double> squares = channel_square_deviation(array, x, mean.data());
    for (size_t i = 0; i < squares.size(); ++i) {
      inverse[i] = 1 / (std::sqrt(squares[i] / values) + param.eps());
    }
  }
  for (size_t i = 0; i < shift.size(); ++i) shift[i] *= -inverse[i];
  channel_affine(array, x, array.template pad<Dtype>(inverse).data(),
                 array.template pad<Dtype>(shift.data()).data(),
                 top[0]->mutable_cpu_data());
}

template <typename Dtype>
void MVNLayer<Dtype>::Backward_cpu(const vector<Blob<Dtype>*>& top,
                                   const vector<bool>& propagate_down,
                                   const vector<Blob<Dtype>*>& bottom) {
  if (!propagate_down[0]) return;
  const MVNParameter& param = this->layer_param_.mvn_param();
  const ChannelArray array = Groups(*top[0], param.across_channels());
  const double values = static_cast<double>(array.outer * array.inner);
  const Dtype *g = top[0]->cpu_diff(), *y = top[0]->cpu_data();
  const vector<double> sum = channel_sum(array, g);
  vector<double> of_y(sum.size(), 0.), constant(sum.size());
  const double* inverse = inverse_deviation_.cpu_data();
  if (param.normalize_variance()) of_y = channel_dot(array, g, y);
  for (size_t i = 0; i < sum.size(); ++i) {
    of_y[i] *= -inverse[i] / values;
    constant[i] = -inverse[i] * sum[i] / values;
  }
  channel_combine(array, g, array.template pad<Dtype>(inverse).data(), y,
                  array.template pad<Dtype>(of_y.data()).data(),
                  array.template pad<Dtype>(constant.data()).data(),
                  bottom[0]->mutable_cpu_diff());
}

INSTANTIATE_CLASS(MVNLayer);
REGISTER_LAYER_CLASS(MVN);

}  // namespace caffe

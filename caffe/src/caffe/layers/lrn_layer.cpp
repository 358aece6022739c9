// LRN.
#include "caffe/layers/lrn_layer.hpp"

#include <algorithm>
#include <cmath>

#include "caffe/util/math_functions.hpp"

namespace caffe {

namespace {

// Sums `values` (C planes of one item) over a window of channels into `sums`.
template <typename Dtype, typename Value>
void window_sums(int channels, std::int64_t plane, int half, const Value& value,
                 Dtype factor, Dtype start, Dtype* sums) {
  for (int c = 0; c < channels; ++c) {
    Dtype* sum = sums + c * plane;
    std::fill(sum, sum + plane, start);
    for (int j = std::max(0, c - half); j <= std::min(channels - 1, c + half); ++j) {
      const std::int64_t row = j * plane;
#pragma omp simd
      for (std::int64_t i = 0; i < plane; ++i) sum[i] += factor * value(row + i);
    }
  }
}

}  // namespace

template <typename Dtype>
void LRNLayer<Dtype>::LayerSetUp(const vector<Blob<Dtype>*>&,
                                 const vector<Blob<Dtype>*>&) {
  const LRNParameter& param = this->layer_param_.lrn_param();
  size_ = static_cast<int>(param.local_size());
  CHECK_VALUE(size_ % 2 == 1) << "LRN layer '" << this->layer_param_.name()
                              << "': local_size must be odd; it is " << size_;
  pre_pad_ = (size_ - 1) / 2;
  alpha_ = param.alpha();
  beta_ = param.beta();
  k_ = Across() ? param.k() : param.shift();
}

template <typename Dtype>
void LRNLayer<Dtype>::Reshape(const vector<Blob<Dtype>*>& bottom,
                              const vector<Blob<Dtype>*>& top) {
  const string where = "LRN layer '" + this->layer_param_.name() + "'";
  CHECK_VALUE(bottom[0]->num_axes() == 4)
      << where << ": the bottom must have 4 axes (N, C, H, W); its shape is "
      << bottom[0]->shape_string();
  CHECK_VALUE(bottom[0] != top[0]) << where << " cannot run in place";
  num_ = bottom[0]->num();
  channels_ = bottom[0]->channels();
  height_ = bottom[0]->height();
  width_ = bottom[0]->width();
  top[0]->ReshapeLike(*bottom[0]);
  scale_.ReshapeLike(*bottom[0]);
}

template <typename Dtype>
void LRNLayer<Dtype>::ScaleAcross(const Dtype* x, Dtype* s) const {
  const std::int64_t plane = std::int64_t{height_} * width_;
  parallel_for(num_, [&](std::int64_t n) {
    const Dtype* item = x + n * channels_ * plane;
    window_sums<Dtype>(
        channels_, plane, pre_pad_, [item](std::int64_t i) { return item[i] * item[i]; },
        alpha_ / size_, k_, s + n * channels_ * plane);
  });
}

template <typename Dtype>
PoolShape LRNLayer<Dtype>::Window() const {
  PoolShape shape;
  shape.height = shape.pooled_height = height_;
  shape.width = shape.pooled_width = width_;
  shape.kernel_h = shape.kernel_w = size_;
  shape.pad_h = shape.pad_w = pre_pad_;
  return shape;
}

template <typename Dtype>
void LRNLayer<Dtype>::ScaleWithin(const Dtype* x, Dtype* s) {
  const int count = scale_.count();
  vector<Dtype> squares(count);
  caffe_sqr(count, x, squares.data());
  average_pool_forward(Window(), num_ * channels_, 1, squares.data(), s);
  for_each_index(
      count, [=, alpha = alpha_, k = k_](std::int64_t i) { s[i] = k + alpha * s[i]; });
}

template <typename Dtype>
void LRNLayer<Dtype>::ComputeScale(const Dtype* x) {
  Dtype* s = scale_.mutable_cpu_data();
  if (Across()) {
    ScaleAcross(x, s);
  } else {
    ScaleWithin(x, s);
  }
  scale_is_stale_ = false;
}

template <typename Dtype>
LrnKernel* LRNLayer<Dtype>::FastKernel() {
  LrnShape shape;
  shape.num = num_;
  shape.channels = channels_;
  shape.height = height_;
  shape.width = width_;
  shape.across = Across();
  shape.size = size_;
  shape.alpha = static_cast<float>(alpha_);
  shape.beta = static_cast<float>(beta_);
  shape.k = static_cast<float>(k_);
  if (kernel_is_chosen_ && shape == kernel_shape_) return kernel_.get();
  kernel_is_chosen_ = true;
  kernel_shape_ = shape;
  const bool fast = std::is_same<Dtype, float>::value &&
                    this->layer_param_.lrn_param().engine() != LRNParameter_Engine_CAFFE;
  kernel_ = fast ? make_lrn_kernel(shape) : nullptr;
  return kernel_.get();
}

template <typename Dtype>
void LRNLayer<Dtype>::Forward_cpu(const vector<Blob<Dtype>*>& bottom,
                                  const vector<Blob<Dtype>*>& top) {
  if constexpr (std::is_same<Dtype, float>::value) {
    if (LrnKernel* kernel = FastKernel()) {
      kernel->Forward(*bottom[0], top[0]);
      scale_is_stale_ = true;
      return;
    }
  }
  const Dtype* x = bottom[0]->cpu_data();
  Dtype* y = top[0]->mutable_cpu_data();
  ComputeScale(x);
  const Dtype* s = scale_.cpu_data();
  caffe_powx(scale_.count(), s, -beta_, y);
  caffe_mul(scale_.count(), x, y, y);
}

template <typename Dtype>
void LRNLayer<Dtype>::Backward_cpu(const vector<Blob<Dtype>*>& top,
                                   const vector<bool>& propagate_down,
                                   const vector<Blob<Dtype>*>& bottom) {
  if (!propagate_down[0]) return;
  const int count = scale_.count();
  const Dtype* x = bottom[0]->cpu_data();
  const Dtype* y = top[0]->cpu_data();
  const Dtype* dy = top[0]->cpu_diff();
  if (scale_is_stale_) ComputeScale(x);
  const Dtype* s = scale_.cpu_data();
  Dtype* dx = bottom[0]->mutable_cpu_diff();
  // dx = dy * s^-beta + x * factor * (sum over the windows that hold x of dy * y / s).
  vector<Dtype> ratio(count), sums(count);
  for_each_index(count,
                 [&ratio, dy, y, s](std::int64_t i) { ratio[i] = dy[i] * y[i] / s[i]; });
  Dtype factor = -2 * alpha_ * beta_;
  if (Across()) {
    const std::int64_t item = std::int64_t{channels_} * height_ * width_;
    parallel_for(num_, [&](std::int64_t n) {
      const Dtype* values = ratio.data() + n * item;
      window_sums<Dtype>(
          channels_, item / std::max(1, channels_), pre_pad_,
          [values](std::int64_t i) { return values[i]; }, Dtype(1), Dtype(0),
          sums.data() + n * item);
    });
    factor /= size_;
  } else {
    average_pool_backward(Window(), num_ * channels_, 1, ratio.data(), sums.data());
  }
  caffe_powx(count, s, -beta_, dx);
  const Dtype* sum = sums.data();
  for_each_index(count,
                 [=](std::int64_t i) { dx[i] = dy[i] * dx[i] + factor * x[i] * sum[i]; });
}

INSTANTIATE_CLASS(LRNLayer);
REGISTER_LAYER_CLASS(LRN);

}  // namespace caffe

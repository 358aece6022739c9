// BatchNorm on the device: statistics in double, one elementwise pass.
#include <cmath>

#include "caffe/device/channelwise.hpp"
#include "caffe/device/device.hpp"
#include "caffe/layers/batch_norm_layer.hpp"

namespace caffe {

namespace {

using device::ChannelOf;
using device::ChannelSpan;

/// Rows of `channels` numbers on the device.
struct StatisticsRows {
  double *mean, *inverse_deviation, *gradient_sum, *gradient_dot;
  StatisticsRows(double* rows, int channels)
      : mean(rows),
        inverse_deviation(rows + channels),
        gradient_sum(rows + 2 * channels),
        gradient_dot(rows + 3 * channels) {}
};

/// out = of_first * first + of_second * second + constant.
template <typename Dtype>
struct CoefficientRows {
  Dtype *of_first, *of_second, *constant, *centre;
  CoefficientRows(Dtype* rows, int channels)
      : of_first(rows),
        of_second(rows + channels),
        constant(rows + 2 * channels),
        centre(rows + 3 * channels) {}
};

/// What was summed over the batches so far.
template <typename Dtype>
struct MovingSums {
  Dtype *mean, *variance, *divisor;
};

template <typename Dtype>
void normalizing_coefficients(int channels, const StatisticsRows& statistics,
                              const CoefficientRows<Dtype>& coefficients) {
  const StatisticsRows from = statistics;
  const CoefficientRows<Dtype> to = coefficients;
  launch(
      channels, CAFFE_LAMBDA(int c) {
        const double factor = from.inverse_deviation[c];
        to.of_first[c] = static_cast<Dtype>(factor);
        to.constant[c] = static_cast<Dtype>(-from.mean[c] * factor);
      });
}

/// What the moving sums say of a channel.
template <typename Dtype>
struct GlobalChannel {
  const Dtype *means, *variances, *divisor;
  double eps;

  CAFFE_HD double factor() const { return divisor[0] == 0 ? 0 : 1. / divisor[0]; }
  CAFFE_HD double mean(int c) const { return means[c] * factor(); }
  CAFFE_HD double inverse_deviation(int c) const {
    return 1 / std::sqrt(variances[c] * factor() + eps);
  }
};

template <typename Dtype>
GlobalChannel<Dtype> global_channel(const vector<shared_ptr<Blob<Dtype>>>& blobs,
                                    double eps) {
  return {blobs[0]->gpu_data(), blobs[1]->gpu_data(), blobs[2]->gpu_data(), eps};
}

/// The statistics that the sums stand for.
template <typename Dtype>
void global_statistics(int channels, const GlobalChannel<Dtype>& of,
                       const StatisticsRows& statistics) {
  const GlobalChannel<Dtype> channel = of;
  const StatisticsRows to = statistics;
  launch(
      channels, CAFFE_LAMBDA(int c) {
        to.mean[c] = channel.mean(c);
        to.inverse_deviation[c] = channel.inverse_deviation(c);
      });
}

template <typename Dtype>
void batch_means(const ChannelSpan& span, const Dtype* x,
                 const StatisticsRows& statistics,
                 const CoefficientRows<Dtype>& coefficients) {
  const double values = static_cast<double>(span.outer) * span.inner;
  double* mean = statistics.mean;
  Dtype* centre = coefficients.centre;
  device::launch_channel_sums<double>(
      span, CAFFE_LAMBDA(int i, int) { return static_cast<double>(x[i]); },
      CAFFE_LAMBDA(int c, double sum) {
        mean[c] = sum / values;
        centre[c] = static_cast<Dtype>(sum / values);
      });
}

/// The deviations about the means; adds both to the sums.
template <typename Dtype>
void batch_deviations(const ChannelSpan& span, const Dtype* x, double eps,
                      Dtype kept_fraction, const StatisticsRows& statistics,
                      const Dtype* centre, const MovingSums<Dtype>& moving_sums) {
  const double values = static_cast<double>(span.outer) * span.inner;
  const double unbiased = values > 1 ? values / (values - 1) : 1;
  const StatisticsRows rows = statistics;
  const MovingSums<Dtype> sums = moving_sums;
  device::launch_channel_sums<double>(
      span,
      CAFFE_LAMBDA(int i, int c) {
        const Dtype deviation = x[i] - centre[c];
        return static_cast<double>(deviation * deviation);
      },
      CAFFE_LAMBDA(int c, double sum) {
        const double variance = sum / values;
        rows.inverse_deviation[c] = 1 / std::sqrt(variance + eps);
        sums.mean[c] = kept_fraction * sums.mean[c] + static_cast<Dtype>(rows.mean[c]);
        sums.variance[c] =
            kept_fraction * sums.variance[c] + static_cast<Dtype>(unbiased * variance);
        if (c == 0) sums.divisor[0] = kept_fraction * sums.divisor[0] + 1;
      });
}

template <typename Dtype>
void scale_and_shift(const ChannelSpan& span, const CoefficientRows<Dtype>& coefficients,
                     const Dtype* x, Dtype* y) {
  const ChannelOf channel(span);
  const Dtype *scale = coefficients.of_first, *shift = coefficients.constant;
  launch(
      span.count(), CAFFE_LAMBDA(int i) {
        const int c = channel(i);
        y[i] = scale[c] * x[i] + shift[c];
      });
}

template <typename Dtype>
void scale_only(const ChannelSpan& span, const CoefficientRows<Dtype>& coefficients,
                const Dtype* g, Dtype* dx) {
  const ChannelOf channel(span);
  const Dtype* scale = coefficients.of_first;
  launch(
      span.count(), CAFFE_LAMBDA(int i) { dx[i] = scale[channel(i)] * g[i]; });
}

/// Sums over each channel of g and of g (x - centre); a null centre is 0.
template <typename Dtype>
void gradient_sums(const ChannelSpan& span, const Dtype* g, const Dtype* x,
                   const Dtype* centre, const StatisticsRows& statistics) {
  double *gradient_sum = statistics.gradient_sum, *gradient_dot = statistics.gradient_dot;
  device::launch_channel_sums<double>(
      span, CAFFE_LAMBDA(int i, int) { return static_cast<double>(g[i]); },
      CAFFE_LAMBDA(int c, double sum) { gradient_sum[c] = sum; });
  device::launch_channel_sums<double>(
      span,
      CAFFE_LAMBDA(int i, int c) {
        return static_cast<double>(g[i] * (centre == nullptr ? x[i] : x[i] - centre[c]));
      },
      CAFFE_LAMBDA(int c, double sum) { gradient_dot[c] = sum; });
}

/// Of dx = (g - mean(g) - y mean(g y)) / deviation, by g and by what y is read from: y
/// itself in place, else x.
template <typename Dtype>
void gradient_coefficients(int channels, double values, bool in_place,
                           const StatisticsRows& statistics,
                           const CoefficientRows<Dtype>& coefficients) {
  const StatisticsRows from = statistics;
  const CoefficientRows<Dtype> to = coefficients;
  launch(
      channels, CAFFE_LAMBDA(int c) {
        const double factor = from.inverse_deviation[c];
        const double spread = in_place ? 1 : factor, centre = in_place ? 0 : from.mean[c];
        const double of_second =
            -factor * spread * spread * from.gradient_dot[c] / values;
        to.of_first[c] = static_cast<Dtype>(factor);
        to.of_second[c] = static_cast<Dtype>(of_second);
        to.constant[c] = static_cast<Dtype>(-factor * from.gradient_sum[c] / values -
                                            of_second * centre);
      });
}

template <typename Dtype>
void combine(const ChannelSpan& span, const CoefficientRows<Dtype>& coefficients,
             const Dtype* g, const Dtype* x, Dtype* dx) {
  const ChannelOf channel(span);
  const CoefficientRows<Dtype> rows = coefficients;
  launch(
      span.count(), CAFFE_LAMBDA(int i) {
        const int c = channel(i);
        dx[i] = rows.of_first[c] * g[i] + rows.of_second[c] * x[i] + rows.constant[c];
      });
}

/// scale <- scale / deviation, shift <- (shift - mean) / deviation.
template <typename Dtype>
void compose(int channels, const GlobalChannel<Dtype>& statistics,
             const AffineRows& before, const AffineRows& after) {
  const GlobalChannel<Dtype> channel = statistics;
  const AffineRows from = before, to = after;
  launch(
      channels, CAFFE_LAMBDA(int c) {
        const double factor = channel.inverse_deviation(c);
        to.scale[c] = from.scale_of(c) * factor;
        to.shift[c] = (from.shift_of(c) - channel.mean(c)) * factor;
      });
}

template <typename Dtype>
void compose_backward(int channels, const GlobalChannel<Dtype>& statistics,
                      const AffineRows& gradient) {
  const GlobalChannel<Dtype> channel = statistics;
  const AffineRows g = gradient;
  launch(
      channels, CAFFE_LAMBDA(int c) {
        const double factor = channel.inverse_deviation(c);
        g.scale[c] *= factor;
        g.shift[c] *= factor;
      });
}

}  // namespace

template <typename Dtype>
void BatchNormLayer<Dtype>::compose_affine_gpu(int channels, const AffineRows& before,
                                               const AffineRows& after) const {
  compose(channels, global_channel(this->blobs_, eps_), before, after);
}

template <typename Dtype>
void BatchNormLayer<Dtype>::compose_affine_backward_gpu(int channels, const AffineRows&,
                                                        const AffineRows& gradient) {
  compose_backward(channels, global_channel(this->blobs_, eps_), gradient);
}

template <typename Dtype>
void BatchNormLayer<Dtype>::Forward_gpu(const vector<Blob<Dtype>*>& bottom,
                                        const vector<Blob<Dtype>*>& top) {
  device_statistics_.Reshape({4, channels_});
  device_coefficients_.Reshape({4, channels_});
  const StatisticsRows statistics(device_statistics_.mutable_gpu_data(), channels_);
  const CoefficientRows<Dtype> coefficients(device_coefficients_.mutable_gpu_data(),
                                            channels_);
  SyncedMemory* in = bottom[0]->data().get();
  const ChannelsLast order = device::common_order(*bottom[0], {in});
  const ChannelSpan span = device::channel_span(*bottom[0], order);
  const Dtype* x = device::read_in_order<Dtype>(in, order);
  if (use_global_stats_) {
    global_statistics(channels_, global_channel(this->blobs_, eps_), statistics);
  } else {
    batch_means(span, x, statistics, coefficients);
    const MovingSums<Dtype> sums{this->blobs_[0]->mutable_gpu_data(),
                                 this->blobs_[1]->mutable_gpu_data(),
                                 this->blobs_[2]->mutable_gpu_data()};
    batch_deviations<Dtype>(span, x, eps_, moving_average_fraction_, statistics,
                            coefficients.centre, sums);
  }
  normalizing_coefficients(channels_, statistics, coefficients);
  Dtype* y = device::write_in_order<Dtype>(top[0]->data().get(), order);
  scale_and_shift(span, coefficients, x, y);
  if (!use_global_stats_ && bottom[0] == top[0]) {
    normalized_.ReshapeLike(*top[0]);
    device::copy_on_device(device::write_in_order<Dtype>(normalized_.data().get(), order),
                           y, sizeof(Dtype) * top[0]->count());
  }
}

template <typename Dtype>
void BatchNormLayer<Dtype>::Backward_gpu(const vector<Blob<Dtype>*>& top,
                                         const vector<bool>& propagate_down,
                                         const vector<Blob<Dtype>*>& bottom) {
  if (!propagate_down[0]) return;
  if (!use_global_stats_) {
    BackwardBatchGpu(*top[0], bottom[0]);
    return;
  }
  device_statistics_.Reshape({4, channels_});
  device_coefficients_.Reshape({4, channels_});
  const StatisticsRows statistics(device_statistics_.mutable_gpu_data(), channels_);
  const CoefficientRows<Dtype> coefficients(device_coefficients_.mutable_gpu_data(),
                                            channels_);
  global_statistics(channels_, global_channel(this->blobs_, eps_), statistics);
  normalizing_coefficients(channels_, statistics, coefficients);
  SyncedMemory* gradient = top[0]->diff().get();
  const ChannelsLast order = device::common_order(*bottom[0], {gradient});
  const Dtype* g = device::read_in_order<Dtype>(gradient, order);
  scale_only(device::channel_span(*bottom[0], order), coefficients, g,
             device::write_in_order<Dtype>(bottom[0]->diff().get(), order));
}

/// In place y is the kept copy; else it is read from the bottom (a later layer may have
/// overwritten y).
template <typename Dtype>
void BatchNormLayer<Dtype>::BackwardBatchGpu(const Blob<Dtype>& top,
                                             Blob<Dtype>* bottom) {
  const bool in_place = bottom == &top;
  SyncedMemory* gradient = top.diff().get();
  SyncedMemory* in = (in_place ? normalized_ : *bottom).data().get();
  const ChannelsLast order = device::common_order(*bottom, {gradient, in});
  const ChannelSpan span = device::channel_span(*bottom, order);
  const StatisticsRows statistics(device_statistics_.mutable_gpu_data(), channels_);
  const CoefficientRows<Dtype> coefficients(device_coefficients_.mutable_gpu_data(),
                                            channels_);
  const Dtype* g = device::read_in_order<Dtype>(gradient, order);
  const Dtype* x = device::read_in_order<Dtype>(in, order);
  gradient_sums<Dtype>(span, g, x, in_place ? nullptr : coefficients.centre, statistics);
  gradient_coefficients(channels_, static_cast<double>(span.outer) * span.inner, in_place,
                        statistics, coefficients);
  combine(span, coefficients, g, x,
          device::write_in_order<Dtype>(bottom->diff().get(), order));
}

INSTANTIATE_LAYER_GPU_FUNCS(BatchNormLayer);
INSTANTIATE_AFFINE_GPU_FUNCS(BatchNormLayer);

}  // namespace caffe

// L1Loss.
#include "caffe/layers/l1_loss_layer.hpp"

#include <cmath>

#include "caffe/util/parallel_for.hpp"
#include "caffe/util/parallel_sum.hpp"

namespace caffe {

namespace {

/// The difference of the bottoms at an entry, and what the modes make of it.
template <typename Dtype>
struct L1Difference {
  const Dtype *a, *b;  ///< b may be null
  int channels;
  std::int64_t plane;  ///< height * width
  double plateau, epsilon, power, omega;

  L1Difference(const L1LossParameter& param, const vector<Blob<Dtype>*>& bottom)
      : a(bottom[0]->cpu_data()),
        b(bottom.size() > 1 ? bottom[1]->cpu_data() : nullptr),
        channels(bottom[0]->channels()),
        plane(std::int64_t{bottom[0]->height()} * bottom[0]->width()),
        plateau(param.plateau()),
        epsilon(param.epsilon()),
        power(param.power()),
        omega(param.l2_prescale_by_channels() ? 1.0 / bottom[0]->channels() : 1.0) {}

  double at(std::int64_t i) const {
    return b == nullptr ? static_cast<double>(a[i]) : static_cast<double>(a[i]) - b[i];
  }
  std::int64_t first_entry(std::int64_t location) const {
    return location / plane * channels * plane + location % plane;
  }
  /// Sum of squares of a location, unknown entries left out.
  double squares(std::int64_t location) const {
    const std::int64_t first = first_entry(location);
    double sum = 0;
    for (int c = 0; c < channels; ++c) {
      const double d = at(first + c * plane);
      if (!std::isnan(d)) sum += d * d;
    }
    return omega * sum;
  }
  bool in_plateau(double s) const { return s < plateau * plateau; }
};

}  // namespace

template <typename Dtype>
void L1LossLayer<Dtype>::Reshape(const vector<Blob<Dtype>*>& bottom,
                                 const vector<Blob<Dtype>*>& top) {
  const string where = "L1Loss layer '" + this->layer_param_.name() + "': ";
  CHECK_VALUE(bottom[0]->num_axes() == 4)
      << where << "a bottom (N, C, H, W) is needed, not " << bottom[0]->shape_string();
  CHECK_VALUE(bottom.size() == 1 || bottom[0]->shape() == bottom[1]->shape())
      << where << "both bottoms must have the same shape; they are "
      << bottom[0]->shape_string() << " and " << bottom[1]->shape_string();
  top[0]->Reshape(vector<int>());
}

template <typename Dtype>
void L1LossLayer<Dtype>::Forward_cpu(const vector<Blob<Dtype>*>& bottom,
                                     const vector<Blob<Dtype>*>& top) {
  const L1LossParameter& param = this->layer_param_.l1_loss_param();
  const L1Difference<Dtype> d(param, bottom);
  const std::int64_t count = bottom[0]->count();
  double divisor = bottom[0]->num();
  if (param.normalize_by_num_entries()) {
    divisor = parallel_sum(count, [=](std::int64_t begin, std::int64_t end) {
      double known = 0;
      for (std::int64_t i = begin; i < end; ++i) known += std::isnan(d.at(i)) ? 0 : 1;
      return known;
    });
    divisor /= d.channels;
  }
  normalizer_ = divisor > 0 ? 1 / divisor : 0;
  double sum = 0;
  if (param.l2_per_location()) {
    sum = parallel_sum(count / d.channels, [=](std::int64_t begin, std::int64_t end) {
      double loss = 0;
      for (std::int64_t i = begin; i < end; ++i) {
        const double s = d.squares(i);
        loss += std::pow((d.in_plateau(s) ? 0 : s) + d.epsilon, d.power);
      }
      return loss;
    });
  } else {
    sum = parallel_sum(count, [=](std::int64_t begin, std::int64_t end) {
      double loss = 0;
      for (std::int64_t i = begin; i < end; ++i) {
        const double size = std::fabs(d.at(i));
        if (size >= d.plateau) loss += size;  // not where it is NaN
      }
      return loss;
    });
  }
  top[0]->mutable_cpu_data()[0] = static_cast<Dtype>(normalizer_ * sum);
}

template <typename Dtype>
void L1LossLayer<Dtype>::Backward_cpu(const vector<Blob<Dtype>*>& top,
                                      const vector<bool>& propagate_down,
                                      const vector<Blob<Dtype>*>& bottom) {
  const L1LossParameter& param = this->layer_param_.l1_loss_param();
  const L1Difference<Dtype> d(param, bottom);
  const std::int64_t count = bottom[0]->count();
  for (size_t side = 0; side < bottom.size(); ++side) {
    if (!propagate_down[side]) continue;
    const double scale = (side == 0 ? 1 : -1) * normalizer_ * top[0]->cpu_diff()[0];
    Dtype* diff = bottom[side]->mutable_cpu_diff();
    if (!param.l2_per_location()) {
      for_each_index(count, [=](std::int64_t i) {
        const double value = d.at(i);
        const double sign = value > 0 ? 1 : value < 0 ? -1 : 0;
        diff[i] = static_cast<Dtype>(std::fabs(value) >= d.plateau ? scale * sign : 0);
      });
      continue;
    }
    parallel_ranges(
        count / d.channels, 1 << 10, [=](std::int64_t begin, std::int64_t end) {
          for (std::int64_t location = begin; location < end; ++location) {
            const double s = d.squares(location);
            // Without epsilon the root has no slope at 0.
            const bool flat = d.in_plateau(s) || s + d.epsilon <= 0;
            const double slope = flat ? 0
                                      : scale * d.power *
                                            std::pow(s + d.epsilon, d.power - 1) * 2 *
                                            d.omega;
            std::int64_t i = d.first_entry(location);
            for (int c = 0; c < d.channels; ++c, i += d.plane) {
              const double value = d.at(i);
              diff[i] = static_cast<Dtype>(std::isnan(value) ? 0 : slope * value);
            }
          }
        });
  }
}

INSTANTIATE_CLASS(L1LossLayer);
REGISTER_LAYER_CLASS(L1Loss);

}  // namespace caffe

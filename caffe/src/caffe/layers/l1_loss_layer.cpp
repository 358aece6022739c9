// L1Loss.
#include "caffe/layers/l1_loss_layer.hpp"

#include <cmath>

#include "caffe/layers/l1_difference.hpp"
#include "caffe/util/parallel_for.hpp"
#include "caffe/util/parallel_sum.hpp"

namespace caffe {

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
  const L1Difference<Dtype> d(param, *bottom[0], bottom[0]->cpu_data(),
                              bottom.size() > 1 ? bottom[1]->cpu_data() : nullptr);
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
  const double normalizer = divisor > 0 ? 1 / divisor : 0;
  normalizer_.mutable_cpu_data()[0] = normalizer;
  double sum = 0;
  if (param.l2_per_location()) {
    sum = parallel_sum(count / d.channels, [=](std::int64_t begin, std::int64_t end) {
      double loss = 0;
      for (std::int64_t i = begin; i < end; ++i) {
        loss += d.location_loss(static_cast<int>(i));
      }
      return loss;
    });
  } else {
    sum = parallel_sum(count, [=](std::int64_t begin, std::int64_t end) {
      double loss = 0;
      for (std::int64_t i = begin; i < end; ++i) loss += d.entry_loss(i);
      return loss;
    });
  }
  top[0]->mutable_cpu_data()[0] = static_cast<Dtype>(normalizer * sum);
}

template <typename Dtype>
void L1LossLayer<Dtype>::Backward_cpu(const vector<Blob<Dtype>*>& top,
                                      const vector<bool>& propagate_down,
                                      const vector<Blob<Dtype>*>& bottom) {
  const L1LossParameter& param = this->layer_param_.l1_loss_param();
  const L1Difference<Dtype> d(param, *bottom[0], bottom[0]->cpu_data(),
                              bottom.size() > 1 ? bottom[1]->cpu_data() : nullptr);
  const std::int64_t count = bottom[0]->count();
  for (size_t side = 0; side < bottom.size(); ++side) {
    if (!propagate_down[side]) continue;
    const double scale =
        (side == 0 ? 1 : -1) * normalizer_.cpu_data()[0] * top[0]->cpu_diff()[0];
    Dtype* diff = bottom[side]->mutable_cpu_diff();
    if (!param.l2_per_location()) {
      for_each_index(count, [=](std::int64_t i) {
        diff[i] = static_cast<Dtype>(scale * d.entry_slope(i));
      });
      continue;
    }
    parallel_ranges(
        count / d.channels, 1 << 10, [=](std::int64_t begin, std::int64_t end) {
          for (std::int64_t location = begin; location < end; ++location) {
            const double slope = scale * d.location_slope(static_cast<int>(location));
            int i = d.first_entry(static_cast<int>(location));
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

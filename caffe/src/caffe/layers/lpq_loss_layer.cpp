// LpqLoss.
#include "caffe/layers/lpq_loss_layer.hpp"

#include "caffe/layers/net_iteration.hpp"
#include "caffe/util/parallel_for.hpp"
#include "caffe/util/parallel_sum.hpp"

namespace caffe {

template <typename Dtype>
void LpqLossLayer<Dtype>::LayerSetUp(const vector<Blob<Dtype>*>& bottom,
                                     const vector<Blob<Dtype>*>& top) {
  LossLayer<Dtype>::LayerSetUp(bottom, top);
  const LpqLossParameter& param = this->layer_param_.lpq_loss_param();
  const string where = "LpqLoss layer '" + this->layer_param_.name() + "': ";
  const int starts = param.pq_episode_starts_at_iter_size();
  if (starts == 0 && param.p_size() == 1 && param.q_size() == 1) return;
  CHECK_VALUE(starts == param.p_size() && starts == param.q_size())
      << where << "Incompatible sizes: " << starts << " of pq_episode_starts_at_iter, "
      << param.p_size() << " of p, " << param.q_size() << " of q";
  CHECK_VALUE(starts > 0) << where << "Lpq schedule parameters must not be empty: set p "
                          << "and q in lpq_loss_param";
  for (int k = 1; k < starts; ++k) {
    const auto before = param.pq_episode_starts_at_iter(k - 1);
    CHECK_VALUE(before < param.pq_episode_starts_at_iter(k))
        << where
        << "pq_episode_starts_at_frame is not ordered or contains duplicates: " << before
        << " before " << param.pq_episode_starts_at_iter(k);
  }
  CHECK_VALUE(param.pq_episode_starts_at_iter(0) == 0)
      << where << "First entry in pq_episode_starts_at_frame is not 0, this is probably "
      << "a mistake.";
}

template <typename Dtype>
void LpqLossLayer<Dtype>::Reshape(const vector<Blob<Dtype>*>& bottom,
                                  const vector<Blob<Dtype>*>& top) {
  const string where = "LpqLoss layer '" + this->layer_param_.name() + "': ";
  CHECK_VALUE(bottom[0]->num_axes() == 4)
      << where << "a bottom (N, C, H, W) is needed, not " << bottom[0]->shape_string();
  CHECK_VALUE(bottom.size() == 1 || bottom[0]->shape() == bottom[1]->shape())
      << where << "both bottoms must have the same shape; they are "
      << bottom[0]->shape_string() << " and " << bottom[1]->shape_string();
  top[0]->Reshape(vector<int>());
  normalizer_.Reshape(vector<int>());
}

template <typename Dtype>
int LpqLossLayer<Dtype>::EpisodeAt(int iteration) const {
  const LpqLossParameter& param = this->layer_param_.lpq_loss_param();
  int episode = 0;
  for (int k = 1; k < param.pq_episode_starts_at_iter_size(); ++k) {
    if (static_cast<int>(param.pq_episode_starts_at_iter(k)) <= iteration) episode = k;
  }
  return episode;
}

template <typename Dtype>
LpqDifference<Dtype> LpqLossLayer<Dtype>::Rule(const Blob<Dtype>& bottom) const {
  const LpqLossParameter& param = this->layer_param_.lpq_loss_param();
  LpqDifference<Dtype> d;
  d.channels = bottom.channels();
  d.plane = bottom.count(2);
  d.p = param.p(episode_);
  d.q = param.q(episode_);
  d.p_epsilon = param.p_epsilon();
  d.q_epsilon = param.q_epsilon();
  if (param.l2_prescale_by_channels()) d.omega = 1.0 / bottom.channels();
  return d;
}

template <typename Dtype>
void LpqLossLayer<Dtype>::Forward_cpu(const vector<Blob<Dtype>*>& bottom,
                                      const vector<Blob<Dtype>*>& top) {
  episode_ = EpisodeAt(training_iteration_of(this->GetNet()));
  LpqDifference<Dtype> d = Rule(*bottom[0]);
  d.a = bottom[0]->cpu_data();
  d.b = bottom.size() > 1 ? bottom[1]->cpu_data() : nullptr;
  const std::int64_t count = bottom[0]->count();
  double divisor = bottom[0]->num();
  if (by_entries()) {
    divisor = parallel_sum(count, [=](std::int64_t begin, std::int64_t end) {
      double known = 0;
      for (std::int64_t i = begin; i < end; ++i) known += d.is_known(i) ? 1 : 0;
      return known;
    });
    divisor /= d.channels;
  }
  const double normalizer = divisor > 0 ? 1 / divisor : 0;
  *normalizer_.mutable_cpu_data() = normalizer;
  const std::int64_t places = count == 0 ? 0 : count / d.channels;
  const double sum = parallel_sum(places, [=](std::int64_t begin, std::int64_t end) {
    double loss = 0;
    for (std::int64_t i = begin; i < end; ++i) loss += d.loss(i);
    return loss;
  });
  top[0]->mutable_cpu_data()[0] = static_cast<Dtype>(normalizer * sum);
}

template <typename Dtype>
void LpqLossLayer<Dtype>::Backward_cpu(const vector<Blob<Dtype>*>& top,
                                       const vector<bool>& propagate_down,
                                       const vector<Blob<Dtype>*>& bottom) {
  LpqDifference<Dtype> d = Rule(*bottom[0]);
  d.a = bottom[0]->cpu_data();
  d.b = bottom.size() > 1 ? bottom[1]->cpu_data() : nullptr;
  const std::int64_t count = bottom[0]->count();
  for (size_t side = 0; side < bottom.size(); ++side) {
    if (!propagate_down[side] || count == 0) continue;
    const LpqGradient<Dtype> gradient{d, side == 0 ? 1. : -1., normalizer_.cpu_data(),
                                      top[0]->cpu_diff(),
                                      bottom[side]->mutable_cpu_diff()};
    for_each_index(count / d.channels, gradient);
  }
}

INSTANTIATE_CLASS(LpqLossLayer);
REGISTER_LAYER_CLASS(LpqLoss);

}  // namespace caffe

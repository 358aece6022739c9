// LpqLoss.
#include "caffe/layers/lpq_loss_layer.hpp"

#include "caffe/layers/net_iteration.hpp"

namespace caffe {

template <typename Dtype>
void LpqLossLayer<Dtype>::LayerSetUp(const vector<Blob<Dtype>*>& bottom,
                                     const vector<Blob<Dtype>*>& top) {
  LossLayer<Dtype>::LayerSetUp(bottom, top);
  const LpqLossParameter& param = this->layer_param_.lpq_loss_param();
  const string where = this->where();
  const string grows = "the loss must grow with the difference";
  for (const float p : param.p()) this->CheckPositive("lpq_loss_param.p", p, grows);
  for (const float q : param.q()) this->CheckPositive("lpq_loss_param.q", q, grows);
  const string base = "it keeps the base of a power from being negative";
  this->CheckNotNegative("lpq_loss_param.p_epsilon", param.p_epsilon(), base);
  this->CheckNotNegative("lpq_loss_param.q_epsilon", param.q_epsilon(), base);
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
int LpqLossLayer<Dtype>::EpisodeAt(int iteration) const {
  const LpqLossParameter& param = this->layer_param_.lpq_loss_param();
  int episode = 0;
  for (int k = 1; k < param.pq_episode_starts_at_iter_size(); ++k) {
    if (std::int64_t{param.pq_episode_starts_at_iter(k)} <= iteration) episode = k;
  }
  return episode;
}

template <typename Dtype>
LpqDifference<Dtype> LpqLossLayer<Dtype>::Rule(
    const MapDifference<Dtype>& difference) const {
  const LpqLossParameter& param = this->layer_param_.lpq_loss_param();
  LpqDifference<Dtype> rule(difference);
  rule.p = param.p(episode_);
  rule.q = param.q(episode_);
  rule.p_epsilon = param.p_epsilon();
  rule.q_epsilon = param.q_epsilon();
  if (param.l2_prescale_by_channels()) rule.omega = 1.0 / rule.channels;
  return rule;
}

template <typename Dtype>
void LpqLossLayer<Dtype>::Forward_cpu(const vector<Blob<Dtype>*>& bottom,
                                      const vector<Blob<Dtype>*>& top) {
  episode_ = EpisodeAt(training_iteration_of(this->GetNet()));
  top[0]->mutable_cpu_data()[0] =
      this->LossOnHost(Rule(this->OnHost(bottom)), by_entries(), *bottom[0]);
}

template <typename Dtype>
void LpqLossLayer<Dtype>::Backward_cpu(const vector<Blob<Dtype>*>& top,
                                       const vector<bool>& propagate_down,
                                       const vector<Blob<Dtype>*>& bottom) {
  this->GradientsOnHost(Rule(this->OnHost(bottom)), top[0]->cpu_diff()[0], propagate_down,
                        bottom);
}

INSTANTIATE_CLASS(LpqLossLayer);
REGISTER_LAYER_CLASS(LpqLoss);

}  // namespace caffe

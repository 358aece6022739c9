// The update rules of Nesterov, AdaGrad, RMSProp, AdaDelta and Adam.
#include <cmath>

#include "caffe/sgd_solvers.hpp"
#include "caffe/util/parallel_for.hpp"

namespace caffe {

/// v <- momentum * v + rate * g; step (1 + momentum) * v - momentum * v_before.
template <typename Dtype>
void NesterovSolver<Dtype>::ComputeUpdateValue(int param_id, Dtype rate) {
  Blob<Dtype>* param = this->net_->learnable_params()[param_id];
  const Dtype momentum = this->param_.momentum();
  const Dtype local_rate = this->LocalRate(param_id, rate);
  Dtype* diff = param->mutable_cpu_diff();
  Dtype* history = this->history_[param_id]->mutable_cpu_data();
  for_each_index(param->count(), [=](std::int64_t i) {
    const Dtype before = history[i];
    history[i] = momentum * before + local_rate * diff[i];
    diff[i] = (1 + momentum) * history[i] - momentum * before;
  });
}

/// h <- h + g^2; step rate * g / (sqrt(h) + delta).
template <typename Dtype>
void AdaGradSolver<Dtype>::ComputeUpdateValue(int param_id, Dtype rate) {
  Blob<Dtype>* param = this->net_->learnable_params()[param_id];
  const Dtype delta = this->param_.delta();
  const Dtype local_rate = this->LocalRate(param_id, rate);
  Dtype* diff = param->mutable_cpu_diff();
  Dtype* history = this->history_[param_id]->mutable_cpu_data();
  for_each_index(param->count(), [=](std::int64_t i) {
    history[i] += diff[i] * diff[i];
    diff[i] = local_rate * diff[i] / (std::sqrt(history[i]) + delta);
  });
}

/// h <- decay * h + (1 - decay) * g^2; step rate * g / (sqrt(h) + delta).
template <typename Dtype>
void RMSPropSolver<Dtype>::ComputeUpdateValue(int param_id, Dtype rate) {
  Blob<Dtype>* param = this->net_->learnable_params()[param_id];
  const Dtype delta = this->param_.delta();
  const Dtype decay = this->param_.rms_decay();
  const Dtype local_rate = this->LocalRate(param_id, rate);
  Dtype* diff = param->mutable_cpu_diff();
  Dtype* history = this->history_[param_id]->mutable_cpu_data();
  for_each_index(param->count(), [=](std::int64_t i) {
    history[i] = decay * history[i] + (1 - decay) * diff[i] * diff[i];
    diff[i] = local_rate * diff[i] / (std::sqrt(history[i]) + delta);
  });
}

/// h <- m h + (1 - m) g^2; u = g sqrt((k + delta) / (h + delta)); k <- m k + (1 - m) u^2;
/// step rate * u. All h come first in the history, then all k.
template <typename Dtype>
void AdaDeltaSolver<Dtype>::ComputeUpdateValue(int param_id, Dtype rate) {
  const auto& params = this->net_->learnable_params();
  Blob<Dtype>* param = params[param_id];
  const Dtype delta = this->param_.delta();
  const Dtype momentum = this->param_.momentum();
  const Dtype local_rate = this->LocalRate(param_id, rate);
  Dtype* diff = param->mutable_cpu_diff();
  Dtype* squares = this->history_[param_id]->mutable_cpu_data();
  Dtype* steps = this->history_[params.size() + param_id]->mutable_cpu_data();
  for_each_index(param->count(), [=](std::int64_t i) {
    squares[i] = momentum * squares[i] + (1 - momentum) * diff[i] * diff[i];
    const Dtype step = diff[i] * std::sqrt((steps[i] + delta) / (squares[i] + delta));
    steps[i] = momentum * steps[i] + (1 - momentum) * step * step;
    diff[i] = local_rate * step;
  });
}

/// m <- b1 m + (1 - b1) g; v <- b2 v + (1 - b2) g^2;
/// step rate * sqrt(1 - b2^t) / (1 - b1^t) * m / (sqrt(v) + delta).
template <typename Dtype>
void AdamSolver<Dtype>::ComputeUpdateValue(int param_id, Dtype rate) {
  const auto& params = this->net_->learnable_params();
  Blob<Dtype>* param = params[param_id];
  const Dtype delta = this->param_.delta();
  const Dtype beta1 = this->param_.momentum();
  const Dtype beta2 = this->param_.momentum2();
  const int t = this->iter_ + 1;
  const Dtype correction = std::sqrt(Dtype(1) - std::pow(beta2, Dtype(t))) /
                           (Dtype(1) - std::pow(beta1, Dtype(t)));
  const Dtype local_rate = this->LocalRate(param_id, rate) * correction;
  Dtype* diff = param->mutable_cpu_diff();
  Dtype* m = this->history_[param_id]->mutable_cpu_data();
  Dtype* v = this->history_[params.size() + param_id]->mutable_cpu_data();
  for_each_index(param->count(), [=](std::int64_t i) {
    m[i] = beta1 * m[i] + (1 - beta1) * diff[i];
    v[i] = beta2 * v[i] + (1 - beta2) * diff[i] * diff[i];
    diff[i] = local_rate * m[i] / (std::sqrt(v[i]) + delta);
  });
}

INSTANTIATE_CLASS(NesterovSolver);
INSTANTIATE_CLASS(AdaGradSolver);
INSTANTIATE_CLASS(RMSPropSolver);
INSTANTIATE_CLASS(AdaDeltaSolver);
INSTANTIATE_CLASS(AdamSolver);
REGISTER_SOLVER_CLASS(Nesterov);
REGISTER_SOLVER_CLASS(AdaGrad);
REGISTER_SOLVER_CLASS(RMSProp);
REGISTER_SOLVER_CLASS(AdaDelta);
REGISTER_SOLVER_CLASS(Adam);

}  // namespace caffe

// The update rules of Nesterov, AdaGrad, RMSProp, AdaDelta and Adam with their numbers.
// (What they do: update_rules.hpp.)
#include <cmath>
#include <typeinfo>

#include "caffe/sgd_solvers.hpp"
#include "run_update.hpp"

namespace caffe {

template <typename Dtype>
NesterovRule<Dtype> NesterovSolver<Dtype>::Rule(int param_id, Dtype rate) const {
  return {static_cast<Dtype>(this->param_.momentum()), this->LocalRate(param_id, rate),
          this->History(param_id)};
}

template <typename Dtype>
AdaGradRule<Dtype> AdaGradSolver<Dtype>::Rule(int param_id, Dtype rate) const {
  return {static_cast<Dtype>(this->param_.delta()), this->LocalRate(param_id, rate),
          this->History(param_id)};
}

template <typename Dtype>
RMSPropRule<Dtype> RMSPropSolver<Dtype>::Rule(int param_id, Dtype rate) const {
  return {static_cast<Dtype>(this->param_.delta()),
          static_cast<Dtype>(this->param_.rms_decay()), this->LocalRate(param_id, rate),
          this->History(param_id)};
}

// Two histories: all of the first come first, then all of the second.

template <typename Dtype>
AdaDeltaRule<Dtype> AdaDeltaSolver<Dtype>::Rule(int param_id, Dtype rate) const {
  return {static_cast<Dtype>(this->param_.delta()),
          static_cast<Dtype>(this->param_.momentum()), this->LocalRate(param_id, rate),
          this->History(param_id),
          this->History(this->net_->learnable_params().size() + param_id)};
}

/// The rate is multiplied by sqrt(1 - b2^t) / (1 - b1^t).
template <typename Dtype>
AdamRule<Dtype> AdamSolver<Dtype>::Rule(int param_id, Dtype rate) const {
  const Dtype beta1 = this->param_.momentum();
  const Dtype beta2 = this->param_.momentum2();
  const int t = this->iter_ + 1;
  const Dtype correction = std::sqrt(Dtype(1) - std::pow(beta2, Dtype(t))) /
                           (Dtype(1) - std::pow(beta1, Dtype(t)));
  return {static_cast<Dtype>(this->param_.delta()),
          beta1,
          beta2,
          this->LocalRate(param_id, rate) * correction,
          this->History(param_id),
          this->History(this->net_->learnable_params().size() + param_id)};
}

#define CAFFE_DEFINE_UPDATE(Solver)                                                   \
  template <typename Dtype>                                                           \
  void Solver<Dtype>::ComputeUpdateValue(int param_id, Dtype rate) {                  \
    gradient_to_step(Rule(param_id, rate), this->net_->learnable_params()[param_id]); \
  }                                                                                   \
  template <typename Dtype>                                                           \
  bool Solver<Dtype>::UpdateAtOnce(int param_id, Dtype rate) {                        \
    if (typeid(*this) != typeid(Solver<Dtype>)) return false;                         \
    update_parameter(this->Preparation(param_id), Rule(param_id, rate),               \
                     this->net_->learnable_params()[param_id]);                       \
    return true;                                                                      \
  }
CAFFE_DEFINE_UPDATE(NesterovSolver)
CAFFE_DEFINE_UPDATE(AdaGradSolver)
CAFFE_DEFINE_UPDATE(RMSPropSolver)
CAFFE_DEFINE_UPDATE(AdaDeltaSolver)
CAFFE_DEFINE_UPDATE(AdamSolver)
#undef CAFFE_DEFINE_UPDATE

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

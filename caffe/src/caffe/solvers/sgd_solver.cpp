// SGD: rate policies, clipping, regularisation, the momentum rule.
#include <algorithm>
#include <cmath>
#include <typeinfo>

#include "caffe/sgd_solvers.hpp"
#include "run_update.hpp"

namespace caffe {

template <typename Dtype>
Dtype SGDSolver<Dtype>::GetLearningRate() {
  const SolverParameter& param = this->param_;
  const string& policy = param.lr_policy();
  const double base = param.base_lr();
  const double gamma = param.gamma();
  const double iter = this->iter_;
  const double pi = 3.14159265358979323846;
  if (policy == "fixed") return static_cast<Dtype>(base);
  if (policy == "poly") {
    const double left = std::max(0.0, 1.0 - iter / param.max_iter());
    return static_cast<Dtype>(base * std::pow(left, static_cast<double>(param.power())));
  }
  if (policy == "cosine") {
    const double warm = param.stepsize();
    if (iter < warm) return static_cast<Dtype>(base * (iter + 1) / (warm + 1));
    const double span = std::max(1.0, param.max_iter() - warm);
    const double part = std::min(1.0, (iter - warm) / span);
    return static_cast<Dtype>(base *
                              (gamma + (1 - gamma) * 0.5 * (1 + std::cos(pi * part))));
  }
  if (policy == "sigmoid") {
    CHECK_GT(param.stepsize(), 0);
    return static_cast<Dtype>(base /
                              (1.0 + std::exp(-gamma * (iter - param.stepsize()))));
  }
  if (policy == "step" || policy == "exp" || policy == "inv" || policy == "multistep") {
    CHECK_GE(gamma, 0);
  }
  if (policy == "step") {
    CHECK_GT(param.stepsize(), 0);
    this->current_step_ = this->iter_ / param.stepsize();
    return static_cast<Dtype>(base * std::pow(gamma, this->current_step_));
  }
  if (policy == "exp") return static_cast<Dtype>(base * std::pow(gamma, iter));
  if (policy == "inv") {
    return static_cast<Dtype>(
        base * std::pow(1.0 + gamma * iter, -static_cast<double>(param.power())));
  }
  if (policy == "multistep") {
    if (this->current_step_ < param.stepvalue_size() &&
        this->iter_ >= param.stepvalue(this->current_step_)) {
      ++this->current_step_;
      LOG(INFO) << "MultiStep Status: Iteration " << this->iter_
                << ", step = " << this->current_step_;
    }
    return static_cast<Dtype>(base * std::pow(gamma, this->current_step_));
  }
  CAFFE_THROW(kValue)
      << "Unknown learning rate policy '" << policy
      << "' (known: fixed, step, exp, inv, multistep, poly, sigmoid, cosine)";
}

template <typename Dtype>
void SGDSolver<Dtype>::PreSolve() {
  for (const Blob<Dtype>* blob : this->net_->learnable_params()) {
    history_.push_back(std::make_shared<Blob<Dtype>>(blob->shape()));
    update_.push_back(std::make_shared<Blob<Dtype>>(blob->shape()));
    temp_.push_back(std::make_shared<Blob<Dtype>>(blob->shape()));
  }
}

template <typename Dtype>
void SGDSolver<Dtype>::AddHistoryGroup() {
  for (const Blob<Dtype>* blob : this->net_->learnable_params()) {
    history_.push_back(std::make_shared<Blob<Dtype>>(blob->shape()));
  }
}

template <typename Dtype>
void SGDSolver<Dtype>::ClipGradients() {
  const Dtype clip = this->param_.clip_gradients();
  if (clip < 0) return;
  Dtype sumsq = 0;
  if (Caffe::mode() == Caffe::GPU) {
    sumsq = static_cast<Dtype>(device_sum_of_squares(this->net_->learnable_params()));
  } else {
    for (const Blob<Dtype>* blob : this->net_->learnable_params())
      sumsq += blob->sumsq_diff();
  }
  const Dtype l2norm = std::sqrt(sumsq);
  if (l2norm <= clip) return;
  const Dtype factor = clip / l2norm;
  LOG(INFO) << "Gradient clipping: scaling down gradients (L2 norm " << l2norm << " > "
            << clip << ") by scale factor " << factor;
  for (Blob<Dtype>* blob : this->net_->learnable_params()) blob->scale_diff(factor);
}

template <typename Dtype>
void SGDSolver<Dtype>::ApplyUpdate() {
  const Dtype rate = GetLearningRate();
  if (this->param_.display() && this->iter_ % this->param_.display() == 0) {
    LOG_IF(INFO, Caffe::root_solver())
        << "Iteration " << this->iter_ << ", lr = " << rate;
  }
  ClipGradients();
  const auto& params = this->net_->learnable_params();
  vector<Blob<Dtype>*> stepwise;
  for (int i = 0; i < static_cast<int>(params.size()); ++i) {
    // A parameter that never had a gradient and does not learn stays as it is.
    if (!params[i]->has_diff() && this->net_->params_lr()[i] == 0) continue;
    if (UpdateAtOnce(i, rate)) continue;
    Normalize(i);
    Regularize(i);
    ComputeUpdateValue(i, rate);
    stepwise.push_back(params[i]);
  }
  for (Blob<Dtype>* param : stepwise) {
    if (param->has_diff()) param->Update();
  }
  ++this->iter_;
}

template <typename Dtype>
void SGDSolver<Dtype>::Normalize(int param_id) {
  if (this->param_.iter_size() == 1) return;
  this->net_->learnable_params()[param_id]->scale_diff(Dtype(1) /
                                                       this->param_.iter_size());
}

template <typename Dtype>
GradientPreparation<Dtype> SGDSolver<Dtype>::Preparation(int param_id) const {
  GradientPreparation<Dtype> preparation;
  if (this->param_.iter_size() != 1) {
    preparation.scale = Dtype(1) / this->param_.iter_size();
  }
  preparation.decay =
      this->param_.weight_decay() * this->net_->params_weight_decay()[param_id];
  if (preparation.decay == Dtype(0)) return preparation;
  const string& type = this->param_.regularization_type();
  CHECK_VALUE(type == "L1" || type == "L2")
      << "Unknown regularization type '" << type << "' (known: L1, L2)";
  preparation.is_l1 = type == "L1";
  return preparation;
}

template <typename Dtype>
void SGDSolver<Dtype>::Regularize(int param_id) {
  Blob<Dtype>* param = this->net_->learnable_params()[param_id];
  GradientPreparation<Dtype> decay = Preparation(param_id);
  if (decay.decay == Dtype(0)) return;
  decay.scale = 1;
  run_update(param->count(),
             PrepareOnly<Dtype>{decay, data_to_read(param), diff_to_update(param)});
}

template <typename Dtype>
Dtype* SGDSolver<Dtype>::History(size_t index) const {
  return data_to_update(history_[index].get());
}

template <typename Dtype>
SGDRule<Dtype> SGDSolver<Dtype>::Rule(int param_id, Dtype rate) const {
  return {static_cast<Dtype>(this->param_.momentum()), LocalRate(param_id, rate),
          History(param_id)};
}

template <typename Dtype>
void SGDSolver<Dtype>::ComputeUpdateValue(int param_id, Dtype rate) {
  gradient_to_step(Rule(param_id, rate), this->net_->learnable_params()[param_id]);
}

template <typename Dtype>
bool SGDSolver<Dtype>::UpdateAtOnce(int param_id, Dtype rate) {
  if (typeid(*this) != typeid(SGDSolver<Dtype>)) return false;
  update_parameter(Preparation(param_id), Rule(param_id, rate),
                   this->net_->learnable_params()[param_id]);
  return true;
}

INSTANTIATE_CLASS(SGDSolver);
REGISTER_SOLVER_CLASS(SGD);

}  // namespace caffe

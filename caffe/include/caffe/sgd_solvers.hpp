// The update rules: SGD and the rules derived from it.
#ifndef CAFFE_SGD_SOLVERS_HPP_
#define CAFFE_SGD_SOLVERS_HPP_

#include <string>
#include <vector>

#include "caffe/solver.hpp"
#include "caffe/update_rules.hpp"

namespace caffe {

/// Momentum SGD: h <- momentum * h + rate * gradient; weights -= h. Clipping, normalising
/// by iter_size and regularising come first, in this order.
///
/// differs: one more rate policy, "cosine": linear warm-up over `stepsize` iterations,
/// then base_lr falls along half a cosine to base_lr * gamma at max_iter.
template <typename Dtype>
class SGDSolver : public Solver<Dtype> {
 public:
  explicit SGDSolver(const SolverParameter& param) : Solver<Dtype>(param) { PreSolve(); }
  explicit SGDSolver(const string& param_file) : Solver<Dtype>(param_file) { PreSolve(); }
  const char* type() const override { return "SGD"; }

  const vector<shared_ptr<Blob<Dtype>>>& history() { return history_; }
  void ApplyUpdate() override;
  Dtype GetLearningRate();

 protected:
  void PreSolve();
  virtual void Normalize(int param_id);
  virtual void Regularize(int param_id);
  virtual void ComputeUpdateValue(int param_id, Dtype rate);
  virtual void ClipGradients();
  /// What Normalize, Regularize, ComputeUpdateValue and the update itself do to one
  /// parameter, in one pass. False, and nothing is done, for a class derived further:
  /// its own steps have to be taken one after the other.
  virtual bool UpdateAtOnce(int param_id, Dtype rate);
  void SnapshotSolverState(const string& model_filename) override;
  virtual void SnapshotSolverStateToBinaryProto(const string& model_filename);
  virtual void SnapshotSolverStateToHDF5(const string& model_filename);
  void CheckHistorySize(const string& state_file, size_t found) const;
  void RestoreSolverStateFromHDF5(const string& state_file) override;
  void RestoreSolverStateFromBinaryProto(const string& state_file) override;
  /// Adds a second group of history blobs (AdaDelta, Adam).
  void AddHistoryGroup();
  /// rate * lr_mult of a parameter.
  Dtype LocalRate(int param_id, Dtype rate) const {
    return rate * this->net_->params_lr()[param_id];
  }

  GradientPreparation<Dtype> Preparation(int param_id) const;
  /// The numbers of a history blob, where the mode's loops reach them.
  Dtype* History(size_t index) const;

  vector<shared_ptr<Blob<Dtype>>> history_, update_, temp_;

 private:
  SGDRule<Dtype> Rule(int param_id, Dtype rate) const;

  DISABLE_COPY_AND_ASSIGN(SGDSolver);
};

template <typename Dtype>
class NesterovSolver : public SGDSolver<Dtype> {
 public:
  explicit NesterovSolver(const SolverParameter& param) : SGDSolver<Dtype>(param) {}
  explicit NesterovSolver(const string& param_file) : SGDSolver<Dtype>(param_file) {}
  const char* type() const override { return "Nesterov"; }

 protected:
  void ComputeUpdateValue(int param_id, Dtype rate) override;
  bool UpdateAtOnce(int param_id, Dtype rate) override;

 private:
  NesterovRule<Dtype> Rule(int param_id, Dtype rate) const;

  DISABLE_COPY_AND_ASSIGN(NesterovSolver);
};

template <typename Dtype>
class AdaGradSolver : public SGDSolver<Dtype> {
 public:
  explicit AdaGradSolver(const SolverParameter& param) : SGDSolver<Dtype>(param) {
    Check();
  }
  explicit AdaGradSolver(const string& param_file) : SGDSolver<Dtype>(param_file) {
    Check();
  }
  const char* type() const override { return "AdaGrad"; }

 protected:
  void ComputeUpdateValue(int param_id, Dtype rate) override;
  bool UpdateAtOnce(int param_id, Dtype rate) override;
  void Check() const {
    CHECK_EQ(0, this->param_.momentum()) << "Momentum cannot be used with AdaGrad.";
  }

 private:
  AdaGradRule<Dtype> Rule(int param_id, Dtype rate) const;

  DISABLE_COPY_AND_ASSIGN(AdaGradSolver);
};

template <typename Dtype>
class RMSPropSolver : public SGDSolver<Dtype> {
 public:
  explicit RMSPropSolver(const SolverParameter& param) : SGDSolver<Dtype>(param) {
    Check();
  }
  explicit RMSPropSolver(const string& param_file) : SGDSolver<Dtype>(param_file) {
    Check();
  }
  const char* type() const override { return "RMSProp"; }

 protected:
  void ComputeUpdateValue(int param_id, Dtype rate) override;
  bool UpdateAtOnce(int param_id, Dtype rate) override;
  void Check() const {
    CHECK_EQ(0, this->param_.momentum()) << "Momentum cannot be used with RMSProp.";
    CHECK_GE(this->param_.rms_decay(), 0) << "rms_decay should lie between 0 and 1.";
    CHECK_LT(this->param_.rms_decay(), 1) << "rms_decay should lie between 0 and 1.";
  }

 private:
  RMSPropRule<Dtype> Rule(int param_id, Dtype rate) const;

  DISABLE_COPY_AND_ASSIGN(RMSPropSolver);
};

template <typename Dtype>
class AdaDeltaSolver : public SGDSolver<Dtype> {
 public:
  explicit AdaDeltaSolver(const SolverParameter& param) : SGDSolver<Dtype>(param) {
    this->AddHistoryGroup();
  }
  explicit AdaDeltaSolver(const string& param_file) : SGDSolver<Dtype>(param_file) {
    this->AddHistoryGroup();
  }
  const char* type() const override { return "AdaDelta"; }

 protected:
  void ComputeUpdateValue(int param_id, Dtype rate) override;
  bool UpdateAtOnce(int param_id, Dtype rate) override;

 private:
  AdaDeltaRule<Dtype> Rule(int param_id, Dtype rate) const;

  DISABLE_COPY_AND_ASSIGN(AdaDeltaSolver);
};

/// Kingma and Ba 2015, section 2's last form: the bias correction is folded into the
/// rate.
template <typename Dtype>
class AdamSolver : public SGDSolver<Dtype> {
 public:
  explicit AdamSolver(const SolverParameter& param) : SGDSolver<Dtype>(param) {
    this->AddHistoryGroup();
  }
  explicit AdamSolver(const string& param_file) : SGDSolver<Dtype>(param_file) {
    this->AddHistoryGroup();
  }
  const char* type() const override { return "Adam"; }

 protected:
  void ComputeUpdateValue(int param_id, Dtype rate) override;
  bool UpdateAtOnce(int param_id, Dtype rate) override;

 private:
  AdamRule<Dtype> Rule(int param_id, Dtype rate) const;

  DISABLE_COPY_AND_ASSIGN(AdamSolver);
};

}  // namespace caffe

#endif  // CAFFE_SGD_SOLVERS_HPP_

// Solver: the training loop, its tests, snapshots and signals. Update rules derive from
// it.
#ifndef CAFFE_SOLVER_HPP_
#define CAFFE_SOLVER_HPP_

#include <functional>
#include <string>
#include <vector>

#include "caffe/net.hpp"
#include "caffe/solver_factory.hpp"
#include "caffe/util/benchmark.hpp"

namespace caffe {

namespace SolverAction {
enum Enum {
  NONE = 0,     ///< nothing special
  STOP = 1,     ///< stop after the current update; snapshot if snapshot_after_train
  SNAPSHOT = 2  ///< write a snapshot and go on
};
}

typedef std::function<SolverAction::Enum()> ActionCallback;

template <typename Dtype>
class GradientReducer;

/// differs: a loss that is not finite ends the run with an error that names the iteration
/// and the first blob that is not finite; snapshots appear under their names complete or
/// not at all; beside the `.solverstate` that every Caffe reads stands a
/// `.solverstate.side` with what it does not hold (random state, positions of data
/// layers, smoothed loss, averaged weights), so a resumed run equals an uninterrupted one
/// bit for bit.
///
/// Under `mpirun -n N` (parallel/communicator.hpp, train_together) N solvers train as one
/// at N times the batch: every process makes the same calls; rank 0 tests, displays and
/// writes, and an action that any of them is asked for is done by all.
template <typename Dtype>
class Solver {
 public:
  explicit Solver(const SolverParameter& param);
  explicit Solver(const string& param_file);
  virtual ~Solver() = default;

  void Init(const SolverParameter& param);
  void InitTrainNet();
  void InitTestNets();

  void SetActionFunction(ActionCallback func) { action_request_function_ = func; }
  SolverAction::Enum GetRequestedAction();
  virtual void Solve(const char* resume_file = nullptr);
  inline void Solve(const string& resume_file) { Solve(resume_file.c_str()); }
  void Step(int iters);
  /// Goes on from a solver state. After an error everything is as it was before. The
  /// weights are looked for where the state says, then in the state's own folder.
  void Restore(const char* resume_file);
  /// Writes model and state; the files appear complete or not at all. Processes that
  /// train together all call it, and rank 0 writes.
  void Snapshot();

  const SolverParameter& param() const { return param_; }
  shared_ptr<Net<Dtype>> net() { return net_; }
  const vector<shared_ptr<Net<Dtype>>>& test_nets() { return test_nets_; }
  int iter() const { return iter_; }
  Dtype smoothed_loss() const { return smoothed_loss_; }

  class Callback {
   public:
    virtual ~Callback() = default;

   protected:
    virtual void on_start() = 0;
    virtual void on_gradients_ready() = 0;
    template <typename T>
    friend class Solver;
  };
  const vector<Callback*>& callbacks() const { return callbacks_; }
  void add_callback(Callback* value) { callbacks_.push_back(value); }

  void CheckSnapshotWritePermissions();
  virtual const char* type() const { return ""; }
  virtual void ApplyUpdate() = 0;

  /// Exchanges the weights of the train net with their exponential average
  /// (`weight_average` in the solver's definition); calling it again exchanges them back.
  /// Error if no average is kept.
  void ExchangeAverage();
  bool has_average() const { return !average_.empty(); }

 protected:
  virtual void SnapshotSolverState(const string& model_filename) = 0;
  virtual void RestoreSolverStateFromHDF5(const string& state_file) = 0;
  virtual void RestoreSolverStateFromBinaryProto(const string& state_file) = 0;
  string SnapshotFilename(const string& extension);
  string SnapshotToBinaryProto();
  string SnapshotToHDF5();
  void SnapshotSideState(const string& state_filename);
  /// Nothing was stored beside the state if `side` is null.
  void RestoreSideState(const string& path, const SolverSideState* side);
  /// The weights file that a state names, wherever it is now.
  string FindWeights(const string& recorded, const string& state_filename) const;
  void TestAll();
  void Test(const int test_net_id = 0);
  void DisplayOutputBlobs(const int net_id);
  void UpdateSmoothedLoss(Dtype loss, int start_iter, int average_loss);
  void CheckLossIsFinite(Dtype loss);
  void UpdateAverage();
  vector<string> LayersWithoutGradient() const;
  /// Once, when training starts (blocked_gradients.cpp).
  void WarnOfBlockedGradients();

  // Several processes (solver_processes.cpp); nothing happens where there is one.
  void JoinOthers();
  void SendWeights();
  Dtype MeanOverProcesses(Dtype loss) const;
  bool AsRootSays(bool value) const;
  SolverAction::Enum AgreedAction();
  string RandomStates() const;
  void RestoreRandomState(const string& path, const string& states) const;

  SolverParameter param_;
  int iter_ = 0;
  int current_step_ = 0;
  shared_ptr<Net<Dtype>> net_;
  vector<shared_ptr<Net<Dtype>>> test_nets_;
  vector<Callback*> callbacks_;
  vector<Dtype> losses_;
  Dtype smoothed_loss_ = 0;
  int window_start_ = 0;  ///< iteration at which the loss window began
  bool resumed_ = false;  ///< the next Step goes on with a restored loss window
  vector<shared_ptr<Blob<Dtype>>> average_;
  ActionCallback action_request_function_;
  bool requested_early_exit_ = false;
  bool gradients_checked_ = false;
  Timer iteration_timer_;
  float iterations_last_ = 0;
  shared_ptr<GradientReducer<Dtype>> reducer_;  ///< null: this process trains alone
  bool weights_sent_ = false;
  SolverAction::Enum pending_action_ = SolverAction::NONE;  ///< asked for during a test
  string random_states_;  ///< of all processes, for the snapshot that is being written

  DISABLE_COPY_AND_ASSIGN(Solver);
};

}  // namespace caffe

#endif  // CAFFE_SOLVER_HPP_

// A solver among those of other processes: weights, losses, actions and random states.
#include <sstream>

#include "caffe/parallel/communicator.hpp"
#include "caffe/parallel/gradient_reducer.hpp"
#include "caffe/solver.hpp"
#include "caffe/util/rng.hpp"

namespace caffe {

template <typename Dtype>
void Solver<Dtype>::JoinOthers() {
  if (!trains_together()) reducer_.reset();  // the job may be over
  if (reducer_ || !trains_together()) return;
  reducer_ = std::make_shared<GradientReducer<Dtype>>(net_.get(), &communicator());
}

template <typename Dtype>
void Solver<Dtype>::SendWeights() {
  if (!reducer_ || weights_sent_) return;
  weights_sent_ = true;
  reducer_->SendWeights();
  for (const auto& blob : average_) {
    communicator().Broadcast(blob->mutable_cpu_data(), blob->count() * sizeof(Dtype));
  }
}

template <typename Dtype>
Dtype Solver<Dtype>::MeanOverProcesses(Dtype loss) const {
  if (!reducer_) return loss;
  return static_cast<Dtype>(communicator().Sum(loss) / communicator().size());
}

template <typename Dtype>
bool Solver<Dtype>::AsRootSays(bool value) const {
  if (reducer_) communicator().Broadcast(&value, sizeof(value));
  return value;
}

/// Signals reach the processes at different moments: what one is asked for, all do now.
template <typename Dtype>
SolverAction::Enum Solver<Dtype>::AgreedAction() {
  SolverAction::Enum own = GetRequestedAction();
  if (own == SolverAction::NONE) own = pending_action_;
  pending_action_ = SolverAction::NONE;
  if (!reducer_) return own;
  double asked[] = {own == SolverAction::STOP ? 1.0 : 0.0,
                    own == SolverAction::SNAPSHOT ? 1.0 : 0.0};
  communicator().StartSum(asked, 2);
  communicator().Wait();
  if (asked[0] > 0) return SolverAction::STOP;
  return asked[1] > 0 ? SolverAction::SNAPSHOT : SolverAction::NONE;
}

/// A line a process, by rank.
template <typename Dtype>
string Solver<Dtype>::RandomStates() const {
  std::ostringstream own;
  own << *caffe_rng();
  if (!reducer_) return own.str();
  string all;
  for (const string& state : communicator().Gather(own.str())) {
    all += (all.empty() ? "" : "\n") + state;
  }
  return all;
}

template <typename Dtype>
void Solver<Dtype>::RestoreRandomState(const string& path, const string& states) const {
  std::istringstream lines(states);
  string own;
  for (int i = 0; i <= Caffe::solver_rank(); ++i) {
    if (std::getline(lines, own)) continue;
    LOG(WARNING) << path << " is of " << i << " processes: process "
                 << Caffe::solver_rank() << " goes on with fresh random numbers";
    return;
  }
  std::istringstream random(own);
  random >> *caffe_rng();
}

#define CAFFE_INSTANTIATE_PROCESSES(Dtype)                      \
  template void Solver<Dtype>::JoinOthers();                    \
  template void Solver<Dtype>::SendWeights();                   \
  template Dtype Solver<Dtype>::MeanOverProcesses(Dtype) const; \
  template bool Solver<Dtype>::AsRootSays(bool) const;          \
  template SolverAction::Enum Solver<Dtype>::AgreedAction();    \
  template string Solver<Dtype>::RandomStates() const;          \
  template void Solver<Dtype>::RestoreRandomState(const string&, const string&) const;
CAFFE_INSTANTIATE_PROCESSES(float)
CAFFE_INSTANTIATE_PROCESSES(double)
#undef CAFFE_INSTANTIATE_PROCESSES

}  // namespace caffe

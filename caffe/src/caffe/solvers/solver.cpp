// The training loop: nets of a solver, steps, tests, display.
#include "caffe/solver.hpp"

#include <algorithm>
#include <cmath>

#include "caffe/device/device.hpp"
#include "caffe/net_targets.hpp"
#include "caffe/parallel/gradient_reducer.hpp"
#include "caffe/util/format.hpp"
#include "caffe/util/io.hpp"
#include "caffe/util/upgrade_proto.hpp"

namespace caffe {

template <typename Dtype>
Solver<Dtype>::Solver(const SolverParameter& param) {
  Init(param);
}

template <typename Dtype>
Solver<Dtype>::Solver(const string& param_file) {
  SolverParameter param;
  ReadSolverParamsFromTextFileOrDie(param_file, &param);
  Init(param);
}

template <typename Dtype>
void Solver<Dtype>::Init(const SolverParameter& param) {
  LOG_IF(INFO, Caffe::root_solver() && MinLogLevel() <= 0)
      << "Initializing solver from parameters: " << std::endl
      << param.DebugString();
  param_ = param;
  CHECK_GE(param_.average_loss(), 1) << "average_loss should be at least 1.";
  CHECK_GE(param_.iter_size(), 1) << "iter_size should be at least 1.";
  CHECK(param_.weight_average() >= 0 && param_.weight_average() < 1)
      << "weight_average should be at least 0 and below 1, not "
      << param_.weight_average();
  CheckSnapshotWritePermissions();
  if (param_.random_seed() >= 0) {
    Caffe::set_random_seed(
        static_cast<unsigned int>(param_.random_seed() + Caffe::solver_rank()));
  }
  InitTrainNet();
  InitTestNets();
  LOG_IF(INFO, Caffe::root_solver()) << "Solver scaffolding done.";
  iter_ = 0;
  current_step_ = 0;
  if (param_.weight_average() > 0) {
    for (const Blob<Dtype>* blob : net_->learnable_params()) {
      average_.push_back(std::make_shared<Blob<Dtype>>(blob->shape()));
      average_.back()->CopyFrom(*blob);
    }
  }
}

namespace {

template <typename Dtype>
void LoadNetWeights(Net<Dtype>* net, const SolverParameter& param) {
  for (const string& list : param.weights()) {
    for (size_t start = 0; start <= list.size();) {
      const size_t comma = std::min(list.find(',', start), list.size());
      string file = list.substr(start, comma - start);
      file.erase(0, file.find_first_not_of(" \t"));
      file.erase(file.find_last_not_of(" \t") + 1);
      if (!file.empty()) {
        LOG(INFO) << "Finetuning from " << file;
        net->CopyTrainedLayersFrom(file);
      }
      start = comma + 1;
    }
  }
}

}  // namespace

template <typename Dtype>
void Solver<Dtype>::InitTrainNet() {
  const int sources = param_.has_net() + param_.has_net_param() + param_.has_train_net() +
                      param_.has_train_net_param();
  const char fields[] = "net, net_param, train_net, train_net_param";
  CHECK_GE(sources, 1)
      << "SolverParameter must specify a train net using one of these fields: " << fields;
  CHECK_LE(sources, 1)
      << "SolverParameter must not contain more than one of these fields "
         "specifying a train net: "
      << fields;
  NetParameter net_param;
  if (param_.has_train_net_param()) {
    net_param = param_.train_net_param();
  } else if (param_.has_train_net()) {
    ReadNetParamsFromTextFileOrDie(param_.train_net(), &net_param);
  } else if (param_.has_net_param()) {
    net_param = param_.net_param();
  } else {
    ReadNetParamsFromTextFileOrDie(param_.net(), &net_param);
  }
  NetState state;
  state.set_phase(TRAIN);
  state.MergeFrom(net_param.state());
  state.MergeFrom(param_.train_state());
  *net_param.mutable_state() = state;
  net_ = std::make_shared<Net<Dtype>>(net_param);
  LoadNetWeights(net_.get(), param_);
}

template <typename Dtype>
void Solver<Dtype>::InitTestNets() {
  if (!Caffe::root_solver()) return;  // only the root tests
  const bool has_generic = param_.has_net() || param_.has_net_param();
  const int specific = param_.test_net_param_size() + param_.test_net_size();
  if (has_generic) {
    CHECK_GE(param_.test_iter_size(), specific)
        << "test_iter must be specified for each test network.";
  } else {
    CHECK_EQ(param_.test_iter_size(), specific)
        << "test_iter must be specified for each test network.";
  }
  const int instances = std::max(specific, param_.test_iter_size());
  for (const int iterations : param_.test_iter()) {
    CHECK_GT(iterations, 0) << "test_iter must be positive.";
  }
  if (param_.test_state_size() > 0) {
    CHECK_EQ(param_.test_state_size(), instances)
        << "test_state must be unspecified or specified once per test net.";
  }
  if (instances > 0)
    CHECK_GT(param_.test_interval(), 0) << "test_interval must be positive.";
  for (int i = 0; i < instances; ++i) {
    NetParameter net_param;
    const int file = i - param_.test_net_param_size();
    if (file < 0) {
      net_param = param_.test_net_param(i);
    } else if (file < param_.test_net_size()) {
      ReadNetParamsFromTextFileOrDie(param_.test_net(file), &net_param);
    } else if (param_.has_net_param()) {
      net_param = param_.net_param();
    } else {
      ReadNetParamsFromTextFileOrDie(param_.net(), &net_param);
    }
    NetState state;
    state.set_phase(TEST);
    state.MergeFrom(net_param.state());
    if (param_.test_state_size() > 0) state.MergeFrom(param_.test_state(i));
    *net_param.mutable_state() = state;
    test_nets_.push_back(std::make_shared<Net<Dtype>>(net_param));
    test_nets_.back()->set_debug_info(param_.debug_info());
    LoadNetWeights(test_nets_.back().get(), param_);
  }
}

template <typename Dtype>
SolverAction::Enum Solver<Dtype>::GetRequestedAction() {
  return action_request_function_ ? action_request_function_() : SolverAction::NONE;
}

template <typename Dtype>
void Solver<Dtype>::Step(int iters) {
  const int start_iter = iter_;
  const int stop_iter = iter_ + iters;
  const int average_loss = param_.average_loss();
  // A run resumed from a snapshot goes on with the loss window that the side file
  // brought.
  if (!resumed_) {
    losses_.clear();
    smoothed_loss_ = 0;
    window_start_ = start_iter;
  }
  resumed_ = false;
  requested_early_exit_ = false;
  JoinOthers();
  SendWeights();
  if (Caffe::root_solver()) WarnOfBlockedGradients();
  iteration_timer_.Start();
  iterations_last_ = iter_;
  while (iter_ < stop_iter) {
    net_->ClearParamDiffs();
    if (param_.test_interval() > 0 && iter_ % param_.test_interval() == 0 &&
        (iter_ > 0 || param_.test_initialization())) {
      if (Caffe::root_solver()) TestAll();
      requested_early_exit_ = AsRootSays(requested_early_exit_);
      if (requested_early_exit_) break;
    }
    for (Callback* callback : callbacks_) callback->on_start();
    const bool display = param_.display() > 0 && iter_ % param_.display() == 0;
    net_->set_debug_info(display && param_.debug_info());
    net_->set_iter(iter_);
    Dtype loss = 0;
    for (int i = 0; i < param_.iter_size(); ++i) {
      if (reducer_ && i + 1 == param_.iter_size()) reducer_->Begin();
      loss += net_->ForwardBackward();
    }
    loss /= param_.iter_size();
    CheckLossIsFinite(loss);
    if (reducer_) reducer_->Finish();
    loss = MeanOverProcesses(loss);
    UpdateSmoothedLoss(loss, window_start_, average_loss);
    if (display) {
      const float lapse = iteration_timer_.Seconds();
      const float per_second = lapse > 0 ? (iter_ - iterations_last_) / lapse : 0;
      LOG_IF(INFO, Caffe::root_solver())
          << "Iteration " << iter_ << " (" << per_second << " iter/s, " << lapse << "s/"
          << param_.display() << " iters), loss = " << smoothed_loss_;
      iteration_timer_.Start();
      iterations_last_ = iter_;
      DisplayOutputBlobs(-1);
    }
    for (Callback* callback : callbacks_) callback->on_gradients_ready();
    ApplyUpdate();
    UpdateAverage();
    const SolverAction::Enum request = AgreedAction();
    if ((param_.snapshot() && iter_ % param_.snapshot() == 0 &&
         (Caffe::root_solver() || reducer_)) ||
        request == SolverAction::SNAPSHOT) {
      Snapshot();
    }
    if (request == SolverAction::STOP) {
      requested_early_exit_ = true;
      break;
    }
  }
  // Another thread may read the weights next.
  if (Caffe::mode() == Caffe::GPU) device::synchronize();
}

template <typename Dtype>
void Solver<Dtype>::Solve(const char* resume_file) {
  JoinOthers();
  CHECK(Caffe::root_solver() || reducer_) << "only the root solver solves";
  LOG(INFO) << "Solving " << net_->name();
  LOG(INFO) << "Learning Rate Policy: " << param_.lr_policy();
  requested_early_exit_ = false;
  if (resume_file != nullptr) {
    LOG(INFO) << "Restoring previous solver status from " << resume_file;
    Restore(resume_file);
  }
  Step(std::max(0, param_.max_iter() - iter_));
  if (param_.snapshot_after_train() &&
      (!param_.snapshot() || iter_ % param_.snapshot() != 0)) {
    Snapshot();
  }
  if (requested_early_exit_) {
    LOG(INFO) << "Optimization stopped early.";
    return;
  }
  if (param_.display() && iter_ % param_.display() == 0) {
    Dtype loss;
    net_->set_iter(iter_);
    net_->Forward(&loss);
    UpdateSmoothedLoss(loss, window_start_, param_.average_loss());
    LOG(INFO) << "Iteration " << iter_ << ", loss = " << smoothed_loss_;
  }
  if (Caffe::root_solver() && param_.test_interval() &&
      iter_ % param_.test_interval() == 0) {
    TestAll();
  }
  LOG(INFO) << "Optimization Done.";
}

template <typename Dtype>
void Solver<Dtype>::UpdateSmoothedLoss(Dtype loss, int start_iter, int average_loss) {
  if (static_cast<int>(losses_.size()) < average_loss) {
    losses_.push_back(loss);
    const int size = static_cast<int>(losses_.size());
    smoothed_loss_ = (smoothed_loss_ * (size - 1) + loss) / size;
  } else {
    const int index = (iter_ - start_iter) % average_loss;
    smoothed_loss_ += (loss - losses_[index]) / average_loss;
    losses_[index] = loss;
  }
}

namespace {

template <typename Dtype>
bool IsFinite(const Blob<Dtype>& blob) {
  const Dtype* data = blob.cpu_data();
  return std::all_of(data, data + blob.count(), [](Dtype x) { return std::isfinite(x); });
}

/// Names the first weight or top, in the order of the layers, that is not finite. Tops
/// whose memory a net with `keep` has given up cannot be asked.
template <typename Dtype>
string FirstNotFinite(const Net<Dtype>& net) {
  bool all_asked = true;
  for (size_t i = 0; i < net.layers().size(); ++i) {
    const string layer = " of layer '" + net.layer_names()[i] + "'";
    for (const auto& blob : net.layers()[i]->blobs()) {
      if (!IsFinite(*blob)) return "the first one is a weight" + layer;
    }
    for (size_t t = 0; t < net.top_vecs()[i].size(); ++t) {
      const Blob<Dtype>& blob = *net.top_vecs()[i][t];
      if (blob.data() && blob.data()->released()) {
        all_asked = false;
      } else if (!IsFinite(blob)) {
        const string& name = net.blob_names()[net.top_ids(static_cast<int>(i))[t]];
        return string("the first one ") + (all_asked ? "" : "of those kept ") + "is '" +
               name + "'" + layer;
      }
    }
  }
  return "no single blob is, the sum is";
}

}  // namespace

template <typename Dtype>
void Solver<Dtype>::CheckLossIsFinite(Dtype loss) {
  if (std::isfinite(loss)) return;
  CAFFE_THROW(kValue) << "Iteration " << iter_ << ": the loss is " << loss
                      << "; training stops. Blobs that are not finite: "
                      << FirstNotFinite(*net_)
                      << ". (A lower base_lr or clip_gradients may help.)";
}

namespace {

template <typename Dtype>
void LogOutput(const char* which, int index, const string& name, Dtype value,
               Dtype weight) {
  std::ostringstream weighted;
  if (weight != Dtype(0))
    weighted << " (* " << weight << " = " << weight * value << " loss)";
  LOG(INFO) << "    " << which << " net output #" << index << ": " << name << " = "
            << value << weighted.str();
}

}  // namespace

template <typename Dtype>
void Solver<Dtype>::DisplayOutputBlobs(const int) {
  if (!Caffe::root_solver() || MinLogLevel() > 0) return;
  check_results(*net_, net_->output_blobs());
  int index = 0;
  for (int i = 0; i < net_->num_outputs(); ++i) {
    const Blob<Dtype>& blob = *net_->output_blobs()[i];
    const int id = net_->output_blob_indices()[i];
    for (int k = 0; k < blob.count(); ++k) {
      LogOutput("Train", index++, net_->blob_names()[id], blob.cpu_data()[k],
                net_->blob_loss_weights()[id]);
    }
  }
}

template <typename Dtype>
void Solver<Dtype>::TestAll() {
  const bool averaged = has_average();
  if (averaged) ExchangeAverage();
  try {
    for (size_t i = 0; i < test_nets_.size() && !requested_early_exit_; ++i) {
      Test(static_cast<int>(i));
    }
  } catch (...) {
    if (averaged) ExchangeAverage();
    throw;
  }
  if (averaged) ExchangeAverage();
}

template <typename Dtype>
void Solver<Dtype>::Test(const int test_net_id) {
  CHECK(Caffe::root_solver()) << "only the root solver tests";
  LOG(INFO) << "Iteration " << iter_ << ", Testing net (#" << test_net_id << ")";
  Net<Dtype>* test_net = test_nets_.at(test_net_id).get();
  test_net->ShareTrainedLayersWith(net_.get());
  test_net->set_training_iter(iter_);
  vector<Dtype> scores;
  vector<int> score_blobs;
  Dtype total_loss = 0;
  const int iterations = param_.test_iter(test_net_id);
  for (int i = 0; i < iterations; ++i) {
    SolverAction::Enum request = GetRequestedAction();
    while (request == SolverAction::SNAPSHOT) {
      if (reducer_) {  // the others are not here: after the next update
        pending_action_ = request;
      } else {
        Snapshot();
      }
      request = GetRequestedAction();
    }
    if (request == SolverAction::STOP) requested_early_exit_ = true;
    if (requested_early_exit_) {
      LOG(INFO) << "Test interrupted.";
      return;
    }
    test_net->set_iter(i);
    Dtype loss;
    const vector<Blob<Dtype>*>& outputs = test_net->Forward(&loss);
    check_results(*test_net, outputs);
    total_loss += loss;
    size_t index = 0;
    for (size_t j = 0; j < outputs.size(); ++j) {
      const Dtype* data = outputs[j]->cpu_data();
      for (int k = 0; k < outputs[j]->count(); ++k, ++index) {
        if (i == 0) {
          scores.push_back(data[k]);
          score_blobs.push_back(test_net->output_blob_indices()[j]);
        } else {
          CHECK_LT(index, scores.size())
              << "the size of a test output changed between batches";
          scores[index] += data[k];
        }
      }
    }
  }
  if (param_.test_compute_loss()) LOG(INFO) << "Test loss: " << total_loss / iterations;
  for (size_t i = 0; i < scores.size(); ++i) {
    const int id = score_blobs[i];
    LogOutput("Test", static_cast<int>(i), test_net->blob_names()[id],
              scores[i] / iterations, test_net->blob_loss_weights()[id]);
  }
}

#define CAFFE_INSTANTIATE_SOLVER(Dtype)                             \
  template Solver<Dtype>::Solver(const SolverParameter&);           \
  template Solver<Dtype>::Solver(const string&);                    \
  template void Solver<Dtype>::Init(const SolverParameter&);        \
  template void Solver<Dtype>::InitTrainNet();                      \
  template void Solver<Dtype>::InitTestNets();                      \
  template SolverAction::Enum Solver<Dtype>::GetRequestedAction();  \
  template void Solver<Dtype>::Solve(const char*);                  \
  template void Solver<Dtype>::Step(int);                           \
  template void Solver<Dtype>::TestAll();                           \
  template void Solver<Dtype>::Test(const int);                     \
  template void Solver<Dtype>::DisplayOutputBlobs(const int);       \
  template void Solver<Dtype>::UpdateSmoothedLoss(Dtype, int, int); \
  template void Solver<Dtype>::CheckLossIsFinite(Dtype);
CAFFE_INSTANTIATE_SOLVER(float)
CAFFE_INSTANTIATE_SOLVER(double)
#undef CAFFE_INSTANTIATE_SOLVER

}  // namespace caffe

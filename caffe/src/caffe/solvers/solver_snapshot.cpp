// Snapshots of a solver, restoring them, and the averaged weights.
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "caffe/solver.hpp"
#include "caffe/util/atomic_file.hpp"
#include "caffe/util/caffemodel_writer.hpp"
#include "caffe/util/format.hpp"
#include "caffe/util/io.hpp"
#include "run_update.hpp"

namespace caffe {

namespace {

bool EndsWith(const string& text, const string& ending) {
  return text.size() >= ending.size() &&
         text.compare(text.size() - ending.size(), ending.size(), ending) == 0;
}

using LayerStates = google::protobuf::RepeatedPtrField<SolverSideState::LayerState>;

/// Layers of test nets are stored behind those of the train net, under this and their
/// name.
string TestNetPrefix(size_t index) { return "test_net[" + std::to_string(index) + "]/"; }

/// What the net's data layers would go on from.
template <typename Dtype>
void StoreLayerStates(const Net<Dtype>& net, const string& prefix, LayerStates* states) {
  for (size_t i = 0; i < net.layers().size(); ++i) {
    const string state = net.layers()[i]->GetState();
    if (state.empty()) continue;
    auto* entry = states->Add();
    entry->set_layer(prefix + net.layer_names()[i]);
    entry->set_state(state);
  }
}

template <typename Dtype>
void LoadLayerStates(const LayerStates& states, const string& prefix, Net<Dtype>* net) {
  for (const auto& entry : states) {
    if (entry.layer().compare(0, prefix.size(), prefix) != 0) continue;
    const string layer = entry.layer().substr(prefix.size());
    if (net->has_layer(layer)) net->layer_by_name(layer)->SetState(entry.state());
  }
}

bool IsThere(const string& path) { return access(path.c_str(), F_OK) == 0; }

}  // namespace

template <typename Dtype>
string Solver<Dtype>::SnapshotFilename(const string& extension) {
  return param_.snapshot_prefix() + "_iter_" + format_int(iter_) + extension;
}

template <typename Dtype>
void Solver<Dtype>::CheckSnapshotWritePermissions() {
  if (!Caffe::root_solver() || !param_.snapshot()) return;
  CHECK(param_.has_snapshot_prefix())
      << "In solver params, snapshot is specified but snapshot_prefix is not";
  const string probe = SnapshotFilename(".tempfile");
  std::FILE* file = std::fopen(probe.c_str(), "w");
  CHECK(file != nullptr) << "Cannot write to snapshot prefix '"
                         << param_.snapshot_prefix()
                         << "'. Make sure that the directory exists and is writable.";
  std::fclose(file);
  std::remove(probe.c_str());
}

template <typename Dtype>
void Solver<Dtype>::Snapshot() {
  JoinOthers();
  CHECK(Caffe::root_solver() || reducer_) << "only the root solver writes snapshots";
  random_states_ = RandomStates();
  if (!Caffe::root_solver()) return;
  const string model = param_.snapshot_format() == SolverParameter_SnapshotFormat_HDF5
                           ? SnapshotToHDF5()
                           : SnapshotToBinaryProto();
  SnapshotSolverState(model);
}

template <typename Dtype>
string Solver<Dtype>::SnapshotToBinaryProto() {
  const string model = SnapshotFilename(".caffemodel");
  LOG(INFO) << "Snapshotting to binary proto file " << model;
  CaffemodelWriter writer(model, net_->name());
  for (const auto& layer : net_->layers()) {
    LayerParameter param;
    layer->ToProto(&param, param_.snapshot_diff());
    writer.Write(param);
  }
  writer.Commit();
  return model;
}

template <typename Dtype>
string Solver<Dtype>::SnapshotToHDF5() {
  const string model = SnapshotFilename(".caffemodel.h5");
  LOG(INFO) << "Snapshotting to HDF5 file " << model;
  net_->ToHDF5(model, param_.snapshot_diff());
  return model;
}

template <typename Dtype>
void Solver<Dtype>::SnapshotSideState(const string& state_filename) {
  SolverSideState side;
  side.set_iter(iter_);
  side.set_random_state(random_states_);
  for (const Dtype loss : losses_) side.add_losses(loss);
  side.set_smoothed_loss(smoothed_loss_);
  side.set_window_start(window_start_);
  for (const auto& blob : average_) blob->ToProto(side.add_average());
  StoreLayerStates(*net_, "", side.mutable_layer_state());
  for (size_t i = 0; i < test_nets_.size(); ++i) {
    StoreLayerStates(*test_nets_[i], TestNetPrefix(i), side.mutable_layer_state());
  }
  WriteProtoToBinaryFile(side, state_filename + ".side");
}

template <typename Dtype>
void Solver<Dtype>::RestoreSideState(const string& path, const SolverSideState* stored) {
  const auto begin_average_anew = [this] {
    for (size_t i = 0; i < average_.size(); ++i) {
      average_[i]->CopyFrom(*net_->learnable_params()[i]);
    }
  };
  if (stored == nullptr || stored->iter() != iter_) {
    begin_average_anew();
    LOG(WARNING)
        << path << (stored == nullptr ? " is not there" : " is of another iteration")
        << ": the run goes on with fresh random numbers and from the start of the data";
    return;
  }
  const SolverSideState& side = *stored;
  RestoreRandomState(path, side.random_state());
  losses_.assign(side.losses().begin(), side.losses().end());
  smoothed_loss_ = static_cast<Dtype>(side.smoothed_loss());
  window_start_ = side.window_start();
  resumed_ = true;
  if (side.average_size() > 0 && !average_.empty()) {
    CHECK_EQ(side.average_size(), average_.size())
        << path << ": averaged weights of another net";
    for (size_t i = 0; i < average_.size(); ++i) {
      average_[i]->FromProto(side.average(static_cast<int>(i)), false);
    }
  } else {
    begin_average_anew();
  }
  LoadLayerStates(side.layer_state(), "", net_.get());
  for (size_t i = 0; i < test_nets_.size(); ++i) {
    LoadLayerStates(side.layer_state(), TestNetPrefix(i), test_nets_[i].get());
  }
}

template <typename Dtype>
string Solver<Dtype>::FindWeights(const string& recorded,
                                  const string& state_filename) const {
  if (IsThere(recorded)) return recorded;
  const string beside = state_filename.substr(0, state_filename.rfind('/') + 1) +
                        recorded.substr(recorded.rfind('/') + 1);
  if (!IsThere(beside)) {
    CAFFE_THROW(kFileNotFound) << state_filename << ": its weights are neither at "
                               << recorded << ", where it was written, nor beside it at "
                               << beside;
  }
  LOG(INFO) << "Weights of " << state_filename << " are taken from " << beside;
  return beside;
}

namespace {

/// People give the .caffemodel where the .solverstate is meant.
void RefuseWeightsFile(const string& path) {
  const size_t ending = path.rfind(".caffemodel");
  if (ending == string::npos || !IsThere(path)) return;
  const string state = path.substr(0, ending) + ".solverstate" +
                       path.substr(ending + sizeof(".caffemodel") - 1);
  CAFFE_THROW(kValue)
      << path << " is a weights file: to resume, give the solver state"
      << (IsThere(state) ? " beside it, " + state : string(" (.solverstate)"))
      << "; to start a new run from these weights use --weights (`weights` in the "
         "solver)";
}

}  // namespace

template <typename Dtype>
void Solver<Dtype>::Restore(const char* resume_file) {
  const string path(resume_file);
  RefuseWeightsFile(path);
  const string side_path = path + ".side";
  SolverSideState side;
  const bool has_side = IsThere(side_path);
  if (has_side) ReadProtoFromBinaryFileOrDie(side_path, &side);
  vector<shared_ptr<Blob<Dtype>>> before;
  for (const Blob<Dtype>* param : net_->learnable_params()) {
    before.push_back(std::make_shared<Blob<Dtype>>(param->shape()));
    before.back()->CopyFrom(*param);
  }
  try {
    if (EndsWith(path, ".h5")) {
      RestoreSolverStateFromHDF5(path);
    } else {
      RestoreSolverStateFromBinaryProto(path);
    }
  } catch (...) {
    for (size_t i = 0; i < before.size(); ++i) {
      net_->learnable_params()[i]->CopyFrom(*before[i]);
    }
    throw;
  }
  RestoreSideState(side_path, has_side ? &side : nullptr);
}

template <typename Dtype>
void Solver<Dtype>::UpdateAverage() {
  if (average_.empty()) return;
  // Young averages forget fast: 1 - 1/(n/10 + 1) after n updates, at most weight_average.
  const double keep =
      std::min<double>(param_.weight_average(), 1.0 - 1.0 / (iter_ / 10.0 + 1.0));
  const Dtype share = static_cast<Dtype>(1.0 - keep);
  for (size_t i = 0; i < average_.size(); ++i) {
    run_update(average_[i]->count(),
               AverageStep<Dtype>{share, data_to_read(net_->learnable_params()[i]),
                                  data_to_update(average_[i].get())});
  }
}

template <typename Dtype>
void Solver<Dtype>::ExchangeAverage() {
  CHECK(has_average()) << "no average is kept: set weight_average in the solver";
  for (size_t i = 0; i < average_.size(); ++i) {
    Blob<Dtype>* param = net_->learnable_params()[i];
    run_update(param->count(),
               Exchange<Dtype>{data_to_update(param), data_to_update(average_[i].get())});
    param->data()->SyncViews();
  }
}

#define CAFFE_INSTANTIATE_SNAPSHOT(Dtype)                                               \
  template string Solver<Dtype>::SnapshotFilename(const string&);                       \
  template void Solver<Dtype>::CheckSnapshotWritePermissions();                         \
  template void Solver<Dtype>::Snapshot();                                              \
  template string Solver<Dtype>::SnapshotToBinaryProto();                               \
  template string Solver<Dtype>::SnapshotToHDF5();                                      \
  template void Solver<Dtype>::SnapshotSideState(const string&);                        \
  template void Solver<Dtype>::RestoreSideState(const string&, const SolverSideState*); \
  template string Solver<Dtype>::FindWeights(const string&, const string&) const;       \
  template void Solver<Dtype>::Restore(const char*);                                    \
  template void Solver<Dtype>::UpdateAverage();                                         \
  template void Solver<Dtype>::ExchangeAverage();
CAFFE_INSTANTIATE_SNAPSHOT(float)
CAFFE_INSTANTIATE_SNAPSHOT(double)
#undef CAFFE_INSTANTIATE_SNAPSHOT

}  // namespace caffe

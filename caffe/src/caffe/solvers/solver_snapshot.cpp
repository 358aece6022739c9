// Snapshots of a solver, restoring them, and the averaged weights.
#include <unistd.h>

#include <cstdio>
#include <sstream>

#include "caffe/solver.hpp"
#include "caffe/util/atomic_file.hpp"
#include "caffe/util/caffemodel_writer.hpp"
#include "caffe/util/format.hpp"
#include "caffe/util/io.hpp"
#include "caffe/util/rng.hpp"

namespace caffe {

namespace {

bool EndsWith(const string& text, const string& ending) {
  return text.size() >= ending.size() &&
         text.compare(text.size() - ending.size(), ending.size(), ending) == 0;
}

template <typename Dtype>
void ExchangeData(Blob<Dtype>* a, Blob<Dtype>* b) {
  Dtype* x = a->mutable_cpu_data();
  Dtype* y = b->mutable_cpu_data();
  for (int i = 0; i < a->count(); ++i) std::swap(x[i], y[i]);
}

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
  CHECK(file != nullptr) << "Cannot write to snapshot prefix '" << param_.snapshot_prefix()
                         << "'. Make sure that the directory exists and is writable.";
  std::fclose(file);
  std::remove(probe.c_str());
}

template <typename Dtype>
void Solver<Dtype>::Snapshot() {
  CHECK(Caffe::root_solver()) << "only the root solver writes snapshots";
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
  std::ostringstream random;
  random << *caffe_rng();
  side.set_random_state(random.str());
  for (const Dtype loss : losses_) side.add_losses(loss);
  side.set_smoothed_loss(smoothed_loss_);
  side.set_window_start(window_start_);
  for (const auto& blob : average_) blob->ToProto(side.add_average());
  for (size_t i = 0; i < net_->layers().size(); ++i) {
    const string state = net_->layers()[i]->GetState();
    if (state.empty()) continue;
    auto* entry = side.add_layer_state();
    entry->set_layer(net_->layer_names()[i]);
    entry->set_state(state);
  }
  WriteProtoToBinaryFile(side, state_filename + ".side");
}

template <typename Dtype>
void Solver<Dtype>::RestoreSideState(const string& state_filename) {
  const string path = state_filename + ".side";
  if (access(path.c_str(), R_OK) != 0) {
    LOG(WARNING) << path << " is not there: the run goes on with fresh random numbers and data";
    return;
  }
  SolverSideState side;
  ReadProtoFromBinaryFileOrDie(path, &side);
  CHECK_EQ(side.iter(), iter_) << path << " belongs to another iteration than its state";
  std::istringstream random(side.random_state());
  random >> *caffe_rng();
  losses_.assign(side.losses().begin(), side.losses().end());
  smoothed_loss_ = static_cast<Dtype>(side.smoothed_loss());
  window_start_ = side.window_start();
  resumed_ = true;
  if (side.average_size() > 0 && !average_.empty()) {
    CHECK_EQ(side.average_size(), average_.size()) << path << ": averaged weights of another net";
    for (size_t i = 0; i < average_.size(); ++i) {
      average_[i]->FromProto(side.average(static_cast<int>(i)), false);
    }
  } else {
    for (size_t i = 0; i < average_.size(); ++i) {
      average_[i]->CopyFrom(*net_->learnable_params()[i]);
    }
  }
  for (const auto& entry : side.layer_state()) {
    if (!net_->has_layer(entry.layer())) {
      LOG(WARNING) << path << ": layer '" << entry.layer() << "' is not in the net";
      continue;
    }
    net_->layer_by_name(entry.layer())->SetState(entry.state());
  }
}

template <typename Dtype>
void Solver<Dtype>::Restore(const char* resume_file) {
  const string path(resume_file);
  if (EndsWith(path, ".h5")) {
    RestoreSolverStateFromHDF5(path);
  } else {
    RestoreSolverStateFromBinaryProto(path);
  }
  RestoreSideState(path);
}

template <typename Dtype>
void Solver<Dtype>::UpdateAverage() {
  if (average_.empty()) return;
  // Young averages forget fast: 1 - 1/(n/10 + 1) after n updates, at most weight_average.
  const double keep =
      std::min<double>(param_.weight_average(), 1.0 - 1.0 / (iter_ / 10.0 + 1.0));
  const Dtype share = static_cast<Dtype>(1.0 - keep);
  for (size_t i = 0; i < average_.size(); ++i) {
    const Dtype* now = net_->learnable_params()[i]->cpu_data();
    Dtype* average = average_[i]->mutable_cpu_data();
    for (int k = 0; k < average_[i]->count(); ++k) average[k] += share * (now[k] - average[k]);
  }
}

template <typename Dtype>
void Solver<Dtype>::ExchangeAverage() {
  CHECK(has_average()) << "no average is kept: set weight_average in the solver";
  for (size_t i = 0; i < average_.size(); ++i) {
    ExchangeData(net_->learnable_params()[i], average_[i].get());
  }
}

#define CAFFE_INSTANTIATE_SNAPSHOT(Dtype)                                 \
  template string Solver<Dtype>::SnapshotFilename(const string&);         \
  template void Solver<Dtype>::CheckSnapshotWritePermissions();           \
  template void Solver<Dtype>::Snapshot();                                \
  template string Solver<Dtype>::SnapshotToBinaryProto();                 \
  template string Solver<Dtype>::SnapshotToHDF5();                        \
  template void Solver<Dtype>::SnapshotSideState(const string&);          \
  template void Solver<Dtype>::RestoreSideState(const string&);           \
  template void Solver<Dtype>::Restore(const char*);                      \
  template void Solver<Dtype>::UpdateAverage();                           \
  template void Solver<Dtype>::ExchangeAverage();
CAFFE_INSTANTIATE_SNAPSHOT(float)
CAFFE_INSTANTIATE_SNAPSHOT(double)
#undef CAFFE_INSTANTIATE_SNAPSHOT

}  // namespace caffe

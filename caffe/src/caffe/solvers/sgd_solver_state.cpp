// Solver states in and out of files: iteration, step and history.
#include "caffe/sgd_solvers.hpp"
#include "caffe/util/atomic_file.hpp"
#include "caffe/util/hdf5.hpp"
#include "caffe/util/io.hpp"

namespace caffe {

template <typename Dtype>
void SGDSolver<Dtype>::SnapshotSolverState(const string& model_filename) {
  if (this->param_.snapshot_format() == SolverParameter_SnapshotFormat_HDF5) {
    SnapshotSolverStateToHDF5(model_filename);
  } else {
    SnapshotSolverStateToBinaryProto(model_filename);
  }
}

template <typename Dtype>
void SGDSolver<Dtype>::SnapshotSolverStateToBinaryProto(const string& model_filename) {
  SolverState state;
  state.set_iter(this->iter_);
  state.set_learned_net(model_filename);
  state.set_current_step(this->current_step_);
  for (const auto& blob : history_) blob->ToProto(state.add_history());
  const string filename = this->SnapshotFilename(".solverstate");
  LOG(INFO) << "Snapshotting solver state to binary proto file " << filename;
  this->SnapshotSideState(
      filename);  // first: a state never stands there without its side
  WriteProtoToBinaryFile(state, filename);
}

template <typename Dtype>
void SGDSolver<Dtype>::CheckHistorySize(const string& state_file, size_t found) const {
  if (found == history_.size()) return;
  const size_t params = this->net_->learnable_params().size();
  const char* of = found == params ? "SGD, Nesterov, AdaGrad or RMSProp with this net"
                   : found == 2 * params ? "AdaDelta or Adam with this net"
                                         : "another net";
  CAFFE_THROW(kValue) << state_file
                      << ": incorrect length of history blobs: the state holds " << found
                      << " (as of " << of << "), solver type " << this->type()
                      << " needs " << history_.size();
}

template <typename Dtype>
void SGDSolver<Dtype>::RestoreSolverStateFromBinaryProto(const string& state_file) {
  SolverState state;
  ReadProtoFromBinaryFileOrDie(state_file, &state);
  CheckHistorySize(state_file, state.history_size());
  vector<shared_ptr<Blob<Dtype>>> restored;
  for (size_t i = 0; i < history_.size(); ++i) {
    const BlobProto& proto = state.history(static_cast<int>(i));
    CHECK_VALUE(history_[i]->ShapeEquals(proto))
        << state_file << ": history blob " << i << " does not have the shape "
        << history_[i]->shape_string() << " of its parameter";
    restored.push_back(std::make_shared<Blob<Dtype>>(history_[i]->shape()));
    restored.back()->FromProto(proto, false);
  }
  if (state.has_learned_net()) {
    this->net_->CopyTrainedLayersFrom(this->FindWeights(state.learned_net(), state_file));
  }
  history_.swap(restored);
  this->iter_ = state.iter();
  this->current_step_ = state.current_step();
  LOG(INFO) << "SGDSolver: restored iteration " << this->iter_ << " from " << state_file;
}

#ifdef USE_HDF5

template <typename Dtype>
void SGDSolver<Dtype>::SnapshotSolverStateToHDF5(const string& model_filename) {
  const string filename = this->SnapshotFilename(".solverstate.h5");
  LOG(INFO) << "Snapshotting solver state to HDF5 file " << filename;
  this->SnapshotSideState(filename);
  WriteFileAtomically(filename, [&](const string& temporary) {
    const Hdf5Handle file = hdf5_create_file(temporary);
    hdf5_save_int(file, "iter", this->iter_);
    hdf5_save_string(file, "learned_net", model_filename);
    hdf5_save_int(file, "current_step", this->current_step_);
    const Hdf5Handle history(
        H5Gcreate2(file, "history", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT), H5Gclose,
        filename + ":history");
    for (size_t i = 0; i < history_.size(); ++i) {
      hdf5_save_nd_dataset<Dtype>(history, std::to_string(i), *history_[i]);
    }
  });
}

template <typename Dtype>
void SGDSolver<Dtype>::RestoreSolverStateFromHDF5(const string& state_file) {
  const Hdf5Handle file = hdf5_open_file(state_file);
  const Hdf5Handle history(H5Gopen2(file, "history", H5P_DEFAULT), H5Gclose,
                           state_file + ":history");
  CheckHistorySize(state_file, hdf5_get_num_links(history));
  vector<shared_ptr<Blob<Dtype>>> restored;
  for (size_t i = 0; i < history_.size(); ++i) {
    restored.push_back(std::make_shared<Blob<Dtype>>(history_[i]->shape()));
    hdf5_load_nd_dataset<Dtype>(history, std::to_string(i).c_str(), 0, kMaxBlobAxes,
                                restored.back().get());
  }
  const int iter = hdf5_load_int(file, "iter");
  const int current_step = hdf5_load_int(file, "current_step");
  if (H5Lexists(file, "learned_net", H5P_DEFAULT) > 0) {
    this->net_->CopyTrainedLayersFrom(
        this->FindWeights(hdf5_load_string(file, "learned_net"), state_file));
  }
  history_.swap(restored);
  this->iter_ = iter;
  this->current_step_ = current_step;
}

#else

template <typename Dtype>
void SGDSolver<Dtype>::SnapshotSolverStateToHDF5(const string&) {
  CAFFE_THROW(kValue) << "snapshot_format HDF5: this build has no HDF5";
}
template <typename Dtype>
void SGDSolver<Dtype>::RestoreSolverStateFromHDF5(const string& state_file) {
  CAFFE_THROW(kValue) << state_file << ": this build has no HDF5";
}

#endif  // USE_HDF5

#define CAFFE_INSTANTIATE_STATE(Dtype)                                              \
  template void SGDSolver<Dtype>::SnapshotSolverState(const string&);               \
  template void SGDSolver<Dtype>::CheckHistorySize(const string&, size_t) const;    \
  template void SGDSolver<Dtype>::SnapshotSolverStateToBinaryProto(const string&);  \
  template void SGDSolver<Dtype>::SnapshotSolverStateToHDF5(const string&);         \
  template void SGDSolver<Dtype>::RestoreSolverStateFromBinaryProto(const string&); \
  template void SGDSolver<Dtype>::RestoreSolverStateFromHDF5(const string&);
CAFFE_INSTANTIATE_STATE(float)
CAFFE_INSTANTIATE_STATE(double)
#undef CAFFE_INSTANTIATE_STATE

}  // namespace caffe

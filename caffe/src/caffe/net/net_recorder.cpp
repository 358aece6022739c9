// Recording and replaying a net's forward pass.
#include "caffe/net_recorder.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <set>

#include "caffe/device/device.hpp"
#include "caffe/net.hpp"

namespace caffe {

namespace {

bool IsOff() {
  static const bool off = [] {
    const char* value = std::getenv("CAFFE_GRAPH");
    return value != nullptr && std::strcmp(value, "off") == 0;
  }();
  return off;
}

}  // namespace

template <typename Dtype>
bool NetRecorder<Dtype>::MayRecord() const {
  if (IsOff() || !device::can_record() || device::is_recording()) return false;
  if (net_->phase() != TEST || !net_->RunsUnwatched()) return false;
  // Views of outputs are brought up to date after the pass, views of inputs before it.
  const auto& outputs = net_->output_blobs();
  for (size_t i = 0; i < net_->layers().size(); ++i) {
    Layer<Dtype>& layer = *net_->layers()[i];
    if (!layer.RepeatsOnDevice()) return false;
    for (size_t t = 0; t < net_->top_vecs()[i].size(); ++t) {
      if (layer.loss(static_cast<int>(t)) != Dtype(0)) return false;
      Blob<Dtype>* top = net_->top_vecs()[i][t];
      if (!top->data()->has_views() || net_->bottom_vecs()[i].empty()) continue;
      if (std::find(outputs.begin(), outputs.end(), top) == outputs.end()) return false;
    }
    for (const auto& blob : layer.blobs()) {
      if (blob->data()->has_views()) return false;
    }
  }
  return true;
}

/// Changes with the inputs' shapes, the parameters' contents, and TF32.
template <typename Dtype>
std::uint64_t NetRecorder<Dtype>::Stamp() const {
  std::uint64_t stamp = device::tf32_allowed() ? 3 : 1;
  const auto mix = [&stamp](std::uint64_t value) {
    stamp = (stamp ^ value) * 1099511628211u;  // FNV-1a
  };
  for (const Blob<Dtype>* blob : net_->input_blobs()) {
    for (const int size : blob->shape()) mix(static_cast<std::uint64_t>(size));
  }
  for (const auto& param : net_->params()) mix(param->data()->version());
  return stamp;
}

/// Brings what the net reads to the device; false if it is not where it was recorded.
template <typename Dtype>
bool NetRecorder<Dtype>::InputsAreInPlace() {
  return std::all_of(inputs_.begin(), inputs_.end(), [](const Address& address) {
    return address.memory->gpu_data() == address.pointer;
  });
}

/// Marks what the net writes as written; false if it is not where it was recorded.
template <typename Dtype>
bool NetRecorder<Dtype>::OutputsAreInPlace() {
  return std::all_of(outputs_.begin(), outputs_.end(), [](const Address& address) {
    return address.memory->mutable_gpu_data() == address.pointer;
  });
}

template <typename Dtype>
void NetRecorder<Dtype>::SyncViewsOfOutputs() {
  for (Blob<Dtype>* blob : net_->output_blobs()) blob->data()->SyncViews();
}

template <typename Dtype>
void NetRecorder<Dtype>::NoteAddresses() {
  inputs_.clear();
  outputs_.clear();
  std::set<SyncedMemory*> seen;
  for (const Blob<Dtype>* blob : net_->input_blobs()) {
    SyncedMemory* memory = blob->data().get();
    if (seen.insert(memory).second) inputs_.push_back({memory, memory->gpu_data()});
  }
  for (const auto& param : net_->params()) seen.insert(param->data().get());
  for (const auto& tops : net_->top_vecs()) {
    for (const Blob<Dtype>* top : tops) {
      SyncedMemory* memory = top->data().get();
      if (memory->released() || memory->head() == SyncedMemory::UNINITIALIZED) continue;
      if (memory->head() != SyncedMemory::HEAD_AT_GPU) continue;
      if (seen.insert(memory).second) outputs_.push_back({memory, memory->gpu_data()});
    }
  }
}

template <typename Dtype>
void NetRecorder<Dtype>::Forward(const std::function<void()>& run) {
  if (!MayRecord()) {
    stamp_ = 0;
    graph_.Clear();
    run();
    return;
  }
  const std::uint64_t stamp = Stamp();
  if (graph_.is_recorded() && stamp == stamp_ && InputsAreInPlace() &&
      OutputsAreInPlace()) {
    graph_.Replay();
    SyncViewsOfOutputs();
    return;
  }
  graph_.Clear();
  const device::PrivateMemory::Use use(&memory_);
  if (stamp != stamp_ || cannot_) {
    cannot_ = cannot_ && stamp == stamp_;
    stamp_ = stamp;
    run();
    return;
  }
  for (const Blob<Dtype>* blob : net_->input_blobs()) blob->data()->gpu_data();
  if (!graph_.Record(run)) {
    cannot_ = true;
    run();
    return;
  }
  NoteAddresses();
  graph_.Replay();
  SyncViewsOfOutputs();
}

template class NetRecorder<float>;
template class NetRecorder<double>;

}  // namespace caffe

// Recording and replaying a net's pass.
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
int NetRecorder<Dtype>::FirstRecorded() const {
  int first = static_cast<int>(net_->layers().size());
  while (first > 0 && net_->layers()[first - 1]->RepeatsOnDevice()) --first;
  return first;
}

template <typename Dtype>
bool NetRecorder<Dtype>::MayRecord() const {
  if (IsOff() || !device::can_record() || device::is_recording()) return false;
  if (!net_->RunsUnwatched()) return false;
  // Views of inputs are read before the pass, those of outputs brought up to date after
  // it.
  const auto& outputs = net_->output_blobs();
  for (size_t i = 0; i < net_->layers().size(); ++i) {
    for (size_t t = 0; t < net_->top_vecs()[i].size(); ++t) {
      Blob<Dtype>* top = net_->top_vecs()[i][t];
      if (!top->data() || !top->data()->has_views()) continue;
      if (net_->bottom_vecs()[i].empty()) continue;
      if (std::find(outputs.begin(), outputs.end(), top) == outputs.end()) return false;
    }
  }
  return std::none_of(net_->params().begin(), net_->params().end(),
                      [](const auto& param) {
                        return param->data()->has_views() ||
                               (param->has_diff() && param->diff()->has_views());
                      });
}

/// Changes with what a recording depends on: shapes, TF32, what is run, folded
/// parameters.
template <typename Dtype>
std::uint64_t NetRecorder<Dtype>::Stamp(int first, bool backward) const {
  std::uint64_t stamp = 1;
  const auto mix = [&stamp](std::uint64_t value) {
    stamp = (stamp ^ value) * 1099511628211u;  // FNV-1a
  };
  mix(device::tf32_allowed());
  mix(backward);
  mix(static_cast<std::uint64_t>(first));
  for (const auto& tops : net_->top_vecs()) {
    for (const Blob<Dtype>* top : tops) {
      for (const int size : top->shape()) mix(static_cast<std::uint64_t>(size));
    }
  }
  if (net_->phase() == TEST) {
    for (const auto& param : net_->params()) mix(param->data()->version());
  }
  return stamp | 1;
}

/// Brings what the recording reads to the device; false if it is not where it was.
template <typename Dtype>
bool NetRecorder<Dtype>::ReadFromPlace() {
  return std::all_of(read_.begin(), read_.end(), [](const Address& address) {
    return address.memory->gpu_data() == address.pointer;
  });
}

template <typename Dtype>
bool NetRecorder<Dtype>::WrittenInPlace() const {
  return std::all_of(written_.begin(), written_.end(), [](const Address& address) {
    return !address.memory->released() &&
           address.pointer == (address.channels_last
                                   ? address.memory->channels_last_address()
                                   : address.memory->device_address());
  });
}

template <typename Dtype>
void NetRecorder<Dtype>::Replay() {
  graph_.Replay();
  for (const Address& address : written_) {
    address.memory->MarkDeviceWritten(address.channels_last);
    address.memory->SyncViews();
  }
  replayed_ = true;
}

template <typename Dtype>
void NetRecorder<Dtype>::NoteAddresses(int first) {
  read_.clear();
  written_.clear();
  std::set<SyncedMemory*> seen;
  const auto read = [&](SyncedMemory* memory) {
    if (seen.insert(memory).second) read_.push_back({memory, memory->gpu_data(), false});
  };
  const auto written = [&](SyncedMemory* memory) {
    if (memory->released() || memory->head() != SyncedMemory::HEAD_AT_GPU) return;
    if (!seen.insert(memory).second) return;
    const bool last = memory->head_is_channels_last();
    written_.push_back({memory,
                        last ? memory->channels_last_address() : memory->device_address(),
                        last});
  };
  for (const Blob<Dtype>* blob : net_->input_blobs()) read(blob->data().get());
  for (const auto& param : net_->params()) {
    // Folded ones are not there: the device has their folded form alone.
    if (param->data()->device_address() != nullptr) read(param->data().get());
    if (param->has_diff()) written(param->diff().get());
  }
  for (size_t i = 0; i < net_->layers().size(); ++i) {
    for (const Blob<Dtype>* top : net_->top_vecs()[i]) {
      if (static_cast<int>(i) < first) {
        if (!top->data()->released()) read(top->data().get());
        continue;
      }
      written(top->data().get());
      if (top->has_diff()) written(top->diff().get());
    }
  }
}

template <typename Dtype>
void NetRecorder<Dtype>::Run(bool backward, const std::function<void(int)>& head,
                             const std::function<void(int)>& rest) {
  replayed_ = false;
  if (!MayRecord()) {
    stamp_ = 0;
    graph_.Clear();
    rest(0);
    return;
  }
  const int first = FirstRecorded();
  if (first == static_cast<int>(net_->layers().size())) {
    rest(0);
    return;
  }
  const device::PrivateMemory::Use use(&memory_);
  if (first > 0) head(first);
  const std::uint64_t stamp = Stamp(first, backward);
  if (graph_.is_recorded() && stamp == stamp_ && WrittenInPlace() && ReadFromPlace()) {
    Replay();
    return;
  }
  graph_.Clear();
  if (stamp != stamp_ || cannot_) {
    cannot_ = cannot_ && stamp == stamp_;
    stamp_ = stamp;
    rest(first);
    stamp_ = Stamp(first, backward);  // the pass may have given tops their shapes
    return;
  }
  // What is written anew before each replay is read row-major: a reordered form that is
  // there already would not be made again.
  const auto read_row_major = [](SyncedMemory* memory) {
    memory->gpu_data();
    memory->KeepOneForm(false);
  };
  for (const Blob<Dtype>* blob : net_->input_blobs()) read_row_major(blob->data().get());
  for (int i = 0; i < first; ++i) {
    for (const Blob<Dtype>* top : net_->top_vecs()[i]) {
      if (!top->data()->released()) read_row_major(top->data().get());
    }
  }
  for (const auto& param : net_->params()) {
    if (param->data()->device_address() != nullptr) param->data()->gpu_data();
    if (backward && param->has_diff()) param->diff()->gpu_data();
  }
  if (!graph_.Record([&] { rest(first); })) {
    cannot_ = true;
    rest(first);
    return;
  }
  NoteAddresses(first);
  Replay();
}

template class NetRecorder<float>;
template class NetRecorder<double>;

}  // namespace caffe

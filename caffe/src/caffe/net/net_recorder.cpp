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

/// While it lives, memory is not released: if the recording fails, the pass still needs
/// what the head has made.
class HeldMemory {
 public:
  HeldMemory() = default;
  ~HeldMemory() {
    for (SyncedMemory* memory : held_) memory->RemoveView();
  }
  void Add(SyncedMemory* memory) {
    memory->AddView();
    held_.push_back(memory);
  }
  HeldMemory(const HeldMemory&) = delete;
  HeldMemory& operator=(const HeldMemory&) = delete;

 private:
  vector<SyncedMemory*> held_;
};

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
    SyncedMemory* memory = address.memory;
    if (memory->released()) return false;
    if (address.channels_last) return address.pointer == memory->channels_last_address();
    // What `keep` gives back after every pass comes from the same place again.
    if (memory->device_address() == nullptr) memory->gpu_data();
    return address.pointer == memory->device_address();
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

/// Brings to the device what the work is going to read or add to, and remembers where it
/// lies. What is written anew before each replay is read row-major: a reordered form that
/// is there already would not be made again.
template <typename Dtype>
void NetRecorder<Dtype>::NoteSources(int first, bool backward) {
  read_.clear();
  std::set<SyncedMemory*> seen;
  const auto read = [&](SyncedMemory* memory) {
    if (memory == nullptr || memory->released()) return;
    if (seen.insert(memory).second) {
      read_.push_back({memory, memory->gpu_data(), false});
    }
  };
  const auto read_row_major = [&](SyncedMemory* memory) {
    read(memory);
    if (memory != nullptr && !memory->released()) memory->KeepOneForm(false);
  };
  for (const Blob<Dtype>* blob : net_->input_blobs()) read_row_major(blob->data().get());
  for (int i = 0; i < first; ++i) {
    for (const Blob<Dtype>* top : net_->top_vecs()[i]) read_row_major(top->data().get());
  }
  for (const auto& param : net_->params()) {
    // Folded ones are not there: the device has their folded form alone.
    if (param->data()->device_address() != nullptr) read(param->data().get());
    if (backward && param->has_diff()) read(param->diff().get());
  }
}

template <typename Dtype>
void NetRecorder<Dtype>::NoteResults(const vector<std::uint64_t>& versions) {
  written_.clear();
  std::set<SyncedMemory*> seen;
  const auto written = [&](SyncedMemory* memory) {
    if (memory == nullptr || memory->released()) return;
    if (memory->head() != SyncedMemory::HEAD_AT_GPU) return;
    if (!seen.insert(memory).second) return;
    const bool last = memory->head_is_channels_last();
    written_.push_back({memory,
                        last ? memory->channels_last_address() : memory->device_address(),
                        last});
  };
  for (size_t p = 0; p < net_->params().size(); ++p) {
    const auto& param = net_->params()[p];
    if (param->data()->version() != versions[p]) written(param->data().get());
    if (param->has_diff()) written(param->diff().get());
  }
  for (size_t i = 0; i < net_->layers().size(); ++i) {
    for (const Blob<Dtype>* top : net_->top_vecs()[i]) {
      written(top->data().get());
      if (top->has_diff()) written(top->diff().get());
    }
  }
}

template <typename Dtype>
bool NetRecorder<Dtype>::Record(const RecordablePass& pass, int first) {
  NoteSources(first, pass.backward);
  vector<std::uint64_t> versions;
  for (const auto& param : net_->params()) versions.push_back(param->data()->version());
  {
    HeldMemory held;
    for (int i = 0; i < first && !net_->definition().keep().empty(); ++i) {
      for (const Blob<Dtype>* top : net_->top_vecs()[i]) {
        if (top->data() && !top->data()->released()) held.Add(top->data().get());
      }
    }
    if (!graph_.Record([&] { pass.rest(first); })) return false;
  }
  NoteResults(versions);
  return true;
}

template <typename Dtype>
void NetRecorder<Dtype>::RunRest(const RecordablePass& pass, int first) {
  const std::uint64_t stamp = Stamp(first, pass.backward);
  if (!graph_.is_recorded() || stamp != stamp_ || !ReadFromPlace() || !WrittenInPlace()) {
    graph_.Clear();
    if (stamp != stamp_) cannot_ = false;
    if (stamp != stamp_ || cannot_) {
      pass.rest(first);
      // The pass may have given tops their shapes.
      stamp_ = Stamp(first, pass.backward);
      return;
    }
    if (!Record(pass, first)) {
      cannot_ = true;
      pass.rest(first);
      return;
    }
  }
  Replay();
  pass.release(first);
}

template <typename Dtype>
void NetRecorder<Dtype>::Run(const RecordablePass& pass) {
  replayed_ = false;
  const int layers = static_cast<int>(net_->layers().size());
  const int first = MayRecord() ? FirstRecorded() : layers;
  if (first == layers) {
    stamp_ = 0;
    graph_.Clear();
    pass.rest(0);
    return;
  }
  const device::PrivateMemory::Use use(&memory_);
  if (first > 0) pass.head(first);
  RunRest(pass, first);
  if (first > 0 && pass.backward) pass.tail(first);
}

template class NetRecorder<float>;
template class NetRecorder<double>;

}  // namespace caffe

// Recording and replaying a net's pass.
#include "caffe/net_recorder.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <set>

#include "caffe/device/device.hpp"
#include "caffe/net.hpp"
#include "caffe/util/thread_number.hpp"

namespace caffe {

namespace {

bool IsOff() {
  static const bool off = [] {
    const char* value = std::getenv("CAFFE_GRAPH");
    return value != nullptr && std::strcmp(value, "off") == 0;
  }();
  return off;
}

/// After so many recordings in a row that were for nothing a net is recorded no more.
constexpr int kMostUnused = 4;

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
NetRecorder<Dtype>::Address::Address(const Blob<Dtype>* blob, bool is_diff,
                                     bool channels_last)
    : blob(blob),
      is_diff(is_diff),
      owner(is_diff ? blob->diff() : blob->data()),
      memory((is_diff ? blob->diff() : blob->data()).get()),
      pointer(channels_last ? memory->channels_last_address() : memory->device_address()),
      channels_last(channels_last) {}

/// Whether the memory is still the blob's (and there at all).
template <typename Dtype>
bool NetRecorder<Dtype>::Address::IsBlobs() const {
  const shared_ptr<SyncedMemory>& now = is_diff ? blob->diff() : blob->data();
  return !owner.owner_before(now) && !now.owner_before(owner);
}

template <typename Dtype>
void NetRecorder<Dtype>::Forget() {
  graph_.Clear();
  read_.clear();
  written_.clear();
  stamp_ = 0;
}

template <typename Dtype>
int NetRecorder<Dtype>::FirstRecorded() const {
  int first = static_cast<int>(net_->layers().size());
  while (first > 0 && net_->layers()[first - 1]->RepeatsOnDevice()) --first;
  return first;
}

template <typename Dtype>
bool NetRecorder<Dtype>::MayRecord() const {
  if (IsOff() || given_up_ || !device::can_record() || device::is_recording())
    return false;
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

/// Changes with what a recording depends on: the thread, shapes, TF32, what is run,
/// folded parameters.
template <typename Dtype>
std::uint64_t NetRecorder<Dtype>::Stamp(int first, bool backward) const {
  std::uint64_t stamp = 1;
  const auto mix = [&stamp](std::uint64_t value) {
    stamp = (stamp ^ value) * 1099511628211u;  // FNV-1a
  };
  mix(thread_number());
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
    if (!address.IsBlobs()) return false;
    return address.pointer == (address.channels_last
                                   ? address.memory->channels_last_address()
                                   : address.memory->gpu_data());
  });
}

template <typename Dtype>
bool NetRecorder<Dtype>::WrittenInPlace() const {
  return std::all_of(written_.begin(), written_.end(), [](const Address& address) {
    SyncedMemory* memory = address.memory;
    if (!address.IsBlobs() || memory->released()) return false;
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
/// lies. What may be written anew before a replay is read row-major: a reordered form
/// that is there already would not be made again.
template <typename Dtype>
void NetRecorder<Dtype>::NoteSources(int first, bool backward) {
  read_.clear();
  std::set<SyncedMemory*> seen;
  const auto read = [&](const Blob<Dtype>* blob, bool is_diff, bool changes) {
    SyncedMemory* memory = (is_diff ? blob->diff() : blob->data()).get();
    if (memory->released() || !seen.insert(memory).second) return;
    const bool row_major = changes || memory->device_address() != nullptr;
    if (row_major) {
      memory->gpu_data();
      read_.push_back(Address(blob, is_diff, false));
    }
    if (changes) {
      memory->KeepOneForm(false);
    } else if (memory->channels_last_address() != nullptr) {
      read_.push_back(Address(blob, is_diff, true));
    }
  };
  const auto& bottoms = net_->bottom_vecs();
  for (int i = 0; i < static_cast<int>(bottoms.size()); ++i) {
    // Whoever likes writes the tops of a layer that makes nothing (Input, DummyData).
    if (i >= first && !bottoms[i].empty()) continue;
    for (const Blob<Dtype>* top : net_->top_vecs()[i]) {
      if (top->data()) read(top, false, true);
    }
  }
  for (const auto& param : net_->params()) {
    // Folded ones are not there: the device has their folded form alone.
    if (param->data()->device_address() != nullptr ||
        param->data()->channels_last_address() != nullptr) {
      read(param.get(), false, backward);
    }
    if (backward && param->has_diff()) read(param.get(), true, true);
  }
}

template <typename Dtype>
void NetRecorder<Dtype>::NoteResults(const vector<std::uint64_t>& versions) {
  written_.clear();
  std::set<SyncedMemory*> seen;
  const auto written = [&](const Blob<Dtype>* blob, bool is_diff) {
    SyncedMemory* memory = (is_diff ? blob->diff() : blob->data()).get();
    if (memory->released()) return;
    if (memory->head() != SyncedMemory::HEAD_AT_GPU) return;
    if (!seen.insert(memory).second) return;
    written_.push_back(Address(blob, is_diff, memory->head_is_channels_last()));
  };
  for (size_t p = 0; p < net_->params().size(); ++p) {
    const Blob<Dtype>* param = net_->params()[p].get();
    if (param->data()->version() != versions[p]) written(param, false);
    if (param->has_diff()) written(param, true);
  }
  for (size_t i = 0; i < net_->layers().size(); ++i) {
    for (const Blob<Dtype>* top : net_->top_vecs()[i]) {
      written(top, false);
      if (top->has_diff()) written(top, true);
    }
  }
}

/// After work that was to be recorded has not run: forms that it was to make, and that
/// nothing else makes, do not hold.
template <typename Dtype>
void NetRecorder<Dtype>::UndoForms() {
  std::set<SyncedMemory*> sources;
  for (const Address& address : read_) {
    if (address.channels_last || !address.IsBlobs()) continue;
    if (address.memory->device_address() != address.pointer) continue;
    sources.insert(address.memory);
    if (address.memory->head_is_channels_last()) {  // written in place, it was to be
      address.memory->MarkDeviceWritten(false);
      address.memory->SyncViews();
    }
    address.memory->KeepOneForm(false);
  }
  for (const auto& param : net_->params()) {
    if (sources.count(param->data().get()) == 0) param->data()->KeepOneForm(true);
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
    if (!graph_.Record([&] { pass.rest(first); })) {
      UndoForms();
      return false;
    }
  }
  NoteResults(versions);
  return true;
}

/// One more recording; true if too many have been for nothing.
template <typename Dtype>
bool NetRecorder<Dtype>::GivesUp() {
  given_up_ = unused_ == kMostUnused;
  ++unused_;
  LOG_IF(INFO, given_up_) << "net '" << net_->name() << "' was recorded " << kMostUnused
                          << " times, but no recording fitted the next pass (shapes, "
                             "parameters or memory change each time): from now on its "
                             "passes run as they are";
  return given_up_;
}

template <typename Dtype>
void NetRecorder<Dtype>::RunRest(const RecordablePass& pass, int first) {
  const std::uint64_t stamp = Stamp(first, pass.backward);
  const device::PrivateMemory::Use use(&memory_);
  if (graph_.is_recorded() && stamp == stamp_ && ReadFromPlace() && WrittenInPlace()) {
    unused_ = 0;
  } else {
    const bool is_new = stamp != stamp_;
    Forget();
    if (is_new) cannot_ = false;
    const bool records = !is_new && !cannot_ && !GivesUp();
    if (records && !Record(pass, first)) cannot_ = true;
    if (!graph_.is_recorded()) pass.rest(first);
    // The pass may have given tops their shapes.
    stamp_ = Stamp(first, pass.backward);
    if (!graph_.is_recorded()) return;
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
    Forget();
    pass.rest(0);
    return;
  }
  if (first > 0) {
    const device::PrivateMemory::Use use(&head_memory_);
    pass.head(first);
  }
  RunRest(pass, first);
  if (first > 0 && pass.backward) {
    const device::PrivateMemory::Use use(&head_memory_);
    pass.tail(first);
  }
}

template class NetRecorder<float>;
template class NetRecorder<double>;

}  // namespace caffe

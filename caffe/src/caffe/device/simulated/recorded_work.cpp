// What a thread records on the simulated device.
#include "recorded_work.hpp"

#include <algorithm>
#include <cstring>

#include "caffe/util/logging.hpp"

namespace caffe {
namespace device {

RecordedWork*& RecordedWork::current() {
  static thread_local RecordedWork* recording = nullptr;
  return recording;
}

void RecordedWork::Add(std::function<void()> work) {
  CHECK(!spoilt_) << "the recording has failed before";
  pieces_.push_back({std::move(work)});
}

void RecordedWork::AddAllocation(void* pointer, std::size_t bytes) {
  pieces_.push_back({[pointer, bytes] { std::memset(pointer, 0xff, bytes); },
                     memory().Find(pointer).second.number, pointer});
}

void RecordedWork::NoteUse(const void* pointer) {
  const auto buffer = memory().Find(pointer);
  if (buffer.second.number != 0) uses_.emplace(buffer.second.number, buffer);
}

bool RecordedWork::End() {
  end_ = memory().newest();
  const auto outlives = [](const Piece& piece) {
    return piece.allocation != 0 &&
           memory().Find(piece.pointer).second.number == piece.allocation;
  };
  pieces_.erase(std::remove_if(pieces_.begin(), pieces_.end(), outlives), pieces_.end());
  return !spoilt_;
}

void RecordedWork::Run() const {
  for (const auto& use : uses_) memory().CheckStillUsable(use.second, begin_, end_);
  const OpenMemory open;
  for (const Piece& piece : pieces_) piece.work();
}

bool is_recording() { return RecordedWork::current() != nullptr; }

void store(std::function<void()> work) { RecordedWork::current()->Add(std::move(work)); }

void forbid_in_recording(const char* what) {
  if (!is_recording()) return;
  RecordedWork::current()->Spoil();
  CAFFE_THROW(kGeneric) << what << " cannot be recorded";
}

void note_allocation(void* pointer, std::size_t bytes) {
  if (is_recording()) RecordedWork::current()->AddAllocation(pointer, bytes);
  const OpenMemory open;
  std::memset(pointer, 0xff, bytes);
}

void note_use(const void* pointer) {
  if (is_recording()) RecordedWork::current()->NoteUse(pointer);
}

}  // namespace device
}  // namespace caffe

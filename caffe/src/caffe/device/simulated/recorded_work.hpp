// What a thread asks of the simulated device while it records.
#ifndef CAFFE_SRC_DEVICE_SIMULATED_RECORDED_WORK_HPP_
#define CAFFE_SRC_DEVICE_SIMULATED_RECORDED_WORK_HPP_

#include <cstdint>
#include <functional>
#include <map>
#include <vector>

#include "caffe/device/simulated/recording.hpp"
#include "memory.hpp"

namespace caffe {
namespace device {

/// Work in its order, and the buffers that it uses.
class RecordedWork {
 public:
  RecordedWork() : begin_(memory().newest()) {}

  /// The calling thread's, null while it does not record.
  static RecordedWork*& current();

  void Add(std::function<void()> work);
  /// A buffer in the work is NaN in every replay, as when it was given, except where it
  /// outlives the recording: others may fill it then.
  void AddAllocation(void* pointer, std::size_t bytes);
  void NoteUse(const void* pointer);
  /// Nothing can be added any more, whatever becomes of the error.
  void Spoil() { spoilt_ = true; }
  /// False if it is spoilt.
  bool End();
  /// Error if a buffer that it uses belongs to somebody else by now.
  void Run() const;

 private:
  struct Piece {
    std::function<void()> work;
    std::uint64_t allocation = 0;  ///< the number of the buffer that it fills
    void* pointer = nullptr;
  };
  std::vector<Piece> pieces_;
  std::map<std::uint64_t, std::pair<char*, Memory::Buffer>> uses_;  ///< by number
  std::uint64_t begin_ = 0, end_ = 0;  ///< the newest buffers then
  bool spoilt_ = false;
};

/// Error while the thread records, and the recording is spoilt.
void forbid_in_recording(const char* what);
/// The contents of a new buffer, now and in each replay.
void note_allocation(void* pointer, std::size_t bytes);
/// The recording, if there is one, uses the address.
void note_use(const void* pointer);

}  // namespace device
}  // namespace caffe

#endif  // CAFFE_SRC_DEVICE_SIMULATED_RECORDED_WORK_HPP_

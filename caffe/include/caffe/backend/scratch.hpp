// Scratch memory that operators share: one growing buffer a thread.
#ifndef CAFFE_BACKEND_SCRATCH_HPP_
#define CAFFE_BACKEND_SCRATCH_HPP_

#include <cstddef>

namespace caffe {

/// Memory of at least `bytes`, aligned to 64, contents undefined; valid until the next
/// call on the same thread. An operator asks once for all that it needs in one pass.
void* scratch_memory(std::size_t bytes);
/// Gives the calling thread's buffer back to the system.
void release_scratch_memory();

/// Memory that an operator keeps (packed weights): aligned, not zeroed when it is made
/// smaller.
class HostBuffer {
 public:
  HostBuffer() = default;
  ~HostBuffer() { Reset(); }
  HostBuffer(const HostBuffer&) = delete;
  HostBuffer& operator=(const HostBuffer&) = delete;
  HostBuffer(HostBuffer&& other) noexcept : data_(other.data_), bytes_(other.bytes_) {
    other.data_ = nullptr;
    other.bytes_ = 0;
  }

  /// At least this many bytes; contents are lost when it grows.
  void* Need(std::size_t bytes);
  void Reset();
  void* data() const { return data_; }
  std::size_t bytes() const { return bytes_; }

 private:
  void* data_ = nullptr;
  std::size_t bytes_ = 0;
};

}  // namespace caffe

#endif  // CAFFE_BACKEND_SCRATCH_HPP_

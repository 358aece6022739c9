// Scratch memory that operators share.
#include "caffe/backend/scratch.hpp"

#include "caffe/util/arena.hpp"

namespace caffe {

namespace {
HostBuffer& thread_scratch() {
  static thread_local HostBuffer buffer;
  return buffer;
}
}  // namespace

void* HostBuffer::Need(std::size_t bytes) {
  if (bytes > bytes_) {
    Reset();
    data_ = allocate_host(bytes);
    bytes_ = bytes;
  }
  return data_;
}

void HostBuffer::Reset() {
  if (data_ != nullptr) free_host(data_, bytes_);
  data_ = nullptr;
  bytes_ = 0;
}

void* scratch_memory(std::size_t bytes) { return thread_scratch().Need(bytes); }

void release_scratch_memory() { thread_scratch().Reset(); }

}  // namespace caffe

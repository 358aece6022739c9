// Work of the simulated device: done at once, or stored while the calling thread records.
#ifndef CAFFE_DEVICE_SIMULATED_RECORDING_HPP_
#define CAFFE_DEVICE_SIMULATED_RECORDING_HPP_

#include <cstddef>
#include <functional>

#include "caffe/device/graph.hpp"

namespace caffe {
namespace device {

/// While one lives, device memory can be reached; otherwise touching it is a fault.
class OpenMemory {
 public:
  OpenMemory();
  ~OpenMemory();
  OpenMemory(const OpenMemory&) = delete;
  OpenMemory& operator=(const OpenMemory&) = delete;
};

/// Error if a word of a kernel's body is an address of the host (its stack, or memory
/// that a blob holds). A recording remembers the buffers that the words point to.
void check_body(const void* body, std::size_t bytes);

/// The next piece of the recording. Error if the recording is spoilt.
void store(std::function<void()> work);

/// Does work that owns what it needs, with the device's memory open; while the thread
/// records it is stored instead.
template <typename Work>
void submit(const Work& work) {
  if (is_recording()) {
    store(work);
    return;
  }
  const OpenMemory open;
  work();
}

}  // namespace device
}  // namespace caffe

#endif  // CAFFE_DEVICE_SIMULATED_RECORDING_HPP_

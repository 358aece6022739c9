// The device behind GPU mode: its memory, its stream, and who it is.
//
// Two implementations, chosen by the build: src/caffe/device/cuda/ (an NVIDIA GPU) and
// src/caffe/device/simulated/ (every build without CUDA). The simulated device is there
// for tests: it is switched on by CAFFE_DEVICE=simulated in the environment, keeps its
// memory apart from the host's, fills it with NaN, and finds pointers that are on the
// wrong side. Everything else in the engine is one source for both.
//
// Order: what a thread asks for runs in the order in which it asks (one stream a thread).
#ifndef CAFFE_DEVICE_DEVICE_HPP_
#define CAFFE_DEVICE_DEVICE_HPP_

#include <cstddef>
#include <string>

namespace caffe {
namespace device {

/// True if GPU mode can run here: a CUDA build, or CAFFE_DEVICE=simulated.
bool is_built();
bool is_simulated();
/// Number of devices; 0 where none can be used.
int count();
/// "NVIDIA H200", "simulated".
std::string name(int id);
/// Several lines about the current device, for people.
std::string description();
/// Makes device `id` the calling thread's. Error (kValue) if there is none of that
/// number.
void select(int id);
int current();
/// True if the device can be used by this process (another may hold it exclusively).
bool is_usable(int id);

/// Device memory, aligned to 512 bytes, contents undefined (NaN on the simulated device).
/// Comes from a cache of freed memory where it can. Error (kMemory) that names the size.
void* allocate(std::size_t bytes);
void free(void* pointer) noexcept;
/// Gives cached memory back to the driver.
void empty_cache();
/// Bytes in use by this process's buffers, and the most there ever were.
std::size_t allocated_bytes();
std::size_t peak_allocated_bytes();
void reset_peak_allocated_bytes();

/// Host memory that the device can read while the host works on; 64-byte aligned, zeroed.
void* allocate_pinned(std::size_t bytes);
void free_pinned(void* pointer) noexcept;

/// Copies; the first two wait until the host side may be used again.
void copy_to_device(void* device_to, const void* host_from, std::size_t bytes);
void copy_to_host(void* host_to, const void* device_from, std::size_t bytes);
void copy_on_device(void* to, const void* from, std::size_t bytes);
/// From pinned host memory, which must stay as it is until synchronize().
void copy_to_device_async(void* device_to, const void* pinned_from, std::size_t bytes);
void fill_bytes(void* device_to, int byte, std::size_t bytes);
/// Whether the address belongs to the device.
bool is_device_pointer(const void* pointer);

/// Waits for everything that the calling thread asked for, and throws what went wrong.
void synchronize();

/// Products may round their factors to TF32 (10 bits) where the device is faster so. Off
/// unless CAFFE_TF32=1 is in the environment.
bool tf32_allowed();
void allow_tf32(bool allowed);

/// Tells the simulated device which memory is the host's, so that a kernel that is handed
/// a pointer to it is an error there; nothing on a real device.
void note_host_memory(const void* pointer, std::size_t bytes);
void forget_host_memory(const void* pointer);

}  // namespace device
}  // namespace caffe

#endif  // CAFFE_DEVICE_DEVICE_HPP_

// An NVIDIA GPU through the CUDA runtime: who it is, copies, waiting.
#include "caffe/device/device.hpp"

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <sstream>

#include "caffe/device/cuda/cuda_check.hpp"
#include "caffe/device/stream.hpp"

namespace caffe {
namespace device {

bool is_built() { return true; }
bool is_simulated() { return false; }

int count() {
  int devices = 0;
  if (cudaGetDeviceCount(&devices) != cudaSuccess) {
    cudaGetLastError();  // no driver: an answer, not a failure that sticks
    return 0;
  }
  return devices;
}

std::string name(int id) {
  cudaDeviceProp properties;
  CUDA_CHECK(cudaGetDeviceProperties(&properties, id));
  return properties.name;
}

std::string description() {
  if (count() == 0) return "No CUDA device was found.";
  cudaDeviceProp properties;
  CUDA_CHECK(cudaGetDeviceProperties(&properties, current()));
  std::size_t free_bytes = 0, total_bytes = 0;
  CUDA_CHECK(cudaMemGetInfo(&free_bytes, &total_bytes));
  std::ostringstream text;
  text << "Device id:            " << current() << "\n"
       << "Name:                 " << properties.name << "\n"
       << "Compute capability:   " << properties.major << "." << properties.minor << "\n"
       << "Memory:               " << (total_bytes >> 20) << " MB, " << (free_bytes >> 20)
       << " MB free\n"
       << "Multiprocessors:      " << properties.multiProcessorCount << "\n"
       << "L2 cache:             " << (properties.l2CacheSize >> 10) << " kB";
  return text.str();
}

void select(int id) {
  const int devices = count();
  CHECK_VALUE(id >= 0 && id < devices)
      << "there is no device " << id << "; this machine has " << devices;
  CUDA_CHECK(cudaSetDevice(id));
}

int current() {
  int id = 0;
  CUDA_CHECK(cudaGetDevice(&id));
  return id;
}

bool is_usable(int id) {
  if (id < 0 || id >= count()) return false;
  int before = 0;
  if (cudaGetDevice(&before) != cudaSuccess) return false;
  const bool usable =
      cudaSetDevice(id) == cudaSuccess && cudaFree(nullptr) == cudaSuccess;
  cudaGetLastError();
  cudaSetDevice(before);
  return usable;
}

void* allocate_pinned(std::size_t bytes) {
  void* pointer = nullptr;
  const cudaError_t error = cudaMallocHost(&pointer, bytes > 0 ? bytes : 1);
  if (error != cudaSuccess) {
    cudaGetLastError();
    CAFFE_THROW(kMemory) << "not enough pinned host memory: " << bytes << " bytes ("
                         << cudaGetErrorString(error) << ")";
  }
  std::memset(pointer, 0, bytes);
  return pointer;
}
void free_pinned(void* pointer) noexcept { cudaFreeHost(pointer); }

void copy_to_device(void* device_to, const void* host_from, std::size_t bytes) {
  if (bytes == 0) return;
  CUDA_CHECK(
      cudaMemcpyAsync(device_to, host_from, bytes, cudaMemcpyHostToDevice, stream()));
  CUDA_CHECK(cudaStreamSynchronize(stream()));
}
void copy_to_device_async(void* device_to, const void* pinned_from, std::size_t bytes) {
  if (bytes == 0) return;
  CUDA_CHECK(
      cudaMemcpyAsync(device_to, pinned_from, bytes, cudaMemcpyHostToDevice, stream()));
}
void copy_to_host(void* host_to, const void* device_from, std::size_t bytes) {
  if (bytes == 0) return;
  CUDA_CHECK(
      cudaMemcpyAsync(host_to, device_from, bytes, cudaMemcpyDeviceToHost, stream()));
  CUDA_CHECK(cudaStreamSynchronize(stream()));
}
void copy_on_device(void* to, const void* from, std::size_t bytes) {
  if (bytes == 0) return;
  CUDA_CHECK(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, stream()));
}
void fill_bytes(void* device_to, int byte, std::size_t bytes) {
  if (bytes == 0) return;
  CUDA_CHECK(cudaMemsetAsync(device_to, byte, bytes, stream()));
}

bool is_device_pointer(const void* pointer) {
  cudaPointerAttributes attributes;
  if (cudaPointerGetAttributes(&attributes, pointer) != cudaSuccess) {
    cudaGetLastError();
    return false;
  }
  return attributes.type == cudaMemoryTypeDevice ||
         attributes.type == cudaMemoryTypeManaged;
}

void synchronize() { CUDA_CHECK(cudaStreamSynchronize(stream())); }

namespace {
bool FromEnvironment() {
  const char* value = std::getenv("CAFFE_TF32");
  return value != nullptr && std::strcmp(value, "0") != 0;
}
std::atomic<bool>& Tf32() {
  static std::atomic<bool> allowed{FromEnvironment()};
  return allowed;
}
}  // namespace

bool tf32_allowed() { return Tf32(); }
void allow_tf32(bool allowed) { Tf32() = allowed; }

void note_host_memory(const void*, std::size_t) {}
void forget_host_memory(const void*) {}

}  // namespace device
}  // namespace caffe

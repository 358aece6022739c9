// SyncedMemory: which copy is valid, and the moves between them.
#include "caffe/syncedmem.hpp"

#include <cstring>

#include "caffe/device/channels_last.hpp"
#include "caffe/device/device.hpp"
#include "caffe/device/graph.hpp"
#include "caffe/packed_contents.hpp"

namespace caffe {

namespace {

/// Smaller buffers are not worth a page of pinned memory.
constexpr size_t kLeastPinned = size_t{1} << 16;

void CheckThereIsADevice() {
  CHECK(device::is_built()) << "this build has no GPU: no blob has memory on one";
}

/// Never the same twice; scattered, since sums of versions must not come back either.
std::uint64_t NextVersion() {
  static std::atomic<std::uint64_t> counter{0};
  std::uint64_t version = ++counter * 0x9e3779b97f4a7c15ull;
  version = (version ^ version >> 32) * 0xd6e8feb86659fd93ull;
  return version ^ version >> 29;
}

}  // namespace

void CaffeMallocHost(void** ptr, size_t size, bool* use_cuda) {
  *use_cuda = Caffe::mode() == Caffe::GPU && device::is_built();
  if (*use_cuda) {
    *ptr = device::allocate_pinned(size);
    return;
  }
  *ptr = std::aligned_alloc(64, (std::max(size, size_t{1}) + 63) / 64 * 64);
  if (*ptr == nullptr) CAFFE_THROW(kMemory) << "not enough memory: " << size << " bytes";
  std::memset(*ptr, 0, size);
}

void CaffeFreeHost(void* ptr, bool use_cuda) {
  if (use_cuda) {
    device::free_pinned(ptr);
  } else {
    std::free(ptr);
  }
}

SyncedMemory::SyncedMemory() : SyncedMemory(0) {}
SyncedMemory::SyncedMemory(size_t size) : size_(size), version_(NextVersion()) {}

SyncedMemory::~SyncedMemory() {
  Free(&host_);
  Free(&blocked_);
  FreeDevice();
}

void SyncedMemory::Allocate(Buffer* buffer, size_t bytes, bool zeroed) {
  Free(buffer);
  const bool device_mode = Caffe::mode() == Caffe::GPU;
  buffer->arena = arena_;
  buffer->pinned = !arena_ && device_mode && bytes >= kLeastPinned && device::is_built();
  buffer->data = arena_           ? arena_->Allocate(bytes)
                 : buffer->pinned ? device::allocate_pinned(bytes)
                                  : allocate_host(bytes);
  buffer->bytes = bytes;
  buffer->owned = true;
  if (arena_ && zeroed) std::memset(buffer->data, 0, bytes);
  if (device_mode) device::note_host_memory(buffer->data, bytes);
}

void SyncedMemory::Free(Buffer* buffer) {
  if (buffer->owned) {
    device::forget_host_memory(buffer->data);
    if (buffer->arena) {
      buffer->arena->Release(buffer->data);
    } else if (buffer->pinned) {
      device::free_pinned(buffer->data);
    } else {
      free_host(buffer->data, buffer->bytes);
    }
  }
  *buffer = Buffer();
}

void SyncedMemory::Touch() {
  version_ = NextVersion();
  released_name_.reset();
  packed_.reset();
}

void SyncedMemory::CheckNotReleased() const {
  if (!released_name_) return;
  CAFFE_THROW(kKey)
      << "blob '" << *released_name_
      << "' was not kept: its memory has been given to later blobs. Name it in "
         "keep=[...] (or in the net's `keep` field) to read it after the pass";
}

/// Host memory exists (zeroed when new). The lock is held.
void SyncedMemory::NeedHost() {
  if (host_.data == nullptr) Allocate(&host_, size_, true);
}

void SyncedMemory::EnsureHostValid() {
  if (host_valid_) return;
  std::lock_guard<std::mutex> lock(mutex_);
  if (host_valid_) return;
  CheckNotReleased();
  NeedHost();
  if (blocked_valid_) {
    reorder_to_plain(layout_, static_cast<const float*>(blocked_.data),
                     static_cast<float*>(host_.data));
  } else if (device_valid_ || last_valid_) {
    RowMajorFromLast();
    device::copy_to_host(host_.data, device_, size_);
  } else if (packed_) {
    packed_->Unpack(host_.data);
    packed_.reset();
  }
  host_valid_ = true;
  // Whoever writes through a view tells nobody.
  if (has_views()) blocked_valid_ = device_valid_ = last_valid_ = false;
}

/// Device memory exists, zeroed when new (what an arena's blob finds is undefined). The
/// lock is held.
void SyncedMemory::NeedDevice() {
  if (device_ != nullptr) return;
  CheckThereIsADevice();
  device_ = device::allocate(size_);
  device_owned_ = true;
  if (!arena_) device::fill_bytes(device_, 0, size_);
}

void SyncedMemory::FreeDevice() {
  if (device_owned_) device::free(device_);
  device::free(last_);
  device_ = nullptr;
  last_ = nullptr;
  device_owned_ = device_valid_ = last_valid_ = false;
}

/// The row-major form on the device, if only the channels-last one holds. The lock is
/// held.
void SyncedMemory::RowMajorFromLast() {
  if (device_valid_ || !last_valid_) return;
  NeedDevice();
  device::to_row_major(order_, last_, static_cast<float*>(device_));
  device_valid_ = true;
}

void SyncedMemory::EnsureDeviceValid() {
  if (device_valid_ && !has_views()) return;
  // Work that is recorded runs later: what views hold now is not its business.
  const bool is_there =
      device_valid_ || (has_views() && (device_ != nullptr || last_valid_));
  if (is_there && device::is_recording()) {
    std::lock_guard<std::mutex> lock(mutex_);
    RowMajorFromLast();
    return;
  }
  if (head() != UNINITIALIZED || released_name_) {
    if (has_views() || !last_valid_) EnsureHostValid();
  }
  std::lock_guard<std::mutex> lock(mutex_);
  if (device_valid_ && !has_views()) return;
  NeedDevice();
  if (host_valid_) {
    device::copy_to_device(device_, host_.data, size_);
  } else {
    RowMajorFromLast();
  }
  device_valid_ = !has_views() || !host_valid_;
}

const void* SyncedMemory::gpu_data() {
  EnsureDeviceValid();
  return device_;
}

void* SyncedMemory::mutable_gpu_data() {
  if (released_name_) {
    std::lock_guard<std::mutex> lock(mutex_);
    NeedDevice();
    device_valid_ = true;
  }
  EnsureDeviceValid();
  MarkDeviceWritten(false);
  return device_;
}

const float* SyncedMemory::gpu_channels_last(const ChannelsLast& order) {
  if (channels_last_is_current(order)) return last_;
  EnsureDeviceValid();
  std::lock_guard<std::mutex> lock(mutex_);
  if (channels_last_is_current(order)) return last_;
  if (last_ == nullptr) last_ = static_cast<float*>(device::allocate(size_));
  order_ = order;
  device::to_channels_last(order, static_cast<const float*>(device_), last_);
  last_valid_ = !has_views();
  return last_;
}

float* SyncedMemory::mutable_gpu_channels_last(const ChannelsLast& order) {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (last_ == nullptr) last_ = static_cast<float*>(device::allocate(size_));
    order_ = order;
  }
  MarkDeviceWritten(true);
  return last_;
}

void SyncedMemory::KeepOneForm(bool channels_last) {
  std::lock_guard<std::mutex> lock(mutex_);
  // What is recorded may read the other form, and whether it runs is not certain.
  if (has_views() || device::is_recording()) return;
  if (channels_last && last_valid_ && device_owned_) {
    device::free(device_);
    device_ = nullptr;
    device_owned_ = device_valid_ = false;
  } else if (!channels_last && device_valid_) {
    device::free(last_);
    last_ = nullptr;
    last_valid_ = false;
  }
}

void SyncedMemory::set_gpu_data(void* data) {
  CHECK(data) << "set_gpu_data needs memory";
  CheckThereIsADevice();
  {
    std::lock_guard<std::mutex> lock(mutex_);
    FreeDevice();
    device_ = data;
  }
  MarkDeviceWritten(false);
}

void SyncedMemory::MarkDeviceWritten(bool channels_last) {
  std::lock_guard<std::mutex> lock(mutex_);
  device_valid_ = !channels_last;
  last_valid_ = channels_last;
  host_valid_ = blocked_valid_ = false;
  Touch();
}

#ifndef CPU_ONLY
void SyncedMemory::async_gpu_push(const cudaStream_t& stream) {
  CHECK(head() == HEAD_AT_CPU) << "async_gpu_push needs the newest contents on the host";
  EnsureHostValid();
  std::lock_guard<std::mutex> lock(mutex_);
  NeedDevice();
  CUDA_CHECK(cudaMemcpyAsync(device_, host_.data, size_, cudaMemcpyHostToDevice, stream));
  device_valid_ = true;
}
#endif

const void* SyncedMemory::cpu_data() {
  EnsureHostValid();
  return host_.data;
}

void* SyncedMemory::mutable_cpu_data() {
  if (released_name_) {
    std::lock_guard<std::mutex> lock(mutex_);
    NeedHost();
    host_valid_ = true;
  }
  EnsureHostValid();
  blocked_valid_ = device_valid_ = last_valid_ = false;
  Touch();
  return host_.data;
}

void SyncedMemory::set_cpu_data(void* data) {
  CHECK(data) << "set_cpu_data needs memory";
  std::lock_guard<std::mutex> lock(mutex_);
  Free(&host_);
  host_.data = data;
  host_.bytes = size_;
  host_valid_ = true;
  blocked_valid_ = device_valid_ = last_valid_ = false;
  Touch();
}

const float* SyncedMemory::blocked_data(const BlockedLayout& layout) {
  if (blocked_valid_ && layout_ == layout && !has_views()) {
    return static_cast<const float*>(blocked_.data);
  }
  EnsureHostValid();
  std::lock_guard<std::mutex> lock(mutex_);
  if (blocked_valid_ && layout_ == layout && !has_views()) {
    return static_cast<const float*>(blocked_.data);
  }
  const size_t bytes = layout.padded_count() * sizeof(float);
  if (blocked_.bytes != bytes) Allocate(&blocked_, bytes, false);
  layout_ = layout;
  reorder_to_blocked(layout, static_cast<const float*>(host_.data),
                     static_cast<float*>(blocked_.data));
  blocked_valid_ =
      !has_views();  // what a view changes is not to be missed when it is gone
  return static_cast<const float*>(blocked_.data);
}

float* SyncedMemory::mutable_blocked_data(const BlockedLayout& layout) {
  std::lock_guard<std::mutex> lock(mutex_);
  const size_t bytes = layout.padded_count() * sizeof(float);
  if (blocked_.bytes != bytes) Allocate(&blocked_, bytes, false);
  layout_ = layout;
  blocked_valid_ = true;
  host_valid_ = device_valid_ = last_valid_ = false;
  Touch();
  return static_cast<float*>(blocked_.data);
}

float* SyncedMemory::update_blocked_data(const BlockedLayout& layout) {
  blocked_data(layout);
  blocked_valid_ = true;
  host_valid_ = device_valid_ = last_valid_ = false;
  Touch();
  return static_cast<float*>(blocked_.data);
}

SyncedMemory::SyncedHead SyncedMemory::head() const {
  const bool on_host = host_valid_ || blocked_valid_ || packed_;
  if (device_valid_ || last_valid_) return on_host ? SYNCED : HEAD_AT_GPU;
  return on_host ? HEAD_AT_CPU : UNINITIALIZED;
}

std::uint64_t SyncedMemory::version() {
  // Kept nowhere: what a view changes counts even if it is gone at the next call.
  return has_views() ? NextVersion() : version_.load();
}

void SyncedMemory::Release(const shared_ptr<const string>& blob_name) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (has_views()) return;
  // Foreign memory is not ours to give.
  if (host_.data != nullptr && !host_.owned) return;
  if (device_ != nullptr && !device_owned_) return;
  Free(&host_);
  Free(&blocked_);
  FreeDevice();
  host_valid_ = blocked_valid_ = false;
  version_ = NextVersion();
  packed_.reset();
  released_name_ = blob_name;
}

bool SyncedMemory::KeepPackedOnly(shared_ptr<const PackedContents> packed) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (!packed_only_allowed_ || !host_valid_ || !host_.owned) return false;
  // First closed, then asked: a view that another thread takes now either is seen here or
  // waits for the lock.
  host_valid_ = false;
  if (has_views()) {
    host_valid_ = true;
    return false;
  }
  blocked_valid_ = false;
  Free(&host_);
  Free(&blocked_);
  FreeDevice();
  version_ = NextVersion();
  packed_ = std::move(packed);
  return true;
}

size_t SyncedMemory::held_bytes() const {
  return (host_.owned ? host_.bytes : 0) + (blocked_.owned ? blocked_.bytes : 0);
}

}  // namespace caffe

// SyncedMemory: which copy is valid, and the moves between them.
#include "caffe/syncedmem.hpp"

#include <cstring>

#include "caffe/packed_contents.hpp"

namespace caffe {

namespace {

/// Never the same twice; scattered, since sums of versions must not come back either.
std::uint64_t NextVersion() {
  static std::atomic<std::uint64_t> counter{0};
  std::uint64_t version = ++counter * 0x9e3779b97f4a7c15ull;
  version = (version ^ version >> 32) * 0xd6e8feb86659fd93ull;
  return version ^ version >> 29;
}

}  // namespace

void CaffeMallocHost(void** ptr, size_t size, bool* use_cuda) {
  *use_cuda = false;
  *ptr = std::aligned_alloc(64, (std::max(size, size_t{1}) + 63) / 64 * 64);
  if (*ptr == nullptr) CAFFE_THROW(kMemory) << "not enough memory: " << size << " bytes";
  std::memset(*ptr, 0, size);
}

void CaffeFreeHost(void* ptr, bool) { std::free(ptr); }

SyncedMemory::SyncedMemory() : SyncedMemory(0) {}
SyncedMemory::SyncedMemory(size_t size) : size_(size), version_(NextVersion()) {}

SyncedMemory::~SyncedMemory() {
  Free(&host_);
  Free(&blocked_);
}

void SyncedMemory::Allocate(Buffer* buffer, size_t bytes, bool zeroed) {
  Free(buffer);
  buffer->arena = arena_;
  buffer->data = arena_ ? arena_->Allocate(bytes) : allocate_host(bytes);
  buffer->bytes = bytes;
  buffer->owned = true;
  if (arena_ && zeroed) std::memset(buffer->data, 0, bytes);
}

void SyncedMemory::Free(Buffer* buffer) {
  if (buffer->owned) {
    if (buffer->arena) {
      buffer->arena->Release(buffer->data);
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
  } else if (packed_) {
    packed_->Unpack(host_.data);
    packed_.reset();
  }
  host_valid_ = true;
  if (has_views()) blocked_valid_ = false;  // whoever writes through a view tells nobody
}

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
  blocked_valid_ = false;
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
  blocked_valid_ = false;
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
  host_valid_ = false;
  Touch();
  return static_cast<float*>(blocked_.data);
}

float* SyncedMemory::update_blocked_data(const BlockedLayout& layout) {
  blocked_data(layout);
  blocked_valid_ = true;
  host_valid_ = false;
  Touch();
  return static_cast<float*>(blocked_.data);
}

SyncedMemory::SyncedHead SyncedMemory::head() const {
  return host_valid_ || blocked_valid_ || packed_ ? HEAD_AT_CPU : UNINITIALIZED;
}

std::uint64_t SyncedMemory::version() {
  // Kept nowhere: what a view changes counts even if it is gone at the next call.
  return has_views() ? NextVersion() : version_.load();
}

void SyncedMemory::Release(const shared_ptr<const string>& blob_name) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (has_views()) return;
  if (host_.data != nullptr && !host_.owned)
    return;  // foreign memory is not ours to give
  Free(&host_);
  Free(&blocked_);
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
  version_ = NextVersion();
  packed_ = std::move(packed);
  return true;
}

size_t SyncedMemory::held_bytes() const {
  return (host_.owned ? host_.bytes : 0) + (blocked_.owned ? blocked_.bytes : 0);
}

#ifdef CPU_ONLY
const void* SyncedMemory::gpu_data() { NO_GPU; }
void* SyncedMemory::mutable_gpu_data() { NO_GPU; }
void SyncedMemory::set_gpu_data(void*) { NO_GPU; }
#endif

}  // namespace caffe

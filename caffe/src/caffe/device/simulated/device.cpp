// The simulated device: who it is, copies, and pointers on the wrong side.
#include "caffe/device/device.hpp"

#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>

#include "caffe/util/logging.hpp"
#include "recorded_work.hpp"

namespace caffe {
namespace device {

namespace {

std::size_t RoundUp(std::size_t bytes, std::size_t unit) {
  return (bytes + unit - 1) / unit * unit;
}

struct HostRanges {
  std::mutex mutex;
  std::map<const char*, std::size_t> ranges;
};
HostRanges& host_ranges() {
  static HostRanges* instance = new HostRanges;
  return *instance;
}

bool IsOnThisStack(const char* address) {
  static thread_local const char *low = nullptr, *high = nullptr;
  if (low == nullptr) {
    pthread_attr_t attributes;
    void* start = nullptr;
    std::size_t size = 0;
    if (pthread_getattr_np(pthread_self(), &attributes) != 0) return false;
    pthread_attr_getstack(&attributes, &start, &size);
    pthread_attr_destroy(&attributes);
    low = static_cast<const char*>(start);
    high = low + size;
  }
  return address >= low && address < high;
}

void CheckHost(const void* pointer, const char* what) {
  CHECK(!memory().Owns(pointer))
      << what << ": a device pointer where host memory belongs";
}

bool FromEnvironment() {
  const char* device = std::getenv("CAFFE_DEVICE");
  if (device == nullptr || *device == '\0') return false;
  const bool simulated = std::strcmp(device, "simulated") == 0;
  LOG_IF(WARNING, !simulated) << "CAFFE_DEVICE is '" << device << "' and is ignored: the "
                              << "only value known is 'simulated'.";
  return simulated;
}

std::atomic<bool> g_tf32{false};

}  // namespace

bool is_built() {
  static const bool on = FromEnvironment();
  return on;
}
bool is_simulated() { return true; }
int count() { return is_built() ? 2 : 0; }

namespace {
thread_local int current_device = 0;
void CheckExists(int id) {
  CHECK_VALUE(is_usable(id)) << "there is no device " << id << "; this machine has "
                             << count();
}
}  // namespace

std::string name(int id) {
  CheckExists(id);
  return "simulated";
}
std::string description() {
  return "Device " + std::to_string(current()) + ": simulated (host memory; for tests)";
}
void select(int id) {
  CheckExists(id);
  current_device = id;
}
int current() { return current_device; }
bool is_usable(int id) { return id >= 0 && id < count(); }

void* allocate(std::size_t bytes) {
  void* pointer = memory().Allocate(bytes, thread_pool());
  note_allocation(pointer, bytes);
  return pointer;
}
void free(void* pointer) noexcept {
  if (pointer != nullptr) memory().Free(pointer);
}
void empty_cache() { forbid_in_recording("emptying the cache"); }
std::size_t allocated_bytes() { return memory().allocated(); }
std::size_t peak_allocated_bytes() { return memory().peak(); }
void reset_peak_allocated_bytes() { memory().reset_peak(); }

void* allocate_pinned(std::size_t bytes) {
  const std::size_t size = RoundUp(std::max(bytes, std::size_t{1}), 64);
  void* pointer = std::aligned_alloc(64, size);
  if (pointer == nullptr)
    CAFFE_THROW(kMemory) << "not enough memory: " << bytes << " bytes";
  std::memset(pointer, 0, size);
  return pointer;
}
void free_pinned(void* pointer) noexcept { std::free(pointer); }

void copy_to_device(void* device_to, const void* host_from, std::size_t bytes) {
  forbid_in_recording("waiting for a copy to the device");
  copy_to_device_async(device_to, host_from, bytes);
}
void copy_to_device_async(void* device_to, const void* pinned_from, std::size_t bytes) {
  CheckHost(pinned_from, "copy to the device");
  memory().CheckOwned(device_to, bytes, "copy to the device");
  note_use(device_to);
  submit([=] { std::memcpy(device_to, pinned_from, bytes); });
}
void copy_to_host(void* host_to, const void* device_from, std::size_t bytes) {
  forbid_in_recording("a copy to the host");
  CheckHost(host_to, "copy to the host");
  memory().CheckOwned(device_from, bytes, "copy to the host");
  const OpenMemory open;
  std::memcpy(host_to, device_from, bytes);
}
void copy_on_device(void* to, const void* from, std::size_t bytes) {
  memory().CheckOwned(to, bytes, "copy on the device");
  memory().CheckOwned(from, bytes, "copy on the device");
  note_use(to);
  note_use(from);
  submit([=] { std::memmove(to, from, bytes); });
}
void fill_bytes(void* device_to, int byte, std::size_t bytes) {
  memory().CheckOwned(device_to, bytes, "fill");
  note_use(device_to);
  submit([=] { std::memset(device_to, byte, bytes); });
}
bool is_device_pointer(const void* pointer) {
  return is_built() && memory().Owns(pointer);
}
void synchronize() { forbid_in_recording("waiting for the device"); }

bool tf32_allowed() { return g_tf32; }
void allow_tf32(bool allowed) { g_tf32 = allowed; }

void note_host_memory(const void* pointer, std::size_t bytes) {
  if (!is_built() || pointer == nullptr || bytes == 0) return;
  const std::lock_guard<std::mutex> lock(host_ranges().mutex);
  host_ranges().ranges[static_cast<const char*>(pointer)] = bytes;
}
void forget_host_memory(const void* pointer) {
  if (!is_built() || pointer == nullptr) return;
  const std::lock_guard<std::mutex> lock(host_ranges().mutex);
  host_ranges().ranges.erase(static_cast<const char*>(pointer));
}

OpenMemory::OpenMemory() { memory().Open(); }
OpenMemory::~OpenMemory() { memory().Close(); }

void check_body(const void* body, std::size_t bytes) {
  const std::lock_guard<std::mutex> lock(host_ranges().mutex);
  const auto& ranges = host_ranges().ranges;
  for (std::size_t at = 0; at + sizeof(void*) <= bytes; at += sizeof(void*)) {
    const char* word = nullptr;
    std::memcpy(&word, static_cast<const char*>(body) + at, sizeof(word));
    if (word == nullptr) continue;
    if (memory().Owns(word)) {
      note_use(word);
      continue;
    }
    CHECK(!IsOnThisStack(word)) << "a kernel was handed a pointer to the host's stack";
    auto range = ranges.upper_bound(word);
    if (range == ranges.begin()) continue;
    --range;
    CHECK(word >= range->first + range->second)
        << "a kernel was handed a pointer to a blob's host memory";
  }
}

}  // namespace device
}  // namespace caffe

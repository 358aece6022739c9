// The simulated device: its own address range, shut while host code runs.
#include "caffe/device/device.hpp"

#include <pthread.h>
#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>

#include "caffe/device/launch_simulated.hpp"
#include "caffe/util/logging.hpp"

namespace caffe {
namespace device {

namespace {

constexpr std::size_t kRange = std::size_t{1} << 36;  // address space, not memory
constexpr std::size_t kPage = 4096;
constexpr std::size_t kAlignment = 512;

std::size_t RoundUp(std::size_t bytes, std::size_t unit) {
  return (bytes + unit - 1) / unit * unit;
}

/// The memory: first fit in one address range. Pages are unreadable except while an
/// OpenMemory lives, so that host code that follows a device pointer faults at once.
class Memory {
 public:
  Memory() {
    void* start = mmap(nullptr, kRange, PROT_NONE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (start == MAP_FAILED) CAFFE_THROW(kMemory) << "no address space for the device";
    start_ = static_cast<char*>(start);
    free_[start_] = kRange;
    const char* limit = std::getenv("CAFFE_SIMULATED_MEGABYTES");
    if (limit != nullptr) capacity_ = std::strtoull(limit, nullptr, 10) << 20;
  }

  void* Allocate(std::size_t bytes) {
    const std::size_t size = RoundUp(std::max(bytes, std::size_t{1}), kAlignment);
    const std::lock_guard<std::mutex> lock(mutex_);
    if (allocated_ + size > capacity_) {
      CAFFE_THROW(kMemory) << "out of device memory: " << size << " bytes asked for, "
                           << capacity_ - allocated_ << " of " << capacity_ << " free";
    }
    auto piece = std::find_if(free_.begin(), free_.end(),
                              [size](const auto& p) { return p.second >= size; });
    if (piece == free_.end()) CAFFE_THROW(kMemory) << "out of device address space";
    char* start = piece->first;
    const std::size_t rest = piece->second - size;
    free_.erase(piece);
    if (rest > 0) free_[start + size] = rest;
    used_[start] = size;
    allocated_ += size;
    peak_ = std::max(peak_, allocated_);
    const std::size_t top =
        RoundUp(static_cast<std::size_t>(start + size - start_), kPage);
    if (top > top_) {
      if (open_ > 0) Protect(top_, top, PROT_READ | PROT_WRITE);
      top_ = top;
    }
    return start;
  }

  void Free(void* pointer) noexcept {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto used = used_.find(static_cast<char*>(pointer));
    if (used == used_.end()) return;
    allocated_ -= used->second;
    auto piece = free_.emplace(used->first, used->second).first;
    used_.erase(used);
    const auto next = std::next(piece);
    if (next != free_.end() && piece->first + piece->second == next->first) {
      piece->second += next->second;
      free_.erase(next);
    }
    if (piece != free_.begin()) {
      const auto previous = std::prev(piece);
      if (previous->first + previous->second == piece->first) {
        previous->second += piece->second;
        free_.erase(piece);
      }
    }
  }

  void Open() {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (open_++ == 0) Protect(0, top_, PROT_READ | PROT_WRITE);
  }
  void Close() {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (--open_ == 0) Protect(0, top_, PROT_NONE);
  }

  bool Owns(const void* pointer) const {
    return pointer >= start_ && pointer < start_ + kRange;
  }
  /// Error unless [pointer, pointer + bytes) lies in one allocation.
  void CheckOwned(const void* pointer, std::size_t bytes, const char* what) {
    if (bytes == 0) return;
    const std::lock_guard<std::mutex> lock(mutex_);
    char* address = static_cast<char*>(const_cast<void*>(pointer));
    auto used = used_.upper_bound(address);
    CHECK(used != used_.begin()) << what << ": not device memory";
    --used;
    CHECK(address + bytes <= used->first + used->second)
        << what << ": " << bytes
        << " bytes at a device address where fewer are allocated";
  }
  std::size_t allocated() const { return allocated_; }
  std::size_t peak() const { return peak_; }
  void reset_peak() { peak_ = allocated_; }

 private:
  void Protect(std::size_t from, std::size_t to, int protection) {
    if (to > from) mprotect(start_ + from, to - from, protection);
  }

  std::mutex mutex_;
  char* start_ = nullptr;
  std::map<char*, std::size_t> free_, used_;
  std::size_t top_ = 0, allocated_ = 0, peak_ = 0;
  std::size_t capacity_ = std::size_t{4} << 30;
  int open_ = 0;
};

Memory& memory() {
  static Memory* instance = new Memory;  // outlives every static blob
  return *instance;
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
  return device != nullptr && std::strcmp(device, "simulated") == 0;
}

std::atomic<bool> g_tf32{false};

}  // namespace

bool is_built() {
  static const bool on = FromEnvironment();
  return on;
}
bool is_simulated() { return true; }
int count() { return is_built() ? 2 : 0; }
std::string name(int) { return "simulated"; }
std::string description() { return "Device: simulated (host memory; for tests)"; }

namespace {
thread_local int current_device = 0;
}
void select(int id) {
  CHECK_VALUE(id >= 0 && id < count())
      << "there is no device " << id << "; this machine has " << count();
  current_device = id;
}
int current() { return current_device; }
bool is_usable(int id) { return id >= 0 && id < count(); }

void* allocate(std::size_t bytes) {
  void* pointer = memory().Allocate(bytes);
  const OpenMemory open;
  std::memset(pointer, 0xff, bytes);  // NaN
  return pointer;
}
void free(void* pointer) noexcept {
  if (pointer != nullptr) memory().Free(pointer);
}
void empty_cache() {}
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
  CheckHost(host_from, "copy to the device");
  memory().CheckOwned(device_to, bytes, "copy to the device");
  const OpenMemory open;
  std::memcpy(device_to, host_from, bytes);
}
void copy_to_device_async(void* device_to, const void* pinned_from, std::size_t bytes) {
  copy_to_device(device_to, pinned_from, bytes);
}
void copy_to_host(void* host_to, const void* device_from, std::size_t bytes) {
  CheckHost(host_to, "copy to the host");
  memory().CheckOwned(device_from, bytes, "copy to the host");
  const OpenMemory open;
  std::memcpy(host_to, device_from, bytes);
}
void copy_on_device(void* to, const void* from, std::size_t bytes) {
  memory().CheckOwned(to, bytes, "copy on the device");
  memory().CheckOwned(from, bytes, "copy on the device");
  const OpenMemory open;
  std::memmove(to, from, bytes);
}
void fill_bytes(void* device_to, int byte, std::size_t bytes) {
  memory().CheckOwned(device_to, bytes, "fill");
  const OpenMemory open;
  std::memset(device_to, byte, bytes);
}
bool is_device_pointer(const void* pointer) {
  return is_built() && memory().Owns(pointer);
}
void synchronize() {}

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
    if (word == nullptr || memory().Owns(word)) continue;
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

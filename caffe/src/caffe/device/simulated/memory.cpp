// The simulated device's memory.
#include "memory.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>

#include "caffe/util/logging.hpp"

namespace caffe {
namespace device {

namespace {

constexpr std::size_t kPage = 4096;
constexpr std::size_t kAlignment = 512;

std::size_t RoundUp(std::size_t bytes, std::size_t unit) {
  return (bytes + unit - 1) / unit * unit;
}

}  // namespace

Memory& memory() {
  static Memory* instance = new Memory;  // outlives every static blob
  return *instance;
}

Memory::Memory() {
  void* start = mmap(nullptr, kRange, PROT_NONE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (start == MAP_FAILED) CAFFE_THROW(kMemory) << "no address space for the device";
  start_ = static_cast<char*>(start);
  common_.free[start_] = kRange;
  const char* limit = std::getenv("CAFFE_SIMULATED_MEGABYTES");
  if (limit != nullptr) capacity_ = std::strtoull(limit, nullptr, 10) << 20;
}

void* Memory::Allocate(std::size_t bytes, Pool* pool) {
  const std::size_t size = RoundUp(std::max(bytes, std::size_t{1}), kAlignment);
  const std::lock_guard<std::mutex> lock(mutex_);
  char* start = pool != nullptr ? Take(pool, size) : nullptr;
  if (start != nullptr) {
    set_aside_ -= size;
  } else {
    const std::size_t held = allocated_ + set_aside_;
    if (held + size > capacity_) {
      CAFFE_THROW(kMemory) << "out of device memory: " << size << " bytes asked for, "
                           << capacity_ - held << " of " << capacity_ << " free";
    }
    start = Take(&common_, size);
    if (start == nullptr) CAFFE_THROW(kMemory) << "out of device address space";
  }
  used_[start] = {size, ++newest_, pool != nullptr ? pool : &common_};
  allocated_ += size;
  peak_ = std::max(peak_, allocated_);
  const std::size_t top = RoundUp(static_cast<std::size_t>(start + size - start_), kPage);
  if (top > top_) {
    if (open_ > 0) Protect(top_, top, PROT_READ | PROT_WRITE);
    top_ = top;
  }
  return start;
}

void Memory::Free(void* pointer) noexcept {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto used = used_.find(static_cast<char*>(pointer));
  if (used == used_.end()) return;
  const Buffer& buffer = used->second;
  allocated_ -= buffer.bytes;
  if (buffer.pool != &common_) set_aside_ += buffer.bytes;
  Give(buffer.pool, used->first, buffer.bytes);
  used_.erase(used);
}

void Memory::Add(Pool* pool) {
  const std::lock_guard<std::mutex> lock(mutex_);
  private_.insert(pool);
}

void Memory::Dissolve(Pool* pool) {
  const std::lock_guard<std::mutex> lock(mutex_);
  private_.erase(pool);
  for (const auto& piece : pool->free) {
    set_aside_ -= piece.second;
    Give(&common_, piece.first, piece.second);
  }
  for (auto& used : used_) {
    if (used.second.pool == pool) used.second.pool = &common_;
  }
}

/// Null where no piece is large enough.
char* Memory::Take(Pool* pool, std::size_t size) {
  const auto piece = std::find_if(pool->free.begin(), pool->free.end(),
                                  [size](const auto& p) { return p.second >= size; });
  if (piece == pool->free.end()) return nullptr;
  char* start = piece->first;
  const std::size_t rest = piece->second - size;
  pool->free.erase(piece);
  if (rest > 0) pool->free[start + size] = rest;
  return start;
}

/// Joined with its neighbours.
void Memory::Give(Pool* pool, char* start, std::size_t size) {
  auto piece = pool->free.emplace(start, size).first;
  const auto next = std::next(piece);
  if (next != pool->free.end() && piece->first + piece->second == next->first) {
    piece->second += next->second;
    pool->free.erase(next);
  }
  if (piece == pool->free.begin()) return;
  const auto previous = std::prev(piece);
  if (previous->first + previous->second == piece->first) {
    previous->second += piece->second;
    pool->free.erase(piece);
  }
}

void Memory::Open() {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (open_++ == 0) Protect(0, top_, PROT_READ | PROT_WRITE);
}
void Memory::Close() {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (--open_ == 0) Protect(0, top_, PROT_NONE);
}

void Memory::Protect(std::size_t from, std::size_t to, int protection) {
  if (to > from) mprotect(start_ + from, to - from, protection);
}

void Memory::CheckOwned(const void* pointer, std::size_t bytes, const char* what) {
  if (bytes == 0) return;
  const std::lock_guard<std::mutex> lock(mutex_);
  char* address = static_cast<char*>(const_cast<void*>(pointer));
  auto used = used_.upper_bound(address);
  CHECK(used != used_.begin()) << what << ": not device memory";
  --used;
  CHECK(address + bytes <= used->first + used->second.bytes)
      << what << ": " << bytes << " bytes at a device address where fewer are allocated";
}

std::pair<char*, Memory::Buffer> Memory::Find(const void* pointer) {
  const std::lock_guard<std::mutex> lock(mutex_);
  char* address = static_cast<char*>(const_cast<void*>(pointer));
  auto used = used_.upper_bound(address);
  if (used == used_.begin()) return {};
  --used;
  if (address >= used->first + used->second.bytes) return {};
  return *used;
}

std::uint64_t Memory::newest() {
  const std::lock_guard<std::mutex> lock(mutex_);
  return newest_;
}

void Memory::CheckStillUsable(const Entry& entry, std::uint64_t begin,
                              std::uint64_t end) {
  const std::lock_guard<std::mutex> lock(mutex_);
  char* const start = entry.first;
  const Buffer& buffer = entry.second;
  const auto same = used_.find(start);
  if (same != used_.end()) {
    const Buffer& now = same->second;
    if (now.number == buffer.number) return;
    if (buffer.number <= begin && now.bytes == buffer.bytes) return;
  }
  CHECK(private_.count(buffer.pool) > 0)
      << "recorded work uses a device buffer of " << buffer.bytes
      << " bytes that was freed since, and is not private memory";
  auto other = used_.lower_bound(start + buffer.bytes);
  while (other != used_.begin()) {
    --other;
    if (other->first + other->second.bytes <= start) break;
    CHECK(other->second.number <= end)
        << "recorded work uses a device buffer of " << buffer.bytes
        << " bytes that was given to somebody else since";
  }
}

}  // namespace device
}  // namespace caffe

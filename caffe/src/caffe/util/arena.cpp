// Host allocation and the arena of `keep` nets.
#include "caffe/util/arena.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>

#include "caffe/util/logging.hpp"

namespace caffe {

namespace {

constexpr std::size_t kAlignment = 64;
constexpr std::size_t kMapThreshold = std::size_t{1} << 20;
constexpr std::size_t kHugePage = std::size_t{2} << 20;
constexpr std::size_t kCheckThreshold = std::size_t{64} << 20;

std::size_t RoundUp(std::size_t bytes, std::size_t unit) {
  return (bytes + unit - 1) / unit * unit;
}

std::size_t ReadNumber(const char* path, std::size_t otherwise) {
  std::ifstream file(path);
  std::size_t value = 0;
  return file >> value ? value : otherwise;
}

/// Bytes the process may still take: what the kernel calls available, or what is left of
/// the control group's limit, whichever is less.
std::size_t AvailableBytes() {
  std::size_t available = ~std::size_t{0};
  std::ifstream info("/proc/meminfo");
  std::string name;
  std::size_t kilobytes = 0;
  std::string unit;
  while (info >> name >> kilobytes >> unit) {
    if (name == "MemAvailable:") {
      available = kilobytes * 1024;
      break;
    }
  }
  const std::size_t none = ~std::size_t{0};
  const std::size_t limit = ReadNumber("/sys/fs/cgroup/memory.max", none);
  if (limit != none) {
    const std::size_t current = ReadNumber("/sys/fs/cgroup/memory.current", 0);
    available = std::min(available, limit > current ? limit - current : 0);
  }
  return available;
}

std::string InMegabytes(std::size_t bytes) {
  char text[48];
  std::snprintf(text, sizeof(text), "%.1f MB", static_cast<double>(bytes) / (1 << 20));
  return text;
}

void CheckThereIsRoom(std::size_t bytes) {
  if (bytes < kCheckThreshold) return;
  const std::size_t available = AvailableBytes();
  if (bytes > available) {
    CAFFE_THROW(kMemory) << "not enough memory: " << InMegabytes(bytes) << " asked for, "
                         << InMegabytes(available) << " available";
  }
}

void* Map(std::size_t bytes) {
  void* memory =
      mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) {
    CAFFE_THROW(kMemory) << "not enough memory: " << InMegabytes(bytes) << " asked for";
  }
  if (bytes >= 4 * kHugePage) madvise(memory, bytes, MADV_HUGEPAGE);
  return memory;
}

}  // namespace

void* allocate_host(std::size_t bytes) {
  bytes = std::max(bytes, std::size_t{1});
  CheckThereIsRoom(bytes);
  if (bytes >= kMapThreshold) return Map(RoundUp(bytes, 4096));
  void* memory = std::aligned_alloc(kAlignment, RoundUp(bytes, kAlignment));
  if (memory == nullptr)
    CAFFE_THROW(kMemory) << "not enough memory: " << bytes << " bytes";
  std::memset(memory, 0, bytes);
  return memory;
}

void free_host(void* pointer, std::size_t bytes) {
  if (pointer == nullptr) return;
  if (bytes >= kMapThreshold) {
    munmap(pointer, RoundUp(bytes, 4096));
  } else {
    std::free(pointer);
  }
}

Arena::~Arena() {
  for (const auto& chunk : chunks_) munmap(chunk.first, chunk.second);
}

std::size_t Arena::reserved() const {
  std::lock_guard<std::mutex> lock(mutex_);
  std::size_t sum = 0;
  for (const auto& chunk : chunks_) sum += chunk.second;
  return sum;
}

void* Arena::TakeFrom(std::map<char*, std::size_t>::iterator piece, std::size_t bytes) {
  char* start = piece->first;
  const std::size_t size = piece->second;
  free_.erase(piece);
  if (size > bytes) free_[start + bytes] = size - bytes;
  used_[start] = bytes;
  return start;
}

void* Arena::Allocate(std::size_t bytes) {
  std::lock_guard<std::mutex> lock(mutex_);
  bytes = RoundUp(std::max(bytes, std::size_t{1}), kAlignment);
  auto best = free_.end();
  for (auto piece = free_.begin(); piece != free_.end(); ++piece) {
    if (piece->second >= bytes && (best == free_.end() || piece->second < best->second)) {
      best = piece;
    }
  }
  if (best != free_.end()) return TakeFrom(best, bytes);
  // A chunk is address space; only touched pages cost memory.
  CheckThereIsRoom(bytes);
  const std::size_t chunk = RoundUp(std::max(bytes, std::size_t{256} << 20), 4096);
  char* start =
      static_cast<char*>(mmap(nullptr, chunk, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
  if (start == MAP_FAILED)
    CAFFE_THROW(kMemory) << "not enough memory: " << InMegabytes(chunk);
  chunks_.emplace_back(start, chunk);
  return TakeFrom(free_.emplace(start, chunk).first, bytes);
}

void Arena::Release(void* pointer) {
  if (pointer == nullptr) return;
  std::lock_guard<std::mutex> lock(mutex_);
  const auto used = used_.find(static_cast<char*>(pointer));
  CHECK(used != used_.end()) << "memory released that the arena did not give";
  auto piece = free_.emplace(used->first, used->second).first;
  used_.erase(used);
  const auto starts_chunk = [this](char* address) {
    return std::any_of(chunks_.begin(), chunks_.end(),
                       [address](const auto& chunk) { return chunk.first == address; });
  };
  const auto next = std::next(piece);
  if (next != free_.end() && piece->first + piece->second == next->first &&
      !starts_chunk(next->first)) {
    piece->second += next->second;
    free_.erase(next);
  }
  if (piece != free_.begin()) {
    const auto previous = std::prev(piece);
    if (previous->first + previous->second == piece->first &&
        !starts_chunk(piece->first)) {
      previous->second += piece->second;
      free_.erase(piece);
    }
  }
}

}  // namespace caffe

// Device memory: a cache of what cudaMalloc gave, split and joined by best fit.
#include "cache.hpp"

#include <cuda_runtime.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "caffe/device/cuda/cuda_check.hpp"
#include "caffe/device/graph.hpp"
#include "caffe/device/stream.hpp"
#include "caffe/util/thread_number.hpp"

namespace caffe {
namespace device {

namespace {

constexpr std::size_t kAlignment = 512;
constexpr std::size_t kSmall = std::size_t{1} << 20;    // smaller ones share segments of
constexpr std::size_t kSegment = std::size_t{2} << 20;  // this size
constexpr std::size_t kLarge = std::size_t{20} << 20;  // larger than half: exact segments

std::atomic<std::size_t> g_allocated{0}, g_peak{0};

std::size_t RoundUp(std::size_t bytes, std::size_t unit) {
  return (bytes + unit - 1) / unit * unit;
}

constexpr std::uint64_t kSeveral = ~std::uint64_t{0};  ///< freed by another than its user

std::string Megabytes(std::size_t bytes) {
  char text[48];
  std::snprintf(text, sizeof(text), "%.1f MB", static_cast<double>(bytes) / (1 << 20));
  return text;
}

void Count(std::size_t bytes) {
  const std::size_t now = g_allocated += bytes;
  std::size_t peak = g_peak;
  while (now > peak && !g_peak.compare_exchange_weak(peak, now)) {
  }
}

/// Everything that can go back to the driver does. Where another thread records, its end
/// is awaited, but not for ever: the caller may hold a lock that it wants.
void trim_caches() {
  if (is_recording()) return;
  for (int k = 0; k < 200 && !DeviceAtRest(); ++k) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  empty_cache();
}

[[noreturn]] void throw_out_of_memory(std::size_t size) {
  std::size_t free_bytes = 0, total = 0;
  cudaMemGetInfo(&free_bytes, &total);
  CAFFE_THROW(kMemory) << "out of device memory: " << Megabytes(size) << " asked for, "
                       << Megabytes(free_bytes) << " of " << Megabytes(total) << " free, "
                       << Megabytes(g_allocated) << " held by blobs";
}

}  // namespace

bool cache_is_off() {
  static const bool off = [] {
    const char* value = std::getenv("CAFFE_DEVICE_CACHE");
    return value != nullptr && std::strcmp(value, "off") == 0;
  }();
  return off;
}

Cache::~Cache() {
  for (const auto& piece : pieces_) {
    if (piece.first == piece.second.segment) cudaFree(piece.first);
  }
}

void* Cache::Allocate(std::size_t bytes) {
  const std::size_t size =
      RoundUp(std::max(bytes, std::size_t{1}), cache_is_off() ? 1 : kAlignment);
  std::unique_lock<std::mutex> lock(mutex_);
  auto found = Find(size);
  if (found == free_.end() && !Grow(size)) {
    lock.unlock();
    trim_caches();
    lock.lock();
    found = Find(size);
    if (found == free_.end() && !Grow(size)) throw_out_of_memory(size);
  }
  if (found == free_.end()) found = Find(size);
  char* start = found->second;
  free_.erase(found);
  Piece& piece = pieces_[start];
  piece.free = false;
  piece.owner = thread_number();
  if (piece.bytes - size >= kAlignment) {
    Piece rest = piece;
    rest.bytes = piece.bytes - size;
    rest.free = true;
    piece.bytes = size;
    pieces_[start + size] = rest;
    free_.insert({rest.bytes, start + size});
  }
  Count(pieces_[start].bytes);
  return start;
}

/// The smallest free piece that the calling thread may use.
Cache::FreePieces::iterator Cache::Find(std::size_t size) {
  for (auto found = free_.lower_bound({size, nullptr}); found != free_.end(); ++found) {
    // A large piece is not broken for a small buffer.
    if (size < kSmall && found->first > kSegment) break;
    const std::uint64_t owner = pieces_[found->second].owner;
    if (owner == 0 || owner == thread_number()) return found;
    if (WaitForAll()) return pins_ > 0 ? found : Find(size);
  }
  return free_.end();
}

/// False: see DeviceAtRest.
bool Cache::WaitForAll() {
  const DeviceAtRest rest;
  if (!rest) return false;
  if (pins_ == 0) JoinFree();  // a graph goes on using what is free
  return true;
}

/// What is free becomes as good as new, for whichever thread.
void Cache::JoinFree() {
  free_.clear();
  for (auto piece = pieces_.begin(); piece != pieces_.end();) {
    if (piece->second.free) piece->second.owner = 0;
    auto next = std::next(piece);
    for (; next != pieces_.end(); next = pieces_.erase(next)) {
      if (next->second.free) next->second.owner = 0;
      if (!Joins(*piece, *next)) break;
      piece->second.bytes += next->second.bytes;
    }
    if (piece->second.free) free_.insert({piece->second.bytes, piece->first});
    piece = next;
  }
}

bool Cache::Free(void* pointer) {
  const std::lock_guard<std::mutex> lock(mutex_);
  auto piece = pieces_.find(static_cast<char*>(pointer));
  if (piece == pieces_.end()) return false;
  g_allocated -= piece->second.bytes;
  if (cache_is_off()) {
    cudaFree(pointer);
    pieces_.erase(piece);
    return true;
  }
  piece->second.free = true;
  if (piece->second.owner != thread_number()) piece->second.owner = kSeveral;
  const auto next = std::next(piece);
  if (next != pieces_.end() && Joins(*piece, *next)) {
    free_.erase({next->second.bytes, next->first});
    piece->second.bytes += next->second.bytes;
    pieces_.erase(next);
  }
  if (piece != pieces_.begin()) {
    const auto previous = std::prev(piece);
    if (Joins(*previous, *piece)) {
      free_.erase({previous->second.bytes, previous->first});
      previous->second.bytes += piece->second.bytes;
      pieces_.erase(piece);
      piece = previous;
    }
  }
  free_.insert({piece->second.bytes, piece->first});
  return true;
}

/// Both free, neighbours of one segment, last used by one stream.
bool Cache::Joins(const Entry& a, const Entry& b) {
  return a.second.free && b.second.free && a.second.segment == b.second.segment &&
         a.first + a.second.bytes == b.first && a.second.owner == b.second.owner;
}

/// A new segment of at least that size; false where the driver has not so much.
bool Cache::Grow(std::size_t size) {
  const std::size_t wanted = cache_is_off()      ? size
                             : size < kSmall     ? kSegment
                             : size < kLarge / 2 ? kLarge
                                                 : RoundUp(size, kSegment);
  void* start = nullptr;
  for (const std::size_t bytes : {wanted, std::min(wanted, RoundUp(size, kSegment))}) {
    const cudaError_t error = cudaMalloc(&start, bytes);
    if (error == cudaErrorMemoryAllocation) {
      cudaGetLastError();
      continue;
    }
    CUDA_CHECK(error);
    Piece piece;
    piece.bytes = bytes;
    piece.free = true;
    piece.segment = static_cast<char*>(start);
    pieces_[piece.segment] = piece;
    free_.insert({bytes, piece.segment});
    return true;
  }
  return false;
}

void Cache::Empty() {
  const std::lock_guard<std::mutex> lock(mutex_);
  const DeviceAtRest rest;
  if (pins_ > 0 || !rest) return;
  JoinFree();
  for (auto piece = pieces_.begin(); piece != pieces_.end();) {
    const auto next = std::next(piece);
    const bool whole =
        piece->second.free && piece->first == piece->second.segment &&
        (next == pieces_.end() || next->second.segment != piece->second.segment);
    if (whole) {
      free_.erase({piece->second.bytes, piece->first});
      cudaFree(piece->first);
      pieces_.erase(piece);
    }
    piece = next;
  }
}

namespace {

Cache& cache(int id) {
  static std::mutex* mutex = new std::mutex;
  static auto* caches = new std::map<int, Cache>;  // outlive static blobs
  const std::lock_guard<std::mutex> lock(*mutex);
  return (*caches)[id];
}

thread_local Cache* thread_cache = nullptr;

struct PrivateCaches {
  std::mutex mutex;
  std::vector<std::shared_ptr<Cache>> caches;
};
PrivateCaches& private_caches() {
  static auto* instance = new PrivateCaches;
  return *instance;
}

bool PoisonWanted() {
  static const bool wanted = std::getenv("CAFFE_DEVICE_POISON") != nullptr;
  return wanted;
}

}  // namespace

void register_cache(std::shared_ptr<Cache> cache) {
  PrivateCaches& all = private_caches();
  const std::lock_guard<std::mutex> lock(all.mutex);
  all.caches.push_back(std::move(cache));
}

void empty_ownerless_caches() {
  PrivateCaches& all = private_caches();
  const std::lock_guard<std::mutex> lock(all.mutex);
  const auto is_done_with = [](const std::shared_ptr<Cache>& cache) {
    if (cache.use_count() > 1) return false;
    cache->Empty();
    return cache->is_empty();
  };
  all.caches.erase(std::remove_if(all.caches.begin(), all.caches.end(), is_done_with),
                   all.caches.end());
}

Cache* exchange_thread_cache(Cache* cache) { return std::exchange(thread_cache, cache); }

std::shared_ptr<Cache> registered_thread_cache() {
  PrivateCaches& all = private_caches();
  const std::lock_guard<std::mutex> lock(all.mutex);
  for (const auto& cache : all.caches) {
    if (cache.get() == thread_cache) return cache;
  }
  return nullptr;
}

void* allocate(std::size_t bytes) {
  void* pointer = thread_cache != nullptr ? thread_cache->Allocate(bytes)
                                          : cache(current()).Allocate(bytes);
  if (PoisonWanted() && !is_recording()) fill_bytes(pointer, 0xff, bytes);
  return pointer;
}

void free(void* pointer) noexcept {
  if (pointer == nullptr) return;
  if (thread_cache != nullptr && thread_cache->Free(pointer)) return;
  int id = 0;
  if (cudaGetDevice(&id) != cudaSuccess) return;  // the process is ending
  if (cache(id).Free(pointer)) return;
  for (int other = 0; other < count(); ++other) {
    if (other != id && cache(other).Free(pointer)) return;
  }
  PrivateCaches& all = private_caches();
  const std::lock_guard<std::mutex> lock(all.mutex);
  for (auto cache = all.caches.begin(); cache != all.caches.end(); ++cache) {
    if (!(*cache)->Free(pointer)) continue;
    // Its owner is gone: what is free goes back at once, the cache itself with the last.
    if (cache->use_count() == 1) {
      (*cache)->Empty();
      if ((*cache)->is_empty()) all.caches.erase(cache);
    }
    return;
  }
}

void empty_cache() {
  cache(current()).Empty();
  empty_ownerless_caches();
  PrivateCaches& all = private_caches();
  const std::lock_guard<std::mutex> lock(all.mutex);
  for (const auto& cache : all.caches) cache->Empty();
}
std::size_t allocated_bytes() { return g_allocated; }
std::size_t peak_allocated_bytes() { return g_peak; }
void reset_peak_allocated_bytes() { g_peak = g_allocated.load(); }

}  // namespace device
}  // namespace caffe

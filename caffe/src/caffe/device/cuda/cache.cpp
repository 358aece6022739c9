// Device memory: a cache of what cudaMalloc gave, split and joined by best fit.
#include <cuda_runtime.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <utility>

#include "caffe/device/cuda/cuda_check.hpp"
#include "caffe/device/stream.hpp"

namespace caffe {
namespace device {

namespace {

constexpr std::size_t kAlignment = 512;
constexpr std::size_t kSmall = std::size_t{1} << 20;    // smaller ones share segments of
constexpr std::size_t kSegment = std::size_t{2} << 20;  // this size
constexpr std::size_t kLarge = std::size_t{20} << 20;   // up to here: segments of 20 MB

std::size_t RoundUp(std::size_t bytes, std::size_t unit) {
  return (bytes + unit - 1) / unit * unit;
}

std::string Megabytes(std::size_t bytes) {
  char text[48];
  std::snprintf(text, sizeof(text), "%.1f MB", static_cast<double>(bytes) / (1 << 20));
  return text;
}

struct Piece {
  std::size_t bytes = 0;
  bool free = false;
  char* segment = nullptr;
  std::thread::id owner;  ///< whose stream used it last
};

/// One a device. A piece that another thread freed is handed on only after the device has
/// finished: each thread has a stream of its own.
class Cache {
 public:
  void* Allocate(std::size_t bytes) {
    const std::size_t size = RoundUp(std::max(bytes, std::size_t{1}), kAlignment);
    const std::lock_guard<std::mutex> lock(mutex_);
    auto found = free_.lower_bound({size, nullptr});
    // A large piece is not broken for a small buffer.
    if (found == free_.end() || (size < kSmall && found->first > kSegment)) {
      Grow(size);
      found = free_.lower_bound({size, nullptr});
    }
    char* start = found->second;
    free_.erase(found);
    Piece& piece = pieces_[start];
    piece.free = false;
    if (piece.owner != std::this_thread::get_id()) {
      if (piece.owner != std::thread::id()) CUDA_CHECK(cudaDeviceSynchronize());
      piece.owner = std::this_thread::get_id();
    }
    if (piece.bytes - size >= kAlignment) {
      Piece rest = piece;
      rest.bytes = piece.bytes - size;
      rest.free = true;
      piece.bytes = size;
      pieces_[start + size] = rest;
      free_.insert({rest.bytes, start + size});
    }
    allocated_ += pieces_[start].bytes;
    peak_ = std::max(peak_, allocated_);
    return start;
  }

  bool Free(void* pointer) {
    const std::lock_guard<std::mutex> lock(mutex_);
    auto piece = pieces_.find(static_cast<char*>(pointer));
    if (piece == pieces_.end()) return false;
    allocated_ -= piece->second.bytes;
    piece->second.free = true;
    auto next = std::next(piece);
    if (next != pieces_.end() && Joins(*piece, *next)) {
      free_.erase({next->second.bytes, next->first});
      piece->second.bytes += next->second.bytes;
      pieces_.erase(next);
    }
    if (piece != pieces_.begin()) {
      auto previous = std::prev(piece);
      if (previous->second.free && Joins(*previous, *piece)) {
        free_.erase({previous->second.bytes, previous->first});
        previous->second.bytes += piece->second.bytes;
        pieces_.erase(piece);
        piece = previous;
      }
    }
    free_.insert({piece->second.bytes, piece->first});
    return true;
  }

  void Empty() {
    const std::lock_guard<std::mutex> lock(mutex_);
    EmptyLocked();
  }

  std::size_t allocated() const { return allocated_; }
  std::size_t peak() const { return peak_; }
  void reset_peak() { peak_ = allocated_; }

 private:
  using Entry = std::pair<char* const, Piece>;
  /// Both free, neighbours of one segment, last used by one stream.
  static bool Joins(const Entry& a, const Entry& b) {
    return a.second.free && b.second.free && a.second.segment == b.second.segment &&
           a.first + a.second.bytes == b.first && a.second.owner == b.second.owner;
  }

  void Grow(std::size_t size) {
    const std::size_t bytes = size < kSmall       ? kSegment
                              : size < kLarge / 2 ? kLarge
                                                  : RoundUp(size, kSegment);
    void* start = nullptr;
    cudaError_t error = cudaMalloc(&start, bytes);
    if (error == cudaErrorMemoryAllocation) {
      cudaGetLastError();
      EmptyLocked();
      error = cudaMalloc(&start, bytes);
    }
    if (error == cudaErrorMemoryAllocation) {
      cudaGetLastError();
      std::size_t free_bytes = 0, total = 0;
      cudaMemGetInfo(&free_bytes, &total);
      CAFFE_THROW(kMemory) << "out of device memory: " << Megabytes(size)
                           << " asked for, " << Megabytes(free_bytes) << " of "
                           << Megabytes(total) << " free, " << Megabytes(allocated_)
                           << " held by blobs";
    }
    CUDA_CHECK(error);
    Piece piece;
    piece.bytes = bytes;
    piece.free = true;
    piece.segment = static_cast<char*>(start);
    pieces_[piece.segment] = piece;
    free_.insert({bytes, piece.segment});
  }

  void EmptyLocked() {
    cudaDeviceSynchronize();
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

  std::mutex mutex_;
  std::map<char*, Piece> pieces_;
  std::set<std::pair<std::size_t, char*>> free_;
  std::size_t allocated_ = 0, peak_ = 0;
};

Cache& cache(int id) {
  static std::mutex* mutex = new std::mutex;
  static std::map<int, Cache>* caches = new std::map<int, Cache>;  // outlive static blobs
  const std::lock_guard<std::mutex> lock(*mutex);
  return (*caches)[id];
}

bool PoisonWanted() {
  static const bool wanted = std::getenv("CAFFE_DEVICE_POISON") != nullptr;
  return wanted;
}

}  // namespace

void* allocate(std::size_t bytes) {
  void* pointer = cache(current()).Allocate(bytes);
  if (PoisonWanted()) fill_bytes(pointer, 0xff, bytes);
  return pointer;
}

void free(void* pointer) noexcept {
  if (pointer == nullptr) return;
  int id = 0;
  if (cudaGetDevice(&id) != cudaSuccess) return;  // the process is ending
  if (cache(id).Free(pointer)) return;
  for (int other = 0; other < count(); ++other) {
    if (other != id && cache(other).Free(pointer)) return;
  }
}

void empty_cache() { cache(current()).Empty(); }
std::size_t allocated_bytes() { return cache(current()).allocated(); }
std::size_t peak_allocated_bytes() { return cache(current()).peak(); }
void reset_peak_allocated_bytes() { cache(current()).reset_peak(); }

}  // namespace device
}  // namespace caffe

// A cache of device memory: best fit over what cudaMalloc gave, split and joined.
#ifndef CAFFE_DEVICE_CUDA_CACHE_HPP_
#define CAFFE_DEVICE_CUDA_CACHE_HPP_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <utility>

namespace caffe {
namespace device {

/// CAFFE_DEVICE_CACHE=off: every buffer from the driver, of its own size, and back to it
/// at once. That is what a sanitizer needs to see an access beyond one.
bool cache_is_off();

/// Waits for the work of all threads. While one lives and holds, the device is idle for
/// what was asked before, and no thread begins to record. It does not hold, and nothing
/// was waited for, while some thread records (CUDA refuses it then, and spoils the
/// recording) and where the device has failed.
class DeviceAtRest {
 public:
  DeviceAtRest();
  DeviceAtRest(const DeviceAtRest&) = delete;
  DeviceAtRest& operator=(const DeviceAtRest&) = delete;
  explicit operator bool() const { return holds_; }

 private:
  std::unique_lock<std::mutex> lock_;
  bool holds_ = false;
};

/// A piece that another thread used is handed on only after the device has finished: each
/// thread has a stream of its own. While a thread records, nobody gets such a piece.
class Cache {
 public:
  Cache() = default;
  ~Cache();
  Cache(const Cache&) = delete;
  Cache& operator=(const Cache&) = delete;

  /// Error (kMemory) that names the size where there is not enough, even after all caches
  /// have given back what they can.
  void* Allocate(std::size_t bytes);
  /// False if the pointer is none of this cache's.
  bool Free(void* pointer);
  /// Gives whole free segments back to the driver, unless it is pinned.
  void Empty();
  bool is_empty() const { return pieces_.empty(); }
  /// A recorded graph uses free pieces, too: until it is gone they stay.
  void Pin() { ++pins_; }
  void Unpin() { --pins_; }

 private:
  struct Piece {
    std::size_t bytes = 0;
    bool free = false;
    char* segment = nullptr;
    std::uint64_t owner = 0;  ///< the thread whose work may still use it; 0: nobody's
  };
  using Entry = std::pair<char* const, Piece>;
  using FreePieces = std::set<std::pair<std::size_t, char*>>;
  static bool Joins(const Entry& a, const Entry& b);
  FreePieces::iterator Find(std::size_t size);
  bool WaitForAll();
  void JoinFree();
  bool Grow(std::size_t size);

  std::mutex mutex_;
  std::map<char*, Piece> pieces_;
  FreePieces free_;
  std::atomic<int> pins_{0};
};

/// Makes the cache known to free(); it is kept until nothing of it is in use any more.
void register_cache(std::shared_ptr<Cache> cache);
/// Where nobody else has a registered cache any more: what is free goes back to the
/// driver.
void empty_ownerless_caches();
/// The cache that the calling thread's allocations come from (null: the device's own);
/// gives back the one before.
Cache* exchange_thread_cache(Cache* cache);
/// It, if it is a registered one; else null.
std::shared_ptr<Cache> registered_thread_cache();

}  // namespace device
}  // namespace caffe

#endif  // CAFFE_DEVICE_CUDA_CACHE_HPP_

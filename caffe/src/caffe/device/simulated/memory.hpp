// The simulated device's memory: pools in an address range that is shut while host code
// runs.
#ifndef CAFFE_DEVICE_SIMULATED_MEMORY_HPP_
#define CAFFE_DEVICE_SIMULATED_MEMORY_HPP_

#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <set>

namespace caffe {
namespace device {

/// First fit. Pages are unreadable except while an OpenMemory lives, so that host code
/// that follows a device pointer faults at once. A pool takes from the common one what it
/// lacks, and what is freed goes back to the pool that it came from.
class Memory {
 public:
  /// Free pieces, of one owner.
  struct Pool {
    std::map<char*, std::size_t> free;
  };
  /// A buffer; `number` is never the same twice.
  struct Buffer {
    std::size_t bytes = 0;
    std::uint64_t number = 0;
    Pool* pool = nullptr;
  };
  using Entry = std::pair<char* const, Buffer>;

  Memory();

  /// Error (kMemory) that names the size. No pool: the common one.
  void* Allocate(std::size_t bytes, Pool* pool);
  void Free(void* pointer) noexcept;
  /// Its free pieces become everybody's, those in use when they are freed.
  void Dissolve(Pool* pool);
  void Add(Pool* pool);

  void Open();
  void Close();

  bool Owns(const void* pointer) const {
    return pointer >= start_ && pointer < start_ + kRange;
  }
  /// Error unless [pointer, pointer + bytes) lies in one buffer.
  void CheckOwned(const void* pointer, std::size_t bytes, const char* what);
  /// The buffer that an address points into; number 0 where there is none.
  std::pair<char*, Buffer> Find(const void* pointer);
  /// The number of the newest buffer.
  std::uint64_t newest();
  /// Error unless a recording may still use the buffer: it is alive, or what is older
  /// than the recording (`begin`) has another of its size in its place, or it is of a
  /// private pool that has given no part of it away after the recording (`end`).
  void CheckStillUsable(const Entry& entry, std::uint64_t begin, std::uint64_t end);

  std::size_t allocated() const { return allocated_; }
  std::size_t peak() const { return peak_; }
  void reset_peak() { peak_ = allocated_; }

 private:
  static constexpr std::size_t kRange = std::size_t{1} << 36;  // addresses, not memory

  char* Take(Pool* pool, std::size_t size);
  static void Give(Pool* pool, char* start, std::size_t size);
  void Protect(std::size_t from, std::size_t to, int protection);

  std::mutex mutex_;
  char* start_ = nullptr;
  Pool common_;
  std::set<Pool*> private_;
  std::map<char*, Buffer> used_;
  std::uint64_t newest_ = 0;
  std::size_t top_ = 0, allocated_ = 0, set_aside_ = 0, peak_ = 0;
  std::size_t capacity_ = std::size_t{4} << 30;
  int open_ = 0;
};

Memory& memory();

/// The pool that the calling thread's allocations come from; null: the common one.
Memory::Pool* thread_pool();

}  // namespace device
}  // namespace caffe

#endif  // CAFFE_DEVICE_SIMULATED_MEMORY_HPP_

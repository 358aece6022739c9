// Host memory: page-friendly allocation with a guard against asking for more than there
// is, and a pool from which blobs of a `keep` net draw and to which they return their
// memory.
#ifndef CAFFE_UTIL_ARENA_HPP_
#define CAFFE_UTIL_ARENA_HPP_

#include <cstddef>
#include <map>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace caffe {

/// Zeroed memory aligned to 64 bytes. Throws Error(kMemory) that names the size when the
/// machine (or its control group) does not have that much.
void* allocate_host(std::size_t bytes);
void free_host(void* pointer, std::size_t bytes);

/// One address range shared by buffers whose lives do not overlap: best fit, neighbours
/// are joined again on release. Grows by chunks; gives memory back to the system when
/// destroyed.
class Arena {
 public:
  Arena() = default;
  ~Arena();
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  /// NOT zeroed unless fresh from the system. Aligned to 64 bytes.
  void* Allocate(std::size_t bytes);
  void Release(void* pointer);
  /// Bytes taken from the system so far.
  std::size_t reserved() const;

 private:
  void* TakeFrom(std::map<char*, std::size_t>::iterator piece, std::size_t bytes);

  mutable std::mutex mutex_;
  std::map<char*, std::size_t> free_;
  std::map<char*, std::size_t> used_;
  std::vector<std::pair<char*, std::size_t>> chunks_;
};

}  // namespace caffe

#endif  // CAFFE_UTIL_ARENA_HPP_

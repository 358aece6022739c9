// Threads by number.
#include "caffe/util/thread_number.hpp"

#include <atomic>

namespace caffe {

std::uint64_t thread_number() {
  static std::atomic<std::uint64_t> last{0};
  thread_local const std::uint64_t number = ++last;
  return number;
}

}  // namespace caffe

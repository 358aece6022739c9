// A way for the host program to stop a long pass between two layers.
#ifndef CAFFE_UTIL_INTERRUPT_HPP_
#define CAFFE_UTIL_INTERRUPT_HPP_

#include <atomic>
#include <chrono>
#include <cstdint>

namespace caffe {

/// Throws to stop the pass that calls it. Called between layers, ten times a second at most:
/// taking Python's lock before each layer would wait for other Python threads each time.
using InterruptCheck = void (*)();

namespace internal {
inline std::atomic<InterruptCheck> g_interrupt_check{nullptr};
}  // namespace internal

/// The Python module installs one that answers Ctrl-C. nullptr: none.
inline void SetInterruptCheck(InterruptCheck check) { internal::g_interrupt_check = check; }

/// The net calls it before each layer, or fused group of layers, that it runs.
inline void CheckInterrupt() {
  const InterruptCheck check = internal::g_interrupt_check.load(std::memory_order_relaxed);
  if (check == nullptr) return;
  static std::atomic<std::int64_t> last_ms{0};
  const std::int64_t now_ms = std::chrono::duration_cast<std::chrono::milliseconds>(
                                  std::chrono::steady_clock::now().time_since_epoch())
                                  .count();
  if (now_ms - last_ms.load(std::memory_order_relaxed) < 100) return;
  last_ms.store(now_ms, std::memory_order_relaxed);
  check();
}

}  // namespace caffe

#endif  // CAFFE_UTIL_INTERRUPT_HPP_

// A way for the host program to stop a long pass between two layers.
#ifndef CAFFE_UTIL_INTERRUPT_HPP_
#define CAFFE_UTIL_INTERRUPT_HPP_

#include <atomic>

namespace caffe {

/// Throws to stop the pass that calls it; must be quick, it is called before every layer.
using InterruptCheck = void (*)();

namespace internal {
inline std::atomic<InterruptCheck> g_interrupt_check{nullptr};
}  // namespace internal

/// The Python module installs one that answers Ctrl-C. nullptr: none.
inline void SetInterruptCheck(InterruptCheck check) { internal::g_interrupt_check = check; }

/// The net calls it before each layer, or fused group of layers, that it runs.
inline void CheckInterrupt() {
  const InterruptCheck check = internal::g_interrupt_check.load(std::memory_order_relaxed);
  if (check != nullptr) check();
}

}  // namespace caffe

#endif  // CAFFE_UTIL_INTERRUPT_HPP_

// The interrupt check; in libcaffe, so that every library that loads it shares the one.
#include "caffe/util/interrupt.hpp"

#include <atomic>

namespace caffe {

namespace {
std::atomic<InterruptCheck> g_check{nullptr};
}  // namespace

void SetInterruptCheck(InterruptCheck check) { g_check = check; }

void CheckInterrupt() {
  const InterruptCheck check = g_check.load(std::memory_order_relaxed);
  if (check != nullptr) check();
}

}  // namespace caffe

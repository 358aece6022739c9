// Loops over threads that carry exceptions out, and the elementwise form that layers use.
#ifndef CAFFE_UTIL_PARALLEL_FOR_HPP_
#define CAFFE_UTIL_PARALLEL_FOR_HPP_

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <exception>

#ifdef _OPENMP
#include <omp.h>
#endif

namespace caffe {

/// Holds the first exception of a parallel region; rethrown by the thread that opened it.
/// (An exception that leaves a bare OpenMP region ends the process.)
class ExceptionCarrier {
 public:
  template <typename Function>
  void Run(Function&& function) noexcept {
    if (failed_.load(std::memory_order_relaxed)) return;
    try {
      function();
    } catch (...) {
      bool expected = false;
      if (failed_.compare_exchange_strong(expected, true)) {
        error_ = std::current_exception();
      }
    }
  }
  void Rethrow() {
    if (error_) std::rethrow_exception(error_);
  }

 private:
  std::atomic<bool> failed_{false};
  std::exception_ptr error_;
};

inline int max_threads() {
#ifdef _OPENMP
  return omp_in_parallel() ? 1 : omp_get_max_threads();
#else
  return 1;
#endif
}

/// Calls `body(begin, end)` on contiguous pieces of [0, n), one a thread; pieces hold at
/// least `grain` items, so short loops stay on the calling thread.
template <typename Body>
void parallel_ranges(std::int64_t n, std::int64_t grain, Body&& body) {
  if (n <= 0) return;
  const std::int64_t pieces = std::min<std::int64_t>(
      max_threads(), std::max<std::int64_t>(1, n / std::max<std::int64_t>(1, grain)));
  if (pieces <= 1) {
    body(std::int64_t{0}, n);
    return;
  }
  ExceptionCarrier carrier;
#pragma omp parallel for num_threads(static_cast <int>(pieces)) schedule(static, 1)
  for (std::int64_t piece = 0; piece < pieces; ++piece) {
    carrier.Run([&] { body(n * piece / pieces, n * (piece + 1) / pieces); });
  }
  carrier.Rethrow();
}

/// Calls `body(i)` for i in [0, n). For items of real work (a row, an image, a channel):
/// they are dealt out dynamically.
template <typename Body>
void parallel_for(std::int64_t n, Body&& body) {
  if (n <= 0) return;
  if (n == 1 || max_threads() == 1) {
    for (std::int64_t i = 0; i < n; ++i) body(i);
    return;
  }
  ExceptionCarrier carrier;
#pragma omp parallel for schedule(dynamic)
  for (std::int64_t i = 0; i < n; ++i) {
    carrier.Run([&] { body(i); });
  }
  carrier.Rethrow();
}

/// Elementwise layers: `functor(i)` for i in [0, n), vectorised and threaded on the CPU
/// (one kernel on a GPU). The functor holds plain pointers and numbers and has a const
/// operator().
template <typename Functor>
void for_each_index(std::int64_t n, const Functor& functor) {
  parallel_ranges(n, 1 << 14, [&functor](std::int64_t begin, std::int64_t end) {
    const Functor local(
        functor);  // nobody can write to it: its numbers stay in registers
#pragma omp simd
    for (std::int64_t i = begin; i < end; ++i) local(i);
  });
}

}  // namespace caffe

#endif  // CAFFE_UTIL_PARALLEL_FOR_HPP_

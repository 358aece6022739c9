// Timers: wall clock in CPU mode, the device's clock in GPU mode.
#ifndef CAFFE_UTIL_BENCHMARK_H_
#define CAFFE_UTIL_BENCHMARK_H_

#include <chrono>
#include <memory>

#include "caffe/common.hpp"
#include "caffe/device/stopwatch.hpp"
#include "caffe/util/device_alternate.hpp"

namespace caffe {

/// Measures from Start to Stop. Reading the time stops a running timer; one that was
/// never started reads 0 and warns.
///
/// differs: BVLC's CPU MilliSeconds are whole milliseconds; here they keep their
/// fraction.
class Timer {
 public:
  Timer();
  virtual ~Timer();
  virtual void Start();
  virtual void Stop();
  virtual float MilliSeconds();
  virtual float MicroSeconds();
  virtual float Seconds();

  bool initted() { return initted_; }
  bool running() { return running_; }
  bool has_run_at_least_once() { return has_run_at_least_once_; }

 protected:
  void Init();
  /// Microseconds from Start to Stop on the wall clock.
  float WallMicroSeconds();
  /// Stops a running timer; false, with a warning, where it never ran.
  bool ReadyToRead();

  bool initted_ = false;
  bool running_ = false;
  bool has_run_at_least_once_ = false;
  std::unique_ptr<device::Stopwatch> on_device_;  ///< in GPU mode
  std::chrono::steady_clock::time_point start_cpu_, stop_cpu_;

  DISABLE_COPY_AND_ASSIGN(Timer);
};

/// Wall clock whatever the mode.
class CPUTimer : public Timer {
 public:
  CPUTimer();
  ~CPUTimer() override = default;
  void Start() override;
  void Stop() override;
  float MilliSeconds() override;
  float MicroSeconds() override;
};

}  // namespace caffe

#endif  // CAFFE_UTIL_BENCHMARK_H_

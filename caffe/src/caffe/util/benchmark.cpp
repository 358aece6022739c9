// Timers: the wall clock, and the device's in GPU mode.
#include "caffe/util/benchmark.hpp"

namespace caffe {

Timer::Timer() { Init(); }

void Timer::Init() {
  if (initted_) return;
  if (Caffe::mode() == Caffe::GPU) on_device_ = std::make_unique<device::Stopwatch>();
  initted_ = true;
}

Timer::~Timer() = default;

void Timer::Start() {
  if (running_) return;
  if (on_device_) on_device_->Start();
  start_cpu_ = std::chrono::steady_clock::now();
  running_ = true;
  has_run_at_least_once_ = true;
}

void Timer::Stop() {
  if (!running_) return;
  if (on_device_) {
    on_device_->Stop();
    on_device_->milliseconds();  // waits, so that the wall clock covers the work, too
  }
  stop_cpu_ = std::chrono::steady_clock::now();
  running_ = false;
}

bool Timer::ReadyToRead() {
  if (!has_run_at_least_once_) {
    LOG(WARNING) << "Timer has never been run before reading time.";
    return false;
  }
  if (running_) Stop();
  return true;
}

float Timer::WallMicroSeconds() {
  if (!ReadyToRead()) return 0;
  return std::chrono::duration<float, std::micro>(stop_cpu_ - start_cpu_).count();
}

float Timer::MicroSeconds() {
  if (on_device_) return ReadyToRead() ? on_device_->milliseconds() * 1000 : 0;
  return WallMicroSeconds();
}

float Timer::MilliSeconds() { return MicroSeconds() / 1000; }

float Timer::Seconds() { return MilliSeconds() / 1000; }

CPUTimer::CPUTimer() = default;

void CPUTimer::Start() {
  if (running_) return;
  start_cpu_ = std::chrono::steady_clock::now();
  running_ = true;
  has_run_at_least_once_ = true;
}

void CPUTimer::Stop() {
  if (!running_) return;
  stop_cpu_ = std::chrono::steady_clock::now();
  running_ = false;
}

float CPUTimer::MicroSeconds() { return WallMicroSeconds(); }

float CPUTimer::MilliSeconds() { return WallMicroSeconds() / 1000; }

}  // namespace caffe

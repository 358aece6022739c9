// Timers: the wall clock, and GPU events where there is a GPU.
#include "caffe/util/benchmark.hpp"

namespace caffe {

Timer::Timer() { Init(); }

void Timer::Init() {
  if (initted_) return;
#ifndef CPU_ONLY
  if (Caffe::mode() == Caffe::GPU) {
    CUDA_CHECK(cudaEventCreate(&start_gpu_));
    CUDA_CHECK(cudaEventCreate(&stop_gpu_));
  }
#endif
  initted_ = true;
}

Timer::~Timer() {
#ifndef CPU_ONLY
  if (start_gpu_ != nullptr) cudaEventDestroy(start_gpu_);
  if (stop_gpu_ != nullptr) cudaEventDestroy(stop_gpu_);
#endif
}

void Timer::Start() {
  if (running_) return;
#ifndef CPU_ONLY
  if (start_gpu_ != nullptr) CUDA_CHECK(cudaEventRecord(start_gpu_, 0));
#endif
  start_cpu_ = std::chrono::steady_clock::now();
  running_ = true;
  has_run_at_least_once_ = true;
}

void Timer::Stop() {
  if (!running_) return;
#ifndef CPU_ONLY
  if (stop_gpu_ != nullptr) {
    CUDA_CHECK(cudaEventRecord(stop_gpu_, 0));
    CUDA_CHECK(cudaEventSynchronize(stop_gpu_));
  }
#endif
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
#ifndef CPU_ONLY
  if (start_gpu_ != nullptr) {
    if (!ReadyToRead()) return 0;
    float milliseconds = 0;
    CUDA_CHECK(cudaEventElapsedTime(&milliseconds, start_gpu_, stop_gpu_));
    return milliseconds * 1000;
  }
#endif
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

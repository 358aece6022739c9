// Time on the GPU by events.
#include "caffe/device/stopwatch.hpp"

#include "caffe/device/cuda/cuda_check.hpp"
#include "caffe/device/stream.hpp"

namespace caffe {
namespace device {

struct Stopwatch::Marks {
  cudaEvent_t start = nullptr, stop = nullptr;
  Marks() {
    CUDA_CHECK(cudaEventCreate(&start));
    CUDA_CHECK(cudaEventCreate(&stop));
  }
  ~Marks() {
    cudaEventDestroy(start);
    cudaEventDestroy(stop);
  }
};

Stopwatch::Stopwatch() : marks_(new Marks) {}
Stopwatch::~Stopwatch() = default;
void Stopwatch::Start() { CUDA_CHECK(cudaEventRecord(marks_->start, stream())); }
void Stopwatch::Stop() { CUDA_CHECK(cudaEventRecord(marks_->stop, stream())); }
float Stopwatch::milliseconds() {
  CUDA_CHECK(cudaEventSynchronize(marks_->stop));
  float milliseconds = 0;
  CUDA_CHECK(cudaEventElapsedTime(&milliseconds, marks_->start, marks_->stop));
  return milliseconds;
}

}  // namespace device
}  // namespace caffe

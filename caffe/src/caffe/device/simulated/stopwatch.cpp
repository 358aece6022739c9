// Time on the simulated device: the host's clock.
#include "caffe/device/stopwatch.hpp"

#include <chrono>

namespace caffe {
namespace device {

struct Stopwatch::Marks {
  std::chrono::steady_clock::time_point start, stop;
};

Stopwatch::Stopwatch() : marks_(new Marks) {}
Stopwatch::~Stopwatch() = default;
void Stopwatch::Start() { marks_->start = std::chrono::steady_clock::now(); }
void Stopwatch::Stop() { marks_->stop = std::chrono::steady_clock::now(); }
float Stopwatch::milliseconds() {
  return std::chrono::duration<float, std::milli>(marks_->stop - marks_->start).count();
}

}  // namespace device
}  // namespace caffe

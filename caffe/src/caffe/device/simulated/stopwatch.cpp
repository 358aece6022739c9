// Time on the simulated device: the host's clock.
#include "caffe/device/stopwatch.hpp"

#include <chrono>

#include "caffe/device/graph.hpp"
#include "caffe/util/logging.hpp"

namespace caffe {
namespace device {

struct Stopwatch::Marks {
  std::chrono::steady_clock::time_point start, stop;
  bool recorded = false;  ///< times that work has when it is replayed are not known
};

Stopwatch::Stopwatch() : marks_(new Marks) {}
Stopwatch::~Stopwatch() = default;
void Stopwatch::Start() {
  marks_->start = std::chrono::steady_clock::now();
  marks_->recorded = is_recording();
}
void Stopwatch::Stop() { marks_->stop = std::chrono::steady_clock::now(); }
float Stopwatch::milliseconds() {
  CHECK(!marks_->recorded) << "recorded work has no time of its own";
  return std::chrono::duration<float, std::milli>(marks_->stop - marks_->start).count();
}

}  // namespace device
}  // namespace caffe

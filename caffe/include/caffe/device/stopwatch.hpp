// Time that work takes on the device.
#ifndef CAFFE_DEVICE_STOPWATCH_HPP_
#define CAFFE_DEVICE_STOPWATCH_HPP_

#include <memory>

namespace caffe {
namespace device {

/// Between Start and Stop lies what the calling thread asked for.
class Stopwatch {
 public:
  Stopwatch();
  ~Stopwatch();
  void Start();
  void Stop();
  /// Waits for the work to end.
  float milliseconds();

 private:
  struct Marks;
  std::unique_ptr<Marks> marks_;
};

}  // namespace device
}  // namespace caffe

#endif  // CAFFE_DEVICE_STOPWATCH_HPP_

// Sums over the processes of numbers in device memory, without a way over the host.
#ifndef CAFFE_PARALLEL_DEVICE_SUM_HPP_
#define CAFFE_PARALLEL_DEVICE_SUM_HPP_

#include <cstddef>
#include <memory>

#include "caffe/parallel/communicator.hpp"

namespace caffe {

/// As Communicator's sums, in the order of the device's work: StartSum waits for what was
/// launched before it, and what is launched after Wait sees the sums.
class DeviceSum {
 public:
  virtual ~DeviceSum() = default;
  virtual void StartSum(float* data, std::size_t count) = 0;
  virtual void StartSum(double* data, std::size_t count) = 0;
  virtual void Wait() = 0;
};

/// Of parallel/nccl/, or null from parallel/no_nccl/: then gradients go over the host.
/// Every process of `processes` makes the call, with a device of its own set.
std::unique_ptr<DeviceSum> make_device_sum(Communicator* processes);

}  // namespace caffe

#endif  // CAFFE_PARALLEL_DEVICE_SUM_HPP_

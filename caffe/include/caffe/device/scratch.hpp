// Device memory for the time of a scope.
#ifndef CAFFE_DEVICE_SCRATCH_HPP_
#define CAFFE_DEVICE_SCRATCH_HPP_

#include "caffe/device/device.hpp"

namespace caffe {
namespace device {

/// Undefined contents. What was launched while it lived may still run when it ends: the
/// next owner's work comes after it on the same stream.
class Scratch {
 public:
  explicit Scratch(std::size_t bytes) : pointer_(bytes > 0 ? allocate(bytes) : nullptr) {}
  ~Scratch() { free(pointer_); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  void* get() const { return pointer_; }
  template <typename T>
  T* as() const {
    return static_cast<T*>(pointer_);
  }

 private:
  void* pointer_;
};

}  // namespace device
}  // namespace caffe

#endif  // CAFFE_DEVICE_SCRATCH_HPP_

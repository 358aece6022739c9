// A fixture for typed layer tests that reach the device in every build.
#ifndef CAFFE_SRC_TEST_ANY_DEVICE_TEST_HPP_
#define CAFFE_SRC_TEST_ANY_DEVICE_TEST_HPP_

#include <cstdlib>
#include <string>

#include "caffe/test/test_caffe_main.hpp"

namespace caffe {

/// MultiDeviceTest, whose types name the device in CUDA builds only. In the others
/// CAFFE_TEST_MODE=gpu runs the host's types on the simulated device.
template <typename TypeParam>
class AnyDeviceTest : public MultiDeviceTest<TypeParam> {
 protected:
  AnyDeviceTest() {
#ifdef CPU_ONLY
    const char* mode = std::getenv("CAFFE_TEST_MODE");
    if (mode != nullptr && std::string(mode) == "gpu") Caffe::set_mode(Caffe::GPU);
#endif
  }
};

}  // namespace caffe

#endif  // CAFFE_SRC_TEST_ANY_DEVICE_TEST_HPP_

// Fixtures of the engine's GoogleTest files: types, devices, where the test data lies.
#ifndef CAFFE_TEST_TEST_CAFFE_MAIN_HPP_
#define CAFFE_TEST_TEST_CAFFE_MAIN_HPP_

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <iostream>

#include "caffe/common.hpp"

using std::cout;
using std::endl;

#ifdef CMAKE_BUILD
#if defined(__has_include)
#if __has_include("caffe_config.h")
#include "caffe_config.h"
#endif
#endif
#endif

#ifndef CUDA_TEST_DEVICE
#define CUDA_TEST_DEVICE -1
#endif
#ifndef EXAMPLES_SOURCE_DIR
#define EXAMPLES_SOURCE_DIR "examples/"
#endif
#ifndef ABS_TEST_DATA_DIR
#define ABS_TEST_DATA_DIR "src/caffe/test/test_data"
#endif
// The flow forks' older names.
#ifndef CMAKE_SOURCE_DIR
#define CMAKE_SOURCE_DIR "src/"
#endif
#ifndef CMAKE_EXT
#define CMAKE_EXT ""
#endif
// The spelling of GoogleTest before 1.10, without its deprecation warning.
#undef TYPED_TEST_CASE
#define TYPED_TEST_CASE TYPED_TEST_SUITE

int main(int argc, char** argv);

namespace caffe {

template <typename TypeParam>
class MultiDeviceTest : public ::testing::Test {
 public:
  typedef typename TypeParam::Dtype Dtype;

 protected:
  MultiDeviceTest() { Caffe::set_mode(TypeParam::device); }
  ~MultiDeviceTest() override = default;
};

typedef ::testing::Types<float, double> TestDtypes;

template <typename TypeParam>
struct CPUDevice {
  typedef TypeParam Dtype;
  static const Caffe::Brew device = Caffe::CPU;
};

template <typename Dtype>
class CPUDeviceTest : public MultiDeviceTest<CPUDevice<Dtype>> {};

#ifdef CPU_ONLY

typedef ::testing::Types<CPUDevice<float>, CPUDevice<double>> TestDtypesAndDevices;

#else

template <typename TypeParam>
struct GPUDevice {
  typedef TypeParam Dtype;
  static const Caffe::Brew device = Caffe::GPU;
};

template <typename Dtype>
class GPUDeviceTest : public MultiDeviceTest<GPUDevice<Dtype>> {};

typedef ::testing::Types<CPUDevice<float>, CPUDevice<double>, GPUDevice<float>,
                         GPUDevice<double>>
    TestDtypesAndDevices;

#endif

}  // namespace caffe

#endif  // CAFFE_TEST_TEST_CAFFE_MAIN_HPP_

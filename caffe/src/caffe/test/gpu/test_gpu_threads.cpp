// Which mode and device other threads work with.
#include <thread>

#include "caffe/internal_thread.hpp"
#include "gpu_matches_cpu.hpp"

namespace caffe {

namespace {

/// Device 0 again at the end.
class GpuThreads : public ::testing::Test {
 protected:
  void SetUp() override {
    SKIP_WITHOUT_DEVICE();
    if (device::count() < 2) GTEST_SKIP() << "one device; the simulated ones are two";
  }
  void TearDown() override {
    if (device::is_built()) Caffe::SetDevice(0);
  }
  const GpuMode mode_;
};

class DeviceOfThread : public InternalThread {
 public:
  ~DeviceOfThread() override { StopInternalThread(); }
  int device = -1;
  bool is_gpu = false;

 protected:
  void InternalThreadEntry() override {
    is_gpu = Caffe::mode() == Caffe::GPU;
    device = device::current();
  }
};

}  // namespace

TEST_F(GpuThreads, AThreadThatChoosesNothingTakesModeAndDeviceOfTheFirst) {
  Caffe::SetDevice(1);
  std::thread([] {
    EXPECT_EQ(Caffe::GPU, Caffe::mode());
    EXPECT_EQ(1, device::current());
    Caffe::SetDevice(0);
    EXPECT_EQ(Caffe::GPU, Caffe::mode());
    EXPECT_EQ(0, device::current()) << "its own choice holds";
  }).join();
  EXPECT_EQ(Caffe::GPU, Caffe::mode());
  EXPECT_EQ(1, device::current()) << "and this thread's";
}

TEST_F(GpuThreads, WhatAnotherThreadChoosesDoesNotMoveAThreadThatWorks) {
  std::thread([] {
    EXPECT_EQ(Caffe::GPU, Caffe::mode());
    const int before = device::current();
    std::thread([=] { Caffe::SetDevice(1 - before); }).join();
    EXPECT_EQ(Caffe::GPU, Caffe::mode());
    EXPECT_EQ(before, device::current());
  }).join();
}

TEST_F(GpuThreads, AHelperThreadTakesTheDeviceOfItsOwner) {
  Caffe::SetDevice(1);
  std::thread([] { Caffe::SetDevice(0); }).join();
  DeviceOfThread thread;
  thread.StartInternalThread();
  thread.StopInternalThread();
  EXPECT_TRUE(thread.is_gpu);
  EXPECT_EQ(1, thread.device);
}

}  // namespace caffe

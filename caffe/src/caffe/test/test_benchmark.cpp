// Timer: its flags, and durations in the order of magnitude of a sleep.
#include <chrono>
#include <thread>

#include "caffe/test/test_caffe_main.hpp"
#include "caffe/util/benchmark.hpp"
#include "caffe/util/format.hpp"

namespace caffe {
namespace {

template <typename TimerType>
class BenchmarkTest : public ::testing::Test {};

typedef ::testing::Types<Timer, CPUTimer> TimerTypes;
TYPED_TEST_SUITE(BenchmarkTest, TimerTypes);

TYPED_TEST(BenchmarkTest, FlagsFollowStartAndStop) {
  TypeParam timer;
  EXPECT_TRUE(timer.initted());
  EXPECT_FALSE(timer.running());
  EXPECT_FALSE(timer.has_run_at_least_once());
  EXPECT_EQ(timer.MilliSeconds(), 0);
  timer.Start();
  EXPECT_TRUE(timer.running());
  EXPECT_TRUE(timer.has_run_at_least_once());
  timer.Start();
  EXPECT_TRUE(timer.running());
  timer.Stop();
  EXPECT_FALSE(timer.running());
  EXPECT_TRUE(timer.has_run_at_least_once());
  timer.Stop();
  EXPECT_FALSE(timer.running());
}

TYPED_TEST(BenchmarkTest, ReadingStopsAndUnitsAgree) {
  TypeParam timer;
  timer.Start();
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  const float milliseconds = timer.MilliSeconds();
  EXPECT_FALSE(timer.running());
  EXPECT_GE(milliseconds, 20);
  EXPECT_EQ(timer.MilliSeconds(), milliseconds);
  EXPECT_FLOAT_EQ(timer.MicroSeconds(), milliseconds * 1000);
  EXPECT_FLOAT_EQ(timer.Seconds(), milliseconds / 1000);
}

TEST(FormatTest, PadsWithZeros) {
  EXPECT_EQ(format_int(7), "7");
  EXPECT_EQ(format_int(7, 4), "0007");
  EXPECT_EQ(format_int(12345, 4), "12345");
}

}  // namespace
}  // namespace caffe

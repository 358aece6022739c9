// Recording and replaying work, and the memory that goes with it.
#include <cmath>
#include <set>
#include <stdexcept>

#include "caffe/device/graph.hpp"
#include "caffe/device/scratch.hpp"
#include "caffe/device/stopwatch.hpp"
#include "gpu_matches_cpu.hpp"

namespace caffe {

namespace {

using device::Graph;
using device::PrivateMemory;
using device::Scratch;

constexpr int kCount = 300;
constexpr std::size_t kBytes = kCount * sizeof(float);

/// first, first + 1, ...
struct Counted : Blob<float> {
  explicit Counted(float first) : Blob<float>(vector<int>{kCount}) {
    for (int i = 0; i < kCount; ++i) mutable_cpu_data()[i] = first + i;
  }
};

}  // namespace

TEST(GpuRecording, RunsNothingUntilItIsReplayedAndThenAllInItsOrder) {
  SKIP_WITHOUT_DEVICE();
  Blob<float> x(vector<int>{kCount}), y(vector<int>{kCount});
  fill_uniform(&x, 3);
  const float* from = x.gpu_data();
  float* to = y.mutable_gpu_data();
  caffe_gpu_set(kCount, 5.f, to);
  Graph graph;
  ASSERT_TRUE(graph.Record([&] {
    caffe_gpu_scale(kCount, 2.f, from, to);
    caffe_gpu_add_scalar(kCount, 1.f, to);
    caffe_gpu_axpy(kCount, 3.f, from, to);
  }));
  EXPECT_FALSE(device::is_recording());
  EXPECT_EQ(vector<float>(kCount, 5.f), data_of(y));
  for (const unsigned int seed : {3u, 4u}) {
    fill_uniform(&x, seed);
    ASSERT_EQ(from, x.gpu_data());
    graph.Replay();
    y.data()->MarkDeviceWritten(false);
    for (int i = 0; i < kCount; ++i) {
      EXPECT_FLOAT_EQ(2 * x.cpu_data()[i] + 1 + 3 * x.cpu_data()[i], y.cpu_data()[i]);
    }
  }
}

TEST(GpuRecording, ProductsSumsAndCopiesAreRecorded) {
  SKIP_WITHOUT_DEVICE();
  Blob<float> a(vector<int>{3, 4}), b(vector<int>{4, 5}), product(vector<int>{3, 5}),
      vector_product(vector<int>{3}), copy(vector<int>{15}), zero(vector<int>{15});
  fill_uniform(&a, 1);
  fill_uniform(&b, 2);
  fill_uniform(&zero, 3);
  Graph graph;
  const float *a_data = a.gpu_data(), *b_data = b.gpu_data();
  float *c = product.mutable_gpu_data(), *v = vector_product.mutable_gpu_data(),
        *copied = copy.mutable_gpu_data(), *zeroed = zero.mutable_gpu_data();
  // The library is started before a stream is captured, as by a net's first pass.
  caffe_gpu_gemm(CblasNoTrans, CblasNoTrans, 3, 5, 4, 1.f, a_data, b_data, 0.f, c);
  caffe_gpu_set(15, 0.f, c);
  ASSERT_TRUE(graph.Record([&] {
    caffe_gpu_gemm(CblasNoTrans, CblasNoTrans, 3, 5, 4, 1.f, a_data, b_data, 0.f, c);
    caffe_gpu_gemv(CblasNoTrans, 3, 4, 1.f, a_data, b_data, 0.f, v);
    device::copy_on_device(copied, c, 15 * sizeof(float));
    device::fill_bytes(zeroed, 0, 15 * sizeof(float));
  }));
  graph.Replay();
  for (Blob<float>* written : {&product, &vector_product, &copy, &zero}) {
    written->data()->MarkDeviceWritten(false);
  }
  for (int row = 0; row < 3; ++row) {
    float sum = 0;
    for (int k = 0; k < 4; ++k) sum += a.cpu_data()[row * 4 + k] * b.cpu_data()[k];
    EXPECT_NEAR(sum, vector_product.cpu_data()[row], 1e-5);
    for (int column = 0; column < 5; ++column) {
      sum = 0;
      for (int k = 0; k < 4; ++k) {
        sum += a.cpu_data()[row * 4 + k] * b.cpu_data()[k * 5 + column];
      }
      EXPECT_NEAR(sum, product.cpu_data()[row * 5 + column], 1e-5);
    }
  }
  EXPECT_EQ(data_of(product), data_of(copy));
  EXPECT_EQ(vector<float>(15, 0.f), data_of(zero));
}

TEST(GpuRecording, AReplayReadsPinnedMemoryAsItIsThen) {
  SKIP_WITHOUT_DEVICE();
  float* pinned = static_cast<float*>(device::allocate_pinned(kBytes));
  Counted blob(0);
  float* to = blob.mutable_gpu_data();
  Graph graph;
  ASSERT_TRUE(graph.Record([&] { device::copy_to_device_async(to, pinned, kBytes); }));
  std::fill_n(pinned, kCount, 7.f);
  graph.Replay();
  EXPECT_EQ(vector<float>(kCount, 7.f), data_of(blob));
  std::fill_n(pinned, kCount, 8.f);
  graph.Replay();
  blob.data()->MarkDeviceWritten(false);
  EXPECT_EQ(vector<float>(kCount, 8.f), data_of(blob));
  device::free_pinned(pinned);
}

TEST(GpuRecording, WorkThatWaitsForTheDeviceIsNotRecorded) {
  SKIP_WITHOUT_DEVICE();
  Counted blob(1), other(1);
  float* data = blob.mutable_gpu_data();
  float on_host[kCount] = {}, sum = 0;
  device::Stopwatch watch;
  const vector<std::function<void()>> works = {
      [&] { device::copy_to_host(on_host, data, kBytes); },
      [&] { device::copy_to_device(data, on_host, kBytes); },
      [&] { device::synchronize(); },
      [&] { caffe_gpu_asum(kCount, data, &sum); },
      [&] {
        watch.Start();
        watch.Stop();
        watch.milliseconds();
      },
      [&] {  // the error is caught: the recording is spoilt nevertheless
        try {
          device::copy_to_host(on_host, data, kBytes);
        } catch (const Error&) {
        }
      },
  };
  for (size_t i = 0; i < works.size(); ++i) {
    Graph graph;
    EXPECT_FALSE(graph.Record([&] {
      caffe_gpu_scal(kCount, 2.f, data);
      works[i]();
      caffe_gpu_scal(kCount, 2.f, data);
    })) << i;
    EXPECT_FALSE(graph.is_recorded());
    EXPECT_FALSE(device::is_recording());
    blob.data()->MarkDeviceWritten(false);
    EXPECT_EQ(data_of(other), data_of(blob)) << "work " << i << " has run";
    works[i]();  // and it can be done when nothing records
  }
}

TEST(GpuRecording, ErrorsThatAreNotTheEnginesComeOut) {
  SKIP_WITHOUT_DEVICE();
  Graph graph;
  EXPECT_THROW(graph.Record([] { throw std::out_of_range("mine"); }), std::out_of_range);
  EXPECT_FALSE(device::is_recording());
  EXPECT_FALSE(graph.is_recorded());
  EXPECT_TRUE(graph.Record([] {}));
  EXPECT_THROW(Graph().Replay(), Error);
}

TEST(GpuPrivateMemory, IsGivenToNobodyElseAndComesBack) {
  SKIP_WITHOUT_DEVICE();
  PrivateMemory memory;
  void* mine = nullptr;
  {
    const PrivateMemory::Use use(&memory);
    const Scratch scratch(kBytes);
    mine = scratch.get();
  }
  {
    vector<std::unique_ptr<Scratch>> others;
    for (int i = 0; i < 100; ++i) {
      others.push_back(std::make_unique<Scratch>(kBytes));
      EXPECT_NE(mine, others.back()->get());
    }
  }
  PrivateMemory second;
  {
    const PrivateMemory::Use use(&second);
    EXPECT_NE(mine, Scratch(kBytes).get());
    const PrivateMemory::Use inner(&memory);
    EXPECT_EQ(mine, Scratch(kBytes).get());
    const PrivateMemory::Use everybodys(nullptr);
    EXPECT_NE(mine, Scratch(kBytes).get());
  }
  EXPECT_NE(mine, Scratch(kBytes).get());
}

TEST(GpuPrivateMemory, ABufferThatIsFreedElsewhereGoesBackToIt) {
  SKIP_WITHOUT_DEVICE();
  PrivateMemory memory;
  void* mine = nullptr;
  {
    const PrivateMemory::Use use(&memory);
    mine = device::allocate(kBytes);
  }
  device::free(mine);
  EXPECT_NE(mine, Scratch(kBytes).get());
  const PrivateMemory::Use use(&memory);
  EXPECT_EQ(mine, Scratch(kBytes).get());
}

TEST(GpuPrivateMemory, WhatOutlivesItsOwnerCanBeUsedAndFreed) {
  SKIP_WITHOUT_DEVICE();
  const std::size_t before = device::allocated_bytes();
  float* buffer = nullptr;
  {
    PrivateMemory memory;
    const PrivateMemory::Use use(&memory);
    buffer = static_cast<float*>(device::allocate(kBytes));
  }
  caffe_gpu_set(kCount, 4.f, buffer);
  float sum = 0;
  caffe_gpu_asum(kCount, buffer, &sum);
  EXPECT_EQ(4 * kCount, sum);
  device::free(buffer);
  EXPECT_EQ(before, device::allocated_bytes());
}

// What only the simulated device finds: errors that a real one shows as wrong numbers.
class GpuSimulatedRecording : public ::testing::Test {
 protected:
  void SetUp() override {
    SKIP_WITHOUT_DEVICE();
    if (!device::is_simulated()) GTEST_SKIP() << "the simulated device finds them";
  }
};

TEST_F(GpuSimulatedRecording, ScratchMemoryIsNaNInEveryReplay) {
  Counted y(0);
  float* to = y.mutable_gpu_data();
  PrivateMemory memory;
  const PrivateMemory::Use use(&memory);
  Graph graph;
  ASSERT_TRUE(graph.Record([&] {
    {
      const Scratch first(kBytes);
      caffe_gpu_set(kCount, 1.f, first.as<float>());
    }
    const Scratch second(kBytes);  // at the same address
    device::copy_on_device(to, second.get(), kBytes);
    caffe_gpu_set(kCount, 2.f, second.as<float>());
  }));
  for (int pass = 0; pass < 2; ++pass) {
    graph.Replay();
    y.data()->MarkDeviceWritten(false);
    for (const float value : data_of(y)) EXPECT_TRUE(std::isnan(value));
  }
}

TEST_F(GpuSimulatedRecording, ABufferThatOutlivesTheRecordingKeepsWhatOthersWrite) {
  Counted y(0);
  float* to = y.mutable_gpu_data();
  PrivateMemory memory;
  const PrivateMemory::Use use(&memory);
  std::unique_ptr<Scratch> kept;
  Graph graph;
  ASSERT_TRUE(graph.Record([&] {
    kept = std::make_unique<Scratch>(kBytes);
    device::copy_on_device(to, kept->get(), kBytes);
  }));
  caffe_gpu_set(kCount, 3.f, kept->as<float>());
  graph.Replay();
  y.data()->MarkDeviceWritten(false);
  EXPECT_EQ(vector<float>(kCount, 3.f), data_of(y));
}

TEST_F(GpuSimulatedRecording, ReplayRefusesABufferThatWasFreed) {
  Graph graph;
  {
    const Scratch gone(kBytes);
    ASSERT_TRUE(graph.Record([&] { caffe_gpu_set(kCount, 1.f, gone.as<float>()); }));
    graph.Replay();
  }
  EXPECT_THROW(graph.Replay(), Error);
}

TEST_F(GpuSimulatedRecording, ReplayRefusesPrivateMemoryThatSomebodyElseHolds) {
  PrivateMemory memory;
  const PrivateMemory::Use use(&memory);
  Graph graph;
  ASSERT_TRUE(graph.Record([] {
    const Scratch scratch(kBytes);
    caffe_gpu_set(kCount, 1.f, scratch.as<float>());
  }));
  graph.Replay();
  { const Scratch passing(kBytes); }
  graph.Replay();
  const Scratch staying(kBytes);
  EXPECT_THROW(graph.Replay(), Error);
}

}  // namespace caffe

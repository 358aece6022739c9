// The device's copy of a memory: heads, transfers, views, and pointers on the wrong side.
#include <cmath>
#include <cstring>

#include "caffe/device/blas.hpp"
#include "caffe/device/channels_last.hpp"
#include "gpu_matches_cpu.hpp"

namespace caffe {

TEST(GpuMemory, HeadMovesBetweenHostAndDevice) {
  SKIP_WITHOUT_DEVICE();
  SyncedMemory memory(12);
  EXPECT_EQ(SyncedMemory::UNINITIALIZED, memory.head());
  memory.gpu_data();
  memory.cpu_data();
  EXPECT_EQ(SyncedMemory::SYNCED, memory.head());
  memory.mutable_cpu_data();
  EXPECT_EQ(SyncedMemory::HEAD_AT_CPU, memory.head());
  memory.gpu_data();
  EXPECT_EQ(SyncedMemory::SYNCED, memory.head());
  memory.mutable_gpu_data();
  EXPECT_EQ(SyncedMemory::HEAD_AT_GPU, memory.head());
  memory.cpu_data();
  EXPECT_EQ(SyncedMemory::SYNCED, memory.head());
}

TEST(GpuMemory, NewMemoryIsZeroOnTheDevice) {
  SKIP_WITHOUT_DEVICE();
  Blob<float> blob(vector<int>{5});
  float sum = -1;
  caffe_gpu_asum(5, blob.gpu_data(), &sum);
  EXPECT_EQ(0, sum);
}

TEST(GpuMemory, ContentsFollowTheHead) {
  SKIP_WITHOUT_DEVICE();
  Blob<float> blob(vector<int>{4});
  for (int i = 0; i < 4; ++i) blob.mutable_cpu_data()[i] = static_cast<float>(i);
  const std::uint64_t version = blob.data()->version();
  caffe_gpu_scal(4, 2.f, blob.mutable_gpu_data());
  EXPECT_NE(version, blob.data()->version());
  for (int i = 0; i < 4; ++i) EXPECT_EQ(2.f * i, blob.cpu_data()[i]);
  blob.mutable_cpu_data()[1] = 7;
  float sum = 0;
  caffe_gpu_asum(4, blob.gpu_data(), &sum);
  EXPECT_EQ(0 + 7 + 4 + 6, sum);
}

TEST(GpuMemory, WhatAViewWritesReachesTheDevice) {
  SKIP_WITHOUT_DEVICE();
  Blob<float> blob(vector<int>{3});
  float* view = blob.mutable_cpu_data();
  blob.data()->AddView();
  view[0] = 1;
  float sum = 0;
  caffe_gpu_asum(3, blob.gpu_data(), &sum);
  EXPECT_EQ(1, sum);
  view[2] = 4;  // nobody is told
  caffe_gpu_asum(3, blob.gpu_data(), &sum);
  EXPECT_EQ(5, sum);
  caffe_gpu_scal(3, 2.f, blob.mutable_gpu_data());
  blob.data()->SyncViews();
  EXPECT_EQ(8, view[2]);
  view[1] = 3;  // after the pass, and gone before the next
  blob.data()->RemoveView();
  caffe_gpu_asum(3, blob.gpu_data(), &sum);
  EXPECT_EQ(2 + 3 + 8, sum);
}

TEST(GpuMemory, AViewSeesCopiesAndUpdatesOnTheDevice) {
  SKIP_WITHOUT_DEVICE();
  const GpuMode mode;
  Blob<float> blob(vector<int>{3}), other(vector<int>{3});
  fill_uniform(&other, 4);
  const vector<float> values = data_of(other);
  const float* view = blob.mutable_cpu_data();
  blob.data()->AddView();
  blob.CopyFrom(other);
  EXPECT_EQ(values, vector<float>(view, view + 3));
  caffe_gpu_set(3, 2.f, blob.mutable_gpu_diff());
  blob.Update();
  for (int i = 0; i < 3; ++i) EXPECT_FLOAT_EQ(values[i] - 2, view[i]);
  blob.data()->RemoveView();
}

TEST(GpuMemory, ChannelsLastAndBack) {
  SKIP_WITHOUT_DEVICE();
  Blob<float> blob(vector<int>{2, 3, 2, 2}), copy(vector<int>{24});
  fill_uniform(&blob, 4);
  const vector<float> before = data_of(blob);
  const ChannelsLast order{2, 3, 4};
  device::copy_to_host(copy.mutable_cpu_data(), blob.data()->gpu_channels_last(order),
                       96);
  for (int n = 0; n < 2; ++n) {
    for (int c = 0; c < 3; ++c) {
      for (int s = 0; s < 4; ++s) {
        EXPECT_EQ(before[(n * 3 + c) * 4 + s], copy.cpu_data()[(n * 4 + s) * 3 + c]);
      }
    }
  }
  caffe_gpu_scal(24, 2.f, blob.data()->mutable_gpu_channels_last(order));
  for (int i = 0; i < 24; ++i) EXPECT_EQ(2 * before[i], blob.cpu_data()[i]);
}

TEST(GpuMemory, ReorderingByTilesTakesAnySizes) {
  SKIP_WITHOUT_DEVICE();
  for (const ChannelsLast order :
       {ChannelsLast{1, 1, 1}, {2, 33, 5}, {3, 4, 70}, {1, 64, 65}, {2, 100, 1}}) {
    const int count = order.num * order.channels * order.spatial;
    Blob<float> rows(vector<int>{count}), last(vector<int>{count});
    fill_uniform(&rows, 4);
    fill_uniform(&last, 5);
    const vector<float> before = data_of(rows);
    vector<float> expected(count);
    for (int i = 0; i < count; ++i) {
      const int s = i % order.spatial, c = i / order.spatial % order.channels;
      const int n = i / order.spatial / order.channels;
      expected[(n * order.spatial + s) * order.channels + c] = before[i];
    }
    device::to_channels_last(order, rows.gpu_data(), last.mutable_gpu_data());
    EXPECT_EQ(expected, data_of(last));
    device::add_to_row_major(order, last.gpu_data(), rows.mutable_gpu_data());
    for (int i = 0; i < count; ++i) ASSERT_EQ(2 * before[i], rows.cpu_data()[i]);
    device::to_row_major(order, last.gpu_data(), rows.mutable_gpu_data());
    EXPECT_EQ(before, data_of(rows));
  }
}

TEST(GpuMemory, OneFormIsKept) {
  SKIP_WITHOUT_DEVICE();
  Blob<float> blob(vector<int>{2, 3, 2, 2});
  fill_uniform(&blob, 4);
  const vector<float> before = data_of(blob);
  SyncedMemory* memory = blob.data().get();
  const ChannelsLast order{2, 3, 4};
  memory->gpu_channels_last(order);
  memory->KeepOneForm(true);
  EXPECT_EQ(nullptr, memory->device_address());
  EXPECT_TRUE(memory->head_is_channels_last());
  caffe_gpu_scal(24, 2.f, memory->mutable_gpu_channels_last(order));
  blob.gpu_data();
  memory->KeepOneForm(false);
  EXPECT_EQ(nullptr, memory->channels_last_address());
  for (int i = 0; i < 24; ++i) EXPECT_EQ(2 * before[i], blob.cpu_data()[i]);
}

TEST(GpuMemory, ReleasedMemoryCannotBeRead) {
  SKIP_WITHOUT_DEVICE();
  Blob<float> blob(vector<int>{3});
  blob.mutable_gpu_data();
  blob.data()->Release(std::make_shared<const string>("x"));
  EXPECT_THROW(blob.gpu_data(), Error);
  EXPECT_THROW(blob.cpu_data(), Error);
  blob.mutable_gpu_data();
  blob.gpu_data();
}

TEST(GpuMemory, MoreThanThereIsIsAnErrorThatNamesTheSize) {
  SKIP_WITHOUT_DEVICE();
  try {
    device::allocate(std::size_t{1} << 45);
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_NE(nullptr, std::strstr(error.what(), "out of device memory")) << error.what();
  }
  device::free(device::allocate(100));
}

TEST(GpuMemory, HostPointersInDeviceCallsAreErrors) {
  SKIP_WITHOUT_DEVICE();
  if (!device::is_simulated()) GTEST_SKIP() << "the simulated device finds them";
  const GpuMode mode;
  Blob<float> blob(vector<int>{8});
  float* host = blob.mutable_cpu_data();
  float on_stack[8] = {};
  EXPECT_THROW(caffe_gpu_scal(8, 2.f, host), Error);
  EXPECT_THROW(caffe_gpu_scal(8, 2.f, on_stack), Error);
  EXPECT_THROW(device::copy_to_device(host, on_stack, 4), Error);
  EXPECT_THROW(device::copy_to_host(blob.mutable_gpu_data(), blob.gpu_data(), 4), Error);
}

TEST(GpuMemory, HostCodeCannotFollowADevicePointer) {
  SKIP_WITHOUT_DEVICE();
  if (!device::is_simulated()) GTEST_SKIP() << "the simulated device finds it";
  Blob<float> blob(vector<int>{8});
  const volatile float* pointer = blob.gpu_data();
  EXPECT_DEATH(
      {
        const float value = *pointer;
        (void)value;
      },
      "");
}

TEST(GpuMath, ProductsMatchTheHosts) {
  SKIP_WITHOUT_DEVICE();
  const int m = 5, n = 7, k = 3;
  for (const bool ta : {false, true}) {
    for (const bool tb : {false, true}) {
      Blob<double> a(vector<int>{m * k}), b(vector<int>{k * n}), c(vector<int>{m * n}),
          expected(vector<int>{m * n});
      fill_uniform(&a, 1);
      fill_uniform(&b, 2);
      fill_uniform(&c, 3);
      fill_uniform(&expected, 3);
      const auto op = [](bool t) { return t ? CblasTrans : CblasNoTrans; };
      caffe_cpu_gemm(op(ta), op(tb), m, n, k, 1.5, a.cpu_data(), b.cpu_data(), 0.5,
                     expected.mutable_cpu_data());
      caffe_gpu_gemm(op(ta), op(tb), m, n, k, 1.5, a.gpu_data(), b.gpu_data(), 0.5,
                     c.mutable_gpu_data());
      expect_near(data_of(expected), data_of(c), 1e-12, "gemm");
    }
  }
}

TEST(GpuMath, MatrixTimesVectorMatchesTheHosts) {
  SKIP_WITHOUT_DEVICE();
  for (const bool t : {false, true}) {
    Blob<float> a(vector<int>{4, 6}), x(vector<int>{6}), y(vector<int>{6}),
        expected(vector<int>{6});
    fill_uniform(&a, 1);
    fill_uniform(&x, 2);
    fill_uniform(&y, 3);
    fill_uniform(&expected, 3);
    const auto op = t ? CblasTrans : CblasNoTrans;
    caffe_cpu_gemv(op, 4, 6, 2.f, a.cpu_data(), x.cpu_data(), 1.f,
                   expected.mutable_cpu_data());
    caffe_gpu_gemv(op, 4, 6, 2.f, a.gpu_data(), x.gpu_data(), 1.f, y.mutable_gpu_data());
    expect_near(data_of(expected), data_of(y), 1e-6, "gemv");
  }
}

TEST(GpuMath, SumsOfManyNumbers) {
  SKIP_WITHOUT_DEVICE();
  for (const int n : {1, 255, 257, 100003}) {
    Blob<float> x(vector<int>{n}), y(vector<int>{n});
    fill_uniform(&x, 1);
    fill_uniform(&y, 2);
    float dot = 0, asum = 0;
    caffe_gpu_dot(n, x.gpu_data(), y.gpu_data(), &dot);
    caffe_gpu_asum(n, x.gpu_data(), &asum);
    double expected_dot = 0, expected_asum = 0;
    for (int i = 0; i < n; ++i) {
      expected_dot += static_cast<double>(x.cpu_data()[i]) * y.cpu_data()[i];
      expected_asum += std::fabs(static_cast<double>(x.cpu_data()[i]));
    }
    EXPECT_NEAR(expected_dot, dot, 1e-6 * n);
    EXPECT_NEAR(expected_asum, asum, 1e-6 * n);
  }
}

TEST(GpuRandom, UniformNumbersFillTheRangeAndRepeatWithTheSeed) {
  SKIP_WITHOUT_DEVICE();
  const int n = 10001;
  Blob<double> a(vector<int>{n}), b(vector<int>{n});
  Caffe::set_random_seed(9);
  caffe_gpu_rng_uniform<double>(n, 2, 5, a.mutable_gpu_data());
  Caffe::set_random_seed(9);
  caffe_gpu_rng_uniform<double>(n, 2, 5, b.mutable_gpu_data());
  double sum = 0;
  for (int i = 0; i < n; ++i) {
    const double value = a.cpu_data()[i];
    EXPECT_EQ(value, b.cpu_data()[i]);
    EXPECT_TRUE(value > 2 && value <= 5) << value;
    sum += value;
  }
  EXPECT_NEAR(3.5, sum / n, 0.05);
}

TEST(GpuRandom, NormalNumbersHaveTheirMoments) {
  SKIP_WITHOUT_DEVICE();
  const int n = 20001;
  Blob<float> a(vector<int>{n});
  Caffe::set_random_seed(9);
  caffe_gpu_rng_gaussian<float>(n, 1, 2, a.mutable_gpu_data());
  double sum = 0, squares = 0;
  for (int i = 0; i < n; ++i) {
    sum += a.cpu_data()[i];
    squares += (a.cpu_data()[i] - 1.0) * (a.cpu_data()[i] - 1.0);
  }
  EXPECT_NEAR(1, sum / n, 0.06);
  EXPECT_NEAR(4, squares / n, 0.15);
}

}  // namespace caffe

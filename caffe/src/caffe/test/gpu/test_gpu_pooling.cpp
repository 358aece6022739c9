// Pooling on the device against the host.
#include "gpu_matches_cpu.hpp"

namespace caffe {

namespace {

struct PoolingRow {
  string window;
  vector<int> bottom;
};

const PoolingRow kRows[] = {
    {"kernel_size: 2 stride: 2", {2, 3, 6, 8}},
    {"kernel_size: 3 stride: 2", {1, 2, 7, 9}},
    {"kernel_size: 3 stride: 2 pad: 1", {3, 2, 8, 5}},
    {"kernel_size: 3 stride: 1 pad: 1", {2, 2, 5, 4}},
    {"kernel_size: 2 stride: 3", {1, 3, 7, 6}},  // gaps, and an empty last window
    {"kernel_h: 3 kernel_w: 1 stride_h: 1 stride_w: 2 pad_h: 2 pad_w: 0", {2, 2, 4, 5}},
    {"kernel_size: 3 stride: 2 round_mode: FLOOR", {1, 2, 8, 8}},
    {"global_pooling: true", {2, 3, 5, 7}},
    {"global_pooling: true", {3, 2, 17, 19}},
    {"kernel_size: 1 stride: 1", {1, 1, 1, 5}},
};

/// Equal values: the first maximum takes the gradient.
void ties(int, Blob<float>* blob) {
  for (int i = 0; i < blob->count(); ++i) {
    blob->mutable_cpu_data()[i] = static_cast<float>(i * 7 % 3);
  }
}

GpuCheck pooling(const string& method, const PoolingRow& row, const string& phase) {
  return {"type: 'Pooling' phase: " + phase + " pooling_param { pool: " + method + " " +
              row.window + " }",
          {row.bottom}};
}

}  // namespace

TEST(GpuPooling, MaximumInBothPhases) {
  for (const PoolingRow& row : kRows) {
    for (const string phase : {"TRAIN", "TEST"}) {
      GpuCheck check = pooling("MAX", row, phase);
      check.Run();
      check.prepare = ties;
      check.Run();
    }
  }
}

TEST(GpuPooling, MaximumWithItsMask) {
  for (const PoolingRow& row : kRows) {
    for (const string phase : {"TRAIN", "TEST"}) {
      GpuCheck check = pooling("MAX", row, phase);
      check.tops = 2;
      check.prepare = ties;
      check.Run();
    }
  }
}

TEST(GpuPooling, Average) {
  for (const PoolingRow& row : kRows) pooling("AVE", row, "TRAIN").Run();
}

TEST(GpuPooling, ExpectationOfStochastic) {
  for (const PoolingRow& row : kRows) {
    if (row.window.find("pad") != string::npos) continue;
    GpuCheck check = pooling("STOCHASTIC", row, "TEST");
    check.low = 0;
    check.Run();
  }
}

TEST(GpuPooling, StochasticPicksInProportionAndTakesItsGradient) {
  SKIP_WITHOUT_DEVICE();
  LayerUnderTest<float> test(
      "type: 'Pooling' phase: TRAIN pooling_param { pool: STOCHASTIC kernel_size: 2 "
      "stride: 2 }",
      {{4000, 1, 2, 2}});
  for (int i = 0; i < test.bottom[0]->count(); ++i) {
    test.bottom[0]->mutable_cpu_data()[i] = static_cast<float>(i % 4);
  }
  Caffe::set_random_seed(7);
  test.SetUp();
  const GpuMode mode;
  test.Forward();
  test.FillTopDiff();
  const vector<float> out_diff = diff_of(*test.top[0]);
  test.Backward();
  vector<int> picks(4);
  for (int n = 0; n < 4000; ++n) {
    const int pick = static_cast<int>(test.top[0]->cpu_data()[n]);
    ++picks[pick];
    for (int k = 0; k < 4; ++k) {
      EXPECT_EQ(k == pick ? out_diff[n] : 0.f, test.bottom[0]->cpu_diff()[n * 4 + k]);
    }
  }
  EXPECT_EQ(0, picks[0]);  // value 0: never
  for (int k = 1; k < 4; ++k) EXPECT_NEAR(k / 6., picks[k] / 4000., 0.04) << k;
}

TEST(GpuPooling, BackwardOnTheDeviceAfterForwardOnTheHost) {
  SKIP_WITHOUT_DEVICE();
  const string text = "type: 'Pooling' pooling_param { kernel_size: 3 stride: 2 }";
  LayerUnderTest<float> host(text, {{2, 2, 7, 5}}), both(text, {{2, 2, 7, 5}});
  for (LayerUnderTest<float>* test : {&host, &both}) {
    Caffe::set_mode(Caffe::CPU);
    test->SetUp();
    test->Forward();
    test->FillTopDiff();
    if (test == &both) Caffe::set_mode(Caffe::GPU);
    test->Backward();
  }
  Caffe::set_mode(Caffe::CPU);
  expect_near(diff_of(*host.bottom[0]), diff_of(*both.bottom[0]), 1e-6, "diff");
}

}  // namespace caffe

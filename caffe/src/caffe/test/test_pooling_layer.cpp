// Pooling against its window rule, row-major and channel-blocked.
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <cfloat>

#include "caffe/layers/pooling_layer.hpp"
#include "caffe/test/convolution_reference.hpp"
#include "caffe/test/test_caffe_main.hpp"
#include "caffe/test/test_gradient_check_util.hpp"
#include "error_check.hpp"

namespace caffe {
namespace {

LayerParameter pooling(const string& fields, Phase phase = TRAIN) {
  LayerParameter param;
  param.set_name("pool1");
  param.set_type("Pooling");
  param.set_phase(phase);
  CHECK(google::protobuf::TextFormat::ParseFromString(fields,
                                                      param.mutable_pooling_param()));
  return param;
}

struct SizeCase {
  int size, kernel, stride, pad, ceil, floor;
};

TEST(PoolingLayerTest, SizesOfTheTable) {
  const vector<SizeCase> table = {
      {5, 2, 2, 0, 3, 2},     {6, 3, 2, 0, 3, 2},     {7, 3, 2, 0, 3, 3},
      {112, 3, 2, 0, 56, 55}, {112, 3, 2, 1, 57, 56}, {4, 3, 2, 1, 3, 2},
      {5, 3, 2, 1, 3, 3},     {6, 3, 2, 1, 4, 3},     {3, 2, 2, 1, 2, 2},
      {10, 4, 3, 2, 4, 4},    {4, 1, 2, 0, 3, 2},     {5, 1, 3, 0, 3, 2},
      {3, 4, 2, 0, 1, 0},     {3, 5, 2, 0, 0, 0}};
  for (const SizeCase& c : table) {
    for (const bool ceil : {true, false}) {
      ostringstream fields;
      fields << "kernel_size: " << c.kernel << " stride: " << c.stride
             << " pad: " << c.pad << " round_mode: " << (ceil ? "CEIL" : "FLOOR");
      Blob<float> bottom(1, 2, c.size, c.size), top;
      PoolingLayer<float> layer(pooling(fields.str()));
      layer.SetUp({&bottom}, {&top});
      EXPECT_EQ(top.height(), ceil ? c.ceil : c.floor)
          << fields.str() << " size " << c.size;
      EXPECT_EQ(top.width(), top.height());
    }
  }
}

template <typename Dtype>
void check_forward(const string& fields, const vector<int>& shape,
                   const vector<double>& x, const vector<double>& wanted) {
  Blob<Dtype> bottom(shape), top;
  set_values(x, bottom.mutable_cpu_data());
  PoolingLayer<Dtype> layer(pooling(fields));
  layer.SetUp({&bottom}, {&top});
  layer.Forward({&bottom}, {&top});
  ASSERT_EQ(top.count(), static_cast<int>(wanted.size()));
  for (int i = 0; i < top.count(); ++i) {
    EXPECT_NEAR(top.cpu_data()[i], wanted[i], 1e-6) << fields << " " << i;
  }
}

vector<double> counting(int n) {
  vector<double> values;
  for (int i = 1; i <= n; ++i) values.push_back(i);
  return values;
}

TEST(PoolingLayerTest, PublishedAverages) {
  const string ave = "pool: AVE kernel_size: 3 stride: 2 ";
  check_forward<double>(ave + "pad: 1", {1, 1, 4, 4}, counting(16),
                        {14. / 9, 30. / 9, 2, 57. / 9, 11, 6, 4.5, 7.5, 4});
  check_forward<float>(ave, {1, 1, 4, 4}, counting(16), {6, 7.5, 12, 13.5});
  check_forward<double>("pool: AVE kernel_size: 2 stride: 2 pad: 1", {1, 1, 3, 3},
                        counting(9), {0.25, 1.25, 2.75, 7});
}

TEST(PoolingLayerTest, PublishedMaximaAndMasks) {
  const vector<double> x = {1, 2, 2, 0, 2, 2, 1, 3, 0, 3, 3, 1, 5, 0, 3, 5};
  struct Case {
    const char* fields;
    vector<double> values, mask;
  };
  const vector<Case> cases = {
      {"kernel_size: 3 stride: 2", {3, 3, 5, 5}, {9, 7, 12, 15}},
      {"kernel_size: 3 stride: 2 pad: 1",
       {2, 3, 3, 5, 5, 5, 5, 5, 5},
       {1, 7, 7, 12, 15, 15, 12, 15, 15}},
      {"kernel_size: 2", {2, 2, 3, 3, 3, 3, 5, 3, 5}, {1, 1, 7, 9, 9, 7, 12, 9, 15}}};
  for (const Case& c : cases) {
    Blob<float> bottom(1, 1, 4, 4), top, mask;
    set_values(x, bottom.mutable_cpu_data());
    PoolingLayer<float> layer(pooling(c.fields));
    layer.SetUp({&bottom}, {&top, &mask});
    layer.Forward({&bottom}, {&top, &mask});
    for (size_t i = 0; i < c.values.size(); ++i) {
      EXPECT_EQ(top.cpu_data()[i], c.values[i]) << c.fields << " " << i;
      EXPECT_EQ(mask.cpu_data()[i], c.mask[i]) << c.fields << " " << i;
    }
  }
}

TEST(PoolingLayerTest, EmptyWindowsGiveZeroAndNoGradient) {
  for (const string method : {"MAX", "AVE"}) {
    Blob<float> bottom(1, 1, 4, 4), top;
    caffe_set(16, -2.f, bottom.mutable_cpu_data());
    PoolingLayer<float> layer(pooling("pool: " + method + " kernel_size: 1 stride: 2"));
    layer.SetUp({&bottom}, {&top});
    layer.Forward({&bottom}, {&top});
    const vector<float> wanted = {-2, -2, 0, -2, -2, 0, 0, 0, 0};
    for (int i = 0; i < 9; ++i) EXPECT_EQ(top.cpu_data()[i], wanted[i]) << method << i;
    caffe_set(9, 1.f, top.mutable_cpu_diff());
    layer.Backward({&top}, {true}, {&bottom});
    EXPECT_EQ(bottom.asum_diff(), 4.f) << method;
  }
}

// A pooled blob in blocked memory gives what it gives in row-major memory, both ways.
TEST(PoolingLayerTest, BlockedEqualsRowMajor) {
  if (Caffe::mode() == Caffe::GPU) GTEST_SKIP() << "about host layouts";
  const vector<string> kinds = {
      "kernel_size: 3 stride: 2",
      "kernel_size: 3 stride: 2 pad: 1",
      "kernel_size: 2 stride: 2 round_mode: FLOOR",
      "pool: AVE kernel_size: 3 stride: 2 pad: 1",
      "pool: AVE kernel_h: 2 kernel_w: 3 stride_h: 1 stride_w: 2",
      "pool: AVE global_pooling: true",
      "global_pooling: true",
  };
  for (const Phase phase : {TRAIN, TEST}) {
    for (const string& fields : kinds) {
      Blob<float> plain(2, 20, 7, 9), blocked(2, 20, 7, 9), plain_top, blocked_top;
      const BlockedLayout layout = blocked.blocked_layout();
      if (!layout.valid()) GTEST_SKIP() << "no blocked layouts on this processor";
      set_values(normal_values(plain.count(), 11), plain.mutable_cpu_data());
      reorder_to_blocked(layout, plain.cpu_data(),
                         blocked.data()->mutable_blocked_data(layout));
      PoolingLayer<float> a(pooling(fields, phase)), b(pooling(fields, phase));
      a.SetUp({&plain}, {&plain_top});
      b.SetUp({&blocked}, {&blocked_top});
      a.Forward({&plain}, {&plain_top});
      b.Forward({&blocked}, {&blocked_top});
      EXPECT_TRUE(blocked_top.data()->head_is_blocked()) << fields;
      for (int i = 0; i < plain_top.count(); ++i) {
        ASSERT_NEAR(plain_top.cpu_data()[i], blocked_top.cpu_data()[i], 1e-6) << fields;
      }
      set_values(normal_values(plain_top.count(), 12), plain_top.mutable_cpu_diff());
      const BlockedLayout top_layout = blocked_top.blocked_layout();
      reorder_to_blocked(top_layout, plain_top.cpu_diff(),
                         blocked_top.diff()->mutable_blocked_data(top_layout));
      a.Backward({&plain_top}, {true}, {&plain});
      b.Backward({&blocked_top}, {true}, {&blocked});
      for (int i = 0; i < plain.count(); ++i) {
        ASSERT_NEAR(plain.cpu_diff()[i], blocked.cpu_diff()[i], 1e-6) << fields;
      }
    }
  }
}

TEST(PoolingLayerTest, GradientsByFiniteDifferences) {
  const vector<string> kinds = {
      "kernel_size: 3 stride: 2 pad: 1", "kernel_size: 2 stride: 3",
      "pool: AVE kernel_size: 3 stride: 2 pad: 1", "pool: AVE kernel_h: 3 kernel_w: 2",
      "pool: AVE global_pooling: true"};
  for (const string& fields : kinds) {
    Blob<double> bottom(2, 2, 5, 6), top;
    // Values far enough apart that no step changes which one is the maximum.
    vector<double> values;
    for (int i = 0; i < bottom.count(); ++i) values.push_back((i * 37) % 120 / 10.);
    set_values(values, bottom.mutable_cpu_data());
    PoolingLayer<double> layer(pooling(fields));
    GradientChecker<double> checker(1e-3, 1e-4);
    checker.CheckGradientExhaustive(&layer, {&bottom}, {&top});
  }
}

TEST(PoolingLayerTest, StochasticPicksElementsOfItsWindowAndPassesTheirGradient) {
  Caffe::set_random_seed(3);
  Blob<float> bottom(2, 3, 6, 6), top;
  for (int i = 0; i < bottom.count(); ++i) bottom.mutable_cpu_data()[i] = i % 36 + 1;
  PoolingLayer<float> layer(pooling("pool: STOCHASTIC kernel_size: 3 stride: 3"));
  layer.SetUp({&bottom}, {&top});
  layer.Forward({&bottom}, {&top});
  caffe_set(top.count(), 1.f, top.mutable_cpu_diff());
  layer.Backward({&top}, {true}, {&bottom});
  EXPECT_EQ(bottom.asum_diff(), top.count());
  for (int i = 0; i < top.count(); ++i) {
    const int value = static_cast<int>(top.cpu_data()[i]) - 1;  // its place in the plane
    EXPECT_EQ(value / 6 / 3, i % 4 / 2);
    EXPECT_EQ(value % 6 / 3, i % 2);
    EXPECT_EQ(bottom.cpu_diff()[i / 4 * 36 + value], 1.f);
  }
}

TEST(PoolingLayerTest, StochasticInTheTestPhaseIsTheExpectedPick) {
  Blob<double> bottom(1, 1, 2, 2), top;
  set_values({1, 2, 3, 4}, bottom.mutable_cpu_data());
  PoolingLayer<double> layer(pooling("pool: STOCHASTIC kernel_size: 2", TEST));
  layer.SetUp({&bottom}, {&top});
  layer.Forward({&bottom}, {&top});
  EXPECT_NEAR(top.cpu_data()[0], 3.0, 1e-12);
  GradientChecker<double> checker(1e-4, 1e-6);
  checker.CheckGradientExhaustive(&layer, {&bottom}, {&top});
}

TEST(PoolingLayerTest, BadParametersAreRefused) {
  const vector<pair<string, string>> table = {
      {"", "either kernel_size, or both kernel_h and kernel_w"},
      {"kernel_size: 3 kernel_h: 3 kernel_w: 3", "either kernel_size"},
      {"kernel_h: 3", "either kernel_size"},
      {"kernel_size: 0", "kernel size must be positive"},
      {"kernel_size: 3 pad: 1 pad_h: 1 pad_w: 1", "give either pad"},
      {"kernel_size: 3 pad_h: 1", "give either pad"},
      {"kernel_size: 3 stride: 2 stride_h: 1 stride_w: 1", "give either stride"},
      {"kernel_size: 3 stride: 0", "stride must be positive"},
      {"kernel_size: 3 pad: 3", "smaller than the kernel"},
      {"kernel_size: 3 pad: 1 pool: STOCHASTIC", "MAX and AVE pooling only"},
      {"global_pooling: true kernel_size: 3", "no kernel may be given"},
      {"global_pooling: true pad: 1", "only pad 0 and stride 1"},
      {"kernel_size: 9 round_mode: FLOOR", "too large"},
  };
  for (const auto& bad : table) {
    Blob<float> bottom(1, 2, 6, 6), top;
    PoolingLayer<float> layer(pooling(bad.first));
    const string error = FullErrorOf([&] { layer.SetUp({&bottom}, {&top}); });
    EXPECT_TRUE(has_words(error, {bad.second, "'pool1'"})) << bad.first;
  }
}

}  // namespace
}  // namespace caffe

// DummyData, ArgMax, Reduction, Permute, Tile, Parameter.
#include <cmath>

#include "layer_check.hpp"

namespace caffe {
namespace {

TEST(DummyDataLayerTest, ConstantTopsAreFilledOnceOthersEachTime) {
  LayerUnderTest<float> test(
      "type: 'DummyData' dummy_data_param { shape { dim: 2 dim: 3 } data_filler { value: "
      "5 } "
      "data_filler { type: 'uniform' } }",
      {}, 2);
  test.SetUp();
  EXPECT_EQ(test.top[0]->cpu_data()[5], 5);
  EXPECT_EQ(test.top[1]->shape(), vector<int>({2, 3}));
  EXPECT_EQ(test.top[1]->cpu_data()[0], 0);
  test.top[0]->mutable_cpu_data()[5] = 7;
  test.Forward();
  EXPECT_EQ(test.top[0]->cpu_data()[5], 7);
  const vector<float> first = data_of(*test.top[1]);
  test.Forward();
  EXPECT_NE(first, data_of(*test.top[1]));
}

TEST(DummyDataLayerTest, TakesTheOldSizesAndRefusesMixes) {
  LayerUnderTest<float> old(
      "type: 'DummyData' dummy_data_param { num: 2 num: 1 channels: 3 height: 4 width: 5 "
      "}",
      {}, 2);
  old.SetUp();
  EXPECT_EQ(old.top[0]->shape(), vector<int>({2, 3, 4, 5}));
  EXPECT_EQ(old.top[1]->shape(), vector<int>({1, 3, 4, 5}));
  const auto error = [](const string& fields) {
    return LayerUnderTest<float>("type: 'DummyData' dummy_data_param { " + fields + " }",
                                 {}, 3)
        .SetUpError();
  };
  EXPECT_NE(error("shape { dim: 2 } num: 1").find("not both"), string::npos);
  EXPECT_NE(error("shape { dim: 2 } shape { dim: 2 }").find("2 are given"), string::npos);
  EXPECT_NE(error("num: 1 num: 1 channels: 1 height: 1 width: 1").find("num"),
            string::npos);
  EXPECT_NE(error("num: 1 channels: 1 height: 1").find("width"), string::npos);
  EXPECT_NE(error("shape { dim: 2 } data_filler {} data_filler {}").find("data_filler"),
            string::npos);
}

TEST(ArgMaxLayerTest, ShapesFollowTheTable) {
  struct Case {
    vector<int> bottom;
    string fields;
    vector<int> top;
  };
  const vector<Case> cases = {{{3, 4, 2, 5}, "", {3, 1, 1, 1}},
                              {{3, 4, 2, 5}, "top_k: 3 out_max_val: true", {3, 2, 3, 1}},
                              {{3, 20}, "top_k: 3 out_max_val: true", {3, 2, 3}},
                              {{3, 20}, "", {3, 1, 1}},
                              {{2, 2, 2, 2, 2}, "top_k: 2", {2, 1, 2, 1, 1}},
                              {{3, 4, 2, 5}, "axis: 1 top_k: 3", {3, 3, 2, 5}},
                              {{3, 4, 2, 5}, "axis: -1 out_max_val: true", {3, 4, 2, 1}}};
  for (const Case& item : cases) {
    LayerUnderTest<float> test("type: 'ArgMax' argmax_param { " + item.fields + " }",
                               {item.bottom});
    test.SetUp();
    test.Forward();
    EXPECT_EQ(test.top[0]->shape(), item.top) << item.fields;
  }
}

TEST(ArgMaxLayerTest, LargerIndexFirstOfEqualValuesAndNanLast) {
  LayerUnderTest<float> test("type: 'ArgMax' argmax_param { top_k: 5 out_max_val: true }",
                             {{1, 5}});
  test.SetUp();
  const float values[] = {0.3f, 0.9f, 0.9f, NAN, 0.9f};
  std::copy_n(values, 5, test.bottom[0]->mutable_cpu_data());
  test.Forward();
  const vector<float> y = data_of(*test.top[0]);
  EXPECT_EQ(vector<float>(y.begin(), y.begin() + 5), vector<float>({4, 2, 1, 0, 3}));
  EXPECT_EQ(y[5], 0.9f);
  EXPECT_EQ(y[8], 0.3f);
}

TEST(ArgMaxLayerTest, AlongAnAxisOfAMap) {
  LayerUnderTest<double> test("type: 'ArgMax' argmax_param { axis: 1 }", {{2, 3, 4, 5}});
  test.SetUp();
  test.Forward();
  for (int n = 0; n < 2; ++n) {
    for (int i = 0; i < 20; ++i) {
      const int h = i / 5, w = i % 5,
                best = static_cast<int>(test.top[0]->data_at(n, 0, h, w));
      for (int c = 0; c < 3; ++c) {
        ASSERT_LE(test.bottom[0]->data_at(n, c, h, w),
                  test.bottom[0]->data_at(n, best, h, w));
      }
    }
  }
  EXPECT_NE(
      LayerUnderTest<float>("type: 'ArgMax' argmax_param { axis: 1 top_k: 4 }", {{2, 3}})
          .SetUpError()
          .find("top_k"),
      string::npos);
}

TEST(ReductionLayerTest, FollowsItsFormulasWithGradients) {
  for (const string operation : {"SUM", "ASUM", "SUMSQ", "MEAN"}) {
    for (const int axis : {0, 1, 2, -1}) {
      LayerUnderTest<double> test(
          "type: 'Reduction' reduction_param { operation: " + operation +
              " coeff: 1.5 axis: " + std::to_string(axis) + " }",
          {{2, 3, 4}});
      test.SetUp();
      test.Forward();
      const int first = (axis + 3) % 3, length = test.bottom[0]->count(first);
      ASSERT_EQ(test.top[0]->num_axes(), first);
      for (int row = 0; row < test.top[0]->count(); ++row) {
        double sum = 0;
        for (int i = 0; i < length; ++i) {
          const double x = test.bottom[0]->cpu_data()[row * length + i];
          sum += operation == "ASUM" ? std::fabs(x) : operation == "SUMSQ" ? x * x : x;
        }
        if (operation == "MEAN") sum /= length;
        ASSERT_NEAR(test.top[0]->cpu_data()[row], 1.5 * sum, 1e-9);
      }
      check_gradient(&test);
    }
  }
}

TEST(PermuteLayerTest, ReordersTheAxesAndBack) {
  for (const string order : {"order: 0 order: 2 order: 3 order: 1", "order: 3", "",
                             "order: 1", "order: 3 order: 2 order: 1 order: 0"}) {
    LayerUnderTest<double> test("type: 'Permute' permute_param { " + order + " }",
                                {{2, 3, 4, 5}});
    test.SetUp();
    test.Forward();
    vector<int> axes;  // what the text says, then the rest
    for (const char c : order) {
      if (c >= '0' && c <= '3') axes.push_back(c - '0');
    }
    for (int axis = 0; axis < 4; ++axis) {
      if (std::count(axes.begin(), axes.end(), axis) == 0) axes.push_back(axis);
    }
    test.FillTopDiff();
    test.Backward();
    for (int i = 0; i < 120; ++i) {
      const vector<int> from = {i / 60, i / 20 % 3, i / 5 % 4, i % 5};
      vector<int> to;
      for (const int axis : axes) to.push_back(from[axis]);
      ASSERT_EQ(test.top[0]->data_at(to), test.bottom[0]->data_at(from)) << order;
      ASSERT_EQ(test.top[0]->diff_at(to), test.bottom[0]->diff_at(from)) << order;
    }
  }
  const auto error = [](const string& fields) {
    return LayerUnderTest<float>("type: 'Permute' permute_param { " + fields + " }",
                                 {{2, 3}})
        .SetUpError();
  };
  EXPECT_NE(error("order: 2").find("no axis 2"), string::npos);
  EXPECT_NE(error("order: 1 order: 1").find("twice"), string::npos);
}

TEST(TileLayerTest, RepeatsBlocksWithTheSumAsGradient) {
  for (const int axis : {0, 1, 2, -1}) {
    LayerUnderTest<double> test(
        "type: 'Tile' tile_param { tiles: 3 axis: " + std::to_string(axis) + " }",
        {{2, 3, 4}});
    test.SetUp();
    test.Forward();
    const int canonical = (axis + 3) % 3, size = test.bottom[0]->shape(canonical);
    ASSERT_EQ(test.top[0]->shape(canonical), 3 * size);
    for (int i = 0; i < test.top[0]->count(); ++i) {
      vector<int> at(3);
      int rest = i;
      for (int a = 2; a >= 0; --a) {
        at[a] = rest % test.top[0]->shape(a);
        rest /= test.top[0]->shape(a);
      }
      vector<int> source = at;
      source[canonical] %= size;
      ASSERT_EQ(test.top[0]->data_at(at), test.bottom[0]->data_at(source));
    }
    check_gradient(&test);
  }
  for (const char* fields : {"", "tiles: 0", "tiles: -2"}) {
    EXPECT_NE(LayerUnderTest<float>(string("type: 'Tile' tile_param { ") + fields + " }",
                                    {{2, 3}})
                  .SetUpError()
                  .find("tiles"),
              string::npos);
  }
}

TEST(ParameterLayerTest, SharesItsDataAndAddsItsGradient) {
  LayerUnderTest<float> test(
      "type: 'Parameter' parameter_param { shape { dim: 2 dim: 3 } }", {});
  test.SetUp();
  test.layer->blobs()[0]->mutable_cpu_data()[4] = 5;
  test.Forward();
  EXPECT_EQ(test.top[0]->shape(), vector<int>({2, 3}));
  EXPECT_EQ(test.top[0]->cpu_data()[4], 5);
  test.layer->blobs()[0]->mutable_cpu_diff()[4] = 1;
  std::fill_n(test.top[0]->mutable_cpu_diff(), 6, 2.f);
  test.Backward();
  test.Backward();
  EXPECT_EQ(test.layer->blobs()[0]->cpu_diff()[4], 5);
}

}  // namespace
}  // namespace caffe

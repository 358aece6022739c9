// FlowScale against its formula, in place, its gradient, its messages.
#include <cmath>
#include <limits>

#include "any_device_test.hpp"
#include "caffe/test/layer_check.hpp"

namespace caffe {
namespace {

const char kLayer[] = "name: 'f' type: 'FlowScale'";

template <typename TypeParam>
class FlowScaleLayerTest : public AnyDeviceTest<TypeParam> {};

TYPED_TEST_SUITE(FlowScaleLayerTest, TestDtypesAndDevices);

// The flow's own size, from, to: the factors follow from the last two alone.
const vector<vector<vector<int>>> kShapes = {
    {{1, 2, 1, 1}, {1, 3, 1, 1}, {1, 3, 5, 3}},
    {{2, 2, 3, 5}, {2, 3, 128, 64}, {2, 3, 75, 50}},
    {{3, 2, 7, 4}, {1, 1, 20, 30}, {3, 8, 20, 60}},
};

TYPED_TEST(FlowScaleLayerTest, MultipliesUByTheWidthsRatioAndVByTheHeights) {
  typedef typename TypeParam::Dtype Dtype;
  for (const bool in_place : {false, true}) {
    for (const vector<vector<int>>& shapes : kShapes) {
      LayerUnderTest<Dtype> test(kLayer, shapes, 1, in_place);
      const vector<Dtype> flow = data_of(*test.bottom[0]);
      test.SetUp();
      test.Forward();
      ASSERT_EQ(test.top[0]->shape(), shapes[0]);
      vector<Dtype> expected;
      size_t i = 0;
      for (int n = 0; n < shapes[0][0]; ++n) {
        for (int c = 0; c < 2; ++c) {
          const int axis = c == 0 ? 3 : 2;
          for (int p = 0; p < shapes[0][2] * shapes[0][3]; ++p) {
            expected.push_back(flow[i++] * shapes[2][axis] / shapes[1][axis]);
          }
        }
      }
      expect_near(expected, data_of(*test.top[0]), 1e-6, in_place ? "in place" : "top");
    }
  }
}

TYPED_TEST(FlowScaleLayerTest, FollowsAnImageOfAnotherSizeAndKeepsUnknownFlow) {
  typedef typename TypeParam::Dtype Dtype;
  LayerUnderTest<Dtype> test(kLayer, kShapes[1]);
  test.SetUp();
  test.bottom[2]->Reshape({2, 3, 64, 32});
  test.bottom[0]->mutable_cpu_data()[0] = std::numeric_limits<Dtype>::quiet_NaN();
  test.bottom[0]->mutable_cpu_data()[1] = 8;
  test.Forward();
  EXPECT_TRUE(std::isnan(test.top[0]->cpu_data()[0]));
  EXPECT_EQ(test.top[0]->cpu_data()[1], Dtype(4));
}

TEST(FlowScaleGradient, TakesTheSameFactorsAndReachesTheFlowOnly) {
  for (const bool in_place : {false, true}) {
    LayerUnderTest<double> test(kLayer, kShapes[1], 1, in_place);
    test.SetUp();
    test.Forward();
    test.FillTopDiff();
    const vector<double> diff = diff_of(*test.top[0]);
    for (int b : {1, 2}) {
      test.bottom[b]->mutable_cpu_diff()[0] = 3;
    }
    test.Backward();
    EXPECT_DOUBLE_EQ(diff[0] * 50 / 64, test.bottom[0]->cpu_diff()[0]);
    EXPECT_DOUBLE_EQ(diff[15] * 75 / 128, test.bottom[0]->cpu_diff()[15]);
    for (int b : {1, 2}) EXPECT_EQ(test.bottom[b]->asum_diff(), 0);
  }
  LayerUnderTest<double> test(kLayer, kShapes[2]);
  check_gradient(&test, 0);
}

TEST(FlowScaleErrors, SayWhatEachBottomIs) {
  LayerUnderTest<float> no_flow(kLayer, {{1, 3, 4, 4}, {1, 3, 4, 4}, {1, 3, 4, 4}});
  const string flow_error = no_flow.SetUpError();
  EXPECT_NE(flow_error.find("FlowScale layer 'f': bottom 0 is a flow (N, 2, H, W), not "
                            "1 3 4 4"),
            string::npos)
      << flow_error;
  LayerUnderTest<float> no_image(kLayer, {{1, 2, 4, 4}, {1, 3, 4, 4}, {1, 3}});
  const string image_error = no_image.SetUpError();
  EXPECT_NE(image_error.find("bottom 2 is an image (N, C, H, W) of the grid whose pixels "
                             "are wanted"),
            string::npos)
      << image_error;
}

}  // namespace
}  // namespace caffe

// Accum: its axis, its formula over many sizes, check values, gradients, sizes, messages.
#include <cmath>
#include <limits>

#include "caffe/layers/accum_layer.hpp"
#include "flow_check_values.hpp"
#include "layer_check.hpp"
#include "net_check.hpp"

namespace caffe {
namespace {

vector<AccumAxis> Axes() {
  vector<AccumAxis> axes;
  for (int in = 1; in <= 9; ++in) {
    for (int out = 1; out <= 12; ++out) axes.push_back({in, out});
  }
  axes.push_back({50000, 99999});  // products beyond 2^31
  return axes;
}

TEST(AccumAxisTest, EndsLieOnEndsAndTheWeightsOfAnOutputAddToOne) {
  for (const AccumAxis& axis : Axes()) {
    EXPECT_EQ(axis.lower(0), 0);
    EXPECT_EQ(axis.share(0), 0);
    if (!axis.is_single()) {
      EXPECT_EQ(axis.lower(axis.out - 1), axis.in - 1);
      EXPECT_EQ(axis.share(axis.out - 1), 0);
    }
    for (int o = 0; o < axis.out && axis.out < 100; ++o) {
      double sum = 0;
      for (int p = 0; p < axis.in; ++p) sum += axis.weight(o, p);
      EXPECT_NEAR(sum, 1, 1e-15) << axis.in << " to " << axis.out << ", output " << o;
    }
  }
}

TEST(AccumAxisTest, TheOutputsOfAnInputAreThoseThatWeighIt) {
  for (const AccumAxis& axis : Axes()) {
    if (axis.out > 100) continue;
    for (int p = 0; p < axis.in; ++p) {
      for (int o = 0; o < axis.out; ++o) {
        const bool listed = axis.first_output(p) <= o && o <= axis.last_output(p);
        EXPECT_TRUE(listed || axis.weight(o, p) == 0)
            << axis.in << " to " << axis.out << ", input " << p << ", output " << o;
      }
      EXPECT_LT(axis.last_output(p), axis.out);
      EXPECT_GE(axis.first_output(p), 0);
    }
  }
}

// layers_flow.md 3.3, one output entry of one bottom.
template <typename Dtype>
double Sample(const Blob<Dtype>& in, int n, int c, double y, double x) {
  double value = 0;
  for (int s = 0; s < in.height(); ++s) {
    for (int p = 0; p < in.width(); ++p) {
      const double weight =
          std::max(0., 1 - std::fabs(y - s)) * std::max(0., 1 - std::fabs(x - p));
      if (weight > 1e-12) value += weight * in.data_at(n, c, s, p);
    }
  }
  return value;
}

template <typename Dtype>
vector<double> Reference(const vector<Blob<Dtype>*>& bottoms, int height, int width) {
  vector<double> top;
  for (int n = 0; n < bottoms[0]->num(); ++n) {
    for (const Blob<Dtype>* in : bottoms) {
      const auto position = [](int o, int from, int to) {
        return from == 1 || to == 1 ? 0. : o * (from - 1.) / (to - 1.);
      };
      for (int c = 0; c < in->channels(); ++c) {
        for (int y = 0; y < height; ++y) {
          for (int x = 0; x < width; ++x) {
            top.push_back(Sample(*in, n, c, position(y, in->height(), height),
                                 position(x, in->width(), width)));
          }
        }
      }
    }
  }
  return top;
}

template <typename Dtype>
class AccumLayerTest : public ::testing::Test {};
TYPED_TEST_SUITE(AccumLayerTest, TestDtypes);

TYPED_TEST(AccumLayerTest, ResizesEachBottomToTheLargestAndJoinsThem) {
  for (const vector<vector<int>>& shapes :
       vector<vector<vector<int>>>{{{1, 1, 1, 1}},
                                   {{2, 3, 4, 5}, {2, 1, 7, 3}, {2, 17, 1, 6}},
                                   {{3, 2, 1, 9}, {3, 8, 6, 1}},
                                   {{1, 2, 33, 2}, {1, 2, 16, 2}},
                                   {{0, 2, 3, 2}, {0, 1, 2, 2}}}) {
    LayerUnderTest<TypeParam> test("type: 'Accum'", shapes);
    test.SetUp();
    std::fill_n(test.top[0]->mutable_cpu_data(), test.top[0]->count(), TypeParam(99));
    test.Forward();
    int height = 0, width = 0, channels = 0;
    for (const vector<int>& shape : shapes) {
      height = std::max(height, shape[2]);
      width = std::max(width, shape[3]);
      channels += shape[1];
    }
    ASSERT_EQ(test.top[0]->shape(), vector<int>({shapes[0][0], channels, height, width}));
    expect_all_near(data_of(*test.top[0]), Reference(test.bottom, height, width), 2e-6);
  }
}

TYPED_TEST(AccumLayerTest, GivesTheForksValues) {
  LayerUnderTest<TypeParam> test(
      "type: 'Accum' accum_param { top_height: 7 top_width: 11 }", {{2, 2, 4, 5}});
  fill_data(test.bottom[0], 1);
  test.SetUp();
  test.Forward();
  ASSERT_EQ(test.top[0]->shape(), vector<int>({2, 2, 7, 11}));
  expect_sums(test.top[0]->cpu_data(), test.top[0]->count(),
              {-19.160938, 73.821838, {0.051948, 0.014785, -0.022378}});
  fill_diff(test.top[0]);
  test.Backward();
  expect_sums(test.bottom[0]->cpu_diff(), test.bottom[0]->count(),
              {0.162838, 70.274521, {-1.429570, -0.155245, 1.527273}});
}

TEST(AccumLayerTest, Gradient) {
  for (const vector<vector<int>>& shapes : vector<vector<vector<int>>>{
           {{2, 2, 3, 2}, {2, 1, 4, 5}}, {{1, 1, 1, 3}, {1, 2, 4, 1}}}) {
    LayerUnderTest<double> test("type: 'Accum'", shapes);
    check_gradient(&test);
    // Shrunk: inputs between the outputs get nothing.
    vector<vector<int>> with_reference = shapes;
    with_reference.push_back({shapes[0][0], 4, 2, 2});
    LayerUnderTest<double> shrunk("type: 'Accum' accum_param { have_reference: true }",
                                  with_reference);
    check_gradient(&shrunk);
  }
}

TYPED_TEST(AccumLayerTest, TheSizeFollowsTheParametersOnEachAxis) {
  struct Case {
    string fields;
    int height, width;
  };
  for (const Case& c : vector<Case>{{"", 6, 9},
                                    {"size_divisible_by: 4", 8, 12},
                                    {"size_divisible_by: 6", 6, 12},
                                    {"size_divisible_by: 3", 6, 9},
                                    {"top_height: 8 top_width: 10", 8, 10},
                                    {"top_height: 8", 8, 9},
                                    {"top_height: 2 top_width: 10", 6, 10}}) {
    LayerUnderTest<TypeParam> test("type: 'Accum' accum_param { " + c.fields + " }",
                                   {{1, 2, 6, 4}, {1, 1, 3, 9}});
    test.SetUp();
    EXPECT_EQ(test.top[0]->shape(), vector<int>({1, 3, c.height, c.width})) << c.fields;
    test.Forward();
    expect_all_near(data_of(*test.top[0]), Reference(test.bottom, c.height, c.width),
                    2e-6);
  }
}

TYPED_TEST(AccumLayerTest, AReferenceGivesTheSizeAloneAndFollowsReshapes) {
  LayerUnderTest<TypeParam> test("type: 'Accum' accum_param { have_reference: true }",
                                 {{2, 1, 6, 4}, {2, 3, 2, 3}, {2, 5, 4, 7}});
  test.SetUp();
  for (const vector<int>& size : vector<vector<int>>{{4, 7}, {1, 1}, {9, 2}}) {
    test.bottom[2]->Reshape({2, 5, size[0], size[1]});
    std::fill_n(test.bottom[2]->mutable_cpu_data(), test.bottom[2]->count(),
                std::numeric_limits<TypeParam>::quiet_NaN());
    test.Forward();
    ASSERT_EQ(test.top[0]->shape(), vector<int>({2, 4, size[0], size[1]}));
    expect_all_near(
        data_of(*test.top[0]),
        Reference<TypeParam>({test.bottom[0], test.bottom[1]}, size[0], size[1]), 2e-6);
    test.FillTopDiff();
    std::fill_n(test.bottom[2]->mutable_cpu_diff(), test.bottom[2]->count(),
                TypeParam(7));
    test.Backward();
    EXPECT_EQ(test.bottom[2]->asum_diff(), 0);
    EXPECT_GT(test.bottom[1]->asum_diff(), 0);
  }
}

TYPED_TEST(AccumLayerTest, WritesOnlyTheDiffsAskedFor) {
  LayerUnderTest<TypeParam> test("type: 'Accum'", {{1, 1, 2, 2}, {1, 1, 3, 3}});
  test.SetUp();
  test.Forward();
  test.FillTopDiff();
  for (Blob<TypeParam>* bottom : test.bottom) {
    std::fill_n(bottom->mutable_cpu_diff(), bottom->count(), TypeParam(99));
  }
  test.Backward({false, true});
  EXPECT_EQ(diff_of(*test.bottom[0]), vector<TypeParam>(4, 99));
  EXPECT_LT(test.bottom[1]->asum_diff(), 99);
}

TYPED_TEST(AccumLayerTest, ANanReachesOnlyTheOutputsThatWeighIt) {
  LayerUnderTest<TypeParam> test("type: 'Accum' accum_param { top_height: 5 }",
                                 {{1, 1, 3, 3}});
  fill_data(test.bottom[0], 1);
  test.bottom[0]->mutable_cpu_data()[4] = std::numeric_limits<TypeParam>::quiet_NaN();
  test.SetUp();
  test.Forward();
  for (int y = 0; y < 5; ++y) {
    for (int x = 0; x < 3; ++x) {
      const bool unknown = x == 1 && y >= 1 && y <= 3;
      EXPECT_EQ(std::isnan(test.top[0]->data_at(0, 0, y, x)), unknown) << y << " " << x;
    }
  }
}

TEST(AccumLayerTest, RefusesWhatItCannotDo) {
  const auto error = [](const string& fields, const vector<vector<int>>& shapes) {
    return LayerUnderTest<float>("type: 'Accum' accum_param { " + fields + " }", shapes)
        .SetUpError();
  };
  EXPECT_TRUE(has_words(error("", {{1, 1, 2, 2}, {2, 1, 2, 2}}),
                        {"must have same number of images", "2 1 2 2"}));
  EXPECT_TRUE(has_words(error("have_reference: true", {{1, 1, 2, 2}}),
                        {"have_reference", "another one"}));
  EXPECT_TRUE(has_words(error("", {{1, 1, 2}}), {"takes maps (N, C, H, W)"}));
}

}  // namespace
}  // namespace caffe

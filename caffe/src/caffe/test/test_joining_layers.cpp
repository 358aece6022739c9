// Concat, Slice, Split, Crop, Flatten, Reshape, Silence, Input: shapes, copies,
// gradients.
#include "layer_check.hpp"

namespace caffe {
namespace {

template <typename Dtype>
class JoiningLayersTest : public ::testing::Test {};
TYPED_TEST_SUITE(JoiningLayersTest, TestDtypes);

template <typename Dtype>
Dtype At(const Blob<Dtype>& blob, const vector<int>& index) {
  return blob.data_at(index);
}

TYPED_TEST(JoiningLayersTest, ConcatPutsBottomsBehindEachOther) {
  for (const int axis : {0, 1, 2, -1}) {
    const int canonical = (axis + 4) % 4;
    vector<vector<int>> shapes(3, {2, 3, 5, 4});
    shapes[1][canonical] = 1;
    shapes[2][canonical] = 7;
    LayerUnderTest<TypeParam> test(
        "type: 'Concat' concat_param { axis: " + std::to_string(axis) + " }", shapes);
    test.SetUp();
    test.Forward();
    vector<int> shape = shapes[0];
    shape[canonical] += 8;
    ASSERT_EQ(test.top[0]->shape(), shape);
    int begin = 0;
    for (const Blob<TypeParam>* bottom : test.bottom) {
      for (int n = 0; n < bottom->shape(0); ++n) {
        for (int c = 0; c < bottom->shape(1); ++c) {
          for (int h = 0; h < bottom->shape(2); ++h) {
            for (int w = 0; w < bottom->shape(3); ++w) {
              vector<int> to = {n, c, h, w};
              to[canonical] += begin;
              ASSERT_EQ(At(*test.top[0], to), At(*bottom, {n, c, h, w}));
            }
          }
        }
      }
      begin += bottom->shape(canonical);
    }
  }
}

TYPED_TEST(JoiningLayersTest, SliceUndoesConcat) {
  LayerUnderTest<TypeParam> test(
      "type: 'Slice' slice_param { axis: 1 slice_point: 2 slice_point: 3 }",
      {{2, 7, 3, 2}}, 3);
  test.SetUp();
  test.Forward();
  const vector<int> begin = {0, 2, 3, 7};
  for (int t = 0; t < 3; ++t) {
    ASSERT_EQ(test.top[t]->shape(1), begin[t + 1] - begin[t]);
    for (int n = 0; n < 2; ++n) {
      for (int c = 0; c < test.top[t]->shape(1); ++c) {
        for (int i = 0; i < 6; ++i) {
          ASSERT_EQ(At(*test.top[t], {n, c, i / 2, i % 2}),
                    At(*test.bottom[0], {n, begin[t] + c, i / 2, i % 2}));
        }
      }
    }
  }
}

TEST(ConcatLayerTest, GradientAndPropagateDownMixes) {
  LayerUnderTest<double> test("type: 'Concat'", {{2, 3, 2, 2}, {2, 1, 2, 2}});
  check_gradient(&test);
  test.FillTopDiff();
  test.bottom[0]->mutable_cpu_diff()[0] = 99;
  test.Backward({false, true});
  EXPECT_EQ(test.bottom[0]->cpu_diff()[0], 99);
  EXPECT_EQ(test.bottom[1]->cpu_diff()[0], test.top[0]->diff_at(0, 3, 0, 0));
}

TEST(ConcatLayerTest, ReshapesInTheMiddle) {
  LayerUnderTest<float> test("type: 'Concat'", {{2, 3, 2, 2}, {2, 5, 2, 2}});
  test.SetUp();
  test.bottom[0]->Reshape(1, 2, 4, 3);
  test.bottom[1]->Reshape(1, 4, 4, 3);
  fill_uniform(test.bottom[1], 5);
  test.Forward();
  EXPECT_EQ(test.top[0]->shape(), vector<int>({1, 6, 4, 3}));
  EXPECT_EQ(test.top[0]->data_at(0, 5, 3, 2), test.bottom[1]->data_at(0, 3, 3, 2));
}

TEST(ConcatLayerTest, OneBottomIsShared) {
  LayerUnderTest<float> test("type: 'Concat'", {{2, 3}});
  test.SetUp();
  EXPECT_EQ(test.top[0]->data(), test.bottom[0]->data());
  EXPECT_EQ(test.top[0]->diff(), test.bottom[0]->diff());
}

TEST(ConcatLayerTest, OldNameOfTheAxisStillWorks) {
  LayerUnderTest<float> test("type: 'Concat' concat_param { concat_dim: 0 }",
                             {{2, 3}, {1, 3}});
  test.SetUp();
  EXPECT_EQ(test.top[0]->shape(), vector<int>({3, 3}));
}

TEST(ConcatLayerTest, BlockedInputGivesTheSame) {
  for (const auto& channels : vector<vector<int>>{{16, 32},
                                                  {3, 5},
                                                  {64, 2},
                                                  {17, 16, 31},
                                                  {5, 6, 7, 8, 9},
                                                  {40, 1},
                                                  {1, 96, 33}}) {
    for (const int spatial : {1, 5, 300}) {
      vector<vector<int>> shapes;
      for (const int c : channels) shapes.push_back({2, c, spatial, 3});
      BlockedCheck{"type: 'Concat'", shapes}.Run();
    }
  }
  BlockedCheck mixed{"type: 'Concat'", {{2, 20, 3, 3}, {2, 2, 3, 3}, {2, 13, 3, 3}}};
  mixed.plain_bottoms = {1};
  mixed.Run();
  BlockedCheck batch{"type: 'Concat' concat_param { axis: 0 }",
                     {{2, 20, 3, 5}, {1, 20, 3, 5}}};
  batch.Run();
  BlockedCheck some{"type: 'Concat'", {{1, 20, 3, 5}, {1, 7, 3, 5}}};
  some.propagate_down = {false, true};
  some.Run();
}

TEST(ConcatLayerTest, RefusesShapesThatDoNotFit) {
  const auto error = [](const string& text, const vector<vector<int>>& shapes) {
    return LayerUnderTest<float>(text, shapes).SetUpError();
  };
  EXPECT_NE(error("type: 'Concat'", {{2, 3}, {1, 3}}).find("another axis than 1"),
            string::npos);
  EXPECT_NE(error("type: 'Concat'", {{2, 3}, {2, 3, 1}}).find("number of axes"),
            string::npos);
  EXPECT_NE(error("type: 'Concat' concat_param { axis: 1 concat_dim: 1 }", {{2, 3}})
                .find("both"),
            string::npos);
  EXPECT_NE(
      error("type: 'Concat' concat_param { concat_dim: 2 }", {{2, 3}}).find("range"),
      string::npos);
}

TEST(SliceLayerTest, Gradient) {
  LayerUnderTest<double> test("type: 'Slice' slice_param { axis: 2 }", {{2, 3, 4, 2}}, 2);
  check_gradient(&test);
}

TEST(SliceLayerTest, TopsWithoutGradientGiveZero) {
  for (const bool blocked : {false, true}) {
    LayerUnderTest<float> test("type: 'Slice' slice_param { slice_point: 3 }",
                               {{1, 20, 2, 2}}, 2);
    test.SetUp();
    test.FillTopDiff();
    if (blocked) make_blocked(test.top[1]->diff(), test.top[1]->blocked_layout());
    test.layer->set_top_has_gradient({false, true});
    test.Backward();
    EXPECT_EQ(test.bottom[0]->diff_at(0, 2, 1, 1), 0);
    EXPECT_EQ(test.bottom[0]->diff_at(0, 3, 0, 1), test.top[1]->diff_at(0, 0, 0, 1));
  }
}

TEST(SliceLayerTest, BlockedInputGivesTheSame) {
  for (const int point : {1, 16, 17, 30}) {
    BlockedCheck{
        "type: 'Slice' slice_param { slice_point: " + std::to_string(point) + " }",
        {{2, 35, 7, 5}},
        2}
        .Run();
  }
  BlockedCheck{"type: 'Slice' slice_param { axis: 0 }", {{4, 35, 7, 5}}, 2}.Run();
}

TEST(SliceLayerTest, RefusesCutsThatDoNotFit) {
  const auto error = [](const string& fields, int tops) {
    return LayerUnderTest<float>("type: 'Slice' slice_param { " + fields + " }",
                                 {{2, 6, 2, 2}}, tops)
        .SetUpError();
  };
  EXPECT_NE(error("", 4).find("equal parts"), string::npos);
  EXPECT_NE(error("slice_point: 2", 3).find("one slice_point fewer"), string::npos);
  EXPECT_NE(error("slice_point: 3 slice_point: 3", 3).find("larger"), string::npos);
  EXPECT_NE(error("slice_point: 6", 2).find("beyond"), string::npos);
  EXPECT_NE(error("axis: 1 slice_dim: 1", 2).find("both"), string::npos);
}

TYPED_TEST(JoiningLayersTest, SplitSharesDataAndSumsGradients) {
  LayerUnderTest<TypeParam> test("type: 'Split'", {{2, 3, 4, 5}}, 3);
  test.SetUp();
  test.Forward();
  for (const Blob<TypeParam>* top : test.top)
    EXPECT_EQ(top->data(), test.bottom[0]->data());
  test.FillTopDiff();
  test.Backward();
  for (int i = 0; i < test.bottom[0]->count(); ++i) {
    ASSERT_NEAR(test.bottom[0]->cpu_diff()[i],
                test.top[0]->cpu_diff()[i] + test.top[1]->cpu_diff()[i] +
                    test.top[2]->cpu_diff()[i],
                1e-5);
  }
  test.layer->set_top_has_gradient({false, true, false});
  test.Backward();
  EXPECT_EQ(diff_of(*test.bottom[0]), diff_of(*test.top[1]));
  test.layer->set_top_has_gradient({false, true, true});
  test.Backward();
  EXPECT_NEAR(test.bottom[0]->cpu_diff()[7],
              test.top[1]->cpu_diff()[7] + test.top[2]->cpu_diff()[7], 1e-5);
}

TEST(SplitLayerTest, BlockedInputGivesTheSame) {
  for (const int tops : {1, 2, 3, 5})
    BlockedCheck{"type: 'Split'", {{2, 21, 3, 4}}, tops}.Run();
}

TEST(SplitLayerTest, RefusesInPlace) {
  EXPECT_NE(LayerUnderTest<float>("type: 'Split'", {{2, 3}}, 1, true)
                .SetUpError()
                .find("place"),
            string::npos);
}

struct CropCase {
  string fields;
  vector<int> top, offset;
};

TYPED_TEST(JoiningLayersTest, CropTakesTheWindow) {
  const vector<CropCase> cases = {
      {"axis: 2", {2, 5, 4, 2}, {0, 0, 0, 0}},
      {"axis: 1 offset: 1 offset: 2 offset: 3", {2, 3, 4, 2}, {0, 1, 2, 3}},
      {"axis: 1 offset: 1", {2, 3, 4, 2}, {0, 1, 1, 1}},
      {"axis: 0", {1, 3, 4, 2}, {0, 0, 0, 0}},
      {"axis: -1 offset: 3", {2, 5, 6, 2}, {0, 0, 0, 3}},
  };
  for (const CropCase& item : cases) {
    LayerUnderTest<TypeParam> test("type: 'Crop' crop_param { " + item.fields + " }",
                                   {{2, 5, 6, 5}, {1, 3, 4, 2}});
    test.SetUp();
    test.Forward();
    ASSERT_EQ(test.top[0]->shape(), item.top);
    test.FillTopDiff();
    test.bottom[1]->mutable_cpu_diff()[0] = 9;
    test.Backward({true, false});
    EXPECT_EQ(test.bottom[1]->cpu_diff()[0], 9);
    test.Backward({true, true});
    EXPECT_EQ(test.bottom[1]->asum_diff(), 0);
    const Blob<TypeParam>&large = *test.bottom[0], &small = *test.top[0];
    for (int i = 0; i < large.count(); ++i) {
      const vector<int> at = {i / 150, i / 30 % 5, i / 5 % 6, i % 5};
      vector<int> inside = at;
      bool is_inside = true;
      for (int axis = 0; axis < 4; ++axis) {
        inside[axis] -= item.offset[axis];
        is_inside = is_inside && inside[axis] >= 0 && inside[axis] < item.top[axis];
      }
      ASSERT_EQ(large.diff_at(at), is_inside ? small.diff_at(inside) : TypeParam(0));
      if (is_inside) {
        ASSERT_EQ(large.data_at(at), small.data_at(inside));
      }
    }
  }
}

TEST(CropLayerTest, BlockedInputGivesTheSame) {
  for (const int channels : {3, 16, 37}) {
    for (const char* fields : {"offset: 1 offset: 2", "offset: 0", "axis: 3 offset: 3"}) {
      BlockedCheck check{string("type: 'Crop' crop_param { ") + fields + " }",
                         {{2, channels, 7, 9}, {1, 1, 5, 6}}};
      check.propagate_down = {true, false};
      check.Run();
    }
  }
}

TEST(CropLayerTest, GradientInFiveAxes) {
  LayerUnderTest<double> test("type: 'Crop' crop_param { axis: 2 offset: 1 }",
                              {{2, 2, 3, 2, 3}, {1, 1, 2, 1, 1}});
  check_gradient(&test, 0);
}

TEST(CropLayerTest, RefusesWindowsThatDoNotFit) {
  const auto error = [](const string& fields, const vector<int>& size) {
    return LayerUnderTest<float>("type: 'Crop' crop_param { " + fields + " }",
                                 {{2, 5, 6, 5}, size})
        .SetUpError();
  };
  EXPECT_NE(error("axis: 2 offset: 1 offset: 4", {1, 3, 4, 2}).find("axis 3"),
            string::npos);
  EXPECT_NE(error("axis: 1 offset: 1 offset: 2", {1, 3, 4, 2}).find("2 offsets for 3"),
            string::npos);
  EXPECT_NE(error("axis: 2", {1, 3}).find("no axis 2"), string::npos);
}

TEST(FlattenLayerTest, SharesMemoryUnderTheNewShape) {
  const vector<std::pair<string, vector<int>>> cases = {
      {"", {2, 60}},
      {"axis: 2", {2, 3, 20}},
      {"axis: 1 end_axis: 2", {2, 12, 5}},
      {"axis: 0 end_axis: -2", {24, 5}},
      {"axis: 2 end_axis: 1", {2, 3, 1, 4, 5}}};
  for (const auto& item : cases) {
    LayerUnderTest<float> test("type: 'Flatten' flatten_param { " + item.first + " }",
                               {{2, 3, 4, 5}});
    make_blocked(test.bottom[0]->data(), test.bottom[0]->blocked_layout());
    test.SetUp();
    test.Forward();
    EXPECT_EQ(test.top[0]->shape(), item.second);
    EXPECT_EQ(data_of(*test.top[0]), data_of(*test.bottom[0]));
    test.FillTopDiff();
    test.Backward();
    EXPECT_EQ(diff_of(*test.top[0]), diff_of(*test.bottom[0]));
  }
  EXPECT_NE(LayerUnderTest<float>("type: 'Flatten' flatten_param { axis: 3 end_axis: 1 }",
                                  {{2, 3, 4, 5}})
                .SetUpError()
                .find("end_axis"),
            string::npos);
}

TEST(ReshapeLayerTest, FollowsTheTableOfShapes) {
  struct Case {
    vector<int> bottom, dims;
    int axis, num_axes;
    vector<int> top;
  };
  const vector<Case> cases = {{{3, 10}, {3, 2, 5}, 0, -1, {3, 2, 5}},
                              {{3, 10}, {2, 5}, 1, -1, {3, 2, 5}},
                              {{3, 10}, {2, 5}, -2, -1, {3, 2, 5}},
                              {{3, 10}, {1}, 0, 0, {1, 3, 10}},
                              {{3, 10}, {1}, 1, 0, {3, 1, 10}},
                              {{3, 10}, {1}, -1, -1, {3, 10, 1}},
                              {{2, 3, 4, 5}, {0, -1}, 0, -1, {2, 60}},
                              {{2, 3, 4, 5}, {0, 0, -1}, 0, -1, {2, 3, 20}},
                              {{2, 3, 4, 5}, {-1, 0}, 0, -1, {40, 3}},
                              {{2, 3, 4, 5}, {0, -1}, 1, 2, {2, 3, 4, 5}},
                              {{2, 3, 4, 5}, {-1}, 2, -1, {2, 3, 20}}};
  for (const Case& item : cases) {
    string text = "type: 'Reshape' reshape_param { axis: " + std::to_string(item.axis) +
                  " num_axes: " + std::to_string(item.num_axes) + " shape {";
    for (const int dim : item.dims) text += " dim: " + std::to_string(dim);
    LayerUnderTest<float> test(text + " } }", {item.bottom});
    test.SetUp();
    test.Forward();
    EXPECT_EQ(test.top[0]->shape(), item.top) << text;
    EXPECT_EQ(test.top[0]->data(), test.bottom[0]->data());
    EXPECT_EQ(test.top[0]->diff(), test.bottom[0]->diff());
  }
}

TEST(ReshapeLayerTest, RefusesShapesThatDoNotFit) {
  const auto error = [](const string& shape, const vector<int>& bottom) {
    return LayerUnderTest<float>("type: 'Reshape' reshape_param { " + shape + " }",
                                 {bottom})
        .SetUpError();
  };
  EXPECT_NE(error("shape { dim: -1 dim: 7 }", {2, 3, 4, 5}).find("not divisible"),
            string::npos);
  EXPECT_NE(error("shape { dim: 0 dim: 0 dim: 0 dim: -1 }", {2, 3}).find("no axis 2"),
            string::npos);
  EXPECT_NE(error("shape { dim: 6 } axis: 1", {2, 3}).find("different counts"),
            string::npos);
  EXPECT_NE(error("shape { dim: -1 dim: -1 }", {2, 3}).find("second -1"), string::npos);
  EXPECT_NE(error("shape { dim: -3 }", {2, 3}).find("entry 0 is -3"), string::npos);
  EXPECT_NE(error("axis: 5", {2, 3}).find("out of range"), string::npos);
  EXPECT_NE(error("shape { dim: 0 dim: -1 }", {0, 3}).find("size 0"), string::npos);
}

TEST(SilenceLayerTest, GivesZeroGradientsWhereAsked) {
  LayerUnderTest<float> test("type: 'Silence'", {{2, 3}, {4}}, 0);
  test.SetUp();
  test.Forward();
  for (Blob<float>* bottom : test.bottom) bottom->mutable_cpu_diff()[0] = 5;
  test.Backward({true, false});
  EXPECT_EQ(test.bottom[0]->cpu_diff()[0], 0);
  EXPECT_EQ(test.bottom[1]->cpu_diff()[0], 5);
}

TEST(InputLayerTest, ShapesItsTops) {
  LayerUnderTest<float> one("type: 'Input' input_param { shape { dim: 2 dim: 3 } }", {},
                            2);
  one.SetUp();
  EXPECT_EQ(one.top[1]->shape(), vector<int>({2, 3}));
  LayerUnderTest<float> wrong(
      "type: 'Input' input_param { shape { dim: 2 } shape { dim: 2 } }", {}, 3);
  EXPECT_NE(wrong.SetUpError().find("2 are given"), string::npos);
}

}  // namespace
}  // namespace caffe

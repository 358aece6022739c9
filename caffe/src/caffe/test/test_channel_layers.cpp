// BatchNorm, Scale and Bias against their formulas.
#include <cmath>

#include "caffe/backend/epilogue.hpp"
#include "layer_check.hpp"

namespace caffe {
namespace {

template <typename Dtype>
class ChannelLayersTest : public ::testing::Test {};
TYPED_TEST_SUITE(ChannelLayersTest, TestDtypes);

// facts, 12.4: two training passes, then a test pass.
template <typename Dtype>
void FillBatchNormExample(Blob<Dtype>* blob, double scale, double shift) {
  const double first[] = {1, 2, 3, -1, 2, 4, 0, 1, -1, 0, 5, 2};
  for (int i = 0; i < 12; ++i) {
    blob->mutable_cpu_data()[i] = static_cast<Dtype>(scale * first[i] + shift);
  }
}

TYPED_TEST(ChannelLayersTest, BatchNormFollowsTheWorkedExample) {
  for (const bool in_place : {false, true}) {
    LayerUnderTest<TypeParam> test(
        "type: 'BatchNorm' batch_norm_param { moving_average_fraction: 0.9 }",
        {{3, 2, 1, 2}}, 1, in_place);
    test.SetUp();
    FillBatchNormExample(test.bottom[0], 1, 0);
    test.Forward();
    const vector<TypeParam> y = {
        TypeParam(-0.20851401), TypeParam(0.41702801),  TypeParam(0.67612253),
        TypeParam(-1.35224507), TypeParam(0.41702801),  TypeParam(1.66811205),
        TypeParam(-0.84515317), TypeParam(-0.33806127), TypeParam(-1.45959804),
        TypeParam(-0.83405602), TypeParam(1.69030634),  TypeParam(0.16903063)};
    expect_near(y, data_of(*test.top[0]), 1e-5, "y");
    const TypeParam g[] = {1, 0, 0.5, 2, -1, 1, 1, 0, 0, 2, -1, 1};
    std::copy_n(g, 12, test.top[0]->mutable_cpu_diff());
    test.Backward();
    const vector<TypeParam> dx = {
        TypeParam(0.29917232),  TypeParam(-0.28557364), TypeParam(0.22819066),
        TypeParam(0.17748356),  TypeParam(-0.91111565), TypeParam(0.4215605),
        TypeParam(-0.12677211), TypeParam(-0.43102777), TypeParam(-0.40796181),
        TypeParam(0.88391828),  TypeParam(-0.12677471), TypeParam(0.27890037)};
    expect_near(dx, diff_of(*test.bottom[0]), 1e-5, "dx");
    const auto& blobs = test.layer->blobs();
    expect_near({TypeParam(1.3333333), TypeParam(1.6666667)}, data_of(*blobs[0]), 1e-6,
                "means");
    expect_near({TypeParam(3.0666667), TypeParam(4.6666667)}, data_of(*blobs[1]), 1e-6,
                "vars");
    FillBatchNormExample(test.bottom[0], 2, -1);
    test.Forward();
    expect_near({TypeParam(2.8666667), TypeParam(3.8333333)}, data_of(*blobs[0]), 1e-6,
                "means");
    expect_near({TypeParam(15.0266667), TypeParam(22.8666667)}, data_of(*blobs[1]), 1e-6,
                "variances");
    EXPECT_NEAR(blobs[2]->cpu_data()[0], 1.9, 1e-6);

    LayerUnderTest<TypeParam> frozen("type: 'BatchNorm' phase: TEST", {{3, 2, 1, 2}}, 1,
                                     in_place);
    frozen.SetUp();
    for (int i = 0; i < 3; ++i) frozen.layer->blobs()[i]->CopyFrom(*blobs[i]);
    FillBatchNormExample(frozen.bottom[0], 1, 0);
    frozen.Forward();
    EXPECT_NEAR(frozen.top[0]->cpu_data()[0], -0.1809124, 1e-6);
    EXPECT_NEAR(frozen.top[0]->cpu_data()[3], -0.86981878, 1e-6);
    std::copy_n(g, 12, frozen.top[0]->mutable_cpu_diff());
    frozen.Backward();
    EXPECT_NEAR(frozen.bottom[0]->cpu_diff()[0], 0.35558645, 1e-6);
    EXPECT_NEAR(frozen.bottom[0]->cpu_diff()[3], 0.5765078, 1e-6);
  }
}

TEST(BatchNormLayerTest, Gradient) {
  for (const vector<int>& shape :
       {vector<int>{3, 2, 2, 3}, {4, 3}, {5}, {2, 2, 1, 2, 2}, {1, 3, 4, 1}}) {
    for (const char* global : {"true", "false"}) {
      LayerUnderTest<double> test(
          string("type: 'BatchNorm' batch_norm_param { use_global_stats: ") + global +
              " }",
          {shape});
      GradientChecker<double> checker(1e-4, 1e-4);
      checker.IgnoreParameters();
      test.SetUp();
      fill_uniform(test.layer->blobs()[1].get(), 3, 0.5, 2);
      checker.CheckGradientExhaustive(test.layer.get(), test.bottom, test.top);
    }
  }
}

TEST(BatchNormLayerTest, BlockedInputGivesTheSame) {
  for (const bool in_place : {false, true}) {
    for (const char* global : {"true", "false"}) {
      for (const int channels : {3, 16, 37}) {
        BlockedCheck check{
            string("type: 'BatchNorm' batch_norm_param { use_global_stats: ") + global +
                " }",
            {{2, channels, 30, 23}}};
        check.in_place = in_place;
        check.Run();
      }
    }
  }
}

TEST(BatchNormLayerTest, StatisticsNeverLearn) {
  LayerUnderTest<float> test("type: 'BatchNorm'", {{2, 3, 1, 1}});
  test.SetUp();
  ASSERT_EQ(test.layer->layer_param().param_size(), 3);
  for (const ParamSpec& spec : test.layer->layer_param().param()) {
    EXPECT_EQ(spec.lr_mult(), 0);
  }
  EXPECT_NE(
      LayerUnderTest<float>("type: 'BatchNorm' param { lr_mult: 1 }", {{2, 3, 1, 1}})
          .SetUpError()
          .find("lr_mult"),
      string::npos);
}

TEST(BatchNormLayerTest, RefusesOtherChannels) {
  LayerUnderTest<float> test("type: 'BatchNorm'", {{2, 3, 1, 1}});
  test.SetUp();
  test.bottom[0]->Reshape({2, 4, 1, 1});
  EXPECT_THROW(test.Forward(), Error);
}

// y, dx, df, db of Scale by four plain loops.
template <typename Dtype>
struct ScaleReference {
  ScaleReference(const vector<Dtype>& x, const vector<Dtype>& f, const vector<Dtype>& g,
                 int outer, int inner)
      : y(x.size()), dx(x.size()), df(f.size()), db(f.size()) {
    const int middle = static_cast<int>(f.size());
    for (int o = 0; o < outer; ++o) {
      for (int d = 0; d < middle; ++d) {
        for (int i = 0; i < inner; ++i) {
          const int at = (o * middle + d) * inner + i;
          y[at] = x[at] * f[d];
          dx[at] = g[at] * f[d];
          df[d] += g[at] * x[at];
          db[d] += g[at];
        }
      }
    }
  }
  vector<Dtype> y, dx, df, db;
};

struct SpanCase {
  vector<int> bottom, factor;
  int axis, outer, inner;
};
const vector<SpanCase> kSpans = {
    {{2, 3, 4, 5}, {3}, 1, 2, 20},         {{1, 3, 4, 5}, {3}, 1, 1, 20},
    {{2, 3, 4, 5}, {3, 4}, 1, 2, 5},       {{2, 3, 4, 5}, {4, 5}, 2, 6, 1},
    {{2, 3, 4, 5}, {2, 3, 4, 5}, 0, 1, 1}, {{3, 7}, {7}, 1, 3, 1},
    {{2, 3, 4, 5}, {5}, -1, 24, 1},        {{2, 3, 4, 5}, {}, 1, 1, 120},
    {{2, 3, 1, 1}, {2}, 0, 1, 3}};

template <typename Dtype>
void CheckScale(const SpanCase& item, bool factor_is_bottom, bool in_place) {
  const string text = "type: 'Scale' scale_param { axis: " + std::to_string(item.axis) +
                      " num_axes: " + std::to_string(item.factor.size()) +
                      " bias_term: true }";
  vector<vector<int>> shapes = {item.bottom};
  if (factor_is_bottom) shapes.push_back(item.factor);
  LayerUnderTest<Dtype> test(text, shapes, 1, in_place);
  test.SetUp();
  Blob<Dtype>* factor = factor_is_bottom ? test.bottom[1] : test.layer->blobs()[0].get();
  Blob<Dtype>* bias = test.layer->blobs().back().get();
  ASSERT_EQ(factor->shape(), item.factor);
  ASSERT_EQ(bias->shape(), item.factor);
  if (!factor_is_bottom) {
    EXPECT_EQ(factor->cpu_data()[0], 1);  // the default filler
  }
  EXPECT_EQ(bias->cpu_data()[0], 0);
  fill_uniform(factor, 11);
  const vector<Dtype> x = data_of(*test.bottom[0]), f = data_of(*factor);
  test.Forward();
  const vector<Dtype> y = data_of(*test.top[0]);
  test.FillTopDiff();
  const ScaleReference<Dtype> expected(x, f, diff_of(*test.top[0]), item.outer,
                                       item.inner);
  for (const auto& blob : test.layer->blobs()) {
    std::fill_n(blob->mutable_cpu_diff(), blob->count(), Dtype(0.5));
  }
  test.Backward();
  expect_near(expected.y, y, 1e-5, "y");
  expect_near(expected.dx, diff_of(*test.bottom[0]), 1e-5, "dx");
  vector<Dtype> df = expected.df, db = expected.db;  // gradients of parameters are added
  for (Dtype& value : db) value += Dtype(0.5);
  if (!factor_is_bottom) {
    for (Dtype& value : df) value += Dtype(0.5);
  }
  expect_near(df, diff_of(*factor), 1e-4, "gradient of the factor");
  expect_near(db, diff_of(*bias), 1e-4, "gradient of the bias");
}

TYPED_TEST(ChannelLayersTest, ScaleMultipliesAndAddsItsGradients) {
  for (const SpanCase& item : kSpans) {
    for (const bool factor_is_bottom : {false, true}) {
      for (const bool in_place : {false, true}) {
        CheckScale<TypeParam>(item, factor_is_bottom, in_place);
      }
    }
  }
}

TEST(ScaleLayerTest, KeepsNoCopyInPlaceWhereTheFactorIsFrozen) {
  LayerUnderTest<float> test("type: 'Scale'", {{2, 3, 4, 4}}, 1, true);
  test.SetUp();
  test.layer->set_param_propagate_down(0, false);
  test.Forward();
  test.FillTopDiff();
  const vector<float> g = diff_of(*test.top[0]);
  test.layer->blobs()[0]->mutable_cpu_diff()[0] = 3;
  test.Backward();
  EXPECT_EQ(g, diff_of(*test.bottom[0]));
  EXPECT_EQ(test.layer->blobs()[0]->cpu_diff()[0], 3);
}

TEST(ScaleLayerTest, Gradient) {
  LayerUnderTest<double> one("type: 'Scale' scale_param { bias_term: true }",
                             {{2, 3, 2, 2}});
  check_gradient(&one);
  LayerUnderTest<double> two("type: 'Scale' scale_param { axis: 0 }",
                             {{2, 3, 2}, {2, 3}});
  check_gradient(&two);
}

TEST(ScaleLayerTest, BlockedInputGivesTheSame) {
  for (const bool in_place : {false, true}) {
    for (const int channels : {3, 16, 37}) {
      BlockedCheck own{"type: 'Scale' scale_param { bias_term: true }",
                       {{2, channels, 30, 23}}};
      own.in_place = in_place;
      own.Run();
      BlockedCheck given{"type: 'Scale'", {{2, channels, 3, 5}, {channels}}};
      given.in_place = in_place;
      given.Run();
      BlockedCheck rows{"type: 'Scale' scale_param { axis: 2 }", {{2, channels, 3, 5}}};
      rows.stays_blocked = false;
      rows.in_place = in_place;
      rows.Run();
    }
  }
}

TEST(ScaleLayerTest, RefusesAxesThatDoNotFit) {
  const auto error = [](const string& fields, const vector<vector<int>>& shapes) {
    return LayerUnderTest<float>("type: 'Scale' scale_param { " + fields + " }", shapes)
        .SetUpError();
  };
  EXPECT_NE(error("axis: 1 num_axes: 4", {{2, 3, 4, 5}}).find("past the last axis"),
            string::npos);
  EXPECT_NE(error("num_axes: -2", {{2, 3}}).find("num_axes"), string::npos);
  EXPECT_NE(error("axis: 1", {{2, 3, 4}, {4}}).find("does not fit"), string::npos);
}

TYPED_TEST(ChannelLayersTest, BiasAddsOverItsAxes) {
  for (const SpanCase& item : kSpans) {
    for (const bool in_place : {false, true}) {
      LayerUnderTest<TypeParam> test(
          "type: 'Bias' bias_param { axis: " + std::to_string(item.axis) +
              " num_axes: " + std::to_string(item.factor.size()) + " }",
          {item.bottom}, 1, in_place);
      test.SetUp();
      Blob<TypeParam>* bias = test.layer->blobs()[0].get();
      EXPECT_EQ(bias->cpu_data()[0], 0);
      fill_uniform(bias, 11);
      vector<TypeParam> y = data_of(*test.bottom[0]);
      const int middle = bias->count();
      for (size_t at = 0; at < y.size(); ++at)
        y[at] += bias->cpu_data()[at / item.inner % middle];
      test.Forward();
      expect_near(y, data_of(*test.top[0]), 1e-6, "y");
      test.FillTopDiff();
      const vector<TypeParam> g = diff_of(*test.top[0]);
      vector<TypeParam> db(middle, TypeParam(0.5));
      for (size_t at = 0; at < y.size(); ++at) db[at / item.inner % middle] += g[at];
      std::fill_n(bias->mutable_cpu_diff(), middle, TypeParam(0.5));
      test.Backward();
      expect_near(g, diff_of(*test.bottom[0]), 0, "dx");
      expect_near(db, diff_of(*bias), 1e-5, "gradient of the bias");
    }
  }
}

TEST(BiasLayerTest, GradientOfBothBottoms) {
  LayerUnderTest<double> test("type: 'Bias' bias_param { axis: 0 }", {{3, 2, 2}, {3}});
  check_gradient(&test);
}

TEST(BiasLayerTest, BlockedInputGivesTheSame) {
  for (const int channels : {3, 16, 37}) {
    BlockedCheck{"type: 'Bias'", {{2, channels, 3, 5}}}.Run();
    BlockedCheck{"type: 'Bias'", {{2, channels, 3, 5}}, 1, true}.Run();
  }
}

TYPED_TEST(ChannelLayersTest, PReLUHasASlopeAChannelOrOneInAll) {
  for (const bool shared : {false, true}) {
    for (const bool in_place : {false, true}) {
      LayerUnderTest<TypeParam> test(
          string("type: 'PReLU' prelu_param { channel_shared: ") +
              (shared ? "true }" : "false }"),
          {{2, 3, 4, 5}}, 1, in_place);
      test.SetUp();
      Blob<TypeParam>* slopes = test.layer->blobs()[0].get();
      ASSERT_EQ(slopes->shape(), shared ? vector<int>() : vector<int>({3}));
      EXPECT_EQ(slopes->cpu_data()[0], TypeParam(0.25));
      fill_uniform(slopes, 5);
      const vector<TypeParam> x = data_of(*test.bottom[0]);
      test.Forward();
      const vector<TypeParam> found = data_of(*test.top[0]);
      test.FillTopDiff();
      const vector<TypeParam> g = diff_of(*test.top[0]);
      vector<TypeParam> y(x.size()), dx(x.size()), ds(slopes->count(), TypeParam(0.5));
      for (size_t i = 0; i < x.size(); ++i) {
        const int slope = shared ? 0 : static_cast<int>(i / 20 % 3);
        const TypeParam a = slopes->cpu_data()[slope];
        y[i] = x[i] > 0 ? x[i] : a * x[i];
        dx[i] = x[i] > 0 ? g[i] : a * g[i];
        ds[slope] += x[i] > 0 ? 0 : g[i] * x[i];
      }
      std::fill_n(slopes->mutable_cpu_diff(), slopes->count(), TypeParam(0.5));
      test.Backward();
      expect_near(y, found, 1e-6, "y");
      expect_near(dx, diff_of(*test.bottom[0]), 1e-6, "dx");
      expect_near(ds, diff_of(*slopes), 1e-5, "gradient of the slopes");
    }
  }
}

TEST(PReLULayerTest, BlockedInputGivesTheSame) {
  for (const bool in_place : {false, true}) {
    for (const int channels : {3, 16, 37}) {
      BlockedCheck check{"type: 'PReLU'", {{2, channels, 30, 23}}};
      check.in_place = in_place;
      check.Run();
    }
  }
  EXPECT_NE(
      LayerUnderTest<float>("type: 'PReLU'", {{3}}).SetUpError().find("channel axis"),
      string::npos);
}

// y of Normalize by its formula.
vector<double> Normalized(const vector<double>& x, const vector<double>& scale,
                          double eps, bool across_spatial, int items, int channels,
                          int inner) {
  vector<double> y(x.size());
  for (int n = 0; n < items; ++n) {
    double whole = eps;
    for (int i = 0; i < channels * inner; ++i) {
      whole += x[n * channels * inner + i] * x[n * channels * inner + i];
    }
    for (int s = 0; s < inner; ++s) {
      double one = eps;
      for (int c = 0; c < channels; ++c) {
        const double value = x[(n * channels + c) * inner + s];
        one += value * value;
      }
      for (int c = 0; c < channels; ++c) {
        const int at = (n * channels + c) * inner + s;
        y[at] = scale[scale.size() == 1 ? 0 : c] * x[at] /
                std::sqrt(across_spatial ? whole : one);
      }
    }
  }
  return y;
}

TEST(NormalizeLayerTest, FollowsItsFormulaWithItsGradient) {
  for (const bool across : {false, true}) {
    for (const bool shared : {false, true}) {
      for (const vector<int>& shape : {vector<int>{2, 3, 2, 3}, {3, 5}, {1, 17, 1, 1}}) {
        LayerUnderTest<double> test(
            string("type: 'Normalize' norm_param { eps: 1e-6 ") +
                "scale_filler { value: 3 } across_spatial: " +
                (across ? "true" : "false") +
                " channel_shared: " + (shared ? "true }" : "false }"),
            {shape});
        test.SetUp();
        Blob<double>* scale = test.layer->blobs()[0].get();
        EXPECT_EQ(scale->cpu_data()[0], 3);
        fill_uniform(scale, 5);
        test.Forward();
        expect_near(Normalized(data_of(*test.bottom[0]), data_of(*scale), 1e-6f, across,
                               shape[0], shape[1], test.bottom[0]->count(2)),
                    data_of(*test.top[0]), 1e-9, "y");
        check_gradient(&test);
      }
    }
  }
}

TEST(NormalizeLayerTest, LongFloatInputsOfAllPaths) {
  LayerUnderTest<float> test("type: 'Normalize' norm_param { across_spatial: false }",
                             {{2, 33, 41, 53}});
  test.SetUp();
  test.Forward();
  const vector<float> x = data_of(*test.bottom[0]);
  const vector<double> y =
      Normalized(vector<double>(x.begin(), x.end()), {1}, 1e-10, false, 2, 33, 41 * 53);
  expect_near(vector<float>(y.begin(), y.end()), data_of(*test.top[0]), 1e-6, "y");
}

TEST(NormalizeLayerTest, ZeroVectorsStayZero) {
  LayerUnderTest<float> test("type: 'Normalize' norm_param { across_spatial: false }",
                             {{1, 4, 2, 2}});
  std::fill_n(test.bottom[0]->mutable_cpu_data(), 16, 0.f);
  test.SetUp();
  test.Forward();
  EXPECT_EQ(test.top[0]->asum_data(), 0);
  test.FillTopDiff();
  test.Backward();
  EXPECT_TRUE(std::isfinite(test.bottom[0]->asum_diff()));
}

TEST(NormalizeLayerTest, BlockedInputGivesTheSame) {
  for (const char* across : {"true", "false"}) {
    for (const char* shared : {"true", "false"}) {
      for (const int channels : {3, 16, 37, 96}) {
        BlockedCheck check{string("type: 'Normalize' norm_param { across_spatial: ") +
                               across + " channel_shared: " + shared + " }",
                           {{2, channels, 13, 11}}};
        check.tolerance = 2e-5;
        check.Run();
      }
    }
  }
}

TEST(NormalizeLayerTest, RefusesInPlaceAndInputsWithoutChannels) {
  EXPECT_NE(LayerUnderTest<float>("type: 'Normalize'", {{2, 3}}, 1, true)
                .SetUpError()
                .find("place"),
            string::npos);
  EXPECT_NE(
      LayerUnderTest<float>("type: 'Normalize'", {{2}}).SetUpError().find("channel axis"),
      string::npos);
}

TYPED_TEST(ChannelLayersTest, MVNFollowsTheWorkedExamples) {
  struct Case {
    string fields;
    vector<double> y, dx;
  };
  const vector<Case> cases = {
      {"eps: 1e-9",
       {-1.06904497, -0.53452248, 0, 1.60356745},
       {0.57270266, -0.11454053, -0.80178373, 0.3436216}},
      {"eps: 0.5", {-0.84358689, -0.42179344, 0, 1.26538033}, {}},
      {"normalize_variance: false", {-2, -1, 0, 3}, {0.5, -0.5, -1.5, 1.5}}};
  for (const Case& item : cases) {
    LayerUnderTest<TypeParam> test("type: 'MVN' mvn_param { " + item.fields + " }",
                                   {{1, 1, 2, 2}});
    test.SetUp();
    const TypeParam x[] = {1, 2, 3, 6}, g[] = {1, 0, -1, 2};
    std::copy_n(x, 4, test.bottom[0]->mutable_cpu_data());
    test.Forward();
    expect_near(vector<TypeParam>(item.y.begin(), item.y.end()), data_of(*test.top[0]),
                1e-5, item.fields);
    std::copy_n(g, 4, test.top[0]->mutable_cpu_diff());
    test.Backward();
    if (item.dx.empty()) continue;
    expect_near(vector<TypeParam>(item.dx.begin(), item.dx.end()),
                diff_of(*test.bottom[0]), 1e-5, "dx, " + item.fields);
  }
}

TEST(MVNLayerTest, GradientOfPlanesAndItems) {
  for (const char* fields : {"", "across_channels: true", "normalize_variance: false"}) {
    LayerUnderTest<double> test(string("type: 'MVN' mvn_param { ") + fields + " }",
                                {{2, 3, 2, 2}});
    check_gradient(&test);
  }
}

TEST(ChannelAffineTest, ChainEqualsTheLayersOneByOne) {
  LayerUnderTest<double> norm("type: 'BatchNorm' phase: TEST", {{2, 5, 3, 3}}, 1, true);
  LayerUnderTest<double> scale("type: 'Scale' scale_param { bias_term: true }",
                               {{2, 5, 3, 3}}, 1, true);
  LayerUnderTest<double> bias("type: 'Bias'", {{2, 5, 3, 3}}, 1, true);
  vector<double> a(5, 1.), b(5, 0.);
  Blob<double> x(2, 5, 3, 3);
  fill_uniform(&x, 4);
  Blob<double> y(2, 5, 3, 3);
  y.CopyFrom(x);
  for (LayerUnderTest<double>* test : {&norm, &scale, &bias}) {
    test->SetUp();
    for (const auto& blob : test->layer->blobs()) fill_uniform(blob.get(), 9, 0.5, 2);
    test->bottom[0]->CopyFrom(y);
    test->Forward();
    y.CopyFrom(*test->top[0]);
    auto* affine = dynamic_cast<ChannelAffine*>(test->layer.get());
    ASSERT_NE(affine, nullptr);
    EXPECT_TRUE(affine->is_channel_affine());
    const std::uint64_t version = affine->affine_version();
    affine->compose_affine(&a, &b);
    EXPECT_EQ(version, affine->affine_version());
    test->layer->blobs()[0]->mutable_cpu_data();
    EXPECT_NE(version, affine->affine_version());
  }
  for (int i = 0; i < x.count(); ++i) {
    const int c = i / 9 % 5;
    ASSERT_NEAR(y.cpu_data()[i], a[c] * x.cpu_data()[i] + b[c], 1e-12);
  }
  LayerUnderTest<double> training("type: 'BatchNorm' phase: TRAIN", {{2, 5, 3, 3}});
  training.SetUp();
  EXPECT_FALSE(dynamic_cast<ChannelAffine*>(training.layer.get())->is_channel_affine());
  LayerUnderTest<double> rows("type: 'Scale' scale_param { axis: 2 }", {{2, 5, 3, 3}});
  rows.SetUp();
  EXPECT_FALSE(dynamic_cast<ChannelAffine*>(rows.layer.get())->is_channel_affine());
}

}  // namespace
}  // namespace caffe

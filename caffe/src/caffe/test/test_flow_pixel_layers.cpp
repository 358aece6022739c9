// NegReLU, NegSquare, ExpMax, Mean and Grid against their formulas.
#include <cmath>
#include <functional>
#include <limits>

#include "layer_check.hpp"
#include "net_check.hpp"

namespace caffe {
namespace {

const double kNan = std::numeric_limits<double>::quiet_NaN();

const vector<vector<int>>& Shapes() {
  static const vector<vector<int>> shapes = {{1, 1, 1, 1}, {2, 3, 4, 5},  {3, 17, 1, 7},
                                             {1, 8, 6, 1}, {2, 33, 3, 3}, {0, 3, 2, 2}};
  return shapes;
}

template <typename Dtype>
class FlowPixelLayersTest : public ::testing::Test {};
TYPED_TEST_SUITE(FlowPixelLayersTest, TestDtypes);

TYPED_TEST(FlowPixelLayersTest, NegReLUKeepsTheNegativeHalf) {
  for (const double slope : {0., 0.1, -0.5}) {
    for (const bool in_place : {false, true}) {
      for (const vector<int>& shape : Shapes()) {
        LayerUnderTest<TypeParam> test("type: 'NegReLU' relu_param { negative_slope: " +
                                           std::to_string(slope) + " }",
                                       {shape}, 1, in_place);
        const vector<TypeParam> x = data_of(*test.bottom[0]);
        test.SetUp();
        test.Forward();
        ASSERT_EQ(test.top[0]->shape(), shape);
        vector<TypeParam> y(x.size());
        for (size_t i = 0; i < x.size(); ++i) {
          y[i] = std::min<TypeParam>(x[i], 0) + slope * std::max<TypeParam>(x[i], 0);
        }
        expect_near(y, data_of(*test.top[0]), 1e-6, "NegReLU");
        test.FillTopDiff();
        vector<TypeParam> gradient = diff_of(*test.top[0]);
        for (size_t i = 0; i < x.size(); ++i) gradient[i] *= x[i] < 0 ? 1 : slope;
        if (in_place && slope < 0) {
          EXPECT_THROW(test.Backward(), Error);
          continue;
        }
        test.Backward();
        expect_near(gradient, diff_of(*test.bottom[0]), 1e-6, "gradient of NegReLU");
      }
    }
  }
}

TEST(NegReLULayerTest, NanPassesAndZeroHasThePositiveSlope) {
  LayerUnderTest<float> test("type: 'NegReLU' relu_param { negative_slope: 0.25 }",
                             {{2}});
  test.SetUp();
  test.bottom[0]->mutable_cpu_data()[0] = static_cast<float>(kNan);
  test.bottom[0]->mutable_cpu_data()[1] = 0;
  test.Forward();
  EXPECT_TRUE(std::isnan(test.top[0]->cpu_data()[0]));
  test.top[0]->mutable_cpu_diff()[1] = 4;
  test.Backward();
  EXPECT_EQ(test.bottom[0]->cpu_diff()[1], 1);
}

TEST(NegReLULayerTest, AnotherLayerInPlaceBehindItsOwnInPlaceIsRefused) {
  const string error = net_error(R"(
      force_backward: true
      layer { name: 'in' type: 'Input' top: 'x' input_param { shape { dim: 1 dim: 2 } } }
      layer { name: 'neg' type: 'NegReLU' bottom: 'x' top: 'x' }
      layer { name: 'p' type: 'Power' bottom: 'x' top: 'x' power_param { scale: -1 } }
      layer { name: 'sum' type: 'Reduction' bottom: 'x' top: 'loss' loss_weight: 1 })");
  EXPECT_TRUE(has_words(error, {"'p'", "'neg'", "in place"}));
}

TYPED_TEST(FlowPixelLayersTest, NegSquareFollowsItsFormula) {
  for (const vector<int>& shape : Shapes()) {
    LayerUnderTest<TypeParam> test("type: 'NegSquare'", {shape});
    test.SetUp();
    test.Forward();
    test.FillTopDiff();
    const vector<TypeParam> x = data_of(*test.bottom[0]);
    vector<TypeParam> y(x.size()), gradient = diff_of(*test.top[0]);
    for (size_t i = 0; i < x.size(); ++i) {
      y[i] = -std::pow(x[i], 2);
      gradient[i] *= -2 * x[i];
    }
    expect_near(y, data_of(*test.top[0]), 1e-6, "NegSquare");
    std::fill_n(test.bottom[0]->mutable_cpu_diff(), x.size(), TypeParam(99));
    test.Backward({false});
    for (const TypeParam kept : diff_of(*test.bottom[0])) EXPECT_EQ(kept, 99);
    test.Backward();
    expect_near(gradient, diff_of(*test.bottom[0]), 1e-6, "gradient of NegSquare");
  }
}

TEST(FlowPixelLayersBlockedTest, BlockedInputGivesTheSame) {
  BlockedCheck{"type: 'NegSquare'", {{2, 19, 3, 5}}}.Run();
  for (const bool in_place : {false, true}) {
    BlockedCheck{"type: 'NegReLU' relu_param { negative_slope: 0.2 }",
                 {{2, 19, 3, 5}},
                 1,
                 in_place}
        .Run();
  }
}

// layers_flow.md 5.4, for one item and place: values and gradient of sum_c g[c] y[c].
struct ExpMaxReference {
  double base = -1, scale = 1, shift = 0;
  vector<double> Values(const vector<double>& x) const {
    const double b = base == -1 ? std::exp(1.) : base;
    const double most = *std::max_element(x.begin(), x.end());
    vector<double> y;
    for (const double value : x) {
      y.push_back(std::pow(b, shift) * std::pow(b, scale * (value - most)));
    }
    return y;
  }
};

TYPED_TEST(FlowPixelLayersTest, ExpMaxFollowsItsFormulaForEveryItem) {
  for (const ExpMaxReference& reference :
       {ExpMaxReference{}, {2, 1, 0}, {0.5, 2, -1.5}, {-1, -0.5, 2}, {10, 0.3, 1}}) {
    std::ostringstream text;
    text << "type: 'ExpMax' expmax_param { base: " << reference.base
         << " scale: " << reference.scale << " shift: " << reference.shift << " }";
    for (const vector<int>& shape : Shapes()) {
      LayerUnderTest<TypeParam> test(text.str(), {shape});
      test.SetUp();
      test.Forward();
      ASSERT_EQ(test.top[0]->shape(), shape);
      const vector<TypeParam> x = data_of(*test.bottom[0]);
      vector<TypeParam> expected(x.size());
      const int channels = shape[1], plane = shape[2] * shape[3];
      for (int n = 0; n < shape[0]; ++n) {
        for (int s = 0; s < plane; ++s) {
          vector<double> place;
          for (int c = 0; c < channels; ++c) {
            place.push_back(x[(n * channels + c) * plane + s]);
          }
          const vector<double> y = reference.Values(place);
          for (int c = 0; c < channels; ++c) {
            expected[(n * channels + c) * plane + s] = static_cast<TypeParam>(y[c]);
          }
        }
      }
      expect_near(expected, data_of(*test.top[0]), 2e-6, text.str());
    }
  }
}

TEST(ExpMaxLayerTest, TheGradientGoesThroughTheLargestChannelToo) {
  for (const char* text :
       {"type: 'ExpMax'",
        "type: 'ExpMax' expmax_param { base: 3 scale: 0.7 shift: 1 }"}) {
    LayerUnderTest<double> test(text, {{2, 5, 3, 2}});
    check_gradient(&test);
  }
}

TEST(ExpMaxLayerTest, OfEqualChannelsTheFirstTakesTheGradientOfTheMaximum) {
  LayerUnderTest<double> test("type: 'ExpMax'", {{1, 3, 1, 1}});
  for (int c = 0; c < 3; ++c) test.bottom[0]->mutable_cpu_data()[c] = 0.5;
  test.SetUp();
  test.Forward();
  for (int c = 0; c < 3; ++c) test.top[0]->mutable_cpu_diff()[c] = c + 1;
  test.Backward();
  EXPECT_EQ(diff_of(*test.bottom[0]), vector<double>({1 - 6, 2, 3}));
}

TEST(ExpMaxLayerTest, DividedByTheSumOfChannelsItIsASoftmaxForwardAndBackward) {
  const auto make = [](const string& middle) {
    return make_net<double>(R"(
      force_backward: true
      layer { name: 'in' type: 'Input' top: 'x'
              input_param { shape { dim: 2 dim: 4 dim: 3 dim: 5 } } }
      layer { name: 'w' type: 'Input' top: 'w'
              input_param { shape { dim: 2 dim: 4 dim: 3 dim: 5 } } })" +
                            middle + R"(
      layer { name: 'm' type: 'Eltwise' bottom: 'y' bottom: 'w' top: 'm'
              eltwise_param { operation: PROD } }
      layer { name: 'sum' type: 'Reduction' bottom: 'm' top: 'loss' loss_weight: 1 })");
  };
  const auto softmax = make("layer { name: 's' type: 'Softmax' bottom: 'x' top: 'y' }");
  const auto apart = make(R"(
      layer { name: 'e' type: 'ExpMax' bottom: 'x' top: 'e' }
      layer { name: 'n' type: 'Convolution' bottom: 'e' top: 'n' param { lr_mult: 0 }
              convolution_param { num_output: 4 kernel_size: 1 bias_term: false
                                  weight_filler { value: 1 } } }
      layer { name: 'i' type: 'Power' bottom: 'n' top: 'i' power_param { power: -1 } }
      layer { name: 'y' type: 'Eltwise' bottom: 'e' bottom: 'i' top: 'y'
              eltwise_param { operation: PROD } })");
  vector<vector<double>> values, gradients;
  for (const auto* net : {softmax.get(), apart.get()}) {
    for (const char* name : {"x", "w"}) {
      fill_random(net->blob_by_name(name).get(), name[0]);
    }
    const_cast<Net<double>*>(net)->ForwardBackward();
    values.push_back(values_of(*net->blob_by_name("y")));
    gradients.push_back(gradient_of(*net->blob_by_name("x")));
  }
  EXPECT_LT(relative_difference(values[0], values[1]), 1e-12);
  EXPECT_LT(relative_difference(gradients[0], gradients[1]), 1e-12);
}

TEST(ExpMaxLayerTest, ANanStaysInItsOwnChannelAndLargeValuesDoNotOverflow) {
  LayerUnderTest<float> test("type: 'ExpMax'", {{1, 3, 1, 2}});
  const float x[] = {1000, 1, 999, static_cast<float>(kNan), -1000, 3};
  std::copy_n(x, 6, test.bottom[0]->mutable_cpu_data());
  test.SetUp();
  test.Forward();
  const vector<float> y = data_of(*test.top[0]);
  EXPECT_EQ(y[0], 1);
  EXPECT_NEAR(y[2], std::exp(-1.), 1e-6);
  EXPECT_EQ(y[4], 0);
  EXPECT_NEAR(y[1], std::exp(-2.), 1e-6);
  EXPECT_TRUE(std::isnan(y[3]));
  EXPECT_EQ(y[5], 1);
}

TEST(ExpMaxLayerTest, RefusesABaseWithoutLogarithmAndWorkInPlace) {
  for (const char* base : {"0", "-2"}) {
    LayerUnderTest<float> test(
        string("type: 'ExpMax' expmax_param { base: ") + base + " }", {{1, 2, 1, 1}});
    EXPECT_TRUE(has_words(test.SetUpError(), {"base must be strictly positive", base}));
  }
  LayerUnderTest<float> flat("type: 'ExpMax'", {{3}});
  EXPECT_TRUE(has_words(flat.SetUpError(), {"(N, C, ...)"}));
  for (const char* text : {"type: 'ExpMax'", "type: 'NegSquare'"}) {
    LayerUnderTest<float> test(text, {{1, 2, 1, 1}}, 1, true);
    EXPECT_TRUE(has_words(test.SetUpError(), {"in place"}));
  }
}

// layers_flow.md 5.5; m is the item's mean, one number an entry.
template <typename Dtype>
void ExpectMean(const vector<Dtype>& x, const vector<double>& m, int sign,
                const vector<Dtype>& found) {
  vector<Dtype> expected(x.size());
  for (size_t i = 0; i < x.size(); ++i) {
    expected[i] = static_cast<Dtype>(0.5 * (2.5 * x[i] + sign * 3. * m[i % m.size()]));
  }
  expect_near(expected, found, 1e-6, "Mean");
}

const char kScales[] = " input_scale: 2.5 mean_scale: 3 output_scale: 0.5 }";

TYPED_TEST(FlowPixelLayersTest, MeanAddsOrSubtractsValuesAChannelForEveryBottom) {
  for (const bool add : {true, false}) {
    const string text = string("type: 'Mean' mean_param { operation: ") +
                        (add ? "ADD" : "SUBTRACT") + " value: 7 value: -2 value: 0.5" +
                        kScales;
    LayerUnderTest<TypeParam> test(text, {{2, 3, 4, 5}, {1, 6, 1, 2}}, 2);
    test.SetUp();
    test.Forward();
    test.FillTopDiff();
    test.Backward();
    for (size_t k = 0; k < 2; ++k) {
      const Blob<TypeParam>& bottom = *test.bottom[k];
      ASSERT_EQ(test.top[k]->shape(), bottom.shape());
      vector<double> mean;
      for (int c = 0; c < bottom.channels(); ++c) {
        const double value = vector<double>{7, -2, 0.5}[c % 3];
        mean.insert(mean.end(), bottom.count(2), value);
      }
      ExpectMean(data_of(bottom), mean, add ? 1 : -1, data_of(*test.top[k]));
      vector<TypeParam> gradient = diff_of(*test.top[k]);
      for (TypeParam& g : gradient) g *= TypeParam(1.25);
      expect_near(gradient, diff_of(bottom), 1e-6, "gradient of Mean");
    }
  }
}

TYPED_TEST(FlowPixelLayersTest, MeanImageIsRepeatedOverChannelsInPlaceToo) {
  TemporaryFolder folder;
  BlobProto proto;
  for (const int dim : {1, 2, 3, 4}) proto.mutable_shape()->add_dim(dim);
  vector<double> mean;
  for (int i = 0; i < 24; ++i) {
    mean.push_back(i * i % 7);
    proto.add_data(static_cast<float>(mean.back()));
  }
  WriteProtoToBinaryFile(proto, folder.File("mean.binaryproto"));
  for (const bool in_place : {false, true}) {
    for (const int channels : {2, 6}) {
      LayerUnderTest<TypeParam> test(
          "type: 'Mean' mean_param { operation: SUBTRACT file: '" +
              folder.File("mean.binaryproto") + "'" + kScales,
          {{3, channels, 3, 4}}, 1, in_place);
      const vector<TypeParam> x = data_of(*test.bottom[0]);
      test.SetUp();
      test.Forward();
      ExpectMean(x, mean, -1, data_of(*test.top[0]));
      test.FillTopDiff();
      const vector<TypeParam> g = diff_of(*test.top[0]);
      test.Backward();
      EXPECT_NEAR(test.bottom[0]->cpu_diff()[5], 1.25 * g[5], 1e-6);
    }
  }
  const auto error = [&](const vector<int>& shape) {
    return LayerUnderTest<TypeParam>("type: 'Mean' mean_param { operation: ADD file: '" +
                                         folder.File("mean.binaryproto") + "' }",
                                     {shape})
        .SetUpError();
  };
  EXPECT_TRUE(has_words(error({1, 2, 3, 5}), {"mean size does not match bottom size"}));
  EXPECT_TRUE(has_words(error({1, 3, 3, 4}), {"bottom size not divisible by mean size"}));
}

TEST(MeanLayerTest, RefusesWhatItCannotDo) {
  const auto error = [](const string& fields, int tops = 1) {
    return LayerUnderTest<float>("type: 'Mean' mean_param { " + fields + " }",
                                 {{1, 3, 2, 2}}, tops)
        .SetUpError();
  };
  EXPECT_TRUE(has_words(error("operation: ADD"), {"either a file or values"}));
  EXPECT_TRUE(has_words(error("operation: ADD value: 1 file: 'x'"), {"either a file"}));
  EXPECT_TRUE(has_words(error("value: 1"), {"operation must be ADD or SUBTRACT"}));
  EXPECT_TRUE(has_words(error("operation: ADD value: 1 value: 2"),
                        {"bottom size not divisible by mean size"}));
  EXPECT_TRUE(has_words(error("operation: ADD value: 1", 2),
                        {"MEAN needs as many outputs as inputs"}));
  EXPECT_TRUE(has_words(error("operation: ADD file: 'nowhere.bin'"), {"nowhere.bin"}));
}

TYPED_TEST(FlowPixelLayersTest, GridHoldsTheCoordinatesOfEveryPixel) {
  LayerUnderTest<TypeParam> test("type: 'Grid'", {{1, 1, 1, 1}});
  test.SetUp();
  for (const vector<int>& shape : Shapes()) {
    test.bottom[0]->Reshape(shape);
    test.Forward();
    ASSERT_EQ(test.top[0]->shape(), vector<int>({shape[0], 2, shape[2], shape[3]}));
    for (int n = 0; n < shape[0]; ++n) {
      for (int y = 0; y < shape[2]; ++y) {
        for (int x = 0; x < shape[3]; ++x) {
          EXPECT_EQ(test.top[0]->data_at(n, 0, y, x), x);
          EXPECT_EQ(test.top[0]->data_at(n, 1, y, x), y);
        }
      }
    }
  }
}

TEST(GridLayerTest, ItsBottomGetsNoGradientAndTheNetNeedsNoneBehindIt) {
  LayerUnderTest<float> test("type: 'Grid'", {{2, 3, 2, 2}});
  test.SetUp();
  test.Forward();
  test.FillTopDiff();
  std::fill_n(test.bottom[0]->mutable_cpu_diff(), 24, 5.f);
  test.Backward();
  EXPECT_EQ(diff_of(*test.bottom[0]), vector<float>(24, 0));
  const auto net = make_net<float>(R"(
      layer { name: 'in' type: 'Input' top: 'x'
              input_param { shape { dim: 1 dim: 2 dim: 3 dim: 4 } } }
      layer { name: 'c' type: 'Convolution' bottom: 'x' top: 'c'
              convolution_param { num_output: 2 kernel_size: 1 } }
      layer { name: 'g' type: 'Grid' bottom: 'c' top: 'g' })");
  EXPECT_FALSE(net->layer_need_backward()[net->layers().size() - 1]);
}

}  // namespace
}  // namespace caffe

// ReLU, Clip, Power, Dropout and Eltwise against their formulas.
#include <cmath>
#include <functional>
#include <limits>

#include "caffe/backend/epilogue.hpp"
#include "layer_check.hpp"

namespace caffe {
namespace {

using Function = std::function<double(double)>;

// A neuron layer: its text, y(x), dy/dx(x).
struct NeuronCase {
  string text;
  Function value, slope;
  bool in_place_backward = true;
  double low = -2, high = 2;
};

const vector<NeuronCase>& NeuronCases() {
  static const vector<NeuronCase> cases = {
      {"type: 'ReLU'", [](double x) { return x > 0 ? x : 0; },
       [](double x) { return x > 0 ? 1 : 0; }},
      {"type: 'ReLU' relu_param { negative_slope: 0.1 }",
       [](double x) { return x > 0 ? x : 0.1f * x; },
       [](double x) { return x > 0 ? 1 : 0.1f; }},
      {"type: 'ReLU' relu_param { negative_slope: -0.5 }",
       [](double x) { return x > 0 ? x : -0.5 * x; },
       [](double x) { return x > 0 ? 1 : -0.5; }, false},
      {"type: 'Clip' clip_param { min: -1 max: 0.5 }",
       [](double x) { return std::max(-1., std::min(x, 0.5)); },
       [](double x) { return x >= -1 && x <= 0.5 ? 1 : 0; }},
      {"type: 'Clip' clip_param { min: 0.25 max: 1 }",
       [](double x) { return std::max(0.25, std::min(x, 1.)); },
       [](double x) { return x >= 0.25 && x <= 1 ? 1 : 0; }},
      {"type: 'Power' power_param { scale: 2 shift: 1 }",
       [](double x) { return 2 * x + 1; }, [](double) { return 2; }},
      {"type: 'Power' power_param { power: 2 scale: 0.5 shift: -1 }",
       [](double x) { return (0.5 * x - 1) * (0.5 * x - 1); },
       [](double x) { return 0.5 * x - 1; }},
      {"type: 'Power' power_param { power: 3 scale: 2 shift: 1 }",
       [](double x) { return std::pow(2 * x + 1, 3); },
       [](double x) { return 6 * (2 * x + 1) * (2 * x + 1); }},
      {"type: 'Power' power_param { power: -1 }", [](double x) { return 1 / x; },
       [](double x) { return -1 / x / x; }, true, 0.5, 2},
      {"type: 'Power' power_param { power: 0.5 shift: 3 }",
       [](double x) { return std::sqrt(x + 3); },
       [](double x) { return 0.5 / std::sqrt(x + 3); }},
      {"type: 'Power' power_param { power: 0 shift: 3 }", [](double) { return 1; },
       [](double) { return 0; }},
      {"type: 'Power' power_param { power: 2 scale: 0 shift: 3 }",
       [](double) { return 9; }, [](double) { return 0; }},
      {"type: 'ELU' elu_param { alpha: 0.5 }",
       [](double x) { return x > 0 ? x : 0.5 * (std::exp(x) - 1); },
       [](double x) { return x > 0 ? 1 : 0.5 * std::exp(x); }},
      {"type: 'ELU' elu_param { alpha: -0.5 }",
       [](double x) { return x > 0 ? x : -0.5 * (std::exp(x) - 1); },
       [](double x) { return x > 0 ? 1 : -0.5 * std::exp(x); }, false},
      {"type: 'Sigmoid'", [](double x) { return 1 / (1 + std::exp(-x)); },
       [](double x) { return std::exp(-x) / std::pow(1 + std::exp(-x), 2); }},
      {"type: 'TanH'", [](double x) { return std::tanh(x); },
       [](double x) { return 1 - std::pow(std::tanh(x), 2); }},
      {"type: 'Swish' swish_param { beta: 2 }",
       [](double x) { return x / (1 + std::exp(-2 * x)); },
       [](double x) {
         const double s = 1 / (1 + std::exp(-2 * x));
         return s + 2 * x * s * (1 - s);
       }},
      {"type: 'BNLL'", [](double x) { return std::log(1 + std::exp(x)); },
       [](double x) { return 1 / (1 + std::exp(-x)); }},
      {"type: 'Exp' exp_param { base: 2 scale: 0.5 shift: 1 }",
       [](double x) { return std::pow(2, 0.5 * x + 1); },
       [](double x) { return std::pow(2, 0.5 * x + 1) * 0.5 * std::log(2.); }},
      {"type: 'Exp'", [](double x) { return std::exp(x); },
       [](double x) { return std::exp(x); }},
      {"type: 'Log' log_param { base: 10 scale: 2 shift: 1 }",
       [](double x) { return std::log10(2 * x + 1); },
       [](double x) { return 2 / std::log(10.) / (2 * x + 1); }, true, 0, 4},
      {"type: 'Log'", [](double x) { return std::log(x); },
       [](double x) { return 1 / x; }, true, 0.5, 4},
      {"type: 'Dropout' phase: TEST", [](double x) { return x; },
       [](double) { return 1; }},
  };
  return cases;
}

template <typename Dtype>
class NeuronLayersTest : public ::testing::Test {};
TYPED_TEST_SUITE(NeuronLayersTest, TestDtypes);

TYPED_TEST(NeuronLayersTest, FollowTheirFormulas) {
  for (const NeuronCase& item : NeuronCases()) {
    for (const bool in_place : {false, true}) {
      for (const vector<int>& shape :
           {vector<int>{2, 3, 4, 5}, {7}, {}, {1, 17, 1, 3}, {0, 3}}) {
        LayerUnderTest<TypeParam> test(item.text, {shape}, 1, in_place);
        fill_uniform(test.bottom[0], 3, item.low, item.high);
        const vector<TypeParam> x = data_of(*test.bottom[0]);
        test.SetUp();
        test.Forward();
        ASSERT_EQ(test.top[0]->shape(), shape);
        const vector<TypeParam> y = data_of(*test.top[0]);
        test.FillTopDiff();
        vector<TypeParam> value, gradient = diff_of(*test.top[0]);
        for (size_t i = 0; i < x.size(); ++i) {
          value.push_back(static_cast<TypeParam>(item.value(x[i])));
          gradient[i] *= static_cast<TypeParam>(item.slope(x[i]));
        }
        expect_near(value, y, 1e-5, item.text);
        if (in_place && !item.in_place_backward) {
          EXPECT_THROW(test.Backward(), Error);
          continue;
        }
        test.Backward();
        expect_near(gradient, diff_of(*test.bottom[0]), 1e-5, "gradient, " + item.text);
      }
    }
  }
}

TEST(NeuronLayersBlockedTest, BlockedInputGivesTheSame) {
  for (const NeuronCase& item : NeuronCases()) {
    for (const bool in_place : {false, true}) {
      if (in_place && !item.in_place_backward) continue;
      for (const vector<int>& shape :
           {vector<int>{2, 19, 3, 5}, {1, 32, 40, 41}, {3, 1, 2}}) {
        SCOPED_TRACE(item.text + (in_place ? ", in place" : ""));
        BlockedCheck check{item.text, {shape}, 1, in_place};
        check.low = item.low;
        check.high = item.high;
        check.stays_blocked =
            false;  // a constant Power leaves its zero gradient row-major
        check.Run();
      }
    }
  }
  for (const char* text : {"type: 'ReLU'", "type: 'Clip' clip_param { min: 0 max: 6 }"}) {
    BlockedCheck{text, {{2, 19, 3, 5}}, 1, true}.Run();
    BlockedCheck{text, {{2, 19, 3, 5}}, 1, false}.Run();
  }
}

TEST(ReLULayerTest, NanPassesAndZeroHasTheNegativeSlope) {
  LayerUnderTest<float> test("type: 'ReLU' relu_param { negative_slope: 0.25 }", {{2}});
  test.SetUp();
  test.bottom[0]->mutable_cpu_data()[0] = std::numeric_limits<float>::quiet_NaN();
  test.bottom[0]->mutable_cpu_data()[1] = 0;
  test.Forward();
  EXPECT_TRUE(std::isnan(test.top[0]->cpu_data()[0]));
  test.top[0]->mutable_cpu_diff()[1] = 4;
  test.Backward();
  EXPECT_EQ(test.bottom[0]->cpu_diff()[1], 1);
}

TEST(ClipLayerTest, GradientPassesAtTheBounds) {
  LayerUnderTest<float> test("type: 'Clip' clip_param { min: -1 max: 1 }", {{2}});
  test.SetUp();
  test.bottom[0]->mutable_cpu_data()[0] = -1;
  test.bottom[0]->mutable_cpu_data()[1] = 1;
  test.Forward();
  test.top[0]->mutable_cpu_diff()[0] = test.top[0]->mutable_cpu_diff()[1] = 3;
  test.Backward();
  EXPECT_EQ(diff_of(*test.bottom[0]), vector<float>({3, 3}));
}

TEST(ClipLayerTest, RefusesBoundsThatDoNotFit) {
  EXPECT_NE(LayerUnderTest<float>("type: 'Clip' clip_param { min: 1 }", {{2}})
                .SetUpError()
                .find("both min and max"),
            string::npos);
  EXPECT_NE(LayerUnderTest<float>("type: 'Clip' clip_param { min: 2 max: 1 }", {{2}})
                .SetUpError()
                .find("larger than max"),
            string::npos);
}

TEST(ActivationRoleTest, SaysWhatTheLayersDo) {
  LayerUnderTest<float> relu("type: 'ReLU' relu_param { negative_slope: 0.5 }", {{2}});
  const Activation leaky = dynamic_cast<ActivationRole*>(relu.layer.get())->activation();
  EXPECT_EQ(leaky.kind, Activation::kReLU);
  EXPECT_EQ(leaky.slope, 0.5f);
  LayerUnderTest<float> clip("type: 'Clip' clip_param { min: -1 max: 6 }", {{2}});
  const Activation bounded =
      dynamic_cast<ActivationRole*>(clip.layer.get())->activation();
  EXPECT_EQ(bounded.kind, Activation::kClip);
  EXPECT_EQ(bounded.lower, -1);
  EXPECT_EQ(bounded.upper, 6);
}

TEST(AbsValLayerTest, FollowsItsFormula) {
  LayerUnderTest<float> test("type: 'AbsVal'", {{3}});
  test.SetUp();
  const float x[] = {-2, 0, 3};
  std::copy_n(x, 3, test.bottom[0]->mutable_cpu_data());
  test.Forward();
  EXPECT_EQ(data_of(*test.top[0]), vector<float>({2, 0, 3}));
  std::fill_n(test.top[0]->mutable_cpu_diff(), 3, 5.f);
  test.Backward();
  EXPECT_EQ(diff_of(*test.bottom[0]), vector<float>({-5, 0, 5}));
  BlockedCheck{"type: 'AbsVal'", {{2, 19, 3, 5}}}.Run();
  EXPECT_NE(LayerUnderTest<float>("type: 'AbsVal'", {{3}}, 1, true)
                .SetUpError()
                .find("in place"),
            string::npos);
}

TEST(ThresholdLayerTest, IsOneAboveTheThreshold) {
  LayerUnderTest<float> test("type: 'Threshold' threshold_param { threshold: -1 }",
                             {{1, 3, 1, 1}});
  const float x[] = {-2, -1, 0};
  std::copy_n(x, 3, test.bottom[0]->mutable_cpu_data());
  test.SetUp();
  make_blocked(test.bottom[0]->data(), test.bottom[0]->blocked_layout());
  test.Forward();
  expect_zero_tail(test.top[0]->data(), "top");
  EXPECT_EQ(data_of(*test.top[0]), vector<float>({0, 0, 1}));
  test.Backward({false});
  EXPECT_THROW(test.Backward({true}), Error);
}

TEST(ExpLogLayerTest, RefuseBasesWithoutLogarithm) {
  for (const char* text :
       {"type: 'Exp' exp_param { base: 0 }", "type: 'Exp' exp_param { base: -2 }",
        "type: 'Log' log_param { base: 0 }", "type: 'Log' log_param { base: 1 }"}) {
    EXPECT_NE(LayerUnderTest<float>(text, {{2}}).SetUpError().find("base"), string::npos)
        << text;
  }
  LayerUnderTest<float> one("type: 'Exp' exp_param { base: 1 }", {{2}});
  one.SetUp();
  one.Forward();
  EXPECT_EQ(one.top[0]->cpu_data()[0], 1);
}

TEST(PowerLayerTest, GradientAtBaseZeroIsNoNan) {
  LayerUnderTest<float> test("type: 'Power' power_param { power: 3 }", {{1}});
  test.SetUp();
  test.bottom[0]->mutable_cpu_data()[0] = 0;
  test.Forward();
  test.top[0]->mutable_cpu_diff()[0] = 1;
  test.Backward();
  EXPECT_EQ(test.bottom[0]->cpu_diff()[0], 0);
}

TYPED_TEST(NeuronLayersTest, DropoutKeepsTheAskedShareAndScalesIt) {
  for (const bool in_place : {false, true}) {
    LayerUnderTest<TypeParam> test(
        "type: 'Dropout' dropout_param { dropout_ratio: 0.75 }", {{4, 25, 20, 20}}, 1,
        in_place);
    fill_uniform(test.bottom[0], 3, 1, 2);
    const vector<TypeParam> x = data_of(*test.bottom[0]);
    Caffe::set_random_seed(5);
    test.SetUp();
    test.Forward();
    const vector<TypeParam> y = data_of(*test.top[0]);
    test.FillTopDiff();
    const vector<TypeParam> g = diff_of(*test.top[0]);
    test.Backward();
    int kept = 0;
    for (size_t i = 0; i < x.size(); ++i) {
      const bool keeps = y[i] != 0;
      kept += keeps;
      ASSERT_NEAR(y[i], keeps ? 4 * x[i] : 0, 1e-5);
      ASSERT_NEAR(test.bottom[0]->cpu_diff()[i], keeps ? 4 * g[i] : 0, 1e-5);
    }
    EXPECT_NEAR(kept, 10000, 300);
  }
}

TEST(DropoutLayerTest, DrawsAnewEachPassAndTheSameFromOneSeed) {
  LayerUnderTest<float> test("type: 'Dropout'", {{1, 4, 10, 10}});
  fill_uniform(test.bottom[0], 3, 1, 2);
  test.SetUp();
  Caffe::set_random_seed(1);
  test.Forward();
  const vector<float> first = data_of(*test.top[0]);
  test.Forward();
  EXPECT_NE(first, data_of(*test.top[0]));
  Caffe::set_random_seed(1);
  test.Forward();
  EXPECT_EQ(first, data_of(*test.top[0]));
}

TEST(DropoutLayerTest, MaskIsTheSameInEveryLayout) {
  BlockedCheck{"type: 'Dropout'", {{2, 19, 13, 5}}, 1, false}.Run();
  BlockedCheck{"type: 'Dropout'", {{2, 32, 3, 5}}, 1, true}.Run();
}

TEST(DropoutLayerTest, RefusesARatioOfOne) {
  EXPECT_NE(
      LayerUnderTest<float>("type: 'Dropout' dropout_param { dropout_ratio: 1 }", {{2}})
          .SetUpError()
          .find("dropout_ratio"),
      string::npos);
}

// Eltwise by its formulas; x[k][i].
vector<double> EltwiseValue(const string& operation, const vector<double>& coeffs,
                            const vector<vector<double>>& x) {
  vector<double> y;
  for (size_t i = 0; i < x[0].size(); ++i) {
    double value = operation == "PROD" ? 1 : operation == "SUM" ? 0 : -1e30;
    for (size_t k = 0; k < x.size(); ++k) {
      if (operation == "PROD") value *= x[k][i];
      if (operation == "SUM") value += (coeffs.empty() ? 1 : coeffs[k]) * x[k][i];
      if (operation == "MAX") value = std::max(value, x[k][i]);
    }
    y.push_back(value);
  }
  return y;
}

TYPED_TEST(NeuronLayersTest, EltwiseFollowsItsFormula) {
  for (const int bottoms : {1, 2, 3, 5}) {
    for (const string operation : {"PROD", "SUM", "MAX", "WEIGHTED"}) {
      string text = "type: 'Eltwise' eltwise_param { operation: ";
      text += operation == "WEIGHTED" ? "SUM" : operation;
      vector<double> coeffs;
      for (int k = 0; k < bottoms && operation == "WEIGHTED"; ++k) {
        coeffs.push_back(0.5 * k - 1);
        text += " coeff: " + std::to_string(coeffs.back());
      }
      const vector<vector<int>> shapes(bottoms, {2, 3, 4, 5});
      LayerUnderTest<TypeParam> test(text + " }", shapes);
      test.SetUp();
      test.Forward();
      vector<vector<double>> x;
      for (const Blob<TypeParam>* bottom : test.bottom) {
        x.emplace_back(bottom->cpu_data(), bottom->cpu_data() + bottom->count());
      }
      const vector<double> y =
          EltwiseValue(operation == "WEIGHTED" ? "SUM" : operation, coeffs, x);
      expect_near(vector<TypeParam>(y.begin(), y.end()), data_of(*test.top[0]), 1e-5,
                  text);
    }
  }
}

TEST(EltwiseLayerTest, Gradient) {
  for (const int bottoms : {1, 2, 3}) {
    for (const char* fields :
         {"operation: PROD", "operation: PROD stable_prod_grad: false", "operation: SUM",
          "operation: MAX"}) {
      SCOPED_TRACE(fields);
      LayerUnderTest<double> test(
          string("type: 'Eltwise' eltwise_param { ") + fields + " }",
          vector<vector<int>>(bottoms, {2, 3, 2, 2}));
      check_gradient(&test);
    }
  }
  LayerUnderTest<double> weighted(
      "type: 'Eltwise' eltwise_param { coeff: 2 coeff: -0.5 }", {{2, 3}, {2, 3}});
  check_gradient(&weighted);
}

TEST(EltwiseLayerTest, MaximumGivesTiesToTheLaterOfTheFirstTwo) {
  LayerUnderTest<float> test("type: 'Eltwise' eltwise_param { operation: MAX }",
                             {{1}, {1}, {1}});
  test.SetUp();
  for (Blob<float>* bottom : test.bottom) bottom->mutable_cpu_data()[0] = 3;
  test.Forward();
  test.top[0]->mutable_cpu_diff()[0] = 5;
  test.Backward();
  EXPECT_EQ(test.bottom[0]->cpu_diff()[0], 0);
  EXPECT_EQ(test.bottom[1]->cpu_diff()[0], 5);
  EXPECT_EQ(test.bottom[2]->cpu_diff()[0], 0);
}

TEST(EltwiseLayerTest, BlockedInputGivesTheSame) {
  for (const char* fields : {"operation: PROD", "operation: PROD stable_prod_grad: false",
                             "operation: SUM", "operation: MAX"}) {
    for (const int bottoms : {1, 2, 3, 4}) {
      SCOPED_TRACE(fields);
      BlockedCheck check{string("type: 'Eltwise' eltwise_param { ") + fields + " }",
                         vector<vector<int>>(bottoms, {2, 19, 3, 5})};
      check.Run();
      if (bottoms < 2) continue;
      check.plain_bottoms = {0};  // one blocked bottom is enough
      check.Run();
    }
  }
}

TEST(EltwiseLayerTest, RefusesWhatDoesNotFit) {
  const auto error = [](const string& fields, const vector<vector<int>>& shapes,
                        bool in_place = false) {
    return LayerUnderTest<float>("type: 'Eltwise' eltwise_param { " + fields + " }",
                                 shapes, 1, in_place)
        .SetUpError();
  };
  EXPECT_NE(error("", {{2, 3}, {3, 2}}).find("bottom 1 has shape"), string::npos);
  EXPECT_NE(error("coeff: 1", {{2}, {2}}).find("1 coefficients for 2"), string::npos);
  EXPECT_NE(error("operation: PROD coeff: 1 coeff: 1", {{2}, {2}}).find("only for SUM"),
            string::npos);
  EXPECT_NE(error("", {{2}, {2}}, true).find("in place"), string::npos);
}

}  // namespace
}  // namespace caffe

// Losses and Accuracy: worked examples, formulas, gradients, weights, what they refuse.
#include <cmath>
#include <limits>

#include "layer_check.hpp"

namespace caffe {
namespace {

template <typename Dtype>
class LossLayersTest : public ::testing::Test {};
TYPED_TEST_SUITE(LossLayersTest, TestDtypes);

template <typename Dtype>
void Set(Blob<Dtype>* blob, const vector<double>& values) {
  ASSERT_EQ(static_cast<size_t>(blob->count()), values.size());
  for (size_t i = 0; i < values.size(); ++i) {
    blob->mutable_cpu_data()[i] = static_cast<Dtype>(values[i]);
  }
}

template <typename Dtype>
void ExpectDiff(const Blob<Dtype>& blob, const vector<double>& values,
                double tolerance = 1e-6) {
  expect_near(vector<Dtype>(values.begin(), values.end()), diff_of(blob), tolerance,
              "diff");
}

// facts, 12.5.
const vector<double> kScores = {1, 0, 2, -1, 0.5, 3, -1, 1, 0, 1, 1, 1};
const vector<double> kLabels = {1, 255, 0, 2};

TYPED_TEST(LossLayersTest, SoftmaxFollowsTheWorkedExampleInAllModes) {
  const vector<std::pair<string, double>> modes = {
      {"normalization: FULL", 0.99264676},
      {"normalization: VALID", 1.32352901},
      {"", 1.32352901},
      {"normalize: true", 1.32352901},
      {"normalize: false", 1.98529352},
      {"normalization: BATCH_SIZE", 1.98529352},
      {"normalization: NONE", 3.97058704}};
  for (const auto& mode : modes) {
    LayerUnderTest<TypeParam> test(
        "type: 'SoftmaxWithLoss' loss_param { ignore_label: 255 " + mode.first + " }",
        {{2, 3, 1, 2}, {2, 1, 1, 2}});
    Set(test.bottom[0], kScores);
    Set(test.bottom[1], kLabels);
    test.SetUp();
    EXPECT_EQ(test.top[0]->num_axes(), 0);
    EXPECT_NEAR(test.Forward(), mode.second, 1e-6) << mode.first;
    EXPECT_NEAR(test.top[0]->cpu_data()[0], mode.second, 1e-6);
  }
}

TYPED_TEST(LossLayersTest, SoftmaxGradientOfTheWorkedExample) {
  LayerUnderTest<TypeParam> test(
      "type: 'SoftmaxWithLoss' loss_param { ignore_label: 255 }",
      {{2, 3, 1, 2}, {2, 1, 1, 2}});
  Set(test.bottom[0], kScores);
  Set(test.bottom[1], kLabels);
  test.SetUp();
  test.Forward();
  test.Backward({true, false});
  ExpectDiff(*test.bottom[0],
             {0.07707463, 0, -0.12382276, 0, 0.04674813, 0, -0.30332314, 0.11111111,
              0.08157616, 0.11111111, 0.22174699, -0.22222222});
  Set(test.bottom[1], {255, 255, 255, 255});
  EXPECT_EQ(test.Forward(), 0);
  test.Backward({true, false});
  ExpectDiff(*test.bottom[0], vector<double>(12, 0.));
}

TEST(SoftmaxWithLossTest, GradientOverOtherAxes) {
  for (const int axis : {0, 1, 2, -1}) {
    LayerUnderTest<double> test(
        "type: 'SoftmaxWithLoss' loss_weight: 0.5 softmax_param { axis: " +
            std::to_string(axis) + " }",
        {{2, 2, 2}, {2, 1, 2}});
    Set(test.bottom[1], {0, 1, 1, 0});
    check_gradient(&test, 0);
  }
}

TEST(SoftmaxWithLossTest, ClampsTheProbabilityAtTheSmallestFloat) {
  LayerUnderTest<float> test("type: 'SoftmaxWithLoss'", {{1, 2}, {1}});
  Set(test.bottom[0], {0, 1000});
  Set(test.bottom[1], {0});
  test.SetUp();
  EXPECT_NEAR(test.Forward(), 87.33654475, 1e-4);
}

TEST(SoftmaxWithLossTest, SecondTopHoldsTheProbabilities) {
  LayerUnderTest<float> test("type: 'SoftmaxWithLoss'", {{2, 3, 1, 2}, {2, 1, 1, 2}}, 2);
  Set(test.bottom[0], kScores);
  Set(test.bottom[1], {1, 0, 0, 2});
  test.SetUp();
  EXPECT_EQ(test.layer->loss(0), 1);
  EXPECT_EQ(test.layer->loss(1), 0);
  test.Forward();
  EXPECT_NEAR(test.top[1]->data_at(0, 1, 0, 0), 0.62853172, 1e-6);
  LayerUnderTest<float> weighted("type: 'SoftmaxWithLoss' loss_weight: 1 loss_weight: 1",
                                 {{1, 2}, {1}}, 2);
  EXPECT_NE(weighted.SetUpError().find("second top"), string::npos);
}

TEST(SoftmaxWithLossTest, WeightsMultiplyPositionsAndEnterTheValidDivisor) {
  const vector<double> weights = {0.5, 2, 0, 3};
  // Terms of the example without the ignore label: -ln p, position by position.
  const double terms[] = {-std::log(0.62853172), 0, -std::log(0.09003057), std::log(3.)};
  double sum = 0;
  for (int i = 0; i < 4; ++i) sum += weights[i] * terms[i];
  const vector<std::pair<string, double>> modes = {
      {"VALID", 3.5}, {"FULL", 4}, {"BATCH_SIZE", 2}, {"NONE", 1}};
  for (const auto& mode : modes) {
    LayerUnderTest<double> test(
        "type: 'SoftmaxWithLoss' loss_param { ignore_label: 255 "
        "normalization: " +
            mode.first + " }",
        {{2, 3, 1, 2}, {2, 1, 1, 2}, {2, 1, 1, 2}});
    Set(test.bottom[0], kScores);
    Set(test.bottom[1], kLabels);
    Set(test.bottom[2], weights);
    test.SetUp();
    EXPECT_NEAR(test.Forward(), sum / mode.second, 1e-6) << mode.first;
    GradientChecker<double>(1e-4, 1e-4)
        .CheckGradientExhaustive(test.layer.get(), test.bottom, test.top, 0);
  }
  LayerUnderTest<double> items(
      "type: 'SoftmaxWithLoss' loss_param { normalization: NONE }",
      {{2, 3, 1, 2}, {2, 1, 1, 2}, {2}});
  Set(items.bottom[0], kScores);
  Set(items.bottom[1], {1, 1, 0, 2});
  Set(items.bottom[2], {0, 2});
  items.SetUp();
  EXPECT_NEAR(items.Forward(), 2 * (terms[2] + terms[3]), 1e-6);
}

TEST(SoftmaxWithLossTest, RefusesLabelsThatDoNotFit) {
  const auto error = [](double label) {
    LayerUnderTest<float> test("type: 'SoftmaxWithLoss' loss_param { ignore_label: -5 }",
                               {{2, 3}, {2}});
    Set(test.bottom[1], {0, label});
    test.SetUp();
    return FullErrorOf([&] { test.Forward(); });
  };
  if (Caffe::mode() == Caffe::CPU) {  // a device says NaN: gpu/test_gpu_losses.cpp
    EXPECT_NE(error(3).find("label 3 at position 1"), string::npos);
    EXPECT_NE(error(-1).find("label -1 at position 1"), string::npos);
    EXPECT_NE(error(std::numeric_limits<double>::quiet_NaN()).find("position 1"),
              string::npos);
  }
  EXPECT_EQ(error(-5), "");
  EXPECT_EQ(error(2.9), "");
  EXPECT_NE(LayerUnderTest<float>("type: 'SoftmaxWithLoss'", {{2, 3, 2}, {2}})
                .SetUpError()
                .find("number of labels"),
            string::npos);
  EXPECT_NE(LayerUnderTest<float>("type: 'SoftmaxWithLoss'", {{2, 3}, {1, 2}})
                .SetUpError()
                .find("different numbers of items"),
            string::npos);
  EXPECT_NE(LayerUnderTest<float>("type: 'SoftmaxWithLoss'", {{2, 3, 4}, {2, 4}, {3}})
                .SetUpError()
                .find("weight"),
            string::npos);
  LayerUnderTest<float> test("type: 'SoftmaxWithLoss'", {{1, 3}, {1}});
  Set(test.bottom[1], {0});
  test.SetUp();
  test.Forward();
  EXPECT_THROW(test.Backward({true, true}), Error);
}

const vector<double> kLogits = {2, -1, 0, 0.5, -3, 30};
const vector<double> kTargets = {1, 0, -1, 0.25, 1, 0};

TYPED_TEST(LossLayersTest, SigmoidCrossEntropyFollowsTheWorkedExample) {
  const vector<std::pair<string, double>> modes = {{"normalization: FULL", 5.72297567},
                                                   {"normalization: VALID", 6.86757081},
                                                   {"", 17.16892702},
                                                   {"normalize: true", 6.86757081},
                                                   {"normalize: false", 17.16892702},
                                                   {"normalization: NONE", 34.33785403}};
  for (const auto& mode : modes) {
    LayerUnderTest<TypeParam> test(
        "type: 'SigmoidCrossEntropyLoss' loss_param { ignore_label: -1 " + mode.first +
            " }",
        {{2, 3}, {2, 3}});
    Set(test.bottom[0], kLogits);
    Set(test.bottom[1], kTargets);
    test.SetUp();
    EXPECT_NEAR(test.Forward(), mode.second, 1e-5) << mode.first;
    if (mode.first.empty()) {
      test.Backward({true, false});
      ExpectDiff(*test.bottom[0],
                 {-0.05960146, 0.13447071, 0, 0.18622967, -0.47628706, 0.5});
    }
  }
}

TEST(SigmoidCrossEntropyTest, WeightsMultiplyPositionsAndEnterTheValidDivisor) {
  const vector<double> terms = {0.12692801, 0.31326169, 0, 0.84907698, 3.04858735, 30};
  const vector<double> weights = {1, 0.5, 7, 2, 0, 0.25};
  double sum = 0;
  for (int i = 0; i < 6; ++i) sum += weights[i] * terms[i];
  const vector<std::pair<string, double>> modes = {
      {"VALID", 3.75}, {"FULL", 6}, {"BATCH_SIZE", 2}, {"NONE", 1}};
  for (const auto& mode : modes) {
    LayerUnderTest<double> test(
        "type: 'SigmoidCrossEntropyLoss' loss_param { ignore_label: -1 "
        "normalization: " +
            mode.first + " }",
        {{2, 3}, {2, 3}, {2, 3}});
    Set(test.bottom[0], kLogits);
    Set(test.bottom[1], kTargets);
    Set(test.bottom[2], weights);
    test.SetUp();
    EXPECT_NEAR(test.Forward(), sum / mode.second, 1e-6) << mode.first;
    check_gradient(&test, 0);
  }
}

TEST(SigmoidCrossEntropyTest, LongInputsAndRefusals) {
  LayerUnderTest<float> test("type: 'SigmoidCrossEntropyLoss'",
                             {{2, 1, 70, 61}, {2, 1, 70, 61}});
  fill_uniform(test.bottom[0], 3, -20, 20);
  fill_uniform(test.bottom[1], 4, 0, 1);
  test.SetUp();
  double sum = 0;
  for (int i = 0; i < test.bottom[0]->count(); ++i) {
    const double x = test.bottom[0]->cpu_data()[i], t = test.bottom[1]->cpu_data()[i];
    sum +=
        -t * std::log(1 / (1 + std::exp(-x))) - (1 - t) * std::log(1 / (1 + std::exp(x)));
  }
  EXPECT_NEAR(test.Forward(), sum / 2, 1e-5 * sum);
  EXPECT_NE(LayerUnderTest<float>("type: 'SigmoidCrossEntropyLoss'", {{2, 3}, {2, 4}})
                .SetUpError()
                .find("same count"),
            string::npos);
}

TYPED_TEST(LossLayersTest, EuclideanFollowsTheWorkedExample) {
  LayerUnderTest<TypeParam> test("type: 'EuclideanLoss' loss_weight: 2",
                                 {{2, 2}, {2, 2}});
  Set(test.bottom[0], {1, 2, 3, 4});
  Set(test.bottom[1], {0, 2, 5, 1});
  test.SetUp();
  EXPECT_NEAR(test.Forward(), 7, 1e-6);
  EXPECT_NEAR(test.top[0]->cpu_data()[0], 3.5, 1e-6);
  test.Backward();
  ExpectDiff(*test.bottom[0], {1, 0, -2, 3});
  ExpectDiff(*test.bottom[1], {-1, 0, 2, -3});
  EXPECT_TRUE(test.layer->AllowForceBackward(1));
}

// The loss of lite_network.md 3, by its formula.
double SoftIoU(const Blob<double>& logits, const Blob<double>& labels,
               const Blob<double>* weight, double smooth) {
  double loss = 0;
  const int length = logits.count(1);
  for (int n = 0; n < logits.shape(0); ++n) {
    double intersection = smooth, all = smooth;
    for (int i = n * length; i < (n + 1) * length; ++i) {
      const double p = 1 / (1 + std::exp(-logits.cpu_data()[i])),
                   y = labels.cpu_data()[i];
      const double w = weight == nullptr                   ? 1
                       : weight->count() == logits.count() ? weight->cpu_data()[i]
                                                           : weight->cpu_data()[n];
      intersection += w * p * y;
      all += w * (p + y - p * y);
    }
    loss += 1 - intersection / all;
  }
  return loss / logits.shape(0);
}

TEST(SoftIoULossTest, FollowsItsFormulaWithItsGradient) {
  for (const vector<int>& weight :
       {vector<int>{}, vector<int>{3, 1, 4, 5}, vector<int>{3}}) {
    for (const double smooth : {10., 0.5}) {
      vector<vector<int>> shapes = {{3, 1, 4, 5}, {3, 1, 4, 5}};
      if (!weight.empty()) shapes.push_back(weight);
      LayerUnderTest<double> test(
          "type: 'SoftIoULoss' loss_weight: 0.3 soft_iou_loss_param { "
          "smooth: " +
              std::to_string(smooth) + " }",
          shapes);
      fill_uniform(test.bottom[1], 8, 0, 1);
      if (!weight.empty()) fill_uniform(test.bottom[2], 9, 0, 2);
      test.SetUp();
      test.Forward();
      EXPECT_NEAR(test.top[0]->cpu_data()[0],
                  SoftIoU(*test.bottom[0], *test.bottom[1],
                          weight.empty() ? nullptr : test.bottom[2], smooth),
                  1e-12);
      check_gradient(&test, 0, 1e-4, 1e-6);
    }
  }
}

TEST(SoftIoULossTest, ItemsWithoutWeightCountNothing) {
  LayerUnderTest<float> test("type: 'SoftIoULoss'",
                             {{1, 1, 40, 50}, {1, 1, 40, 50}, {1}});
  Set(test.bottom[2], {0});
  test.SetUp();
  EXPECT_EQ(test.Forward(), 0);
  test.Backward({true, false, false});
  EXPECT_EQ(test.bottom[0]->asum_diff(), 0);
  EXPECT_NE(LayerUnderTest<float>("type: 'SoftIoULoss' soft_iou_loss_param { smooth: 0 }",
                                  {{1, 2}, {1, 2}})
                .SetUpError()
                .find("smooth"),
            string::npos);
}

const vector<double> kAccuracyScores = {0.2, 0.5, 0.5, 0.4, 0.4, 0.2,
                                        0.1, 0.1, 0.8, 0,   0,   0};

TYPED_TEST(LossLayersTest, AccuracyCountsTiesAsWrong) {
  const vector<std::pair<int, double>> expected = {{1, 0.25}, {2, 0.75}, {3, 1}};
  for (const auto& item : expected) {
    LayerUnderTest<TypeParam> test(
        "type: 'Accuracy' accuracy_param { top_k: " + std::to_string(item.first) + " }",
        {{4, 3}, {4}}, 2);
    Set(test.bottom[0], kAccuracyScores);
    Set(test.bottom[1], {1, 0, 2, 0});
    test.SetUp();
    test.Forward();
    EXPECT_NEAR(test.top[0]->cpu_data()[0], item.second, 1e-6);
    ASSERT_EQ(test.top[1]->shape(), vector<int>({3}));
    EXPECT_NEAR(test.top[1]->cpu_data()[2], 1, 1e-6);
    EXPECT_NEAR(test.top[1]->cpu_data()[0],
                item.first == 1   ? 0
                : item.first == 2 ? 0.5
                                  : 1,
                1e-6);
  }
}

TEST(AccuracyTest, IgnoresALabelAndMapsPositions) {
  LayerUnderTest<float> test("type: 'Accuracy' accuracy_param { ignore_label: 0 }",
                             {{1, 2, 1, 3}, {1, 1, 3}});
  Set(test.bottom[0], {1, 0, 5, 0, 1, 2});
  Set(test.bottom[1], {0, 1, 1});
  test.SetUp();
  test.Forward();
  EXPECT_EQ(test.top[0]->cpu_data()[0], 0.5f);
  Set(test.bottom[1], {0, 0, 0});
  test.Forward();
  EXPECT_EQ(test.top[0]->cpu_data()[0], 0);
  test.Backward({false, false});
  EXPECT_THROW(test.Backward({true, false}), Error);
  EXPECT_FALSE(test.layer->AllowForceBackward(0));
}

TEST(AccuracyTest, NanIsWrongAndBadLabelsAreNamed) {
  LayerUnderTest<float> test("type: 'Accuracy'", {{2, 2}, {2}});
  const double nan = std::numeric_limits<double>::quiet_NaN();
  Set(test.bottom[0], {nan, 0, 1, nan});
  Set(test.bottom[1], {0, 0});
  test.SetUp();
  test.Forward();
  EXPECT_EQ(test.top[0]->cpu_data()[0], 0);
  Set(test.bottom[1], {0, 2});
  if (Caffe::mode() == Caffe::CPU) {
    EXPECT_THROW(test.Forward(), Error);
  }
  EXPECT_NE(
      LayerUnderTest<float>("type: 'Accuracy' accuracy_param { top_k: 3 }", {{2, 2}, {2}})
          .SetUpError()
          .find("top_k"),
      string::npos);
}

}  // namespace
}  // namespace caffe

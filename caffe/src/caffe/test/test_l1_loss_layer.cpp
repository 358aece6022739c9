// L1Loss: every mode against its formula, check values, unknown truth, gradients.
#include <limits>

#include "any_device_test.hpp"
#include "caffe/layers/l1_loss_layer.hpp"
#include "caffe/test/test_gradient_check_util.hpp"
#include "error_check.hpp"
#include "flow_check_values.hpp"
#include "log_check.hpp"

namespace caffe {
namespace {

template <typename TypeParam>
class L1LossLayerTest : public AnyDeviceTest<TypeParam> {
 protected:
  typedef typename TypeParam::Dtype Dtype;

  void SetShape(const vector<int>& shape, const vector<int>& unknown) {
    a_.Reshape(shape);
    b_.Reshape(shape);
    fill_data(&a_, 1);
    fill_data(&b_, 2);
    for (const int i : unknown) {
      b_.mutable_cpu_data()[i] = std::numeric_limits<Dtype>::quiet_NaN();
    }
  }

  double Forward(const L1LossParameter& param, size_t bottoms = 2) {
    LayerParameter layer_param;
    *layer_param.mutable_l1_loss_param() = param;
    layer_ = std::make_shared<L1LossLayer<Dtype>>(layer_param);
    const vector<Blob<Dtype>*> used(bottoms_.begin(), bottoms_.begin() + bottoms);
    layer_->SetUp(used, tops_);
    return layer_->Forward(used, tops_);
  }

  // layers_flow.md 4.1.
  double Reference(const L1LossParameter& p, bool two) const {
    const int channels = a_.channels();
    double known = 0, sum = 0;
    const auto difference = [&](int n, int c, int y, int x) {
      const double d = a_.data_at(n, c, y, x) - (two ? b_.data_at(n, c, y, x) : 0);
      return d;
    };
    for (int n = 0; n < a_.num(); ++n) {
      for (int y = 0; y < a_.height(); ++y) {
        for (int x = 0; x < a_.width(); ++x) {
          double s = 0;
          for (int c = 0; c < channels; ++c) {
            const double d = difference(n, c, y, x);
            if (std::isnan(d)) continue;
            ++known;
            s += d * d;
            if (!p.l2_per_location() && std::fabs(d) >= p.plateau()) sum += std::fabs(d);
          }
          if (!p.l2_per_location()) continue;
          if (p.l2_prescale_by_channels()) s /= channels;
          if (s < static_cast<double>(p.plateau()) * p.plateau()) s = 0;
          sum += std::pow(s + p.epsilon(), static_cast<double>(p.power()));
        }
      }
    }
    const double divisor = p.normalize_by_num_entries() ? known / channels : a_.num();
    return sum / divisor;
  }

  Blob<Dtype> a_, b_, top_;
  vector<Blob<Dtype>*> bottoms_{&a_, &b_}, tops_{&top_};
  shared_ptr<L1LossLayer<Dtype>> layer_;
};

TYPED_TEST_SUITE(L1LossLayerTest, TestDtypesAndDevices);

vector<L1LossParameter> modes() {
  vector<L1LossParameter> all;
  for (int bits = 0; bits < 16; ++bits) {
    L1LossParameter param;
    param.set_l2_per_location(bits & 1);
    param.set_normalize_by_num_entries(bits & 2);
    param.set_l2_prescale_by_channels(bits & 4);
    if (bits & 8) param.set_plateau(0.4f);
    all.push_back(param);
    param.set_power(0.35f);
    param.set_epsilon(1e-4f);
    all.push_back(param);
  }
  return all;
}

TYPED_TEST(L1LossLayerTest, FollowsTheFormulaInEveryMode) {
  for (const L1LossParameter& param : modes()) {
    for (const vector<int>& shape :
         vector<vector<int>>{{2, 2, 3, 4}, {3, 5, 1, 7}, {1, 1, 1, 1}}) {
      const bool small = shape[0] == 1;
      this->SetShape(shape, small ? vector<int>{} : vector<int>{1, 13, 9});
      for (const bool two : {true, false}) {
        const double expected = this->Reference(param, two);
        EXPECT_NEAR(this->Forward(param, two ? 2 : 1), expected, 1e-5 * expected)
            << param.ShortDebugString();
      }
    }
  }
}

TYPED_TEST(L1LossLayerTest, GivesTheForksValues) {
  struct Check {
    bool l2, by_entries, by_channels;
    float power;
    double loss;
  };
  this->SetShape({2, 2, 3, 4}, {1, 13, 35});
  for (const Check& check : vector<Check>{{false, false, false, 0.5f, 17.588412},
                                          {false, true, false, 0.5f, 1.563414},
                                          {true, false, false, 0.5f, 13.309126},
                                          {true, true, false, 0.5f, 1.183033},
                                          {true, false, true, 0.5f, 9.464983},
                                          {true, false, false, 0.3f, 12.486466}}) {
    L1LossParameter param;
    param.set_l2_per_location(check.l2);
    param.set_normalize_by_num_entries(check.by_entries);
    param.set_l2_prescale_by_channels(check.by_channels);
    param.set_power(check.power);
    EXPECT_NEAR(this->Forward(param), check.loss, 2e-6 * check.loss);
  }
}

TYPED_TEST(L1LossLayerTest, GradientInEveryMode) {
  typedef typename TypeParam::Dtype Dtype;
  if (std::is_same<Dtype, float>::value)
    return;  // the loss is one number: differences drown
  for (const L1LossParameter& param : modes()) {
    this->SetShape({2, 2, 3, 4}, {});
    LayerParameter layer_param;
    *layer_param.mutable_l1_loss_param() = param;
    L1LossLayer<Dtype> layer(layer_param);
    GradientChecker<Dtype> checker(1e-6, 1e-5);
    checker.CheckGradient(&layer, this->bottoms_, this->tops_);
    // One bottom.
    const vector<Blob<Dtype>*> one = {&this->a_};
    L1LossLayer<Dtype> single(layer_param);
    checker.CheckGradient(&single, one, this->tops_);
  }
}

TYPED_TEST(L1LossLayerTest, UnknownTruthHasNoGradientAndLeavesTheOthersAlone) {
  typedef typename TypeParam::Dtype Dtype;
  for (const L1LossParameter& param : modes()) {
    this->SetShape({2, 2, 3, 4}, {1, 13, 35});
    this->Forward(param);
    this->top_.mutable_cpu_diff()[0] = Dtype(1.5);
    this->layer_->Backward(this->tops_, {true, true}, this->bottoms_);
    for (int i = 0; i < this->a_.count(); ++i) {
      const Dtype diff = this->a_.cpu_diff()[i];
      EXPECT_EQ(this->b_.cpu_diff()[i], -diff);
      if (i == 1 || i == 13 || i == 35) {
        EXPECT_EQ(diff, 0);
      } else if (param.plateau() == 0) {
        EXPECT_GT(diff * (this->a_.cpu_data()[i] - this->b_.cpu_data()[i]), 0);
      }
    }
    EXPECT_TRUE(std::isnan(this->b_.cpu_data()[1]));
  }
}

TYPED_TEST(L1LossLayerTest, WithoutAnyKnownEntryLossAndGradientAreZero) {
  typedef typename TypeParam::Dtype Dtype;
  for (const L1LossParameter& param : modes()) {
    if (!param.normalize_by_num_entries()) continue;
    this->SetShape({1, 2, 1, 2}, {0, 1, 2, 3});
    EXPECT_EQ(this->Forward(param), 0);
    this->top_.mutable_cpu_diff()[0] = 1;
    std::fill_n(this->a_.mutable_cpu_diff(), 4, Dtype(7));
    this->layer_->Backward(this->tops_, {true, false}, this->bottoms_);
    EXPECT_EQ(this->a_.asum_diff(), 0);
  }
}

TYPED_TEST(L1LossLayerTest, WithoutEpsilonEqualBottomsHaveNoGradient) {
  typedef typename TypeParam::Dtype Dtype;
  L1LossParameter param;
  param.set_l2_per_location(true);
  param.set_epsilon(0);
  this->SetShape({1, 2, 2, 3}, {});
  this->b_.CopyFrom(this->a_);
  EXPECT_EQ(this->Forward(param), 0);
  this->top_.mutable_cpu_diff()[0] = 1;
  std::fill_n(this->a_.mutable_cpu_diff(), 12, Dtype(7));
  this->layer_->Backward(this->tops_, {true, true}, this->bottoms_);
  EXPECT_EQ(this->a_.asum_diff(), 0);
}

TYPED_TEST(L1LossLayerTest, RefusesBottomsOfDifferentShapes) {
  this->SetShape({1, 2, 2, 3}, {});
  this->b_.Reshape(1, 2, 3, 2);
  const string error = FullErrorOf([&] { this->Forward(L1LossParameter()); });
  EXPECT_TRUE(has_words(error, {"1 2 3 2"}));
}

TYPED_TEST(L1LossLayerTest, RefusesSettingsThatMakeNoLoss) {
  struct Row {
    const char *setting, *right;
    void (L1LossParameter::*set)(float);
    vector<float> refused;
  };
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float infinite = std::numeric_limits<float>::infinity();
  this->SetShape({1, 2, 2, 3}, {});
  for (const Row& row : {Row{"plateau",
                             "must be 0 or more",
                             &L1LossParameter::set_plateau,
                             {-0.5f, nan, infinite}},
                         Row{"epsilon",
                             "must be 0 or more",
                             &L1LossParameter::set_epsilon,
                             {-0.5f, nan, infinite}},
                         Row{"power",
                             "must be more than 0",
                             &L1LossParameter::set_power,
                             {-0.5f, 0, nan, infinite}}}) {
    for (const float value : row.refused) {
      L1LossParameter param;
      (param.*row.set)(value);
      std::ostringstream shown;
      shown << row.right << ", not " << value;
      const string error = FullErrorOf([&] { this->Forward(param); });
      EXPECT_TRUE(has_words(
          error,
          {"L1Loss layer ''", string("l1_loss_param.") + row.setting, shown.str()}));
    }
  }
}

TYPED_TEST(L1LossLayerTest, NamesSettingsThatNeedAnother) {
  this->SetShape({1, 2, 2, 3}, {});
  for (const bool by_location : {false, true}) {
    L1LossParameter param;
    param.set_l2_per_location(by_location);
    param.set_epsilon(0.1f);
    param.set_power(0.4f);
    param.set_l2_prescale_by_channels(true);
    const CapturedLog log;
    this->Forward(param);
    const size_t wanted = by_location ? 0 : 3;
    ASSERT_EQ(CapturedLog::lines().size(), wanted) << CapturedLog::text();
    if (by_location) continue;
    EXPECT_TRUE(has_words(
        CapturedLog::text(),
        {"L1Loss layer ''", "epsilon has no effect", "power has no effect",
         "l2_prescale_by_channels has no effect", "l2_per_location, which is false"}));
  }
}

}  // namespace
}  // namespace caffe

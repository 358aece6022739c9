// Resample: its axis, its formula over all sizes, check values, gradients, layouts,
// messages.
#include <algorithm>
#include <limits>

#include "any_device_test.hpp"
#include "caffe/layers/resample_layer.hpp"
#include "caffe/test/test_gradient_check_util.hpp"
#include "error_check.hpp"
#include "flow_check_values.hpp"

namespace caffe {
namespace {

TEST(ResampleAxisTest, PutsPixelCentresAtHalfPixels) {
  const ResampleAxis twice = ResampleAxis::Make(4, 8, ResampleAxis::kLinear, true);
  EXPECT_DOUBLE_EQ(twice.position(0), -0.25);
  EXPECT_DOUBLE_EQ(twice.position(1), 0.25);
  EXPECT_DOUBLE_EQ(twice.position(7), 3.25);
  const ResampleAxis half = ResampleAxis::Make(8, 4, ResampleAxis::kLinear, true);
  EXPECT_DOUBLE_EQ(half.position(0), 0.5);
  EXPECT_DOUBLE_EQ(half.stretch, 2);
  EXPECT_DOUBLE_EQ(ResampleAxis::Make(8, 4, ResampleAxis::kLinear, false).stretch, 1);
}

TEST(ResampleAxisTest, RoundsHalvesUpwardsAndStaysInside) {
  for (const auto& size :
       vector<std::pair<int, int>>{{8, 4}, {4, 8}, {1, 9}, {9, 1}, {7, 5}}) {
    const ResampleAxis axis =
        ResampleAxis::Make(size.first, size.second, ResampleAxis::kNearest, false);
    for (int o = 0; o < axis.out; ++o) {
      EXPECT_EQ(axis.nearest(o), static_cast<int>(std::floor(axis.position(o) + 0.5)));
      EXPECT_GE(axis.nearest(o), 0);
      EXPECT_LT(axis.nearest(o), axis.in);
    }
  }
  EXPECT_EQ(ResampleAxis::Make(8, 4, ResampleAxis::kNearest, false).nearest(0), 1);
}

TEST(ResampleAxisTest, ItsWindowHoldsEveryWeight) {
  for (const auto kernel : {ResampleAxis::kLinear, ResampleAxis::kCubic}) {
    for (const auto& size :
         vector<std::pair<int, int>>{{9, 4}, {4, 9}, {23, 2}, {3, 3}}) {
      const ResampleAxis axis = ResampleAxis::Make(size.first, size.second, kernel, true);
      for (int o = 0; o < axis.out; ++o) {
        for (int p = 0; p < axis.in; ++p) {
          if (p < axis.first(o) || p > axis.last(o)) {
            EXPECT_EQ(axis.weight(o, p), 0);
          }
        }
      }
    }
  }
}

TEST(ResampleTapsTest, TheTransposedTableIsTheAdjoint) {
  for (const auto kernel :
       {ResampleAxis::kNearest, ResampleAxis::kLinear, ResampleAxis::kCubic}) {
    for (const auto& size :
         vector<std::pair<int, int>>{{9, 4}, {4, 9}, {1, 5}, {5, 1}, {12, 11}}) {
      const auto taps = ResampleTaps<double>::Make(
          ResampleAxis::Make(size.first, size.second, kernel, false));
      const auto back = taps.Transposed();
      const auto entry = [](const ResampleTaps<double>& t, int o, int p) {
        const int k = p - t.first[o];
        return k >= 0 && k < t.length[o] ? t.weight[static_cast<size_t>(o) * t.most + k]
                                         : 0.0;
      };
      for (int o = 0; o < taps.out; ++o) {
        for (int p = 0; p < taps.in; ++p) EXPECT_EQ(entry(taps, o, p), entry(back, p, o));
      }
    }
  }
}

struct Resize {
  vector<int> shape;
  int height, width;
};

const vector<Resize>& sizes() {
  static const vector<Resize> all = {
      {{1, 1, 1, 1}, 3, 4},   {{2, 3, 4, 5}, 8, 10},   {{1, 17, 5, 7}, 10, 14},
      {{1, 2, 9, 12}, 3, 4},  {{3, 9, 6, 5}, 6, 5},    {{1, 2, 7, 6}, 9, 4},
      {{1, 8, 5, 1}, 3, 6},   {{1, 20, 3, 4}, 12, 16}, {{2, 16, 13, 11}, 1, 1},
      {{1, 1, 30, 2}, 7, 31}, {{1, 33, 2, 3}, 5, 5}};
  return all;
}

template <typename TypeParam>
class ResampleLayerTest : public AnyDeviceTest<TypeParam> {
 protected:
  typedef typename TypeParam::Dtype Dtype;

  void Settings(ResampleParameter::ResampleType type, bool antialias, int height,
                int width) {
    ResampleParameter* param = param_.mutable_resample_param();
    param->set_type(type);
    param->set_antialias(antialias);
    param->set_height(height);
    param->set_width(width);
  }

  // layers_flow.md 3.1, with the two things mended there (offsets, narrowing).
  vector<double> Reference() const {
    const ResampleParameter& param = param_.resample_param();
    const int height = bottom_.height(), width = bottom_.width();
    const int out_height = top_.height(), out_width = top_.width();
    const double fx = static_cast<double>(width) / out_width;
    const double fy = static_cast<double>(height) / out_height;
    const auto kappa = [&](double d) {
      d = std::fabs(d);
      if (param.type() == ResampleParameter::LINEAR) return std::max(0.0, 1 - d);
      if (d <= 1) return 1.5 * d * d * d - 2.5 * d * d + 1;
      return d < 2 ? -0.5 * d * d * d + 2.5 * d * d - 4 * d + 2 : 0.0;
    };
    const double ax = param.antialias() ? 1 / std::max(fx, 1.0) : 1;
    const double ay = param.antialias() ? 1 / std::max(fy, 1.0) : 1;
    vector<double> result;
    for (int n = 0; n < bottom_.num(); ++n) {
      for (int c = 0; c < bottom_.channels(); ++c) {
        for (int y = 0; y < out_height; ++y) {
          for (int x = 0; x < out_width; ++x) {
            const double px = (x + 0.5) * fx - 0.5, py = (y + 0.5) * fy - 0.5;
            if (param.type() == ResampleParameter::NEAREST) {
              const int xr = std::min(width - 1, static_cast<int>(std::lround(px)));
              const int yr = std::min(height - 1, static_cast<int>(std::lround(py)));
              result.push_back(bottom_.data_at(n, c, yr, xr));
              continue;
            }
            double sum = 0, weights = 0;
            for (int s = 0; s < height; ++s) {
              for (int p = 0; p < width; ++p) {
                const double w = kappa(ax * (px - p)) * kappa(ay * (py - s));
                weights += w;
                if (w != 0) sum += w * bottom_.data_at(n, c, s, p);
              }
            }
            result.push_back(weights == 0 ? 0 : sum / weights);
          }
        }
      }
    }
    return result;
  }

  vector<Dtype> Top() const { return copy_of(top_.cpu_data(), top_.count()); }

  LayerParameter param_;
  Blob<Dtype> bottom_, like_, top_;
  vector<Blob<Dtype>*> bottoms_{&bottom_}, tops_{&top_};
};

TYPED_TEST_SUITE(ResampleLayerTest, TestDtypesAndDevices);

TYPED_TEST(ResampleLayerTest, FollowsTheFormulaInEverySizeAndKind) {
  typedef typename TypeParam::Dtype Dtype;
  for (const auto type : {ResampleParameter::NEAREST, ResampleParameter::LINEAR,
                          ResampleParameter::CUBIC}) {
    for (const bool antialias : {true, false}) {
      for (const Resize& size : sizes()) {
        this->Settings(type, antialias, size.height, size.width);
        this->bottom_.Reshape(size.shape);
        fill_data(&this->bottom_, 1);
        ResampleLayer<Dtype> layer(this->param_);
        layer.SetUp(this->bottoms_, this->tops_);
        layer.Forward(this->bottoms_, this->tops_);
        SCOPED_TRACE(this->bottom_.shape_string() + " to " + this->top_.shape_string());
        expect_all_near(this->Top(), this->Reference(), 1e-5);
      }
    }
  }
}

TYPED_TEST(ResampleLayerTest, GivesTheForksValues) {
  typedef typename TypeParam::Dtype Dtype;
  struct Case {
    ResampleParameter::ResampleType type;
    Resize size;
    CheckSums sums;
  };
  const vector<Case> cases = {{ResampleParameter::LINEAR,
                               {{1, 2, 4, 5}, 8, 10},
                               {-1.418582, 32.352233, {0.051948, 0.028721, -0.017732}}},
                              {ResampleParameter::CUBIC,
                               {{1, 2, 4, 5}, 8, 10},
                               {-0.896755, 44.810199, {0.101134, 0.077339, 0.026980}}},
                              {ResampleParameter::NEAREST,
                               {{1, 2, 4, 5}, 8, 10},
                               {-1.418582, 56.697720, {0.051948, 0.051948, -0.040959}}},
                              {ResampleParameter::CUBIC,
                               {{1, 2, 9, 12}, 3, 4},
                               {0.083692, 0.840478, {0.285463, -0.006869, -0.252346}}},
                              {ResampleParameter::LINEAR,
                               {{1, 1, 5, 6}, 5, 6},
                               {-2.838162, 8.341180, {0.051948, -0.040959, -0.133866}}}};
  for (const Case& c : cases) {
    this->Settings(c.type, true, c.size.height, c.size.width);
    this->bottom_.Reshape(c.size.shape);
    fill_data(&this->bottom_, 1);
    ResampleLayer<Dtype> layer(this->param_);
    layer.SetUp(this->bottoms_, this->tops_);
    layer.Forward(this->bottoms_, this->tops_);
    expect_sums(this->top_.cpu_data(), this->top_.count(), c.sums);
  }
}

TYPED_TEST(ResampleLayerTest, TakesTheSizeOfASecondBottomAndFollowsReshapes) {
  typedef typename TypeParam::Dtype Dtype;
  this->Settings(ResampleParameter::LINEAR, false, 0, 0);
  this->bottoms_.push_back(&this->like_);
  ResampleLayer<Dtype> layer(this->param_);
  this->bottom_.Reshape(1, 2, 3, 4);
  this->like_.Reshape(1, 7, 6, 8);
  layer.SetUp(this->bottoms_, this->tops_);
  for (const Resize& size : sizes()) {
    this->bottom_.Reshape(size.shape);
    this->like_.Reshape(1, 5, size.height, size.width);
    fill_data(&this->bottom_, 1);
    layer.Forward(this->bottoms_, this->tops_);
    ASSERT_EQ(this->top_.height(), size.height);
    ASSERT_EQ(this->top_.width(), size.width);
    expect_all_near(this->Top(), this->Reference(), 1e-5);
  }
  std::fill_n(this->like_.mutable_cpu_diff(), this->like_.count(), Dtype(7));
  layer.Backward(this->tops_, {true, true}, this->bottoms_);
  EXPECT_EQ(this->like_.asum_diff(), 0);
}

TYPED_TEST(ResampleLayerTest, CopiesEqualSizesExactly) {
  typedef typename TypeParam::Dtype Dtype;
  this->bottom_.Reshape(2, 3, 5, 7);
  fill_data(&this->bottom_, 1);
  this->bottom_.mutable_cpu_data()[9] = std::numeric_limits<Dtype>::infinity();
  this->bottom_.mutable_cpu_data()[20] = std::numeric_limits<Dtype>::quiet_NaN();
  for (const auto type : {ResampleParameter::NEAREST, ResampleParameter::LINEAR,
                          ResampleParameter::CUBIC}) {
    this->Settings(type, true, 5, 7);
    ResampleLayer<Dtype> layer(this->param_);
    layer.SetUp(this->bottoms_, this->tops_);
    layer.Forward(this->bottoms_, this->tops_);
    for (int i = 0; i < this->bottom_.count(); ++i) {
      const Dtype want = this->bottom_.cpu_data()[i], got = this->top_.cpu_data()[i];
      EXPECT_TRUE(want == got || (std::isnan(want) && std::isnan(got))) << i;
    }
  }
}

TYPED_TEST(ResampleLayerTest, Gradient) {
  typedef typename TypeParam::Dtype Dtype;
  for (const auto type : {ResampleParameter::NEAREST, ResampleParameter::LINEAR,
                          ResampleParameter::CUBIC}) {
    for (const Resize& size : vector<Resize>{{{1, 2, 3, 4}, 6, 8},
                                             {{2, 1, 2, 3}, 8, 12},
                                             {{1, 1, 7, 6}, 3, 9},
                                             {{1, 3, 1, 1}, 3, 5},
                                             {{1, 1, 5, 4}, 1, 1}}) {
      this->Settings(type, true, size.height, size.width);
      this->bottom_.Reshape(size.shape);
      fill_data(&this->bottom_, 1);
      ResampleLayer<Dtype> layer(this->param_);
      GradientChecker<Dtype> checker(1e-2,
                                     std::is_same<Dtype, float>::value ? 1e-3 : 1e-6);
      checker.CheckGradientExhaustive(&layer, this->bottoms_, this->tops_);
    }
  }
}

TYPED_TEST(ResampleLayerTest, GivesTheSameOnBlockedMemoryAndLeavesItBlocked) {
  typedef typename TypeParam::Dtype Dtype;
  Caffe::set_mode(Caffe::CPU);  // blocked memory is the host's
  for (const auto type : {ResampleParameter::NEAREST, ResampleParameter::LINEAR}) {
    for (const Resize& size : sizes()) {
      this->Settings(type, true, size.height, size.width);
      this->bottom_.Reshape(size.shape);
      fill_data(&this->bottom_, 1);
      ResampleLayer<Dtype> layer(this->param_);
      layer.SetUp(this->bottoms_, this->tops_);
      layer.Forward(this->bottoms_, this->tops_);
      fill_diff(&this->top_);
      layer.Backward(this->tops_, {true}, this->bottoms_);
      const vector<Dtype> plain = this->Top();
      const vector<Dtype> plain_diff =
          copy_of(this->bottom_.cpu_diff(), this->bottom_.count());

      if (!make_blocked(&this->bottom_)) return;
      layer.Forward(this->bottoms_, this->tops_);
      const bool many = 2 * this->bottom_.channels() >= native_channel_block();
      EXPECT_EQ(this->top_.data()->head_is_blocked(), many);
      expect_zero_tail(this->top_, this->top_.data().get());
      expect_all_near(this->Top(), plain, 1e-6);
      make_blocked(&this->top_, true);
      layer.Backward(this->tops_, {true}, this->bottoms_);
      EXPECT_EQ(this->bottom_.diff()->head_is_blocked(), many);
      expect_zero_tail(this->bottom_, this->bottom_.diff().get());
      expect_all_near(copy_of(this->bottom_.cpu_diff(), this->bottom_.count()),
                      plain_diff, 1e-6);
    }
  }
}

TYPED_TEST(ResampleLayerTest, RefusesWhatItCannotDo) {
  typedef typename TypeParam::Dtype Dtype;
  const auto expect_message = [&](const string& words) {
    ResampleLayer<Dtype> layer(this->param_);
    const string error = FullErrorOf([&] { layer.SetUp(this->bottoms_, this->tops_); });
    EXPECT_TRUE(has_words(error, {words}));
  };
  this->bottom_.Reshape(1, 1, 3, 5);
  this->Settings(ResampleParameter::AREA, true, 2, 2);
  expect_message(
      "only CUBIC, LINEAR and NEAREST interpolation is supported for now, not AREA");
  this->Settings(ResampleParameter::LINEAR, true, 0, 2);
  expect_message("ResampleLayer must have top_height > 0");
  this->Settings(ResampleParameter::LINEAR, true, 2, 0);
  expect_message("ResampleLayer must have top_width > 0");
  this->Settings(ResampleParameter::LINEAR, true, 2, 2);
  this->bottom_.Reshape({3, 5});
  expect_message("3 5 (15)");
}

}  // namespace
}  // namespace caffe

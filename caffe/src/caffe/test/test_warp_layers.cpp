// FlowWarp and Warp: brute force by the forks' rules, check values, gradients, layouts,
// borders.
#include <algorithm>
#include <limits>

#include "any_device_test.hpp"
#include "caffe/layers/flow_warp_layer.hpp"
#include "caffe/layers/warp_layer.hpp"
#include "caffe/test/test_gradient_check_util.hpp"
#include "error_check.hpp"
#include "flow_check_values.hpp"

namespace caffe {
namespace {

const double kNan = std::numeric_limits<double>::quiet_NaN();

template <typename TypeParam>
class WarpLayersTest : public AnyDeviceTest<TypeParam> {
 protected:
  typedef typename TypeParam::Dtype Dtype;

  shared_ptr<Layer<Dtype>> Make(WarpRule rule, bool fill_nan = false) const {
    LayerParameter param;
    param.set_name("warp");
    if (rule == WarpRule::kFlowWarp) {
      param.mutable_flow_warp_param()->set_fill_value(
          fill_nan ? FlowWarpParameter::NOT_A_NUMBER : FlowWarpParameter::ZERO);
      return std::make_shared<FlowWarpLayer<Dtype>>(param);
    }
    param.mutable_warp_param()->set_coordinates(
        rule == WarpRule::kAbsolute ? WarpParameter::ABSOLUTE : WarpParameter::AUTO);
    return std::make_shared<WarpLayer<Dtype>>(param);
  }

  // Random flow with whole, border, far and NaN values among it.
  void SetShape(const vector<int>& shape, WarpRule rule, double reach = 3) {
    image_.Reshape(shape);
    fill_data(&image_, 1);
    flow_.Reshape({shape[0], 2, shape[2], shape[3]});
    fill_data(&flow_, 2, reach);
    Dtype* flow = flow_.mutable_cpu_data();
    const int plane = shape[2] * shape[3];
    for (int i = 0; i < flow_.count(); ++i) {
      if (i % 5 == 1) flow[i] = std::round(flow[i]);
      if (i % 11 == 3) flow[i] = 0;
      if (i % 29 == 17) flow[i] = static_cast<Dtype>(kNan);
      if (i % 31 == 7) flow[i] = Dtype(1e9);
      if (rule == WarpRule::kAbsolute)
        flow[i] += (i / plane) % 2 ? i % plane / shape[3] : i % shape[3];
    }
  }

  double Pixel(int n, int c, int y, int x) const { return image_.data_at(n, c, y, x); }
  // 0 outside, for LiteFlowNet's rule.
  double PixelOrZero(int n, int c, int y, int x) const {
    const bool inside = y >= 0 && x >= 0 && y < image_.height() && x < image_.width();
    return inside ? Pixel(n, c, y, x) : 0;
  }

  struct Sample {
    bool inside;
    double value, by_u, by_v;
  };
  // layers_flow.md 2.1, 2.2, 2.3, one output entry. Positions in Dtype, as the layer has
  // them.
  Sample Reference(WarpRule rule, int n, int c, int y, int x) const {
    const int height = image_.height(), width = image_.width();
    const bool absolute = rule == WarpRule::kAbsolute;
    const Dtype px = (absolute ? Dtype(0) : Dtype(x)) + flow_.data_at(n, 0, y, x);
    const Dtype py = (absolute ? Dtype(0) : Dtype(y)) + flow_.data_at(n, 1, y, x);
    if (std::isnan(px) || std::isnan(py)) return {false, 0, 0, 0};
    if (absolute) {
      if (std::fabs(px) > 1e6 || std::fabs(py) > 1e6) return {true, 0, 0, 0};
      const int l = static_cast<int>(std::floor(px)),
                t = static_cast<int>(std::floor(py));
      Sample s = {true, 0, 0, 0};
      for (const int p : {l, l + 1}) {
        for (const int q : {t, t + 1}) {
          const double wx = 1 - std::fabs(px - p), wy = 1 - std::fabs(py - q);
          const double pixel = PixelOrZero(n, c, q, p);
          s.value += wx * wy * pixel;
          s.by_u += (p == l ? -1 : 1) * wy * pixel;
          s.by_v += (q == t ? -1 : 1) * wx * pixel;
        }
      }
      return s;
    }
    const bool relative = rule == WarpRule::kRelative;
    if (!(px >= 0 && py >= 0)) return {false, 0, 0, 0};
    if (relative ? !(px <= width - 1 && py <= height - 1)
                 : !(px < width && py < height)) {
      return {false, 0, 0, 0};
    }
    const int l = static_cast<int>(px), t = static_cast<int>(py);
    const int r = relative ? static_cast<int>(std::ceil(px)) : std::min(l + 1, width - 1);
    const int b =
        relative ? static_cast<int>(std::ceil(py)) : std::min(t + 1, height - 1);
    const double fx = px - l, fy = py - t;
    Sample s = {true, 0, 0, 0};
    s.value = (1 - fx) * (1 - fy) * Pixel(n, c, t, l) +
              fx * (1 - fy) * Pixel(n, c, t, r) + (1 - fx) * fy * Pixel(n, c, b, l) +
              fx * fy * Pixel(n, c, b, r);
    if (relative && px == l) {
      const auto delta = [&](int row) {
        return (l > 0 ? Pixel(n, c, row, l) - Pixel(n, c, row, l - 1) : 0) +
               (l < width - 1 ? Pixel(n, c, row, l + 1) - Pixel(n, c, row, l) : 0);
      };
      s.by_u = 0.5 * ((1 - fy) * delta(t) + fy * delta(b));
    } else {
      s.by_u = (1 - fy) * (Pixel(n, c, t, r) - Pixel(n, c, t, l)) +
               fy * (Pixel(n, c, b, r) - Pixel(n, c, b, l));
    }
    if (relative && py == t) {
      const auto delta = [&](int column) {
        return (t > 0 ? Pixel(n, c, t, column) - Pixel(n, c, t - 1, column) : 0) +
               (t < height - 1 ? Pixel(n, c, t + 1, column) - Pixel(n, c, t, column) : 0);
      };
      s.by_v = 0.5 * ((1 - fx) * delta(l) + fx * delta(r));
    } else {
      s.by_v = (1 - fx) * (Pixel(n, c, b, l) - Pixel(n, c, t, l)) +
               fx * (Pixel(n, c, b, r) - Pixel(n, c, t, r));
    }
    return s;
  }

  // Top and flow diff by Reference, with the top diff as it stands.
  void ReferencePass(WarpRule rule, double fill, vector<double>* top,
                     vector<double>* flow_diff) {
    const int channels = image_.channels(), height = flow_.height(),
              width = flow_.width();
    top->assign(top_.count(), 0);
    flow_diff->assign(flow_.count(), 0);
    for (int n = 0; n < image_.num(); ++n) {
      for (int c = 0; c < channels; ++c) {
        for (int y = 0; y < height; ++y) {
          for (int x = 0; x < width; ++x) {
            const Sample s = Reference(rule, n, c, y, x);
            (*top)[top_.offset(n, c, y, x)] = s.inside ? s.value : fill;
            const double diff = top_.diff_at(n, c, y, x);
            (*flow_diff)[flow_.offset(n, 0, y, x)] += diff * s.by_u;
            (*flow_diff)[flow_.offset(n, 1, y, x)] += diff * s.by_v;
          }
        }
      }
    }
  }

  vector<Dtype> Top() const { return copy_of(top_.cpu_data(), top_.count()); }
  vector<Dtype> Diff(const Blob<Dtype>& blob) const {
    return copy_of(blob.cpu_diff(), blob.count());
  }
  void Run(Layer<Dtype>* layer) {
    layer->Forward(bottoms_, tops_);
    fill_diff(&top_);
    layer->Backward(tops_, {true, true}, bottoms_);
  }

  Blob<Dtype> image_, flow_, top_;
  vector<Blob<Dtype>*> bottoms_{&image_, &flow_}, tops_{&top_};
};

TYPED_TEST_SUITE(WarpLayersTest, TestDtypesAndDevices);

const WarpRule kRules[] = {WarpRule::kFlowWarp, WarpRule::kRelative, WarpRule::kAbsolute};
const vector<vector<int>>& shapes() {
  // Few channels and many (a vector of them at a time); images higher than what rows of
  // flow lead to.
  static const vector<vector<int>> all = {{2, 3, 5, 7},   {1, 17, 9, 11}, {1, 1, 1, 1},
                                          {3, 16, 4, 1},  {1, 9, 1, 13},  {1, 40, 12, 19},
                                          {2, 18, 37, 21}};
  return all;
}

TYPED_TEST(WarpLayersTest, FollowTheForksRulesForwardAndInTheFlowsGradient) {
  typedef typename TypeParam::Dtype Dtype;
  for (const WarpRule rule : kRules) {
    const bool fill_nan = rule == WarpRule::kFlowWarp;
    const shared_ptr<Layer<Dtype>> layer = this->Make(rule, fill_nan);
    this->SetShape(shapes()[0], rule);
    layer->SetUp(this->bottoms_, this->tops_);
    for (const vector<int>& shape : shapes()) {
      this->SetShape(shape, rule);
      this->Run(layer.get());
      vector<double> top, flow_diff;
      this->ReferencePass(rule, fill_nan ? kNan : 0, &top, &flow_diff);
      SCOPED_TRACE(this->image_.shape_string() + ", rule " +
                   std::to_string(static_cast<int>(rule)));
      expect_all_near(this->Top(), top, 3e-6);
      expect_all_near(this->Diff(this->flow_), flow_diff, 2e-5);
    }
  }
}

TYPED_TEST(WarpLayersTest, TheImagesGradientIsTheAdjoint) {
  typedef typename TypeParam::Dtype Dtype;
  for (const WarpRule rule : kRules) {
    for (const vector<int>& shape : shapes()) {
      const shared_ptr<Layer<Dtype>> layer = this->Make(rule);
      this->SetShape(shape, rule);
      layer->SetUp(this->bottoms_, this->tops_);
      this->Run(layer.get());
      // <warp(e_i), diff> for each unit image e_i.
      const vector<Dtype> got = this->Diff(this->image_);
      for (int i = 0; i < this->image_.count();
           i += std::max(1, this->image_.count() / 50)) {
        std::fill_n(this->image_.mutable_cpu_data(), this->image_.count(), Dtype(0));
        this->image_.mutable_cpu_data()[i] = 1;
        layer->Forward(this->bottoms_, this->tops_);
        double expected = 0;
        for (int k = 0; k < this->top_.count(); ++k) {
          expected +=
              static_cast<double>(this->top_.cpu_data()[k]) * this->top_.cpu_diff()[k];
        }
        EXPECT_NEAR(got[i], expected, 1e-5);
      }
    }
  }
}

TYPED_TEST(WarpLayersTest, GiveTheForksValues) {
  typedef typename TypeParam::Dtype Dtype;
  struct Check {
    WarpRule rule;
    CheckSums top, image, flow;
  };
  const vector<Check> checks = {{WarpRule::kFlowWarp,
                                 {-2.318228, 25.726290, {0.659341, 0, 0}},
                                 {1.254745, 29.111388, {0, 0, -0.001732}},
                                 {-2.970866, 39.171399, {0.015036, 0, 0}}},
                                {WarpRule::kRelative,
                                 {-2.758747, 17.815399, {0.659341, 0, 0}},
                                 {1.089910, 20.555156, {0, 0, -0.001732}},
                                 {-7.383674, 33.732952, {0.015036, 0, 0}}},
                                {WarpRule::kAbsolute,
                                 {-3.507397, 22.549287, {0.659341, 0, 0}},
                                 {1.032489, 26.815533, {0, 0, -0.001732}},
                                 {-4.867154, 43.428845, {0.015036, 0, 0}}}};
  for (const Check& check : checks) {
    this->image_.Reshape(2, 3, 5, 7);
    this->flow_.Reshape(2, 2, 5, 7);
    fill_data(&this->image_, 1);
    fill_data(&this->flow_, 2, 3);
    Dtype* flow = this->flow_.mutable_cpu_data();
    flow[0] = 1;
    flow[35] = 2;
    flow[3] = check.rule == WarpRule::kFlowWarp ? static_cast<Dtype>(kNan) : Dtype(0.25);
    flow[5] = 0;
    flow[40] = 0;
    if (check.rule == WarpRule::kAbsolute) {
      for (int i = 0; i < this->flow_.count(); ++i) {
        flow[i] += (i / 35) % 2 == 0 ? i % 7 : i % 35 / 7;
      }
    }
    const shared_ptr<Layer<Dtype>> layer = this->Make(check.rule);
    layer->SetUp(this->bottoms_, this->tops_);
    this->Run(layer.get());
    SCOPED_TRACE(static_cast<int>(check.rule));
    expect_sums(this->top_.cpu_data(), this->top_.count(), check.top);
    expect_sums(this->image_.cpu_diff(), this->image_.count(), check.image);
    expect_sums(this->flow_.cpu_diff(), this->flow_.count(), check.flow);
  }
}

TYPED_TEST(WarpLayersTest, ZeroFlowIsTheIdentityAndAWholeFlowAShift) {
  typedef typename TypeParam::Dtype Dtype;
  for (const WarpRule rule : {WarpRule::kFlowWarp, WarpRule::kRelative}) {
    const shared_ptr<Layer<Dtype>> layer = this->Make(rule);
    this->SetShape({2, 5, 6, 8}, rule);
    layer->SetUp(this->bottoms_, this->tops_);
    for (const auto& d : vector<std::pair<int, int>>{{0, 0}, {2, -1}, {-3, 4}}) {
      for (int i = 0; i < this->flow_.count(); ++i) {
        this->flow_.mutable_cpu_data()[i] = (i / 48) % 2 == 0 ? d.first : d.second;
      }
      layer->Forward(this->bottoms_, this->tops_);
      for (int c = 0; c < 5; ++c) {
        for (int y = 0; y < 6; ++y) {
          for (int x = 0; x < 8; ++x) {
            EXPECT_EQ(this->top_.data_at(1, c, y, x),
                      this->PixelOrZero(1, c, y + d.second, x + d.first));
          }
        }
      }
    }
  }
}

TYPED_TEST(WarpLayersTest, TheLastPixelRepeatsBeyondItsCentreOnlyInFlowWarp) {
  typedef typename TypeParam::Dtype Dtype;
  for (const WarpRule rule : kRules) {
    const shared_ptr<Layer<Dtype>> layer = this->Make(rule);
    this->image_.Reshape(1, 1, 1, 3);
    this->flow_.Reshape(1, 2, 1, 3);
    fill_data(&this->image_, 1);
    std::fill_n(this->flow_.mutable_cpu_data(), 6, Dtype(0));
    this->flow_.mutable_cpu_data()[2] =
        rule == WarpRule::kAbsolute ? Dtype(2.75) : Dtype(0.75);
    layer->SetUp(this->bottoms_, this->tops_);
    layer->Forward(this->bottoms_, this->tops_);
    const double last = this->image_.cpu_data()[2];
    const double expected = rule == WarpRule::kFlowWarp   ? last
                            : rule == WarpRule::kRelative ? 0
                                                          : 0.25 * last;
    EXPECT_NEAR(this->top_.cpu_data()[2], expected, 1e-6);
  }
}

TYPED_TEST(WarpLayersTest, Gradient) {
  typedef typename TypeParam::Dtype Dtype;
  if (std::is_same<Dtype, float>::value)
    return;  // the reference covers it; differences are coarse
  for (const WarpRule rule : kRules) {
    const shared_ptr<Layer<Dtype>> layer = this->Make(rule);
    this->image_.Reshape(2, 3, 4, 5);
    this->flow_.Reshape(2, 2, 4, 5);
    fill_data(&this->image_, 1);
    for (int i = 0; i < this->flow_.count(); ++i) {  // at least 0.05 from whole positions
      const int cell = (i * 7 + 3) % 9 - 4;
      Dtype value = cell + 0.05 + 0.9 * (check_value(2, i) + 1) / 2;
      if (rule == WarpRule::kAbsolute) value += (i / 20) % 2 == 0 ? i % 5 : i % 20 / 5;
      this->flow_.mutable_cpu_data()[i] = value;
    }
    GradientChecker<Dtype> checker(1e-4, 1e-6);
    checker.CheckGradientExhaustive(layer.get(), this->bottoms_, this->tops_);
  }
}

TYPED_TEST(WarpLayersTest, GiveTheSameOnBlockedMemoryAndLeaveItBlocked) {
  typedef typename TypeParam::Dtype Dtype;
  Caffe::set_mode(Caffe::CPU);  // blocked memory is the host's
  for (const WarpRule rule : kRules) {
    for (const vector<int>& shape : shapes()) {
      const shared_ptr<Layer<Dtype>> layer = this->Make(rule, true);
      this->SetShape(shape, rule);
      layer->SetUp(this->bottoms_, this->tops_);
      this->Run(layer.get());
      const vector<Dtype> top = this->Top(), image = this->Diff(this->image_);
      const vector<Dtype> flow = this->Diff(this->flow_);
      if (!make_blocked(&this->image_)) return;
      layer->Forward(this->bottoms_, this->tops_);
      const bool many = 2 * this->image_.channels() >= native_channel_block();
      EXPECT_EQ(this->top_.data()->head_is_blocked(), many);
      expect_zero_tail(this->top_, this->top_.data().get());
      expect_all_near(this->Top(), top, 1e-6);
      make_blocked(&this->top_, true);
      layer->Backward(this->tops_, {true, true}, this->bottoms_);
      EXPECT_EQ(this->image_.diff()->head_is_blocked(), many);
      expect_zero_tail(this->image_, this->image_.diff().get());
      expect_all_near(this->Diff(this->image_), image, 1e-6);
      expect_all_near(this->Diff(this->flow_), flow, 1e-5);
    }
  }
}

TYPED_TEST(WarpLayersTest, EachGradientIsTheSameWithoutTheOther) {
  typedef typename TypeParam::Dtype Dtype;
  for (const WarpRule rule : kRules) {
    for (const double reach : {2., 25.}) {  // some rows, and jumps over the whole image
      const shared_ptr<Layer<Dtype>> layer = this->Make(rule);
      this->SetShape({2, 19, 33, 22}, rule, reach);
      layer->SetUp(this->bottoms_, this->tops_);
      this->Run(layer.get());
      const vector<Dtype> image = this->Diff(this->image_);
      const vector<Dtype> flow = this->Diff(this->flow_);
      for (Blob<Dtype>* blob : this->bottoms_) {
        std::fill_n(blob->mutable_cpu_diff(), blob->count(), Dtype(7));
      }
      layer->Backward(this->tops_, {true, false}, this->bottoms_);
      EXPECT_EQ(this->Diff(this->flow_), vector<Dtype>(flow.size(), Dtype(7)));
      expect_all_near(this->Diff(this->image_), image, 1e-6);
      std::fill_n(this->image_.mutable_cpu_diff(), image.size(), Dtype(7));
      layer->Backward(this->tops_, {false, true}, this->bottoms_);
      EXPECT_EQ(this->Diff(this->image_), vector<Dtype>(image.size(), Dtype(7)));
      expect_all_near(this->Diff(this->flow_), flow, 1e-5);
    }
  }
}

TYPED_TEST(WarpLayersTest, CoordinatesMayHaveAnotherSizeThanTheImage) {
  typedef typename TypeParam::Dtype Dtype;
  for (const int channels : {2, 18}) {
    const shared_ptr<Layer<Dtype>> layer = this->Make(WarpRule::kAbsolute);
    this->image_.Reshape(1, channels, 6, 4);
    this->flow_.Reshape(1, 2, 3, 19);
    fill_data(&this->image_, 1);
    fill_data(&this->flow_, 2, 3, 2);
    layer->SetUp(this->bottoms_, this->tops_);
    ASSERT_EQ(this->top_.shape(), (vector<int>{1, channels, 3, 19}));
    this->Run(layer.get());
    vector<double> top, flow_diff;
    this->ReferencePass(WarpRule::kAbsolute, 0, &top, &flow_diff);
    expect_all_near(this->Top(), top, 2e-6);
    expect_all_near(this->Diff(this->flow_), flow_diff, 1e-5);
  }
}

TYPED_TEST(WarpLayersTest, RefuseFlowsThatDoNotFit) {
  typedef typename TypeParam::Dtype Dtype;
  this->image_.Reshape(2, 3, 5, 7);
  const auto expect_refused = [&](WarpRule rule, const vector<int>& flow,
                                  const string& words) {
    this->flow_.Reshape(flow);
    const shared_ptr<Layer<Dtype>> layer = this->Make(rule);
    const string error = FullErrorOf([&] { layer->SetUp(this->bottoms_, this->tops_); });
    EXPECT_TRUE(has_words(error, {words, "'warp'"}));
  };
  expect_refused(WarpRule::kFlowWarp, {2, 3, 5, 7}, "must have 2 channels");
  expect_refused(WarpRule::kFlowWarp, {1, 2, 5, 7},
                 "must agree in num, height and width");
  expect_refused(WarpRule::kRelative, {2, 2, 5, 6}, "must agree in height and width");
  expect_refused(WarpRule::kAbsolute, {1, 2, 5, 7}, "must agree in num");
  expect_refused(WarpRule::kAbsolute, {2, 1, 5, 7}, "(N, 2, H, W) are needed");
  this->image_.Reshape(2, 3, 0, 7);
  expect_refused(WarpRule::kAbsolute, {2, 2, 5, 7}, "has no pixel to fetch");
}

}  // namespace
}  // namespace caffe

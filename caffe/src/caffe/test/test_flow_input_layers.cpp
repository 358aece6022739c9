// Downsample and ChannelNorm: formulas, check values, gradients.
#include <algorithm>
#include <limits>

#include "any_device_test.hpp"
#include "caffe/layers/channel_norm_layer.hpp"
#include "caffe/layers/downsample_layer.hpp"
#include "caffe/test/test_gradient_check_util.hpp"
#include "error_check.hpp"
#include "flow_check_values.hpp"

namespace caffe {
namespace {

template <typename TypeParam>
class FlowInputLayersTest : public AnyDeviceTest<TypeParam> {
 protected:
  typedef typename TypeParam::Dtype Dtype;

  void ExpectRefused(Layer<Dtype>* layer, const string& words) {
    EXPECT_TRUE(has_words(FullErrorOf([&] { layer->SetUp(bottoms_, tops_); }), {words}));
  }
  vector<Dtype> Top() const { return copy_of(top_.cpu_data(), top_.count()); }

  LayerParameter param_;
  Blob<Dtype> bottom_, second_, top_;
  vector<Blob<Dtype>*> bottoms_{&bottom_}, tops_{&top_};
};

TYPED_TEST_SUITE(FlowInputLayersTest, TestDtypesAndDevices);

// Downsample.

const double kNan = std::numeric_limits<double>::quiet_NaN();

TEST(DownsampleAxisTest, AlignsCornersAndItsWindowHoldsEveryWeight) {
  for (const auto& size :
       vector<std::pair<int, int>>{{9, 3}, {13, 5}, {5, 13}, {7, 1}, {1, 4}, {2, 1}}) {
    const DownsampleAxis axis{size.first, size.second};
    if (axis.out > 1) {
      EXPECT_EQ(axis.position(0), 0);
      EXPECT_DOUBLE_EQ(axis.position(axis.out - 1), axis.in - 1);
    }
    for (int o = 0; o < axis.out; ++o) {
      for (int p = 0; p < axis.in; ++p) {
        if (p < axis.first(o) || p > axis.last(o)) {
          EXPECT_EQ(axis.weight(o, p), 0);
        }
      }
    }
  }
}

TYPED_TEST(FlowInputLayersTest, DownsampleFollowsTheFormulaAndItsRuleForUnknownPixels) {
  typedef typename TypeParam::Dtype Dtype;
  for (const auto& size :
       vector<std::pair<vector<int>, vector<int>>>{{{2, 2, 9, 13}, {3, 5}},
                                                   {{1, 3, 8, 7}, {5, 4}},
                                                   {{1, 1, 4, 5}, {7, 9}},
                                                   {{1, 1, 6, 6}, {6, 6}}}) {
    this->bottom_.Reshape(size.first);
    fill_data(&this->bottom_, 1);
    for (int i = 0; i < this->bottom_.count(); i += 3) {
      this->bottom_.mutable_cpu_data()[i] = static_cast<Dtype>(kNan);
    }
    this->param_.mutable_downsample_param()->set_top_height(size.second[0]);
    this->param_.mutable_downsample_param()->set_top_width(size.second[1]);
    DownsampleLayer<Dtype> layer(this->param_);
    layer.SetUp(this->bottoms_, this->tops_);
    layer.Forward(this->bottoms_, this->tops_);
    vector<double> expected;
    const double sx = (size.first[3] - 1.0) / (size.second[1] - 1);
    const double sy = (size.first[2] - 1.0) / (size.second[0] - 1);
    for (int nc = 0; nc < size.first[0] * size.first[1]; ++nc) {
      for (int y = 0; y < size.second[0]; ++y) {
        for (int x = 0; x < size.second[1]; ++x) {
          double a = 0, b = 0, q = 0;
          for (int s = 0; s < size.first[2]; ++s) {
            for (int p = 0; p < size.first[3]; ++p) {
              const double g = std::max(0.0, 1 - std::fabs(p - x * sx) / sx) *
                               std::max(0.0, 1 - std::fabs(s - y * sy) / sy);
              const double value =
                  this->bottom_.cpu_data()[(nc * size.first[2] + s) * size.first[3] + p];
              (std::isnan(value) ? q : b) += g;
              if (!std::isnan(value)) a += g * value;
            }
          }
          // Weights that are zero but for rounding make no sample known.
          expected.push_back(b < 1e-12 || q / b > 0.5 ? kNan : a / b);
        }
      }
    }
    const vector<Dtype> got = this->Top();
    for (size_t i = 0; i < got.size(); ++i) {
      EXPECT_EQ(std::isnan(got[i]), std::isnan(expected[i])) << i;
    }
    expect_all_near(got, expected, 1e-5);
  }
}

TYPED_TEST(FlowInputLayersTest, DownsampleGivesTheForksValues) {
  typedef typename TypeParam::Dtype Dtype;
  this->bottom_.Reshape(1, 2, 9, 13);
  fill_data(&this->bottom_, 1);
  for (const int i : {0, 1, 13, 14, 60}) {
    this->bottom_.mutable_cpu_data()[i] = static_cast<Dtype>(kNan);
  }
  this->second_.Reshape(1, 4, 3, 5);
  this->bottoms_.push_back(&this->second_);
  DownsampleLayer<Dtype> layer(this->param_);
  layer.SetUp(this->bottoms_, this->tops_);
  layer.Forward(this->bottoms_, this->tops_);
  expect_sums(this->top_.cpu_data(), this->top_.count(),
              {-0.394917, 0.430842, {kNan, -0.061938, -0.179187}});
}

TYPED_TEST(FlowInputLayersTest, DownsampleGradient) {
  typedef typename TypeParam::Dtype Dtype;
  for (const auto& size : vector<std::pair<int, int>>{{3, 4}, {5, 6}, {1, 1}}) {
    this->bottom_.Reshape(2, 1, 5, 6);
    fill_data(&this->bottom_, 1);
    this->param_.mutable_downsample_param()->set_top_height(size.first);
    this->param_.mutable_downsample_param()->set_top_width(size.second);
    DownsampleLayer<Dtype> layer(this->param_);
    GradientChecker<Dtype> checker(1e-2, std::is_same<Dtype, float>::value ? 1e-3 : 1e-6);
    checker.CheckGradientExhaustive(&layer, this->bottoms_, this->tops_);
  }
  // Unknown pixels get none.
  this->param_.mutable_downsample_param()->set_top_height(3);
  this->param_.mutable_downsample_param()->set_top_width(4);
  this->bottom_.mutable_cpu_data()[7] = static_cast<Dtype>(kNan);
  DownsampleLayer<Dtype> layer(this->param_);
  layer.SetUp(this->bottoms_, this->tops_);
  layer.Forward(this->bottoms_, this->tops_);
  std::fill_n(this->top_.mutable_cpu_diff(), this->top_.count(), Dtype(1));
  layer.Backward(this->tops_, {true}, this->bottoms_);
  EXPECT_EQ(this->bottom_.cpu_diff()[7], 0);
  EXPECT_GT(this->bottom_.cpu_diff()[8], 0);
}

TYPED_TEST(FlowInputLayersTest, DownsampleNeedsASize) {
  typedef typename TypeParam::Dtype Dtype;
  this->bottom_.Reshape(1, 1, 4, 4);
  DownsampleLayer<Dtype> layer(this->param_);
  this->ExpectRefused(&layer, "must have top_height > 0");
}

// ChannelNorm.

TYPED_TEST(FlowInputLayersTest, ChannelNormIsTheLengthOverChannels) {
  typedef typename TypeParam::Dtype Dtype;
  for (const vector<int>& shape :
       vector<vector<int>>{{2, 3, 5, 7}, {1, 1, 1, 1}, {1, 17, 40, 41}}) {
    this->bottom_.Reshape(shape);
    fill_data(&this->bottom_, 1);
    ChannelNormLayer<Dtype> layer(this->param_);
    layer.SetUp(this->bottoms_, this->tops_);
    layer.Forward(this->bottoms_, this->tops_);
    ASSERT_EQ(this->top_.shape(), (vector<int>{shape[0], 1, shape[2], shape[3]}));
    vector<double> expected;
    for (int n = 0; n < shape[0]; ++n) {
      for (int y = 0; y < shape[2]; ++y) {
        for (int x = 0; x < shape[3]; ++x) {
          double squares = 0;
          for (int c = 0; c < shape[1]; ++c) {
            squares +=
                std::pow(static_cast<double>(this->bottom_.data_at(n, c, y, x)), 2);
          }
          expected.push_back(std::sqrt(squares));
        }
      }
    }
    expect_all_near(this->Top(), expected, 1e-5);
  }
}

TYPED_TEST(FlowInputLayersTest, ChannelNormGradientIsZeroAtZero) {
  typedef typename TypeParam::Dtype Dtype;
  this->bottom_.Reshape(2, 3, 2, 4);
  fill_data(&this->bottom_, 1);
  ChannelNormLayer<Dtype> layer(this->param_);
  GradientChecker<Dtype> checker(1e-3, std::is_same<Dtype, float>::value ? 2e-2 : 1e-4);
  checker.CheckGradientExhaustive(&layer, this->bottoms_, this->tops_);
  std::fill_n(this->bottom_.mutable_cpu_data(), this->bottom_.count(), Dtype(0));
  layer.Forward(this->bottoms_, this->tops_);
  fill_diff(&this->top_);
  layer.Backward(this->tops_, {true}, this->bottoms_);
  EXPECT_EQ(this->bottom_.asum_diff(), 0);
}

}  // namespace
}  // namespace caffe

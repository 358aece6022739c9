// Downsample, ChannelNorm and DataAugmentation: formulas, check values, gradients, stored
// means.
#include <google/protobuf/text_format.h>

#include <algorithm>
#include <limits>

#include "caffe/layers/channel_norm_layer.hpp"
#include "caffe/layers/data_augmentation_layer.hpp"
#include "caffe/layers/downsample_layer.hpp"
#include "caffe/net.hpp"
#include "caffe/test/test_caffe_main.hpp"
#include "caffe/test/test_gradient_check_util.hpp"
#include "flow_check_values.hpp"

namespace caffe {
namespace {

template <typename TypeParam>
class FlowInputLayersTest : public MultiDeviceTest<TypeParam> {
 protected:
  typedef typename TypeParam::Dtype Dtype;

  void ExpectRefused(Layer<Dtype>* layer, const string& words) {
    try {
      layer->SetUp(bottoms_, tops_);
      ADD_FAILURE() << "accepted; expected: " << words;
    } catch (const Error& error) {
      EXPECT_NE(string(error.what()).find(words), string::npos) << error.what();
    }
  }
  vector<Dtype> Top() const { return copy_of(top_.cpu_data(), top_.count()); }

  LayerParameter param_;
  Blob<Dtype> bottom_, second_, top_, second_top_;
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

// DataAugmentation.

// The crop of layers_flow.md 6.4 with unchanged coefficients.
template <typename Dtype>
double cropped(const Blob<Dtype>& image, int n, int c, double y, double x) {
  x = std::min(std::max(x, 0.0), image.width() - 1.05);
  y = std::min(std::max(y, 0.0), image.height() - 1.05);
  const int l = static_cast<int>(x), t = static_cast<int>(y);
  const int r = std::min(l + 1, image.width() - 1),
            b = std::min(t + 1, image.height() - 1);
  const double fx = x - l, fy = y - t;
  return (1 - fy) *
             ((1 - fx) * image.data_at(n, c, t, l) + fx * image.data_at(n, c, t, r)) +
         fy * ((1 - fx) * image.data_at(n, c, b, l) + fx * image.data_at(n, c, b, r));
}

TYPED_TEST(FlowInputLayersTest, DataAugmentationCropsTheCentreAndBlendsTheLastPixel) {
  typedef typename TypeParam::Dtype Dtype;
  for (const auto& crop : vector<std::pair<int, int>>{{9, 12}, {7, 8}, {6, 9}, {1, 1}}) {
    AugmentationParameter* param = this->param_.mutable_augmentation_param();
    param->set_crop_height(crop.first);
    param->set_crop_width(crop.second);
    param->set_augment_during_test(true);
    this->bottom_.Reshape(2, 3, 9, 12);
    fill_data(&this->bottom_, 1, 0.5, 0.5);
    DataAugmentationLayer<Dtype> layer(this->param_);
    layer.SetUp(this->bottoms_, this->tops_);
    layer.Forward(this->bottoms_, this->tops_);
    ASSERT_EQ(this->top_.shape(), (vector<int>{2, 3, crop.first, crop.second}));
    vector<double> expected;
    for (int n = 0; n < 2; ++n) {
      for (int c = 0; c < 3; ++c) {
        for (int y = 0; y < crop.first; ++y) {
          for (int x = 0; x < crop.second; ++x) {
            expected.push_back(cropped(this->bottom_, n, c, y + (9 - crop.first) / 2.0,
                                       x + (12 - crop.second) / 2.0));
          }
        }
      }
    }
    expect_all_near(this->Top(), expected, 2e-6);
  }
}

TYPED_TEST(FlowInputLayersTest, DataAugmentationFollowsTheMeanWhileItsCountIsSmall) {
  typedef typename TypeParam::Dtype Dtype;
  for (const bool per_pixel : {false, true}) {
    AugmentationParameter* param = this->param_.mutable_augmentation_param();
    param->set_recompute_mean(2);
    param->set_mean_per_pixel(per_pixel);
    this->bottom_.Reshape(2, 3, 4, 5);
    DataAugmentationLayer<Dtype> layer(this->param_);
    layer.SetUp(this->bottoms_, this->tops_);
    ASSERT_EQ(layer.blobs().size(), 3);
    ASSERT_EQ(layer.layer_param().param_size(), 3);
    EXPECT_EQ(layer.layer_param().param(2).lr_mult(), 0);
    EXPECT_FALSE(layer.AllowBackward());
    vector<double> mean(60, 0);
    for (int pass = 1; pass <= 4; ++pass) {
      fill_data(&this->bottom_, pass, 1, 0.1 * pass);
      layer.Forward(this->bottoms_, this->tops_);
      EXPECT_EQ(layer.blobs()[0]->cpu_data()[0], pass);
      const Dtype* in = this->bottom_.cpu_data();
      for (int i = 0; i < 60 && pass <= 2; ++i) {
        mean[i] =
            ((pass - 1) * mean[i] + (static_cast<double>(in[i]) + in[60 + i]) / 2) / pass;
      }
      vector<double> expected;
      for (int i = 0; i < 120; ++i) {
        const int c = i / 20 % 3;
        double channel = 0;
        for (int k = 0; k < 20; ++k) channel += mean[c * 20 + k] / 20;
        expected.push_back(in[i] - (per_pixel ? mean[i % 60] : channel));
      }
      expect_all_near(this->Top(), expected, 1e-5);
    }
  }
}

TYPED_TEST(FlowInputLayersTest, DataAugmentationSubtractsGivenMeans) {
  typedef typename TypeParam::Dtype Dtype;
  AugmentationParameter* param = this->param_.mutable_augmentation_param();
  param->set_mean_per_pixel(false);
  for (const float mean : {1.f, 2.f, 3.f}) param->add_mean(mean);
  this->bottom_.Reshape(1, 3, 2, 2);
  fill_data(&this->bottom_, 1);
  this->tops_.push_back(&this->second_top_);
  DataAugmentationLayer<Dtype> layer(this->param_);
  layer.SetUp(this->bottoms_, this->tops_);
  layer.Forward(this->bottoms_, this->tops_);
  for (int i = 0; i < 12; ++i) {
    EXPECT_NEAR(this->top_.cpu_data()[i], this->bottom_.cpu_data()[i] - (i / 4 + 1),
                1e-6);
  }
  EXPECT_EQ(this->second_top_.shape(), (vector<int>{1, 42, 1, 1}));
  EXPECT_EQ(this->second_top_.asum_data(), 0);
  std::fill_n(this->bottom_.mutable_cpu_diff(), 12, Dtype(3));
  layer.Backward(this->tops_, {true}, this->bottoms_);
  EXPECT_EQ(this->bottom_.asum_diff(), 0);
}

TYPED_TEST(FlowInputLayersTest, DataAugmentationTakesTheMeansOfANetOfAnotherSize) {
  typedef typename TypeParam::Dtype Dtype;
  const auto net_of = [](int height, int width, bool per_pixel) {
    const string text =
        "layer { name: 'image' type: 'Input' top: 'image' input_param { shape { dim: 1 "
        "dim: 2 "
        "dim: " +
        std::to_string(height) + " dim: " + std::to_string(width) +
        " } } } "
        "layer { name: 'aug' type: 'DataAugmentation' bottom: 'image' top: 'out' "
        "augmentation_param { recompute_mean: 5 mean_per_pixel: " +
        string(per_pixel ? "true" : "false") + " } }";
    NetParameter param;
    CHECK(google::protobuf::TextFormat::ParseFromString(text, &param));
    param.mutable_state()->set_phase(TEST);
    return std::make_shared<Net<Dtype>>(param);
  };
  for (const bool per_pixel : {false, true}) {
    const auto source = net_of(3, 4, per_pixel);
    source->layers()[1]->blobs()[0]->mutable_cpu_data()[0] = 9;
    fill_data(source->layers()[1]->blobs()[1].get(), 1);
    double means[2] = {0, 0};
    for (int i = 0; i < 24; ++i) {
      means[i / 12] += source->layers()[1]->blobs()[1]->cpu_data()[i] / 12;
    }
    if (!per_pixel) means[0] = 0.25, means[1] = -0.5;
    for (int c = 0; c < 2; ++c) {
      source->layers()[1]->blobs()[2]->mutable_cpu_data()[c] =
          static_cast<Dtype>(means[c]);
    }
    NetParameter weights;
    source->ToProto(&weights);
    for (const bool share : {false, true}) {
      const auto target = net_of(5, 6, per_pixel);
      if (share) {
        target->ShareTrainedLayersWith(source.get());
      } else {
        target->CopyTrainedLayersFrom(weights);
      }
      fill_data(target->blob_by_name("image").get(), 2);
      target->Forward();
      EXPECT_EQ(target->layers()[1]->blobs()[0]->cpu_data()[0], 10);
      for (int i = 0; i < 60; ++i) {
        EXPECT_NEAR(target->blob_by_name("out")->cpu_data()[i],
                    target->blob_by_name("image")->cpu_data()[i] - means[i / 30], 2e-6);
      }
    }
  }
}

TYPED_TEST(FlowInputLayersTest, DataAugmentationRefusesWhatItCannotDo) {
  typedef typename TypeParam::Dtype Dtype;
  this->bottom_.Reshape(1, 3, 9, 12);
  AugmentationParameter* param = this->param_.mutable_augmentation_param();
  param->set_crop_width(13);
  param->set_crop_height(9);
  DataAugmentationLayer<Dtype> wide(this->param_);
  this->ExpectRefused(&wide, "crop width greater than original");
  param->set_crop_width(12);
  param->mutable_rotate()->set_spread(1);
  this->param_.set_phase(TRAIN);
  DataAugmentationLayer<Dtype> random(this->param_);
  this->ExpectRefused(&random, "rotate asks for random augmentation");
}

}  // namespace
}  // namespace caffe

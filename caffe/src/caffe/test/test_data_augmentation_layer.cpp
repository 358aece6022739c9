// DataAugmentation: formulas, check values, draws, stored means.
#include <google/protobuf/text_format.h>

#include <algorithm>
#include <numeric>

#include "augmentation_check.hpp"
#include "caffe/layers/data_augmentation_layer.hpp"
#include "caffe/net.hpp"
#include "caffe/test/test_caffe_main.hpp"

namespace caffe {
namespace {

template <typename TypeParam>
class DataAugmentationLayerTest : public MultiDeviceTest<TypeParam> {
 protected:
  typedef typename TypeParam::Dtype Dtype;

  void SetUpLayer(const string& text, Phase phase = TRAIN) {
    param_.mutable_augmentation_param()->Clear();
    ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString(
        text, param_.mutable_augmentation_param()));
    param_.set_phase(phase);
    layer_ = std::make_shared<DataAugmentationLayer<Dtype>>(param_);
    layer_->SetUp(bottoms_, tops_);
  }
  void Forward() { layer_->Forward(bottoms_, tops_); }
  void ExpectRefused(const string& text, const string& words) {
    try {
      SetUpLayer(text);
      Forward();
      ADD_FAILURE() << "accepted; expected: " << words;
    } catch (const Error& error) {
      EXPECT_NE(string(error.what()).find(words), string::npos) << error.what();
    }
  }
  vector<Dtype> Top() const { return copy_of(top_.cpu_data(), top_.count()); }
  /// Bottom 1 holds these.
  void Give(const vector<Coefficients>& items) {
    fill_coefficients(items, &second_);
    bottoms_ = {&bottom_, &second_};
  }

  LayerParameter param_;
  shared_ptr<DataAugmentationLayer<Dtype>> layer_;
  Blob<Dtype> bottom_, second_, top_, second_top_;
  vector<Blob<Dtype>*> bottoms_{&bottom_}, tops_{&top_};
};

TYPED_TEST_SUITE(DataAugmentationLayerTest, TestDtypesAndDevices);

TYPED_TEST(DataAugmentationLayerTest, CropsTheCentreAndBlendsTheLastPixel) {
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

TYPED_TEST(DataAugmentationLayerTest, FollowsTheMeanWhileItsCountIsSmall) {
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

TYPED_TEST(DataAugmentationLayerTest, SubtractsGivenMeans) {
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

TYPED_TEST(DataAugmentationLayerTest, TakesTheMeansOfANetOfAnotherSize) {
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

TYPED_TEST(DataAugmentationLayerTest, RefusesWhatItCannotDo) {
  this->bottom_.Reshape(1, 3, 9, 12);
  this->ExpectRefused("crop_width: 13 crop_height: 9",
                      "crop width greater than original");
  this->ExpectRefused("crop_width: 12 crop_height: 10",
                      "crop height greater than original");
  this->ExpectRefused("crop_width: 8 crop_height: 6 col_pow { spread: 1 }",
                      "chromatic_eigvec, not 0");
  this->ExpectRefused(
      "crop_width: 8 crop_height: 6 color { mean: -1 rand_type: 'uniform' }",
      "color1 was drawn as -1");
  this->ExpectRefused("crop_width: 8 crop_height: 6 rotate { rand_type: 'even' }",
                      "unknown rand_type");
  Coefficients eigen;
  eigen.lmult_mult = 2;
  this->Give({eigen});
  this->ExpectRefused("crop_width: 8 crop_height: 6", "chromatic_eigvec, not 0");
  this->Give({eigen, eigen});
  this->ExpectRefused("crop_width: 8 crop_height: 6", "not 2 42 1 1");
  this->bottom_.Reshape(1, 2, 9, 12);
  this->bottoms_ = {&this->bottom_};
  this->ExpectRefused("crop_width: 8 crop_height: 6 gamma { mean: 1 }",
                      "works only with 3 channels, not 2");
}

TYPED_TEST(DataAugmentationLayerTest, GivesTheForksValues) {
  this->bottom_.Reshape(2, 3, 9, 12);
  fill_data(&this->bottom_, 1, 0.5, 0.5);
  const string text = "crop_width: 8 crop_height: 6 max_multiplier: 1 " + eigenvectors();
  vector<Coefficients> items = check_items();
  this->Give(items);
  this->SetUpLayer(text);
  this->Forward();
  expect_sums(this->top_.cpu_data(), this->top_.count(),
              {145.656463, 85.067427, {0.370746, 0.329357, 0.343331}});
  for (int n = 0; n < 2; ++n) {
    Coefficients& a = items[n];
    set3(a.pow_nomean, 1.2, 0.8, 1.1);
    set3(a.add_nomean, 0.02, -0.03, 0.01);
    set3(a.mult_nomean, 1.1, 0.9, 1.05);
    set3(a.pow_withmean, 1, 1.3, 1.3);
    set3(a.add_withmean, 0, 0.02, 0.02);
    set3(a.mult_withmean, 1, 0.8, 0.8);
    a.lmult_pow = 0.9, a.lmult_add = 0.01, a.lmult_mult = 1.1;
    a.col_angle = n == 0 ? 0 : 0.4;
  }
  this->Give(items);
  this->Forward();
  expect_sums(this->top_.cpu_data(), this->top_.count(),
              {180.736568, 123.052509, {0.481947, 0.438813, 0.453422}});
  items[0].gamma = 1.1, items[0].brightness = 0.02, items[0].contrast = 1.05;
  set3(items[0].color, 1.02, 0.97, 1.01);
  items[1].gamma = 0.9, items[1].brightness = -0.03, items[1].contrast = 0.95;
  set3(items[1].color, 0.98, 1.03, 1);
  this->Give(items);
  this->Forward();
  expect_sums(this->top_.cpu_data(), this->top_.count(),
              {178.153400, 119.653599, {0.473308, 0.426267, 0.442152}});
  items[0].shadow_angle = 0.5, items[0].shadow_distance = 1;
  items[0].shadow_strength = 0.2;
  this->Give(items);
  this->Forward();
  expect_sums(this->top_.cpu_data(), this->top_.count(),
              {170.953400, 110.979268, {0.473308, 0.426267, 0.442152}});
}

TYPED_TEST(DataAugmentationLayerTest, GeometryFollowsItsFiveSteps) {
  typedef typename TypeParam::Dtype Dtype;
  for (const int channels : {1, 3, 4}) {
    for (const auto& crop :
         vector<std::pair<int, int>>{{7, 10}, {4, 5}, {1, 1}, {3, 1}}) {
      this->bottom_.Reshape(3, channels, 7, 10);
      fill_data(&this->bottom_, 1);
      const vector<Coefficients> items = awkward_items(3);
      this->Give(items);
      this->SetUpLayer("crop_height: " + std::to_string(crop.first) +
                       " crop_width: " + std::to_string(crop.second));
      this->Forward();
      vector<double> expected;
      for (int n = 0; n < 3; ++n) {
        for (int c = 0; c < channels; ++c) {
          for (int y = 0; y < crop.first; ++y) {
            for (int x = 0; x < crop.second; ++x) {
              const Place place =
                  placed(items[n], {crop.first, crop.second, 7, 10}, x, y);
              expected.push_back(cropped(this->bottom_, n, c, place.y, place.x));
            }
          }
        }
      }
      expect_all_near(this->Top(), expected,
                      std::is_same<Dtype, float>::value ? 2e-5 : 1e-12);
    }
  }
}

TYPED_TEST(DataAugmentationLayerTest, ColoursFollowTheirFormulas) {
  typedef typename TypeParam::Dtype Dtype;
  // As the prototxt's fields hold them.
  const float fields[9] = {0.51f,  0.56f, 0.65f,  0.79f, 0.01f,
                           -0.62f, 0.35f, -0.83f, 0.44f};
  const vector<double> eigenvector(fields, fields + 9);
  const double* axes = eigenvector.data();
  const double max_multiplier = 0.9f;
  this->bottom_.Reshape(3, 3, 7, 9);
  fill_data(&this->bottom_, 1, 0.5, 0.5);
  // Item 2 is dark enough for the thresholds of 0.01, item 0 changes nothing itself.
  for (int i = 2 * 189; i < 3 * 189; ++i) {
    this->bottom_.mutable_cpu_data()[i] *= static_cast<Dtype>(0.01);
  }
  vector<Coefficients> items(3);
  for (int n = 1; n < 3; ++n) {
    Coefficients& a = items[n];
    set3(a.pow_nomean, 1.3, 0.7 * n, 1.1);
    set3(a.add_nomean, 0.02, -0.03, 0.01 * n);
    set3(a.mult_nomean, 0.9, 1.2, 1.05);
    set3(a.pow_withmean, 1.1, 0.8, 0.8);
    set3(a.add_withmean, 0.05, -0.1 * n, -0.1 * n);
    set3(a.mult_withmean, 1.1, 1.4, 1.4);
    a.lmult_pow = 1.2, a.lmult_add = -0.05, a.lmult_mult = 1.3;
    a.col_angle = 0.7 * n;
  }
  for (const bool eigen : {true, false}) {
    for (const bool chromatic : {true, false}) {
      vector<Coefficients> used = items;
      for (int n = 0; n < 3 && !eigen; ++n) used[n] = Coefficients();
      if (chromatic) {
        used[1].gamma = 1.4, used[1].brightness = -0.1, used[1].contrast = 1.2;
        used[2].brightness = 0.3;
        set3(used[2].color, 1.2, 0.8, 1.1);
      }
      this->Give(used);
      this->SetUpLayer("crop_width: 5 crop_height: 4 max_multiplier: 0.9 " +
                       eigenvectors());
      this->Forward();
      const ReferenceStatistics statistics(this->bottom_, axes);
      vector<double> expected(3 * 3 * 4 * 5);
      for (int n = 0; n < 3; ++n) {
        for (int y = 0; y < 4; ++y) {
          for (int x = 0; x < 5; ++x) {
            double v[3];
            for (int c = 0; c < 3; ++c) {
              v[c] = cropped(this->bottom_, n, c, y + 1.5, x + 2);
            }
            if (eigen) reference_eigen(axes, statistics, used[n], max_multiplier, v);
            if (chromatic) reference_chromatic(used[n], max_multiplier, v);
            for (int c = 0; c < 3; ++c) expected[((n * 3 + c) * 4 + y) * 5 + x] = v[c];
          }
        }
      }
      expect_all_near(this->Top(), expected,
                      std::is_same<Dtype, float>::value ? 1e-5 : 1e-9);
    }
  }
}

TYPED_TEST(DataAugmentationLayerTest, ShadowAndNoiseTakeAnyChannels) {
  typedef typename TypeParam::Dtype Dtype;
  for (const int channels : {1, 4}) {
    this->bottom_.Reshape(2, channels, 40, 41);
    fill_data(&this->bottom_, 1, 0.5, 0.5);
    vector<Coefficients> items(2);
    items[0].shadow_angle = 2.5, items[0].shadow_distance = -3.5;
    items[0].shadow_strength = 0.4;
    items[1].noise = 0.25;
    this->Give(items);
    const string text = "crop_width: 41 crop_height: 40 max_multiplier: 0.8";
    this->SetUpLayer(text);
    Caffe::set_random_seed(5);
    this->Forward();
    const vector<Dtype> got = this->Top();
    const int item = channels * 40 * 41;
    double sum = 0, squares = 0, fourth = 0, product = 0, before = 0;
    for (int i = 0; i < 2 * item; ++i) {
      const int x = i % 41, y = i / 41 % 40;
      double value = cropped(this->bottom_, i / item, i / 1640 % channels, y, x);
      if (i < item && (x - 20) * std::cos(2.5) + (y - 20) * std::sin(2.5) + 3.5 > 0) {
        value -= 0.4;
      }
      value = std::min(std::max(value, 0.0), 0.8);
      if (i < item) {
        ASSERT_NEAR(got[i], value, 1e-5) << i;
        continue;
      }
      const double noise = (got[i] - value) / 0.25;
      sum += noise;
      squares += noise * noise;
      fourth += noise * noise * noise * noise;
      product += noise * before;
      before = noise;
    }
    // Mean 0, variance 1, fourth moment 3, no correlation between neighbours; 5
    // deviations.
    const double unit = 5 / std::sqrt(item);
    EXPECT_NEAR(sum / item, 0, unit);
    EXPECT_NEAR(squares / item, 1, unit * std::sqrt(2.0));
    EXPECT_NEAR(fourth / item, 3, unit * std::sqrt(96.0));
    EXPECT_NEAR(product / item, 0, unit);

    Caffe::set_random_seed(5);
    this->Forward();
    EXPECT_EQ(this->Top(), got);
    this->Forward();
    EXPECT_NE(this->Top(), got);
  }
}

TYPED_TEST(DataAugmentationLayerTest, CoefficientsNextToUnchangedAreUnchanged) {
  this->bottom_.Reshape(1, 3, 9, 12);
  fill_data(&this->bottom_, 1, 0.5, 0.5);
  this->SetUpLayer("crop_width: 8 crop_height: 6");
  this->Forward();
  const auto centre = this->Top();
  Coefficients near;
  near.dx = 9e-4, near.zoom_x = 1 - 9e-4, near.gamma = 1 + 9e-4, near.noise = 9e-4;
  near.pow_nomean[1] = 1 + 9e-4, near.shadow_strength = 9e-4;
  this->Give({near});
  this->SetUpLayer("crop_width: 8 crop_height: 6");
  this->Forward();
  EXPECT_EQ(this->Top(), centre);
  near.dx = 1.1e-3;
  this->Give({near});
  this->Forward();
  EXPECT_NE(this->Top(), centre);
}

TYPED_TEST(DataAugmentationLayerTest, TheSecondTopGivesAnotherLayerTheSameAugmentation) {
  typedef typename TypeParam::Dtype Dtype;
  const string crop = "crop_width: 16 crop_height: 12 " + eigenvectors();
  this->bottom_.Reshape(3, 3, 20, 24);
  fill_data(&this->bottom_, 1, 0.5, 0.5);
  this->tops_ = {&this->top_, &this->second_top_};
  Caffe::set_random_seed(11);
  this->SetUpLayer(crop + published_draws(false));
  this->Forward();
  const vector<Dtype> augmented = this->Top();
  const vector<Dtype> drawn = copy_of(this->second_top_.cpu_data(), 3 * 42);
  for (int n = 1; n < 3; ++n) {
    EXPECT_NE(drawn[3], drawn[n * 42 + 3]) << "items are drawn one by one";
  }
  this->second_.Reshape(3, 42, 1, 1);
  std::copy(drawn.begin(), drawn.end(), this->second_.mutable_cpu_data());
  this->bottoms_ = {&this->bottom_, &this->second_};
  for (const Phase phase : {TRAIN, TEST}) {
    this->SetUpLayer(crop + published_draws(false), phase);  // given: nothing is drawn
    this->Forward();
    EXPECT_EQ(this->Top(), augmented);
    EXPECT_EQ(copy_of(this->second_top_.cpu_data(), 3 * 42), drawn);
  }
}

TYPED_TEST(DataAugmentationLayerTest, DrawsFollowTheSeedThePhaseAndTheSchedule) {
  this->bottom_.Reshape(2, 3, 40, 60);
  fill_data(&this->bottom_, 1, 0.5, 0.5);
  this->tops_ = {&this->top_, &this->second_top_};
  const string crop = "crop_width: 16 crop_height: 12 " + eigenvectors();
  const auto run = [&](unsigned int seed, const string& more, Phase phase) {
    Caffe::set_random_seed(seed);
    this->SetUpLayer(crop + published_draws(true) + more, phase);
    this->Forward();
    return this->Top();
  };
  const auto first = run(3, "", TRAIN);
  EXPECT_EQ(run(3, "", TRAIN), first);
  EXPECT_NE(run(4, "", TRAIN), first);
  EXPECT_EQ(run(3, "augment_during_test: true", TEST), first);
  EXPECT_NE(run(3, "", TEST), first);
  EXPECT_EQ(this->second_top_.asum_data(), 0);

  // discount = initial + (final - initial) * (2 / (1 + exp(-1.0986 t / h)) - 1).
  CoeffScheduleParameter* schedule = this->param_.mutable_coeff_schedule_param();
  schedule->set_half_life(2);
  schedule->set_initial_coeff(0.5);
  schedule->set_final_coeff(2);
  Caffe::set_random_seed(3);
  this->SetUpLayer("crop_width: 16 crop_height: 12 rotate { spread: 0.01 }");
  vector<double> largest;
  for (const int pass : {1, 2, 40}) {
    double most = 0;
    for (int i = 0; i < 60; ++i) {
      this->layer_->blobs()[0]->mutable_cpu_data()[0] = pass - 1;
      this->Forward();
      for (int n = 0; n < 2; ++n) {
        most = std::max<double>(most, std::fabs(this->second_top_.data_at(n, 3, 0, 0)));
      }
    }
    largest.push_back(most);
  }
  const double first_way = 2 / (1 + std::exp(-1.0986 / 2)) - 1;
  const double wanted[3] = {0.5 + 1.5 * first_way, 1.25, 2};
  for (int i = 0; i < 3; ++i) {
    EXPECT_LE(largest[i], 0.01 * wanted[i] * 1.0001);
    EXPECT_GT(largest[i], 0.009 * wanted[i]);
  }
}

TYPED_TEST(DataAugmentationLayerTest, WithoutACropOnlyTheMeanIsTaken) {
  typedef typename TypeParam::Dtype Dtype;
  this->bottom_.Reshape(1, 3, 4, 5);
  fill_data(&this->bottom_, 1);
  Coefficients turned;
  turned.angle = 1;
  this->Give({turned});
  this->tops_ = {&this->top_, &this->second_top_};
  this->SetUpLayer("rotate { mean: 1 } mean_per_pixel: false mean: 1 mean: 2 mean: 3");
  this->Forward();
  vector<double> expected;
  for (int i = 0; i < 60; ++i) {
    expected.push_back(this->bottom_.cpu_data()[i] - (i / 20 + 1));
  }
  expect_all_near(this->Top(), expected, 1e-6);
  EXPECT_EQ(this->second_top_.data_at(0, 3, 0, 0), Dtype(1));
}

TYPED_TEST(DataAugmentationLayerTest, FollowsItsBottomsToAnotherSizeAndCount) {
  this->bottom_.Reshape(1, 3, 9, 12);
  fill_data(&this->bottom_, 1, 0.5, 0.5);
  this->Give(awkward_items(1));
  this->SetUpLayer("crop_width: 8 crop_height: 6");
  this->Forward();
  this->bottom_.Reshape(3, 3, 12, 10);
  fill_data(&this->bottom_, 2, 0.5, 0.5);
  this->Give(awkward_items(3));
  this->Forward();
  const auto reshaped = this->Top();
  this->SetUpLayer("crop_width: 8 crop_height: 6");
  this->Forward();
  EXPECT_EQ(this->Top(), reshaped);
  ASSERT_EQ(this->top_.shape(), (vector<int>{3, 3, 6, 8}));
}

}  // namespace
}  // namespace caffe

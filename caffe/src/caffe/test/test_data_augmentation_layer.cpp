// DataAugmentation: draws, what it gives on, stored means.
#include <algorithm>

#include "caffe/net.hpp"
#include "data_augmentation_check.hpp"
#include "log_check.hpp"

namespace caffe {
namespace {

TYPED_TEST_SUITE(DataAugmentationLayerTest, TestDtypesAndDevices);

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
    for (const ParamSpec& spec : layer.layer_param().param()) {
      EXPECT_EQ(spec.lr_mult(), 0);
      EXPECT_EQ(spec.decay_mult(), 0);
    }
    EXPECT_FALSE(layer.AllowBackward());
    vector<double> mean(60, 0);
    for (int pass = 1; pass <= 4; ++pass) {
      fill_data(&this->bottom_, pass, 1, 0.1 * pass);
      layer.Forward(this->bottoms_, this->tops_);
      const bool on_device = Caffe::mode() == Caffe::GPU;  // it stands still there
      EXPECT_EQ(layer.blobs()[0]->cpu_data()[0], on_device ? std::min(pass, 2) : pass);
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

// layers_flow.md 6.4: count = trunc(count) + 1.
TYPED_TEST(DataAugmentationLayerTest, AFractionOfACountIsDropped) {
  this->bottom_.Reshape(1, 1, 1, 2);
  this->bottom_.mutable_cpu_data()[0] = 6;
  this->bottom_.mutable_cpu_data()[1] = 9;
  this->SetUpLayer("recompute_mean: 5");
  this->layer_->blobs()[0]->mutable_cpu_data()[0] =
      static_cast<typename TypeParam::Dtype>(2.5);
  this->Forward();
  EXPECT_EQ(this->layer_->blobs()[0]->cpu_data()[0], 3);
  EXPECT_EQ(this->layer_->blobs()[1]->cpu_data()[0], 2);  // (2 * 0 + 6) / 3
  EXPECT_EQ(this->layer_->blobs()[1]->cpu_data()[1], 3);
  EXPECT_EQ(this->layer_->blobs()[2]->cpu_data()[0], 2.5);
}

TYPED_TEST(DataAugmentationLayerTest, AMeanImageFollowsTheInputToAnotherSize) {
  typedef typename TypeParam::Dtype Dtype;
  this->bottom_.Reshape(1, 2, 1, 2);
  for (int i = 0; i < 4; ++i) this->bottom_.mutable_cpu_data()[i] = static_cast<Dtype>(i);
  this->SetUpLayer("recompute_mean: 1");
  this->Forward();  // means 0.5 and 2.5
  this->bottom_.Reshape(1, 2, 3, 3);
  fill_data(&this->bottom_, 1);
  this->Forward();
  vector<double> expected;
  for (int i = 0; i < 18; ++i) {
    expected.push_back(this->bottom_.cpu_data()[i] - (i < 9 ? 0.5 : 2.5));
  }
  expect_all_near(this->Top(), expected, 1e-6);
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

TYPED_TEST(DataAugmentationLayerTest, GivenMeansAreForChannelsOnlyAndThree) {
  this->bottom_.Reshape(1, 3, 2, 2);
  fill_data(&this->bottom_, 1);
  for (const char* text :
       {"mean: 1 mean: 2 mean: 3",  // mean_per_pixel is the default
        "mean_per_pixel: false mean: 1 mean: 2", "mean_per_pixel: false mean: 1"}) {
    SCOPED_TRACE(text);
    this->SetUpLayer(text);
    this->Forward();
    EXPECT_EQ(this->Top(), copy_of(this->bottom_.cpu_data(), 12));
  }
}

TYPED_TEST(DataAugmentationLayerTest, TakesFromWeightsWhatItSubtracts) {
  typedef typename TypeParam::Dtype Dtype;
  struct Row {
    const char* text;
    int blobs, width;              // of the weights
    double count, image, channel;  // afterwards: of channel 1
  };
  // Weights: count 9, an image of 4 and 6 in turn, means that are not the image's.
  this->bottom_.Reshape(1, 2, 1, 4);
  for (const Row& row :
       {Row{"recompute_mean: 5", 3, 4, 9, 4, 5}, Row{"recompute_mean: 5", 2, 4, 9, 4, 5},
        Row{"recompute_mean: 5", 2, 6, 9, 5, 5},
        Row{"recompute_mean: 5 mean_per_pixel: false", 3, 4, 9, 0, 7},
        Row{"recompute_mean: 5 mean_per_pixel: false", 3, 6, 9, 0, 7},
        Row{"recompute_mean: 5", 1, 4, 0, 0, 0}}) {
    SCOPED_TRACE(string(row.text) + ", " + std::to_string(row.blobs) + " blobs");
    this->SetUpLayer(row.text);
    Blob<float> count(1, 1, 1, 1), image(1, 2, 1, row.width), means(1, 2, 1, 1);
    count.mutable_cpu_data()[0] = 9;
    for (int i = 0; i < image.count(); ++i) {
      image.mutable_cpu_data()[i] = i < row.width ? 1.f : 4.f + 2.f * (i % 2);
    }
    means.mutable_cpu_data()[0] = -7;
    means.mutable_cpu_data()[1] = 7;
    vector<Blob<float>*> source{&count, &image, &means};
    source.resize(row.blobs);
    this->layer_->CustomCopyBlobs(source);
    const auto& blobs = this->layer_->blobs();
    EXPECT_EQ(blobs[0]->cpu_data()[0], row.count);
    EXPECT_EQ(blobs[1]->data_at(0, 1, 0, 0), row.image);
    EXPECT_EQ(blobs[2]->cpu_data()[1], row.channel);
  }
  this->SetUpLayer("");
  Blob<float> count(1, 1, 1, 1);
  count.mutable_cpu_data()[0] = 9;
  this->layer_->CustomCopyBlobs({&count, &count, &count});
  EXPECT_EQ(this->layer_->blobs()[0]->cpu_data()[0], Dtype(0));
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
      EXPECT_EQ(target->layers()[1]->blobs()[0]->cpu_data()[0],
                Caffe::mode() == Caffe::GPU ? 9 : 10);  // it stands still on a device
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
  this->ExpectRefused("max_multiplier: 0", "must be more than 0, not 0");
  this->ExpectRefused("max_multiplier: -1", "must be more than 0, not -1");
  this->ExpectRefused("chromatic_eigvec: 1", "a matrix of 9 numbers, not 1");
  this->ExpectRefused("crop_width: 0 crop_height: 6", "must be at least 1");
  this->ExpectRefused("crop_width: 8 crop_height: 0", "they are 8 and 0");
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
  this->param_.mutable_coeff_schedule_param()->set_half_life(-3);
  this->ExpectRefused("", "half_life is a number of passes, not -3");
}

TYPED_TEST(DataAugmentationLayerTest, NamesSettingsWithoutEffectOnce) {
  this->bottom_.Reshape(1, 3, 9, 12);
  fill_data(&this->bottom_, 1, 0.5, 0.5);
  const string crop = "crop_width: 8 crop_height: 6 ", mean = "mean: 1 mean: 2 mean: 3 ";
  struct Row {
    string text, setting, reason;  // no setting: nothing is said
    bool given = false;            // coefficients in bottom 1
  };
  for (const Row& row :
       {Row{crop + mean + "mean_per_pixel: false", "", ""},
        Row{crop + "rotate { spread: 0.01 } recompute_mean: 5", "", ""},
        Row{crop + "gamma { rand_type: 'gaussian_bernoulli' prob: 0.5 mean: 1 }", "", ""},
        Row{mean, "mean", "only with mean_per_pixel: false"},
        Row{mean + "mean_per_pixel: false recompute_mean: 7", "mean", "running mean"},
        Row{"mean: 4 mean_per_pixel: false", "mean", "there are 1 values and 3 channels"},
        Row{"crop_width: 8", "crop_width", "without crop_height"},
        Row{"crop_height: 8", "crop_height", "without crop_width"},
        Row{"write_mean: 'm'", "write_mean", "weights file"},
        Row{"write_augmented: 'a'", "write_augmented", "ImgWriter"},
        Row{"mode: 'replace'", "mode", "only GenerateAugmentationParameters"},
        Row{crop + "rotate { spread: -0.1 }", "rotate.spread", "only a spread above 0"},
        Row{crop + "rotate { prob: 0.5 }", "rotate.prob", "\"uniform_bernoulli\" draws"},
        Row{crop + "noise { rand_type: 'bernoulli' mean: 0.1 prob: 0 }", "noise.mean",
            "by prob alone"},
        Row{crop + "fog_size { mean: 1 }", "fog_size", "change no pixel"},
        Row{crop + "rotate { spread: 0.01 }", "what augmentation_param says", "bottom 1",
            true}}) {
    SCOPED_TRACE(row.text);
    this->bottoms_ = {&this->bottom_};
    if (row.given) this->Give({Coefficients()});
    const CapturedLog log;
    this->SetUpLayer(row.text);
    this->Forward();
    this->Forward();
    ASSERT_EQ(CapturedLog::lines().size(), row.setting.empty() ? 0u : 1u)
        << CapturedLog::text();
    if (row.setting.empty()) continue;
    EXPECT_TRUE(has_words(CapturedLog::text(), {"DataAugmentation layer ''", row.setting,
                                                " has no effect: ", row.reason}));
  }
}

TYPED_TEST(DataAugmentationLayerTest, HalfACropIsNone) {
  this->bottom_.Reshape(1, 3, 9, 12);
  for (const char* text : {"crop_width: 8", "crop_height: 6"}) {
    this->SetUpLayer(text);
    EXPECT_EQ(this->top_.shape(), this->bottom_.shape());
  }
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

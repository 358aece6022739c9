// DataAugmentation: what becomes of pixels, against the formulas and the forks' values.
#include <algorithm>
#include <limits>

#include "data_augmentation_check.hpp"

namespace caffe {
namespace {

template <typename TypeParam>
class AugmentedPixelsTest : public DataAugmentationLayerTest<TypeParam> {};

TYPED_TEST_SUITE(AugmentedPixelsTest, TestDtypesAndDevices);

TYPED_TEST(AugmentedPixelsTest, CropsTheCentreAndBlendsTheLastPixel) {
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

TYPED_TEST(AugmentedPixelsTest, GivesTheForksValues) {
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

TYPED_TEST(AugmentedPixelsTest, GeometryFollowsItsFiveSteps) {
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

TYPED_TEST(AugmentedPixelsTest, ColoursFollowTheirFormulas) {
  typedef typename TypeParam::Dtype Dtype;
  // As the prototxt's fields hold them.
  const float fields[9] = {0.51f,  0.56f, 0.65f,  0.79f, 0.01f,
                           -0.62f, 0.35f, -0.83f, 0.44f};
  const vector<double> eigenvector(fields, fields + 9);
  const double* axes = eigenvector.data();
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
  for (const float max_multiplier : {0.9f, 255.f}) {
    for (const int groups : {1, 2, 3}) {
      const bool eigen = groups & 1, chromatic = groups & 2;
      vector<Coefficients> used = items;
      for (int n = 0; n < 3 && !eigen; ++n) used[n] = Coefficients();
      if (chromatic) {
        used[1].gamma = 1.4, used[1].brightness = -0.1, used[1].contrast = 1.2;
        set3(used[1].color, 1.4, 0.5, 0.6);  // some beyond 1: clamped before the gamma
        used[2].brightness = 0.3;
        set3(used[2].color, 1.2, 0.8, 1.1);
      }
      this->Give(used);
      this->SetUpLayer("crop_width: 5 crop_height: 4 max_multiplier: " +
                       std::to_string(max_multiplier) + " " + eigenvectors());
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

// Along the axes of the channels themselves: with nothing in a channel, or next to
// nothing in all, the thresholds of 0.01 leave the components as they are.
TYPED_TEST(AugmentedPixelsTest, AxesWithoutColourStay) {
  typedef typename TypeParam::Dtype Dtype;
  const double axes[9] = {1, 0, 0, 0, 1, 0, 0, 0, 1};
  Coefficients a;
  set3(a.pow_nomean, 1.3, 0.7, 1.1);
  set3(a.add_nomean, 0.2, -0.3, 0.1);
  set3(a.mult_nomean, 0.9, 1.2, 1.05);
  set3(a.pow_withmean, 1.1, 0.8, 0.8);
  set3(a.add_withmean, 0.05, -0.1, -0.1);
  set3(a.mult_withmean, 1.1, 1.4, 1.4);
  a.lmult_pow = 1.2, a.lmult_add = 0.05, a.lmult_mult = 1.3;
  a.col_angle = 0.7;
  Coefficients shortened = a;  // beyond nothing: black, not the opposite colour
  shortened.lmult_add = -2;
  const vector<vector<double>> lights = {
      {1, 0, 0},     {0, 1, 0},     {0, 0, 1},       {1, 0.008, 0},
      {0.008, 1, 1}, {0.004, 0, 0}, {0, 0.005, 0.1}, {0.006, 0.006, 0.006}};
  for (const vector<double>& light : lights) {
    SCOPED_TRACE(std::to_string(light[0]) + " " + std::to_string(light[1]) + " " +
                 std::to_string(light[2]));
    const vector<Coefficients> items = {a, shortened};
    this->bottom_.Reshape(2, 3, 6, 7);
    fill_data(&this->bottom_, 1, 0.5, 0.5);
    for (int i = 0; i < 252; ++i) {
      this->bottom_.mutable_cpu_data()[i] *= static_cast<Dtype>(light[i / 42 % 3]);
    }
    this->Give(items);
    this->SetUpLayer(
        "crop_width: 5 crop_height: 4 chromatic_eigvec: [1, 0, 0, 0, 1, 0, 0, 0, 1]");
    this->Forward();
    const ReferenceStatistics statistics(this->bottom_, axes);
    vector<double> expected(120);
    for (int i = 0; i < 40; ++i) {
      const int n = i / 20, y = i / 5 % 4, x = i % 5;
      double v[3];
      for (int c = 0; c < 3; ++c) v[c] = cropped(this->bottom_, n, c, y + 1, x + 1);
      reference_eigen(axes, statistics, items[n], 255, v);
      for (int c = 0; c < 3; ++c) expected[((n * 3 + c) * 4 + y) * 5 + x] = v[c];
    }
    expect_all_near(this->Top(), expected,
                    std::is_same<Dtype, float>::value ? 1e-5 : 1e-9);
  }
}

TYPED_TEST(AugmentedPixelsTest, AnEffectOfOneItemClampsTheBatch) {
  this->bottom_.Reshape(2, 1, 4, 5);
  fill_data(&this->bottom_, 1, 0.5, 0.5);
  const string text = "crop_width: 5 crop_height: 4 max_multiplier: 0.5";
  this->SetUpLayer(text);
  this->Forward();
  const auto plain = this->Top();
  auto clamped = plain;
  for (auto& value : clamped) value = std::min<double>(value, 0.5);
  ASSERT_NE(clamped, plain);
  Coefficients fog, amount, size, blur, angle, shadow, noise, below, both;
  fog.fog_amount = fog.fog_size = -0.2;
  amount.fog_amount = 0.2;
  size.fog_size = 0.2;
  blur.motion_blur_size = 0.2;
  angle.motion_blur_angle = angle.shadow_angle = angle.shadow_distance = 0.2;
  angle.motion_blur_size = -0.2;
  shadow.shadow_strength = 0.2, shadow.shadow_distance = 100;
  noise.noise = 0.2;
  below.noise = -0.2;
  both = shadow, both.noise = -0.2;
  struct Row {
    const char* name;
    Coefficients first;
    bool effect;
  };
  for (const Row& row : {Row{"fog", fog, true}, Row{"amount of fog", amount, false},
                         Row{"size of fog", size, false}, Row{"motion blur", blur, true},
                         Row{"angles", angle, false}, Row{"shadow", shadow, true},
                         Row{"noise", noise, true}, Row{"no noise", below, false},
                         Row{"a shadow without noise", both, true}}) {
    SCOPED_TRACE(row.name);
    this->Give({row.first, Coefficients()});
    this->SetUpLayer(text);
    this->Forward();
    const auto got = this->Top(), &wanted = row.effect ? clamped : plain;
    EXPECT_TRUE(std::equal(got.begin() + 20, got.end(), wanted.begin() + 20));
    if (row.first.noise <= 0) {
      EXPECT_EQ(got, wanted);
    }
  }
}

// Their weight of 0 may not let a NaN (or what lies behind the memory) in.
TYPED_TEST(AugmentedPixelsTest, PixelsOutsideOfTheImageAreNotRead) {
  typedef typename TypeParam::Dtype Dtype;
  this->bottom_.Reshape(3, 1, 1, 1);
  Coefficients shifted;
  shifted.dx = shifted.dy = 0.5;
  const vector<Coefficients> moved(3, shifted);
  for (const vector<Coefficients>& items : {moved, vector<Coefficients>(3)}) {
    this->bottom_.mutable_cpu_data()[0] = 3;
    this->bottom_.mutable_cpu_data()[1] = std::numeric_limits<Dtype>::quiet_NaN();
    this->bottom_.mutable_cpu_data()[2] = 5;
    this->Give(items);
    this->SetUpLayer("crop_width: 1 crop_height: 1");
    this->Forward();
    EXPECT_EQ(this->top_.cpu_data()[0], 3);
    EXPECT_TRUE(std::isnan(this->top_.cpu_data()[1]));
    EXPECT_EQ(this->top_.cpu_data()[2], 5);
  }
}

TYPED_TEST(AugmentedPixelsTest, ShadowAndNoiseTakeAnyChannels) {
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

TYPED_TEST(AugmentedPixelsTest, CoefficientsNextToUnchangedAreUnchanged) {
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

}  // namespace
}  // namespace caffe

// The augmentation layers on the device against the host.
#include "../augmentation_check.hpp"
#include "gpu_matches_cpu.hpp"

namespace caffe {
namespace {

// Bottom 1 (and 2): coefficients that move, colour and shadow every item, without noise.
void give_coefficients(int bottom, Blob<float>* blob) {
  if (bottom == 0) return;
  vector<Coefficients> items = awkward_items(blob->num());
  for (size_t n = 0; n < items.size(); ++n) {
    Coefficients& a = items[n];
    a.angle += 0.1 * bottom;
    a.gamma = 1.2, a.brightness = -0.05, a.contrast = 1.1;
    set3(a.color, 1.1, 0.9, 1.05);
    set3(a.pow_nomean, 1.3, 0.8, 1.1);
    set3(a.add_nomean, 0.02, -0.03, 0.01);
    set3(a.mult_withmean, 1.1, 1.2, 1.2);
    a.lmult_pow = 0.9, a.lmult_mult = 1.2, a.col_angle = 0.3 * n;
    a.shadow_angle = 0.7, a.shadow_strength = 0.2;
  }
  fill_coefficients(items, blob);
}

void give_shadows(int bottom, Blob<float>* blob) {
  if (bottom == 0) return;
  vector<Coefficients> items(blob->num());
  items[0].shadow_strength = 0.4, items[0].shadow_distance = -1.5;
  fill_coefficients(items, blob);
}

string data_augmentation(const string& text) {
  return "type: 'DataAugmentation' augmentation_param { " + text + " }";
}

TEST(GpuAugmentation, DataAugmentationTakesTheMean) {
  for (const char* text :
       {"recompute_mean: 1000", "recompute_mean: 1000 mean_per_pixel: false",
        "recompute_mean: 1", "mean_per_pixel: false mean: 1 mean: 2 mean: 3", "",
        "recompute_mean: 1000 mean_per_pixel: false crop_width: 4 crop_height: 3 "
        "augment_during_test: true"}) {
    GpuCheck{data_augmentation(text), {{2, 3, 5, 7}}, 2}.Run();
    GpuCheck{data_augmentation(text), {{1, 3, 30, 41}}, 1}.Run();
  }
}

TEST(GpuAugmentation, DataAugmentationUsesCoefficients) {
  for (const auto& size : vector<vector<int>>{{3, 3, 9, 12}, {2, 3, 40, 61}}) {
    GpuCheck check{data_augmentation("crop_width: 8 crop_height: 6 max_multiplier: 1 " +
                                     eigenvectors()),
                   {size, {size[0], 42, 1, 1}},
                   2};
    check.low = 0, check.high = 1;
    check.prepare = give_coefficients;
    check.Run();
  }
  for (const int channels : {1, 4}) {
    GpuCheck check{data_augmentation("crop_width: 11 crop_height: 9 max_multiplier: 1"),
                   {{2, channels, 9, 12}, {2, 42, 1, 1}}};
    check.prepare = give_shadows;
    check.Run();
  }
}

float counted(const LayerUnderTest<float>& test) {
  return test.layer->blobs()[0]->cpu_data()[0];
}

// The two sides with the same seed.
template <typename Dtype>
void expect_same_draws(const string& text, const vector<vector<int>>& shapes, int tops,
                       double tolerance) {
  LayerUnderTest<Dtype> host(text, shapes, tops), gpu(text, shapes, tops);
  host.SetUp();
  gpu.SetUp();
  for (unsigned int seed = 1; seed < 4; ++seed) {
    Caffe::set_random_seed(seed);
    host.Forward();
    host.FillTopDiff();
    host.Backward();
    {
      const GpuMode mode;
      Caffe::set_random_seed(seed);
      gpu.Forward();
      gpu.FillTopDiff();
      gpu.Backward();
    }
    for (int i = 0; i < tops; ++i) {
      expect_near(data_of(*host.top[i]), data_of(*gpu.top[i]), tolerance,
                  text + ": top " + std::to_string(i));
    }
    for (size_t i = 0; i < shapes.size(); ++i) {
      expect_near(diff_of(*host.bottom[i]), diff_of(*gpu.bottom[i]), tolerance,
                  text + ": diff of bottom " + std::to_string(i));
    }
    for (size_t p = 0; p < host.layer->blobs().size(); ++p) {
      expect_near(data_of(*host.layer->blobs()[p]), data_of(*gpu.layer->blobs()[p]),
                  tolerance, text + ": parameter " + std::to_string(p));
    }
  }
}

void expect_same_draws(const string& text, const vector<vector<int>>& shapes, int tops) {
  expect_same_draws<float>(text, shapes, tops, 5e-5);
  expect_same_draws<double>(text, shapes, tops, 1e-9);
}

TEST(GpuAugmentation, DataAugmentationDrawsTheSame) {
  SKIP_WITHOUT_DEVICE();
  expect_same_draws(
      data_augmentation("crop_width: 16 crop_height: 12 recompute_mean: 2 " +
                        eigenvectors() + published_draws(true)),
      {{3, 3, 40, 50}}, 2);
}

TEST(GpuAugmentation, DataAugmentationRepeatsWhereNothingChanges) {
  const string crop = "crop_width: 4 crop_height: 3 ";
  const auto repeats = [](const string& text, int bottoms, int tops, Phase phase) {
    vector<vector<int>> shapes = {{1, 3, 5, 7}};
    if (bottoms > 1) shapes.push_back({1, 42, 1, 1});
    LayerUnderTest<float> test(
        string("phase: ") + (phase == TRAIN ? "TRAIN " : "TEST ") + text, shapes, tops);
    test.SetUp();
    return test.layer->RepeatsOnDevice();
  };
  EXPECT_TRUE(repeats(data_augmentation(""), 1, 1, TRAIN));
  EXPECT_TRUE(repeats(data_augmentation(crop), 1, 1, TRAIN));
  EXPECT_FALSE(repeats(data_augmentation(crop + "rotate { }"), 1, 1, TRAIN));
  EXPECT_FALSE(repeats(data_augmentation(crop + "noise { }"), 1, 1, TRAIN));
  EXPECT_TRUE(repeats(data_augmentation(crop + "rotate { }"), 1, 1, TEST));
  EXPECT_FALSE(repeats(data_augmentation(crop), 2, 1, TEST));
  EXPECT_FALSE(repeats(data_augmentation(crop), 1, 2, TEST));
  EXPECT_FALSE(repeats(data_augmentation(crop + "recompute_mean: 2"), 1, 1, TEST));
  SKIP_WITHOUT_DEVICE();
  // The mean is followed for two passes; from then on the count stands still.
  LayerUnderTest<float> test(data_augmentation("recompute_mean: 2"), {{1, 3, 5, 7}});
  test.SetUp();
  const GpuMode mode;
  for (const int count : {1, 2, 2, 2}) {
    EXPECT_EQ(test.layer->RepeatsOnDevice(), count == 2 && counted(test) == 2);
    test.Forward();
    EXPECT_EQ(counted(test), count);
  }
}

TEST(GpuAugmentation, GenerateAugmentationParametersDrawsTheSame) {
  SKIP_WITHOUT_DEVICE();
  expect_same_draws(
      "type: 'GenerateAugmentationParameters' augmentation_param { crop_width: 16 "
      "crop_height: 12 " +
          published_draws(true) + " }",
      {{3, 3, 40, 50}}, 1);
}

TEST(GpuAugmentation, BlackAugmentationDrawsTheSame) {
  SKIP_WITHOUT_DEVICE();
  expect_same_draws(
      "type: 'BlackAugmentation' black_augmentation_param { black { rand_type: "
      "'bernoulli' prob: 0.4 } border { rand_type: 'uniform_bernoulli' mean: 0.3 prob: "
      "0.6 } }",
      {{5, 3, 7, 8}, {5, 3, 7, 8}, {5, 2, 7, 8}, {5, 3, 7, 8}}, 4);
}

TEST(GpuAugmentation, FlowAugmentationFollowsBothImages) {
  GpuCheck check{
      "type: 'FlowAugmentation' augmentation_param { crop_width: 8 crop_height: 6 }",
      {{3, 2, 9, 12}, {3, 42, 1, 1}, {3, 42, 1, 1}}};
  check.prepare = give_coefficients;
  check.Run();
}

}  // namespace
}  // namespace caffe

// FlowAugmentation, GenerateAugmentationParameters, BlackAugmentation: formulas, check
// values, a pair of frames that stays consistent with its flow.
#include <limits>
#include <map>
#include <set>

#include "any_device_test.hpp"
#include "augmentation_check.hpp"
#include "caffe/net.hpp"
#include "layer_check.hpp"

namespace caffe {
namespace {

template <typename TypeParam>
class FlowAugmentationLayersTest : public AnyDeviceTest<TypeParam> {
 protected:
  typedef typename TypeParam::Dtype Dtype;
  static constexpr double kTolerance = std::is_same<Dtype, float>::value ? 2e-5 : 1e-11;
};

TYPED_TEST_SUITE(FlowAugmentationLayersTest, TestDtypesAndDevices);

const double kNan = std::numeric_limits<double>::quiet_NaN();

// Image 1 of the check values of layers_flow.md, section G.
vector<Coefficients> second_check_items() {
  Coefficients a;
  a.dx = 0.02, a.dy = 0.03, a.angle = 0.1, a.zoom_x = a.zoom_y = 1.05;
  Coefficients b = a;
  b.mirror = 1;
  return {a, b};
}

string flow_augmentation(int height, int width) {
  return "type: 'FlowAugmentation' augmentation_param { crop_height: " +
         std::to_string(height) + " crop_width: " + std::to_string(width) + " }";
}

// FlowAugmentation.

TYPED_TEST(FlowAugmentationLayersTest, FlowGivesTheForksValues) {
  typedef typename TypeParam::Dtype Dtype;
  LayerUnderTest<Dtype> test(flow_augmentation(6, 8),
                             {{2, 2, 9, 12}, {2, 42, 1, 1}, {2, 42, 1, 1}});
  fill_data(test.bottom[0], 2, 3);
  fill_coefficients(check_items(), test.bottom[1]);
  fill_coefficients(second_check_items(), test.bottom[2]);
  test.SetUp();
  test.Forward();
  ASSERT_EQ(test.top[0]->shape(), (vector<int>{2, 2, 6, 8}));
  expect_sums(test.top[0]->cpu_data(), test.top[0]->count(),
              {-87.554652, 811.586569, {1.723505, 1.357076, 0.990648}});
}

// The five steps of the map of a crop, undone one after the other.
Place unplaced(const Coefficients& c, const CropShape& s, double X, double Y) {
  X = (X - s.image_width / 2.0) * c.zoom_x - c.dx * s.width;
  Y = (Y - s.image_height / 2.0) * c.zoom_y - c.dy * s.height;
  const double x = std::cos(c.angle) * X + std::sin(c.angle) * Y;
  const double y = -std::sin(c.angle) * X + std::cos(c.angle) * Y;
  return {(c.mirror != 0 ? -x : x) + s.width / 2.0, y + s.height / 2.0};
}

TYPED_TEST(FlowAugmentationLayersTest, FlowFollowsItsFormulaAndIsUnknownOutside) {
  typedef typename TypeParam::Dtype Dtype;
  for (const CropShape& shape :
       vector<CropShape>{{6, 8, 9, 12}, {9, 12, 9, 12}, {1, 1, 5, 4}, {3, 1, 1, 7}}) {
    const int num = 3;
    LayerUnderTest<Dtype> test(flow_augmentation(shape.height, shape.width),
                               {{num, 2, shape.image_height, shape.image_width},
                                {num, 42, 1, 1},
                                {num, 42, 1, 1}});
    fill_data(test.bottom[0], 2, 3);
    for (const int i : {1, 7, 30}) {
      if (i < test.bottom[0]->count())
        test.bottom[0]->mutable_cpu_data()[i] = static_cast<Dtype>(kNan);
    }
    const vector<Coefficients> first = awkward_items(num);
    vector<Coefficients> second = awkward_items(num);
    second[0].angle -= 0.1, second[1].dx += 0.05, second[2].mirror = 1;
    second[2].zoom_y *= 1.2;
    fill_coefficients(first, test.bottom[1]);
    fill_coefficients(second, test.bottom[2]);
    test.SetUp();
    test.Forward();
    vector<double> expected;
    for (int n = 0; n < num; ++n) {
      for (int c = 0; c < 2; ++c) {
        for (int y = 0; y < shape.height; ++y) {
          for (int x = 0; x < shape.width; ++x) {
            const Place at = placed(first[n], shape, x, y);
            const double column = std::floor(at.x + 0.5), row = std::floor(at.y + 0.5);
            if (column < 0 || column >= shape.image_width || row < 0 ||
                row >= shape.image_height) {
              expected.push_back(kNan);
              continue;
            }
            const int iy = static_cast<int>(row), ix = static_cast<int>(column);
            const Place to =
                unplaced(second[n], shape, at.x + test.bottom[0]->data_at(n, 0, iy, ix),
                         at.y + test.bottom[0]->data_at(n, 1, iy, ix));
            const double u = to.x - x, v = to.y - y;
            expected.push_back(std::isnan(u + v) ? kNan : (c == 0 ? u : v));
          }
        }
      }
    }
    const vector<Dtype> got = data_of(*test.top[0]);
    for (size_t i = 0; i < got.size(); ++i) {
      ASSERT_EQ(std::isnan(got[i]), std::isnan(expected[i])) << i;
    }
    expect_all_near(got, expected, this->kTolerance);
  }
}

TYPED_TEST(FlowAugmentationLayersTest, UnchangedCoefficientsCropTheFlow) {
  typedef typename TypeParam::Dtype Dtype;
  LayerUnderTest<Dtype> test(flow_augmentation(5, 6),
                             {{2, 2, 9, 12}, {2, 42, 1, 1}, {2, 42, 1, 1}});
  for (const int i : {1, 2}) fill_coefficients(vector<Coefficients>(2), test.bottom[i]);
  test.SetUp();
  test.Forward();
  for (int n = 0; n < 2; ++n) {
    for (int c = 0; c < 2; ++c) {
      for (int y = 0; y < 5; ++y) {
        for (int x = 0; x < 6; ++x) {
          EXPECT_EQ(test.top[0]->data_at(n, c, y, x),
                    test.bottom[0]->data_at(n, c, y + 2, x + 3));
        }
      }
    }
  }
  EXPECT_FALSE(test.layer->AllowBackward());
  test.FillTopDiff();
  for (Blob<Dtype>* bottom : test.bottom) {
    std::fill_n(bottom->mutable_cpu_diff(), bottom->count(), Dtype(3));
  }
  test.Backward({true, false, true});
  EXPECT_EQ(test.bottom[0]->asum_diff(), 0);
  EXPECT_EQ(test.bottom[1]->cpu_diff()[0], 3);
  EXPECT_EQ(test.bottom[2]->asum_diff(), 0);
}

TYPED_TEST(FlowAugmentationLayersTest, FlowRefusesWhatIsNoFlow) {
  typedef typename TypeParam::Dtype Dtype;
  const auto error = [](const string& text, const vector<vector<int>>& shapes) {
    return LayerUnderTest<Dtype>(text, shapes).SetUpError();
  };
  EXPECT_NE(error(flow_augmentation(0, 8), {{1, 2, 9, 12}, {1, 42}, {1, 42}})
                .find("must have crop_width > 0"),
            string::npos);
  EXPECT_NE(error(flow_augmentation(6, 8), {{1, 3, 9, 12}, {1, 42}, {1, 42}})
                .find("is a flow (N, 2, H, W), not 1 3 9 12"),
            string::npos);
  EXPECT_NE(error(flow_augmentation(6, 8), {{2, 2, 9, 12}, {2, 42}, {1, 42}})
                .find("bottom 2 holds coefficients (2, 42, 1, 1), not 1 42"),
            string::npos);
}

// A whole input side of a training net. Scene f, flow affine: p of image 0 is seen at
// A p + b of image 1.

template <typename Dtype>
double scene(double x, double y, int c) {
  return 0.5 + 0.25 * std::sin(0.21 * x + 0.13 * y + c) +
         0.25 * std::cos(0.17 * y - 0.09 * x + 2 * c);
}

const char* const kTrainingInput = R"(
  layer { name: 'in' type: 'Input' top: 'img0' top: 'img1' top: 'flow'
    input_param { shape { dim: 3 dim: 3 dim: 80 dim: 100 } shape { dim: 3 dim: 3 dim: 80
    dim: 100 } shape { dim: 3 dim: 2 dim: 80 dim: 100 } } }
  layer { name: 'aug0' type: 'DataAugmentation' bottom: 'img0' top: 'crop0' top: 'p0'
    augmentation_param { crop_width: 48 crop_height: 40 mirror { rand_type: 'bernoulli'
      prob: 0.5 } translate { rand_type: 'uniform_bernoulli' spread: 0.2 }
      rotate { rand_type: 'uniform_bernoulli' spread: 0.4 }
      zoom { rand_type: 'uniform_bernoulli' exp: true mean: 0.1 spread: 0.2 }
      squeeze { rand_type: 'uniform_bernoulli' exp: true spread: 0.2 } } }
  layer { name: 'draw1' type: 'GenerateAugmentationParameters' bottom: 'p0' bottom: 'img1'
    bottom: 'crop0' top: 'p1' coeff_schedule_param { half_life: 50000 initial_coeff: 0.5 }
    augmentation_param { translate { rand_type: 'gaussian_bernoulli' spread: 0.03 }
      rotate { rand_type: 'gaussian_bernoulli' spread: 0.03 }
      zoom { rand_type: 'gaussian_bernoulli' exp: true spread: 0.03 } } }
  layer { name: 'aug1' type: 'DataAugmentation' bottom: 'img1' bottom: 'p1' top: 'crop1'
    augmentation_param { crop_width: 48 crop_height: 40 } }
  layer { name: 'augflow' type: 'FlowAugmentation' bottom: 'flow' bottom: 'p0' bottom:
    'p1' top: 'cropflow' augmentation_param { crop_width: 48 crop_height: 40 } }
  layer { name: 'warp' type: 'FlowWarp' bottom: 'crop1' bottom: 'cropflow' top: 'warped'
    flow_warp_param { fill_value: NOT_A_NUMBER } })";

TYPED_TEST(FlowAugmentationLayersTest, FramesAndTheirFlowStayConsistent) {
  typedef typename TypeParam::Dtype Dtype;
  NetParameter param;
  ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString(kTrainingInput, &param));
  param.mutable_state()->set_phase(TRAIN);
  Net<Dtype> net(param);
  const AffineMap<double> motion{1.01, 0.015, -5.3, -0.02, 0.99, 4.2};
  const AffineMap<double> back = inverse(motion);
  for (int n = 0; n < 3; ++n) {
    for (int y = 0; y < 80; ++y) {
      for (int x = 0; x < 100; ++x) {
        for (int c = 0; c < 3; ++c) {
          const int at = ((n * 3 + c) * 80 + y) * 100 + x;
          net.blob_by_name("img0")->mutable_cpu_data()[at] = scene<Dtype>(x, y, c);
          net.blob_by_name("img1")->mutable_cpu_data()[at] =
              scene<Dtype>(back.X(x, y), back.Y(x, y), c);
        }
        Dtype* flow =
            net.blob_by_name("flow")->mutable_cpu_data() + (n * 2 * 80 + y) * 100 + x;
        flow[0] = motion.X(x, y) - x;
        flow[8000] = motion.Y(x, y) - y;
      }
    }
  }
  bool mirrored = false, straight = false;
  for (const unsigned int seed : {1u, 2u, 3u}) {
    Caffe::set_random_seed(seed);
    net.Forward();
    const Blob<Dtype>&crop = *net.blob_by_name("crop0"), &p0 = *net.blob_by_name("p0");
    const Blob<Dtype>&warped = *net.blob_by_name("warped"), &p1 = *net.blob_by_name("p1");
    const Blob<Dtype>&second = *net.blob_by_name("crop1"),
          &flow = *net.blob_by_name("cropflow");
    double worst = 0, other = 0;
    int known = 0;
    for (int i = 0; i < crop.count(); ++i) {
      const int x = i % 48, y = i / 48 % 40, n = i / (3 * 40 * 48);
      const double u = flow.data_at(n, 0, y, x), v = flow.data_at(n, 1, y, x);
      ASSERT_FALSE(std::isnan(u + v));
      if (x + u < 0 || x + u > 47 || y + v < 0 || y + v > 39) continue;
      ++known;
      const double wanted = crop.cpu_data()[i];
      worst = std::max(worst, std::fabs(warped.cpu_data()[i] - wanted));
      other = std::max(other, std::fabs(second.cpu_data()[i] - wanted));
    }
    EXPECT_GT(known, crop.count() / 2);
    EXPECT_LT(worst, 0.012);
    EXPECT_GT(other, 0.2) << "the crops are not alike before warping";
    for (int n = 0; n < 3; ++n) {
      (p0.data_at(n, 0, 0, 0) != 0 ? mirrored : straight) = true;
      EXPECT_NE(p0.data_at(n, 3, 0, 0), p1.data_at(n, 3, 0, 0));
      EXPECT_NEAR(p0.data_at(n, 3, 0, 0), p1.data_at(n, 3, 0, 0), 0.1);
    }
  }
  EXPECT_TRUE(mirrored && straight);
}

// GenerateAugmentationParameters.

string generate(const string& text, Phase phase = TRAIN) {
  return string("phase: ") + (phase == TRAIN ? "TRAIN" : "TEST") +
         " type: 'GenerateAugmentationParameters' augmentation_param { " + text + " }";
}

TYPED_TEST(FlowAugmentationLayersTest, GenerateTakesItsSizesFromThreeKindsOfBottoms) {
  typedef typename TypeParam::Dtype Dtype;
  // Shifts of up to two crops: only what fits into the image may come out.
  const string draws = "translate { spread: 2 } ";
  const string crop = "crop_width: 8 crop_height: 6 ";
  const string size = "bottomwidth: 24 bottomheight: 20 ";
  struct Form {
    string text;
    vector<vector<int>> bottoms;
  };
  for (const Form& form :
       vector<Form>{{draws, {{70, 42, 1, 1}, {70, 3, 20, 24}, {70, 3, 6, 8}}},
                    {draws + crop, {{70, 3, 20, 24}}},
                    {draws + crop + size, {{70, 42}}},
                    {draws + crop + size + "mode: 'replace'", {{70, 42, 1, 1}}},
                    {draws + crop + size + "mode: 'regenerate'", {{70, 5, 1, 1}}}}) {
    SCOPED_TRACE(form.text);
    LayerUnderTest<Dtype> test(generate(form.text), form.bottoms);
    fill_coefficients(vector<Coefficients>(70), test.bottom[0]);
    test.bottom[0]->Reshape(form.bottoms[0]);
    Caffe::set_random_seed(9);
    test.SetUp();
    test.Forward();
    ASSERT_EQ(test.top[0]->shape(), (vector<int>{70, 42, 1, 1}));
    double most_x = 0, most_y = 0;
    for (int n = 0; n < 70; ++n) {
      most_x = std::max<double>(most_x, std::fabs(test.top[0]->data_at(n, 1, 0, 0)));
      most_y = std::max<double>(most_y, std::fabs(test.top[0]->data_at(n, 2, 0, 0)));
    }
    // The centre crop begins at column 8 of 24 and row 7 of 20.
    EXPECT_LE(most_x, 1);
    EXPECT_GT(most_x, 0.9);
    EXPECT_LE(most_y, 7.0 / 6);
    EXPECT_GT(most_y, 1);
  }
}

TYPED_TEST(FlowAugmentationLayersTest, GenerateAddsReplacesOrRegenerates) {
  typedef typename TypeParam::Dtype Dtype;
  Coefficients before;
  before.angle = 0.1, before.gamma = 2, before.noise = 0.2;
  const string text =
      "rotate { mean: 0.01 } contrast { mean: 3 } crop_width: 4 crop_height: 4 "
      "bottomwidth: 20 bottomheight: 20 ";
  struct Row {
    string text;
    Phase phase;
    double angle, gamma, contrast, noise;
  };
  for (const Row& row :
       vector<Row>{{"", TRAIN, 0.11, 2, 3, 0.2},
                   {"mode: 'add'", TRAIN, 0.11, 2, 3, 0.2},
                   {"mode: 'replace'", TRAIN, 0.01, 1, 3, 0.2},
                   {"mode: 'regenerate'", TRAIN, 0.01, 1, 3, 0},
                   {"mode: 'add'", TEST, 0.1, 2, 1, 0.2},
                   {"mode: 'replace'", TEST, 0.1, 2, 1, 0.2},
                   {"mode: 'regenerate'", TEST, 0, 1, 1, 0},
                   {"mode: 'add' augment_during_test: true", TEST, 0.11, 2, 3, 0.2}}) {
    SCOPED_TRACE(row.text);
    LayerUnderTest<Dtype> test(generate(text + row.text, row.phase), {{2, 42, 1, 1}});
    fill_coefficients({Coefficients(), before}, test.bottom[0]);
    test.SetUp();
    test.Forward();
    const Coefficients c = augmentation_from(
        read_augmentation(test.top[0]->cpu_data() + kAugmentationCoefficients));
    EXPECT_NEAR(c.angle, row.angle, 1e-6);
    EXPECT_NEAR(c.gamma, row.gamma, 1e-6);
    EXPECT_NEAR(c.contrast, row.contrast, 1e-6);
    EXPECT_NEAR(c.noise, row.noise, 1e-6);
    EXPECT_EQ(c.zoom_x, 1);
  }
}

TYPED_TEST(FlowAugmentationLayersTest, GenerateCountsItsPassesAndKeepsTheCount) {
  typedef typename TypeParam::Dtype Dtype;
  const string text =
      "coeff_schedule_param { half_life: 4 initial_coeff: 0 final_coeff: 1 } " +
      generate("brightness { spread: 1 } crop_width: 4 crop_height: 4");
  LayerUnderTest<Dtype> first(text, {{400, 1, 9, 9}});
  first.SetUp();
  const auto most = [](LayerUnderTest<Dtype>* test) {
    test->Forward();
    double largest = 0;
    for (int n = 0; n < test->top[0]->num(); ++n) {
      largest = std::max<double>(largest, std::fabs(test->top[0]->data_at(n, 7, 0, 0)));
    }
    return largest;
  };
  const auto expect_pass = [](double largest, int pass) {
    const double discount = 2 / (1 + std::exp(-1.0986 * pass / 4)) - 1;
    EXPECT_LE(largest, discount * 1.00001);
    EXPECT_GT(largest, discount * 0.95);
  };
  for (int pass = 1; pass <= 4; ++pass) {
    if (pass == 3) first.bottom[0]->Reshape({300, 1, 8, 9});  // counts on
    expect_pass(most(&first), pass);
  }
  LayerUnderTest<Dtype> second(text, {{400, 1, 9, 9}});
  second.SetUp();
  second.layer->SetState(first.layer->GetState());
  expect_pass(most(&second), 5);
  EXPECT_THROW(second.layer->SetState("later"), Error);
  Caffe::set_random_seed(1);
  first.Forward();
  const vector<Dtype> drawn = data_of(*first.top[0]);
  Caffe::set_random_seed(2);
  first.Forward();
  EXPECT_NE(data_of(*first.top[0]), drawn);
}

TYPED_TEST(FlowAugmentationLayersTest, GenerateRefusesWhatItCannotUse) {
  typedef typename TypeParam::Dtype Dtype;
  const auto error = [](const string& text, const vector<vector<int>>& shapes) {
    return LayerUnderTest<Dtype>(generate(text), shapes).SetUpError();
  };
  const string crop = "crop_width: 4 crop_height: 4 ";
  EXPECT_NE(error(crop, {{1, 42}, {1, 3, 5, 5}}).find("takes one bottom, or three"),
            string::npos);
  EXPECT_TRUE(has_words(
      LayerUnderTest<Dtype>(generate(crop), {{1, 3, 5, 5}}, 1, true).SetUpError(),
      {"cannot work in place on data"}));
  EXPECT_TRUE(has_words(error(crop, {{1, 42}, {1, 3, 5, 5}, {1, 5, 5}}),
                        {"bottom 2 is data (N, C, H, W), not 1 5 5"}));
  EXPECT_TRUE(has_words(
      LayerUnderTest<Dtype>("coeff_schedule_param { half_life: -2 } " + generate(crop),
                            {{1, 3, 5, 5}})
          .SetUpError(),
      {"half_life is a number of passes, not -2"}));
  EXPECT_NE(error("crop_width: 4", {{1, 3, 5, 5}}).find("must have crop_width and"),
            string::npos);
  EXPECT_NE(error(crop, {{1, 42, 1, 1}}).find("must have bottomwidth and"), string::npos);
  EXPECT_NE(error(crop + "bottomwidth: 9 bottomheight: 9", {{1, 41, 1, 1}})
                .find("bottom 0 holds coefficients (N, 42, 1, 1), not 1 41 1 1"),
            string::npos);
  EXPECT_NE(error(crop + "bottomwidth: 9 bottomheight: 9 mode: 'mix'", {{1, 42, 1, 1}})
                .find("unknown augmentation_param.mode \"mix\""),
            string::npos);
}

// BlackAugmentation.

string black(const string& text) {
  return "type: 'BlackAugmentation' black_augmentation_param { " + text + " }";
}

const vector<vector<int>> kPair = {{4, 3, 8, 10}, {4, 3, 8, 10}, {4, 2, 8, 10}};

TYPED_TEST(FlowAugmentationLayersTest, BlackItemsStandStill) {
  typedef typename TypeParam::Dtype Dtype;
  LayerUnderTest<Dtype> test(black("black { rand_type: 'bernoulli' prob: 0.5 }"), kPair,
                             3);
  test.SetUp();
  std::set<bool> seen;
  for (int pass = 0; pass < 8; ++pass) {
    Caffe::set_random_seed(pass);
    test.Forward();
    for (int n = 0; n < 4; ++n) {
      const bool still = test.top[2]->data_at(n, 0, 0, 0) == 0;
      seen.insert(still);
      for (int i = 0; i < 240; ++i) {
        const int at = n * 240 + i;
        ASSERT_EQ(test.top[0]->cpu_data()[at], test.bottom[still]->cpu_data()[at]);
        ASSERT_EQ(test.top[1]->cpu_data()[at], test.bottom[1]->cpu_data()[at]);
        if (i >= 160) continue;
        const int flow = n * 160 + i;
        ASSERT_EQ(test.top[2]->cpu_data()[flow],
                  still ? 0 : test.bottom[2]->cpu_data()[flow]);
      }
    }
  }
  EXPECT_EQ(seen.size(), 2);
}

TYPED_TEST(FlowAugmentationLayersTest, BordersAreBlackOnOneAxisOrBoth) {
  typedef typename TypeParam::Dtype Dtype;
  LayerUnderTest<Dtype> test(black("border { mean: 0.29 }"), kPair, 3);
  test.SetUp();
  Caffe::set_random_seed(3);
  std::map<std::pair<bool, bool>, int> kinds;
  for (int pass = 0; pass < 75; ++pass) {
    test.Forward();
    for (int n = 0; n < 4; ++n) {
      const bool left = test.top[0]->data_at(n, 0, 4, 0) == 0;
      const bool above = test.top[0]->data_at(n, 0, 0, 4) == 0;
      ++kinds[{left, above}];
      const int bw = left ? 2 : 0, bh = above ? 2 : 0;  // 0.29 of 10, of 8
      for (int i = 0; i < 3; ++i) {
        for (int c = 0; c < test.top[i]->channels(); ++c) {
          for (int y = 0; y < 8; ++y) {
            for (int x = 0; x < 10; ++x) {
              const bool inside = x >= bw && x < 10 - bw && y >= bh && y < 8 - bh;
              ASSERT_EQ(test.top[i]->data_at(n, c, y, x),
                        inside ? test.bottom[i]->data_at(n, c, y, x) : 0);
            }
          }
        }
      }
    }
  }
  EXPECT_EQ(kinds.size(), 3);
  for (const auto& kind : kinds) {
    EXPECT_TRUE(kind.first.first || kind.first.second);
    EXPECT_NEAR(kind.second, 100, 41);  // 300 draws, five deviations
  }
}

TYPED_TEST(FlowAugmentationLayersTest, BlackWithoutDrawsCopies) {
  typedef typename TypeParam::Dtype Dtype;
  LayerUnderTest<Dtype> test(black(""), kPair, 3);
  test.SetUp();
  test.Forward();
  for (int i = 0; i < 3; ++i) EXPECT_EQ(data_of(*test.top[i]), data_of(*test.bottom[i]));
}

TYPED_TEST(FlowAugmentationLayersTest, BlackLeavesOutTopsWithoutAGradient) {
  typedef typename TypeParam::Dtype Dtype;
  LayerUnderTest<Dtype> test(black("black { mean: 1 }"), kPair, 3);
  test.SetUp();
  test.Forward();
  test.FillTopDiff();
  test.Backward();
  EXPECT_EQ(test.bottom[0]->asum_diff(), 0);
  EXPECT_EQ(test.bottom[2]->asum_diff(), 0);
  for (int i = 0; i < 960; ++i) {
    ASSERT_EQ(test.bottom[1]->cpu_diff()[i],
              test.top[1]->cpu_diff()[i] + test.top[0]->cpu_diff()[i]);
  }
  test.layer->set_top_has_gradient({false, true, true});
  std::fill_n(test.top[0]->mutable_cpu_diff(), 960, static_cast<Dtype>(kNan));
  test.Backward();
  EXPECT_EQ(diff_of(*test.bottom[1]), diff_of(*test.top[1]));
}

TEST(BlackAugmentationLayerTest, Gradient) {
  LayerUnderTest<double> test(
      black("black { rand_type: 'bernoulli' prob: 0.4 } border { rand_type: "
            "'uniform_bernoulli' mean: 0.3 prob: 0.6 }"),
      {{5, 3, 3, 4}, {5, 3, 3, 4}, {5, 2, 3, 4}}, 3);
  check_gradient(&test);
}

TYPED_TEST(FlowAugmentationLayersTest, BlackRefusesOtherBottoms) {
  typedef typename TypeParam::Dtype Dtype;
  EXPECT_NE(LayerUnderTest<Dtype>(black(""), {{1, 3, 4, 4}, {1, 1, 4, 4}}, 2)
                .SetUpError()
                .find("bottom 1 is 1 1 4 4"),
            string::npos);
  EXPECT_NE(LayerUnderTest<Dtype>(black(""), {{1, 3, 4, 4}, {1, 2, 4, 5}}, 2)
                .SetUpError()
                .find("of equal N, H and W"),
            string::npos);
}

}  // namespace
}  // namespace caffe

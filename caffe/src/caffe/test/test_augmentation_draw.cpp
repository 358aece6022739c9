// Augmentation coefficients: their layout, how they are drawn, the map of a crop.
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <set>

#include "augmentation_check.hpp"
#include "caffe/common.hpp"
#include "caffe/layers/augmentation_draw.hpp"
#include "error_check.hpp"

namespace caffe {
namespace {

AugmentationParameter parsed(const string& text) {
  AugmentationParameter param;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &param)) << text;
  return param;
}

vector<double> numbers(const Coefficients& values) {
  return vector<double>(&values.mirror, &values.mirror + kAugmentationCoefficients);
}

template <typename Function>
void expect_error(const string& words, const Function& function) {
  EXPECT_TRUE(has_words(FullErrorOf(function), {words}));
}

TEST(AugmentationCoefficientsTest, OrderAndDefaultsAreTheMessages) {
  const auto* message = AugmentationCoeff::descriptor();
  const vector<double> values = numbers(Coefficients());
  ASSERT_EQ(message->field_count(), kAugmentationCoefficients);
  for (int k = 0; k < kAugmentationCoefficients; ++k) {
    EXPECT_EQ(values[k], message->field(k)->default_value_float())
        << message->field(k)->name();
  }
  // Named members lie where the message has their names.
  Coefficients c;
  c.zoom_y = 10, c.color[2] = 11, c.pow_nomean[1] = 12, c.add_nomean[2] = 13;
  c.mult_nomean[0] = 14, c.pow_withmean[2] = 15, c.add_withmean[0] = 16;
  c.mult_withmean[1] = 17, c.lmult_mult = 18, c.col_angle = 19, c.noise = 20;
  const std::pair<const char*, double> places[] = {
      {"zoom_y", 10},        {"color3", 11},         {"pow_nomean1", 12},
      {"add_nomean2", 13},   {"mult_nomean0", 14},   {"pow_withmean2", 15},
      {"add_withmean0", 16}, {"mult_withmean1", 17}, {"lmult_mult", 18},
      {"col_angle", 19},     {"noise", 20}};
  for (const auto& place : places) {
    EXPECT_EQ(numbers(c)[message->FindFieldByName(place.first)->index()], place.second)
        << place.first;
  }
}

TEST(AugmentationCoefficientsTest, StoredOnesAddUp) {
  Coefficients a, b;
  a.angle = 0.25, b.angle = 0.5, a.zoom_x = 2, b.zoom_x = 3, a.gamma = 0, b.color[1] = 4;
  a.mirror = b.mirror = 1;
  const StoredAugmentation first = stored_augmentation(a),
                           second = stored_augmentation(b);
  EXPECT_DOUBLE_EQ(first[4], std::log(2.0));
  EXPECT_DOUBLE_EQ(first[3], 0.25);
  StoredAugmentation both;
  for (int k = 0; k < kAugmentationCoefficients; ++k) both[k] = first[k] + second[k];
  const Coefficients sum = augmentation_from(both);
  EXPECT_DOUBLE_EQ(sum.angle, 0.75);
  EXPECT_DOUBLE_EQ(sum.zoom_x, 6);
  EXPECT_DOUBLE_EQ(sum.zoom_y, 1);
  EXPECT_EQ(sum.gamma, 0);
  EXPECT_DOUBLE_EQ(sum.color[1], 4);
  EXPECT_EQ(sum.mirror, 2);  // still mirrored
  a.contrast = -0.5;
  expect_error("contrast was drawn as -0.5", [&] { stored_augmentation(a); });
}

TEST(AugmentationCoefficientsTest, GroupsSeeTheirOwn) {
  const AugmentationGroup groups[] = {kSpatialGroup, kChromaticGroup, kEigenGroup,
                                      kEffectsGroup};
  for (int k = 0; k < kAugmentationCoefficients; ++k) {
    Coefficients c;
    (&c.mirror)[k] += 0.5;
    int seen = 0;
    for (const AugmentationGroup& group : groups) {
      EXPECT_EQ(changes(c, group), k >= group.first && k < group.end) << k;
      seen += changes(c, group);
    }
    EXPECT_EQ(seen, 1);
    EXPECT_EQ(numbers(snapped(c)), numbers(c));
    (&c.mirror)[k] -= 0.5009;
    EXPECT_EQ(numbers(snapped(c)), numbers(Coefficients())) << k;
  }
}

TEST(AugmentationDrawTest, ScheduleGoesHalfTheWayInAHalfLife) {
  CoeffScheduleParameter schedule;
  EXPECT_DOUBLE_EQ(augmentation_discount(schedule, 1), 1);
  EXPECT_DOUBLE_EQ(augmentation_discount(schedule, 1000), 1);
  schedule.set_half_life(50000);
  schedule.set_initial_coeff(0.5);
  schedule.set_final_coeff(1);
  EXPECT_NEAR(augmentation_discount(schedule, 0), 0.5, 1e-12);
  EXPECT_NEAR(augmentation_discount(schedule, 1), 0.5 + 0.5 * 1.0986 / 2 / 50000, 1e-9);
  EXPECT_NEAR(augmentation_discount(schedule, 50000), 0.75, 1e-5);
  EXPECT_NEAR(augmentation_discount(schedule, 100000), 0.9, 1e-4);  // 1 / (1 + 1/9)
  EXPECT_NEAR(augmentation_discount(schedule, 1e7), 1, 1e-12);
}

// Every field moves the coefficients it is meant for, and only these.
TEST(AugmentationDrawTest, EveryFieldGoesToItsCoefficients) {
  struct Row {
    const char* field;
    std::vector<std::string> targets;
    bool same;  // one draw for all of them
  };
  const Row rows[] = {{"mirror", {"mirror"}, false},
                      {"translate", {"dx", "dy"}, false},
                      {"translate_x", {"dx"}, false},
                      {"translate_y", {"dy"}, false},
                      {"rotate", {"angle"}, false},
                      {"zoom", {"zoom_x", "zoom_y"}, true},
                      {"squeeze", {"zoom_x", "zoom_y"}, false},
                      {"gamma", {"gamma"}, false},
                      {"brightness", {"brightness"}, false},
                      {"contrast", {"contrast"}, false},
                      {"color", {"color1", "color2", "color3"}, false},
                      {"ladd_pow", {"pow_nomean0"}, false},
                      {"col_pow", {"pow_nomean1", "pow_nomean2"}, false},
                      {"ladd_add", {"add_nomean0"}, false},
                      {"col_add", {"add_nomean1", "add_nomean2"}, false},
                      {"ladd_mult", {"mult_nomean0"}, false},
                      {"col_mult", {"mult_nomean1", "mult_nomean2"}, false},
                      {"sat_pow", {"pow_withmean1", "pow_withmean2"}, true},
                      {"sat_add", {"add_withmean1", "add_withmean2"}, true},
                      {"sat_mult", {"mult_withmean1", "mult_withmean2"}, true},
                      {"lmult_pow", {"lmult_pow"}, false},
                      {"lmult_mult", {"lmult_mult"}, false},
                      {"lmult_add", {"lmult_add"}, false},
                      {"col_rotate", {"col_angle"}, false},
                      {"fog_amount", {"fog_amount"}, false},
                      {"fog_size", {"fog_size"}, false},
                      {"motion_blur_angle", {"motion_blur_angle"}, false},
                      {"motion_blur_size", {"motion_blur_size"}, false},
                      {"shadow_angle", {"shadow_angle"}, false},
                      {"shadow_distance", {"shadow_distance"}, false},
                      {"shadow_strength", {"shadow_strength"}, false},
                      {"noise", {"noise"}, false}};
  const auto* message = AugmentationCoeff::descriptor();
  std::set<std::string> random_fields;
  for (int i = 0; i < AugmentationParameter::descriptor()->field_count(); ++i) {
    const auto* field = AugmentationParameter::descriptor()->field(i);
    if (field->message_type() != nullptr) random_fields.insert(field->name());
  }
  for (const Row& row : rows) {
    SCOPED_TRACE(row.field);
    random_fields.erase(row.field);
    const AugmentationParameter param =
        parsed(string(row.field) + " { mean: 3 spread: 1 }");
    Caffe::set_random_seed(1);
    std::set<int> targets;
    std::set<double> drawn;
    for (const string& name : row.targets) {
      targets.insert(message->FindFieldByName(name)->index());
    }
    for (const AugmentationGroup& group :
         {kSpatialGroup, kChromaticGroup, kEigenGroup, kEffectsGroup}) {
      const bool mine = *targets.begin() >= group.first && *targets.begin() < group.end;
      EXPECT_EQ(draws(param, group), mine);
      const vector<double> values = numbers(draw_group(param, group, 1));
      const vector<double> defaults = numbers(Coefficients());
      for (int k = 0; k < kAugmentationCoefficients; ++k) {
        if (!mine || targets.count(k) == 0) {
          EXPECT_EQ(values[k], defaults[k]) << k;
        } else {
          EXPECT_NE(values[k], defaults[k]) << k;
          drawn.insert(values[k]);
        }
      }
    }
    EXPECT_EQ(drawn.size(), row.same ? 1 : targets.size());
  }
  EXPECT_TRUE(random_fields.empty()) << *random_fields.begin() << " is not in the table";
}

TEST(AugmentationDrawTest, SpreadsAreDiscountedAndGatesLeaveTheDefault) {
  Caffe::set_random_seed(2);
  // Failed gates: shifts and angles 0, factors 1 although exp(0.7) could be meant.
  const AugmentationParameter shut = parsed(
      "translate { rand_type: 'uniform_bernoulli' exp: true mean: 5 prob: 0 }"
      "rotate { rand_type: 'gaussian_bernoulli' exp: true mean: 5 prob: 0 multiplier: 2 }"
      "zoom { rand_type: 'uniform_bernoulli' exp: true mean: 5 prob: 0 multiplier: 2 }"
      "squeeze { rand_type: 'uniform_bernoulli' mean: 5 prob: 0 }");
  EXPECT_EQ(numbers(draw_group(shut, kSpatialGroup, 1)), numbers(Coefficients()));
  // Squeeze multiplies one zoom and divides the other; mirror is never spread.
  const Coefficients c = draw_group(
      parsed("zoom { mean: 3 } squeeze { mean: 2 } mirror { mean: 0.5 spread: 9 }"),
      kSpatialGroup, 1);
  EXPECT_EQ(c.zoom_x, 6);
  EXPECT_EQ(c.zoom_y, 1.5);
  EXPECT_EQ(c.mirror, 1);
  EXPECT_EQ(draw_group(parsed("mirror { spread: 9 }"), kSpatialGroup, 1).mirror, 0);
  double most = 0;
  for (int i = 0; i < 200; ++i) {
    const Coefficients drawn =
        draw_group(parsed("gamma { mean: 2 spread: 1 } color { mean: 2 spread: 1 "
                          "apply_schedule: false }"),
                   kChromaticGroup, 0.25);
    EXPECT_NEAR(drawn.gamma, 2, 0.25);
    most = std::max(most, std::fabs(drawn.color[1] - 2));
  }
  EXPECT_GT(most, 0.9);
}

TEST(AugmentationDrawTest, ShiftsOfOneAxisOverrideThoseOfBoth) {
  struct Row {
    const char* text;
    double dx, dy;
  };
  for (const Row& row :
       {Row{"translate_x { mean: 7 }", 7, 1}, Row{"translate_y { mean: 9 }", 1, 9},
        Row{"translate_x { mean: 7 } translate_y { mean: 9 }", 7, 9}}) {
    SCOPED_TRACE(row.text);
    const Coefficients c =
        draw_group(parsed(string("translate { mean: 1 } ") + row.text), kSpatialGroup, 1);
    EXPECT_EQ(c.dx, row.dx);
    EXPECT_EQ(c.dy, row.dy);
  }
}

TEST(AugmentationDrawTest, ModesAddReplaceOrForget) {
  const AugmentationParameter param =
      parsed("rotate { mean: 0.01 } contrast { mean: 3 } crop_width: 1 crop_height: 1");
  Coefficients before;
  before.angle = 0.1, before.dx = 0.5, before.contrast = 2, before.gamma = 4;
  before.col_angle = 0.3, before.noise = 0.2;
  const auto run = [&](const string& mode) {
    const AugmentationDraw draw{param, augmentation_mode(mode), 1, {4, 4, 20, 20}, "it"};
    return augmentation_from(draw(stored_augmentation(before)));
  };
  const Coefficients added = run("add");
  EXPECT_NEAR(added.angle, 0.11, 1e-6);
  EXPECT_EQ(added.dx, 0.5);
  EXPECT_NEAR(added.contrast, 6, 1e-12);
  EXPECT_NEAR(added.gamma, 4, 1e-12);
  EXPECT_EQ(added.col_angle, 0.3);
  const Coefficients replaced = run("replace");
  EXPECT_NEAR(replaced.angle, 0.01, 1e-6);
  EXPECT_EQ(replaced.dx, 0);  // of the same group
  EXPECT_NEAR(replaced.contrast, 3, 1e-12);
  EXPECT_EQ(replaced.gamma, 1);
  EXPECT_EQ(replaced.col_angle, 0.3);  // of another
  EXPECT_EQ(replaced.noise, 0.2);
  const Coefficients renewed = run("regenerate");
  EXPECT_NEAR(renewed.angle, 0.01, 1e-6);
  EXPECT_NEAR(renewed.contrast, 3, 1e-12);
  EXPECT_EQ(renewed.col_angle, 0);
  EXPECT_EQ(renewed.noise, 0);
  expect_error("it is add, replace or regenerate", [] { augmentation_mode("mix"); });
}

TEST(AugmentationDrawTest, SpatialDrawsKeepTheCropInside) {
  Caffe::set_random_seed(4);
  const AugmentationParameter param =
      parsed("translate { spread: 2 } rotate { spread: 3 } zoom { exp: true spread: 1 }");
  const CropShape shape{6, 8, 20, 24};
  std::set<double> angles;
  int outside = 0;
  for (int i = 0; i < 300; ++i) {
    const AugmentationDraw draw{param, AugmentationMode::kAdd, 1, shape, "it"};
    const Coefficients c = augmentation_from(draw(StoredAugmentation{}));
    angles.insert(c.angle);
    for (const int x : {0, 7}) {
      for (const int y : {0, 5}) {
        const Place place = placed(c, shape, x, y);
        outside += !(place.x >= 0 && place.x < 23 && place.y >= 0 && place.y < 19);
      }
    }
  }
  EXPECT_EQ(outside, 0);
  EXPECT_GT(angles.size(), 290);  // hardly any gave up

  // Nowhere to go: what came in stays, and the draw ends, a crop of one pixel too.
  StoredAugmentation incoming{};
  incoming[3] = 0.25;
  for (const int size : {1, 24}) {
    const AugmentationParameter far = parsed("translate { mean: 100 }");
    const AugmentationDraw draw{
        far, AugmentationMode::kAdd, 1, {size, size, 24, 24}, "it"};
    EXPECT_EQ(draw(incoming), incoming);
  }
}

// A crop of 8 x 4 begins at column 8 and row 8 of 24 x 20: shifted by whole crops, its
// first pixel may be the image's first, its last one no more than the last but one.
TEST(AugmentationDrawTest, CropsReachTheFirstPixelAndTheLastButOne) {
  struct Row {
    double dx, dy;
    bool fits;
  };
  for (const Row& row :
       {Row{-1, 0, true}, Row{-1.0625, 0, false}, Row{0.875, 0, true},
        Row{0.9375, 0, true}, Row{1, 0, false}, Row{0, -2, true}, Row{0, -2.0625, false},
        Row{0, 1.75, true}, Row{0, 1.9375, true}, Row{0, 2, false}, Row{-1, -2, true}}) {
    SCOPED_TRACE(std::to_string(row.dx) + " " + std::to_string(row.dy));
    const AugmentationParameter param =
        parsed("translate_x { mean: " + std::to_string(row.dx) +
               " } translate_y { mean: " + std::to_string(row.dy) + " }");
    const AugmentationDraw draw{param, AugmentationMode::kAdd, 1, CropShape{4, 8, 20, 24},
                                "it"};
    const StoredAugmentation drawn = draw(StoredAugmentation{});
    EXPECT_EQ(drawn[1], row.fits ? row.dx : 0);
    EXPECT_EQ(drawn[2], row.fits ? row.dy : 0);
  }
}

TEST(AffineMapTest, IsTheFiveStepsAndItsInverseUndoesIt) {
  const CropShape shape{6, 8, 9, 12};
  const AffineMap<double> first = shape.Map(check_items()[0]);
  const double t0[6] = {first.xx, first.xy, first.x0, first.yx, first.yy, first.y0};
  const double expected0[6] = {0.890970, -0.180608, 3.341583,
                               0.220744, 1.088963,  -0.316530};
  const AffineMap<double> second = shape.Map(check_items()[1]);
  const double t1[6] = {second.xx, second.xy, second.x0, second.yx, second.yy, second.y0};
  const double expected1[6] = {-0.898883, 0.135853, 9.551609,
                               0.166042,  1.098635, -0.126740};
  for (int k = 0; k < 6; ++k) {
    EXPECT_NEAR(t0[k], expected0[k], 1e-6);
    EXPECT_NEAR(t1[k], expected1[k], 1e-6);
  }
  vector<Coefficients> items = awkward_items(6);
  items[5].mirror = 2;  // two mirrored sets added up
  for (const Coefficients& c : items) {
    const AffineMap<double> map = shape.Map(c), back = inverse(map);
    for (const double x : {0.0, 3.5, 7.0}) {
      for (const double y : {-2.0, 0.0, 5.0}) {
        const Place place = placed(c, shape, x, y);
        EXPECT_NEAR(map.X(x, y), place.x, 1e-12);
        EXPECT_NEAR(map.Y(x, y), place.y, 1e-12);
        EXPECT_NEAR(back.X(place.x, place.y), x, 1e-12);
        EXPECT_NEAR(back.Y(place.x, place.y), y, 1e-12);
      }
    }
  }
}

}  // namespace
}  // namespace caffe

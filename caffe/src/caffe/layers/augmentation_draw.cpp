// Drawing augmentations.
#include "caffe/layers/augmentation_draw.hpp"

#include <cmath>
#include <initializer_list>
#include <limits>

#include "caffe/util/logging.hpp"
#include "caffe/util/rng.hpp"

namespace caffe {

namespace {

using Values = AugmentationCoefficients<double>;

constexpr int kTries = 50;

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

struct Drawer {
  double discount;

  double operator()(const RandomGeneratorParameter& random, double prob0 = kNone) const {
    return caffe_rng_generate<double>(random, discount, prob0);
  }
  // One draw for each target, where the field is there.
  void operator()(bool given, const RandomGeneratorParameter& random,
                  std::initializer_list<double*> targets) const {
    if (!given) return;
    for (double* target : targets) *target = (*this)(random);
  }
};

void draw_spatial(const AugmentationParameter& param, const Drawer& draw, Values* to) {
  if (param.has_mirror()) {
    to->mirror = caffe_rng_generate<double, bool>(param.mirror(), 0);
  }
  if (param.has_translate()) {
    to->dx = draw(param.translate(), 0);
    to->dy = draw(param.translate(), 0);
  }
  draw(param.has_translate_x(), param.translate_x(), {&to->dx});
  draw(param.has_translate_y(), param.translate_y(), {&to->dy});
  if (param.has_rotate()) to->angle = draw(param.rotate(), 0);
  if (param.has_zoom()) to->zoom_x = to->zoom_y = draw(param.zoom(), 1);
  if (param.has_squeeze()) {
    const double squeeze = draw(param.squeeze(), 1);
    to->zoom_x *= squeeze;
    to->zoom_y /= squeeze;
  }
}

void draw_chromatic(const AugmentationParameter& param, const Drawer& draw, Values* to) {
  draw(param.has_gamma(), param.gamma(), {&to->gamma});
  draw(param.has_brightness(), param.brightness(), {&to->brightness});
  draw(param.has_contrast(), param.contrast(), {&to->contrast});
  draw(param.has_color(), param.color(), {&to->color[0], &to->color[1], &to->color[2]});
}

void draw_eigen(const AugmentationParameter& param, const Drawer& draw, Values* to) {
  draw(param.has_ladd_pow(), param.ladd_pow(), {&to->pow_nomean[0]});
  draw(param.has_col_pow(), param.col_pow(), {&to->pow_nomean[1], &to->pow_nomean[2]});
  draw(param.has_ladd_add(), param.ladd_add(), {&to->add_nomean[0]});
  draw(param.has_col_add(), param.col_add(), {&to->add_nomean[1], &to->add_nomean[2]});
  draw(param.has_ladd_mult(), param.ladd_mult(), {&to->mult_nomean[0]});
  draw(param.has_col_mult(), param.col_mult(),
       {&to->mult_nomean[1], &to->mult_nomean[2]});
  // Saturation: one draw for both colour axes.
  draw(param.has_sat_pow(), param.sat_pow(), {&to->pow_withmean[1]});
  draw(param.has_sat_add(), param.sat_add(), {&to->add_withmean[1]});
  draw(param.has_sat_mult(), param.sat_mult(), {&to->mult_withmean[1]});
  to->pow_withmean[2] = to->pow_withmean[1];
  to->add_withmean[2] = to->add_withmean[1];
  to->mult_withmean[2] = to->mult_withmean[1];
  draw(param.has_lmult_pow(), param.lmult_pow(), {&to->lmult_pow});
  draw(param.has_lmult_mult(), param.lmult_mult(), {&to->lmult_mult});
  draw(param.has_lmult_add(), param.lmult_add(), {&to->lmult_add});
  draw(param.has_col_rotate(), param.col_rotate(), {&to->col_angle});
}

void draw_effects(const AugmentationParameter& param, const Drawer& draw, Values* to) {
  draw(param.has_fog_amount(), param.fog_amount(), {&to->fog_amount});
  draw(param.has_fog_size(), param.fog_size(), {&to->fog_size});
  draw(param.has_motion_blur_angle(), param.motion_blur_angle(),
       {&to->motion_blur_angle});
  draw(param.has_motion_blur_size(), param.motion_blur_size(), {&to->motion_blur_size});
  draw(param.has_shadow_angle(), param.shadow_angle(), {&to->shadow_angle});
  draw(param.has_shadow_distance(), param.shadow_distance(), {&to->shadow_distance});
  draw(param.has_shadow_strength(), param.shadow_strength(), {&to->shadow_strength});
  draw(param.has_noise(), param.noise(), {&to->noise});
}

void add_group(const StoredAugmentation& from, AugmentationGroup group,
               StoredAugmentation* to) {
  for (int k = group.first; k < group.end; ++k) (*to)[k] += from[k];
}

void clear_group(AugmentationGroup group, StoredAugmentation* to) {
  std::fill(to->begin() + group.first, to->begin() + group.end, 0);
}

}  // namespace

double augmentation_discount(const CoeffScheduleParameter& schedule, double pass) {
  const double way = 2 / (1 + std::exp(-1.0986 * pass / schedule.half_life())) - 1;
  return schedule.initial_coeff() +
         (static_cast<double>(schedule.final_coeff()) - schedule.initial_coeff()) * way;
}

bool draws(const AugmentationParameter& p, AugmentationGroup group) {
  switch (group.first) {
    case kSpatialGroup.first:
      return p.has_mirror() || p.has_translate() || p.has_translate_x() ||
             p.has_translate_y() || p.has_rotate() || p.has_zoom() || p.has_squeeze();
    case kChromaticGroup.first:
      return p.has_gamma() || p.has_brightness() || p.has_contrast() || p.has_color();
    case kEigenGroup.first:
      return p.has_lmult_pow() || p.has_lmult_mult() || p.has_lmult_add() ||
             p.has_sat_pow() || p.has_sat_mult() || p.has_sat_add() || p.has_col_pow() ||
             p.has_col_mult() || p.has_col_add() || p.has_ladd_pow() ||
             p.has_ladd_mult() || p.has_ladd_add() || p.has_col_rotate();
    default:
      return p.has_fog_amount() || p.has_fog_size() || p.has_motion_blur_angle() ||
             p.has_motion_blur_size() || p.has_shadow_angle() ||
             p.has_shadow_distance() || p.has_shadow_strength() || p.has_noise();
  }
}

Values draw_group(const AugmentationParameter& param, AugmentationGroup group,
                  double discount) {
  const Drawer draw{discount};
  Values values;
  switch (group.first) {
    case kSpatialGroup.first:
      draw_spatial(param, draw, &values);
      break;
    case kChromaticGroup.first:
      draw_chromatic(param, draw, &values);
      break;
    case kEigenGroup.first:
      draw_eigen(param, draw, &values);
      break;
    default:
      draw_effects(param, draw, &values);
  }
  return values;
}

AugmentationMode augmentation_mode(const std::string& mode) {
  if (mode == "add") return AugmentationMode::kAdd;
  if (mode == "replace") return AugmentationMode::kReplace;
  CHECK_VALUE(mode == "regenerate") << "unknown augmentation_param.mode \"" << mode
                                    << "\": it is add, replace or regenerate";
  return AugmentationMode::kRegenerate;
}

StoredAugmentation AugmentationDraw::operator()(
    const StoredAugmentation& incoming) const {
  StoredAugmentation result{};
  if (mode != AugmentationMode::kRegenerate) result = incoming;
  for (const AugmentationGroup group :
       {kSpatialGroup, kChromaticGroup, kEigenGroup, kEffectsGroup}) {
    if (!draws(param, group)) continue;
    if (mode == AugmentationMode::kReplace) clear_group(group, &result);
    if (group.first == kSpatialGroup.first) {
      result = DrawInside(result);
    } else {
      add_group(stored_augmentation(draw_group(param, group, discount)), group, &result);
    }
  }
  return result;
}

StoredAugmentation AugmentationDraw::DrawInside(
    const StoredAugmentation& incoming) const {
  for (int i = 0; i < kTries; ++i) {
    StoredAugmentation tried = incoming;
    add_group(stored_augmentation(draw_group(param, kSpatialGroup, discount)),
              kSpatialGroup, &tried);
    if (crop.Inside(crop.Map(augmentation_from(tried)))) return tried;
  }
  LOG(WARNING)
      << "Augmentation: Exceeded maximum tries in finding spatial coeffs. (layer '"
      << layer << "')";
  return incoming;
}

}  // namespace caffe

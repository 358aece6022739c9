// One item's augmentation: 42 numbers, as named values and as the vector that blobs hold.
#ifndef CAFFE_LAYERS_AUGMENTATION_COEFFICIENTS_HPP_
#define CAFFE_LAYERS_AUGMENTATION_COEFFICIENTS_HPP_

#include <algorithm>
#include <array>
#include <string>

namespace caffe {

constexpr int kAugmentationCoefficients = 42;

/// The numbers of message AugmentationCoeff, in its order (facts: layers_flow.md 6.1).
template <typename T>
struct AugmentationCoefficients {
  T mirror = 0;              ///< mirrored left to right unless 0
  T dx = 0, dy = 0;          ///< shift, in widths and heights of the crop
  T angle = 0;               ///< radians
  T zoom_x = 1, zoom_y = 1;  ///< > 1 enlarges

  T gamma = 1, brightness = 0, contrast = 1;
  T color[3] = {1, 1, 1};  ///< factors of the blob's channels

  // On the components along the axes of chromatic_eigvec: without and with their mean.
  T pow_nomean[3] = {1, 1, 1}, add_nomean[3] = {0, 0, 0}, mult_nomean[3] = {1, 1, 1};
  T pow_withmean[3] = {1, 1, 1}, add_withmean[3] = {0, 0, 0};
  T mult_withmean[3] = {1, 1, 1};
  T lmult_pow = 1, lmult_add = 0, lmult_mult = 1;  ///< on the length of the colour
  T col_angle = 0;                                 ///< radians, turns axes 1 and 2

  T fog_amount = 0, fog_size = 0;                 // fog and motion blur: drawn by the
  T motion_blur_angle = 0, motion_blur_size = 0;  // forks, used by nobody
  T shadow_angle = 0, shadow_distance = 0;        ///< radians, pixels
  T shadow_strength = 0;                          ///< what is subtracted
  T noise = 0;                                    ///< standard deviation
};

static_assert(sizeof(AugmentationCoefficients<float>) ==
                  kAugmentationCoefficients * sizeof(float),
              "the struct is read and written as an array");

/// What a blob (N, 42, 1, 1) holds of an item: the value where the default is 0, its
/// logarithm where the default is 1. Two augmentations in a row add up. All zeros:
/// unchanged.
using StoredAugmentation = std::array<double, kAugmentationCoefficients>;

/// Positions [first, end) of the vector.
struct AugmentationGroup {
  int first, end;
};
constexpr AugmentationGroup kSpatialGroup{0, 6};
constexpr AugmentationGroup kChromaticGroup{6, 12};
constexpr AugmentationGroup kEigenGroup{12, 34};
constexpr AugmentationGroup kEffectsGroup{34, kAugmentationCoefficients};

/// @throws Error (naming the coefficient) where a factor is negative: it has no logarithm
StoredAugmentation stored_augmentation(const AugmentationCoefficients<double>& values);
AugmentationCoefficients<double> augmentation_from(const StoredAugmentation& stored);

/// Values within 1e-3 of their default become the default (DataAugmentation uses them
/// so).
AugmentationCoefficients<double> snapped(const AugmentationCoefficients<double>& values);

/// Whether a number of the group differs from its default.
bool changes(const AugmentationCoefficients<double>& values, AugmentationGroup group);

/// One item of a blob of coefficients, and back.
template <typename Dtype>
StoredAugmentation read_augmentation(const Dtype* item) {
  StoredAugmentation stored;
  std::copy_n(item, kAugmentationCoefficients, stored.begin());
  return stored;
}
template <typename Dtype>
void write_augmentation(const StoredAugmentation& stored, Dtype* item) {
  std::transform(stored.begin(), stored.end(), item,
                 [](double value) { return static_cast<Dtype>(value); });
}

/// The values in a layer's own type, `to` holding 42 numbers an item.
template <typename Dtype>
void write_values(const AugmentationCoefficients<double>& values, Dtype* to) {
  const double* from = &values.mirror;
  for (int k = 0; k < kAugmentationCoefficients; ++k) to[k] = static_cast<Dtype>(from[k]);
}

}  // namespace caffe

#endif  // CAFFE_LAYERS_AUGMENTATION_COEFFICIENTS_HPP_

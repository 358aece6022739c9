// Drawing augmentations: distributions, the schedule, and shifts that stay in the image.
#ifndef CAFFE_LAYERS_AUGMENTATION_DRAW_HPP_
#define CAFFE_LAYERS_AUGMENTATION_DRAW_HPP_

#include <string>

#include "caffe/layers/affine_map.hpp"
#include "caffe/layers/augmentation_coefficients.hpp"
#include "caffe/proto/caffe.pb.h"

namespace caffe {

/// The factor of every spread in pass t (1 is the first): initial + (final - initial) (2
/// / (1 + exp(-1.0986 t / half_life)) - 1): half of the way at t = half_life.
double augmentation_discount(const CoeffScheduleParameter& schedule, double pass);

/// Whether `param` asks for random numbers of the group.
bool draws(const AugmentationParameter& param, AugmentationGroup group);

/// Draws the numbers of the group that `param` asks for, the others are default (facts:
/// layers_flow.md 6.2). From the calling thread's generator.
AugmentationCoefficients<double> draw_group(const AugmentationParameter& param,
                                            AugmentationGroup group, double discount);

/// What a draw does with the augmentation that is there already.
enum class AugmentationMode { kAdd, kReplace, kRegenerate };
/// @throws Error unless `mode` is "add", "replace" or "regenerate"
AugmentationMode augmentation_mode(const std::string& mode);

/// Draws for items, all groups that a layer's parameters ask for.
struct AugmentationDraw {
  const AugmentationParameter& param;
  AugmentationMode mode;
  double discount;
  CropShape crop;
  std::string layer;  ///< named in warnings

  /// One item: `incoming` (nothing in mode kRegenerate) with what was drawn added to it,
  /// or in its place.
  StoredAugmentation operator()(const StoredAugmentation& incoming) const;

 private:
  /// A spatial draw on top of `incoming` that keeps the crop's corners at least a pixel
  /// inside the image; `incoming` and a warning after 50 failed tries.
  StoredAugmentation DrawInside(const StoredAugmentation& incoming) const;
};

}  // namespace caffe

#endif  // CAFFE_LAYERS_AUGMENTATION_DRAW_HPP_

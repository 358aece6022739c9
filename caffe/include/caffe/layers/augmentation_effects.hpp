// The effects of an augmentation: half the image in shadow, and noise.
#ifndef CAFFE_LAYERS_AUGMENTATION_EFFECTS_HPP_
#define CAFFE_LAYERS_AUGMENTATION_EFFECTS_HPP_

#include <cmath>
#include <cstdint>

#include "caffe/layers/affine_map.hpp"
#include "caffe/layers/augmentation_coefficients.hpp"

namespace caffe {

/// A standard normal number that depends on the seed and the index alone: the same on
/// every device and with any number of threads. Its 24-bit uniforms reach 5.7 deviations.
template <typename T>
CAFFE_HD T normal_at(std::uint64_t seed, std::int64_t index) {
  // The output function of SplitMix64 (Steele, Lea and Flood 2014), then Box and Muller.
  std::uint64_t z = seed + (static_cast<std::uint64_t>(index) + 1) * 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  z ^= z >> 31;
  const T unit = T(1) / (1 << 24);
  const T u = (static_cast<T>(z >> 40) + 1) * unit;  // never 0
  const T angle = static_cast<T>((z >> 8) & 0xffffff) * unit * T(6.283185307179586);
  return std::sqrt(-2 * std::log(u)) * std::cos(angle);
}

/// On pixel i of crops (N, C, height, width), in place, in all channels: the item's
/// shadow, a clamp to [0, max_multiplier], the item's noise (facts: layers_flow.md 6.7).
template <typename Dtype>
struct EffectsPass {
  int channels, height, width;
  Dtype max_multiplier;
  std::uint64_t seed;  ///< of the noise
  const AugmentationCoefficients<Dtype>* items;
  Dtype* crop;

  CAFFE_HD void operator()(std::int64_t i) const {
    const std::int64_t plane = std::int64_t{height} * width;
    const std::int64_t item = i / plane, pixel = i % plane;
    const AugmentationCoefficients<Dtype>& a = items[item];
    const Dtype x = static_cast<Dtype>(static_cast<int>(pixel % width) - width / 2);
    const Dtype y = static_cast<Dtype>(static_cast<int>(pixel / width) - height / 2);
    const Dtype depth =
        x * std::cos(a.shadow_angle) + y * std::sin(a.shadow_angle) - a.shadow_distance;
    const Dtype shadow = depth > 0 ? a.shadow_strength : Dtype(0);
    for (int c = 0; c < channels; ++c) {
      const std::int64_t at = (item * channels + c) * plane + pixel;
      Dtype value = crop[at] - shadow;
      value = value > max_multiplier ? max_multiplier : (value > 0 ? value : Dtype(0));
      if (a.noise > 0) value += a.noise * normal_at<Dtype>(seed, at);
      crop[at] = value;
    }
  }
};

}  // namespace caffe

#endif  // CAFFE_LAYERS_AUGMENTATION_EFFECTS_HPP_

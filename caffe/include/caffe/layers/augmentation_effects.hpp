// The effects of an augmentation: half the image in shadow, and noise.
#ifndef CAFFE_LAYERS_AUGMENTATION_EFFECTS_HPP_
#define CAFFE_LAYERS_AUGMENTATION_EFFECTS_HPP_

#include <cmath>
#include <cstdint>

#include "caffe/device/random.hpp"
#include "caffe/layers/augmentation_coefficients.hpp"

namespace caffe {

/// A standard normal number that depends on the seed and the index alone (Box and Muller
/// 1958): the same on every device and with any number of threads. Its 24-bit uniforms
/// reach 5.7 deviations.
template <typename T>
CAFFE_HD T normal_at(std::uint64_t seed, int index) {
  const device::RandomWords random =
      device::random_words(seed, static_cast<std::uint64_t>(index));
  const T unit = T(1) / (1 << 24);
  const T u = static_cast<T>((random.word[0] >> 8) + 1) * unit;  // never 0
  const T angle = static_cast<T>(random.word[1] >> 8) * unit * T(6.283185307179586);
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

  CAFFE_HD void operator()(int i) const {
    const int plane = height * width;
    const int item = i / plane, pixel = i % plane;
    const AugmentationCoefficients<Dtype>& a = items[item];
    const Dtype x = static_cast<Dtype>(pixel % width - width / 2);
    const Dtype y = static_cast<Dtype>(pixel / width - height / 2);
    const Dtype depth =
        x * std::cos(a.shadow_angle) + y * std::sin(a.shadow_angle) - a.shadow_distance;
    const Dtype shadow = depth > 0 ? a.shadow_strength : Dtype(0);
    for (int c = 0; c < channels; ++c) {
      const int at = (item * channels + c) * plane + pixel;
      Dtype value = crop[at] - shadow;
      value = value > max_multiplier ? max_multiplier : (value > 0 ? value : Dtype(0));
      if (a.noise > 0) value += a.noise * normal_at<Dtype>(seed, at);
      crop[at] = value;
    }
  }
};

}  // namespace caffe

#endif  // CAFFE_LAYERS_AUGMENTATION_EFFECTS_HPP_

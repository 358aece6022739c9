// Dropout's mask: a function of a seed and a position, the same on host and device.
#ifndef CAFFE_LAYERS_DROPOUT_MASK_HPP_
#define CAFFE_LAYERS_DROPOUT_MASK_HPP_

#include <cstdint>

#include "caffe/device/body.hpp"
#include "caffe/util/simd.hpp"

namespace caffe {

/// Which values stay: those whose row-major position hashes to at least `threshold`.
struct DropoutMask {
  std::uint32_t seed0, seed1, threshold;

  /// An avalanche mixer (every input bit changes every output bit with probability 1/2).
  CAFFE_HD static CAFFE_ALWAYS_INLINE std::uint32_t Mix(std::uint32_t v) {
    v ^= v >> 16;
    v *= 0x7feb352du;
    v ^= v >> 15;
    v *= 0x846ca68bu;
    return v ^ (v >> 16);
  }
  CAFFE_HD CAFFE_ALWAYS_INLINE bool keeps(std::uint32_t position) const {
    return Mix(Mix(position ^ seed0) + seed1) >= threshold;
  }
};

}  // namespace caffe

#endif  // CAFFE_LAYERS_DROPOUT_MASK_HPP_

// Sizes and distances that a prototxt gives in pixels.
#ifndef CAFFE_LAYERS_PIXEL_SETTING_HPP_
#define CAFFE_LAYERS_PIXEL_SETTING_HPP_

#include <cstdint>
#include <string>

#include "caffe/util/logging.hpp"

namespace caffe {

/// The most: sums of several stay within an int, and no blob has a longer side.
constexpr std::uint32_t kMostPixels = 1u << 24;

/// `value` as an int. The schema's numbers reach beyond an int, where "-1 pixel" would be
/// meant by nobody.
/// @throws Error that names layer (`where`) and setting if it is more than kMostPixels.
inline int pixels_of(const std::string& where, const std::string& setting,
                     std::uint32_t value) {
  CHECK_VALUE(value <= kMostPixels) << where << setting << " is " << value << "; at most "
                                    << kMostPixels << " pixels are possible";
  return static_cast<int>(value);
}

}  // namespace caffe

#endif  // CAFFE_LAYERS_PIXEL_SETTING_HPP_

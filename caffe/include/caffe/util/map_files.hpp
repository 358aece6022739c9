// Maps of numbers as files: .flo, .float3, .pfm, .ppm and .pgm, to bytes and back.
#ifndef CAFFE_UTIL_MAP_FILES_HPP_
#define CAFFE_UTIL_MAP_FILES_HPP_

#include <string>
#include <vector>

namespace caffe {

/// (channels, height, width), row-major.
struct FloatMap {
  int channels = 0, height = 0, width = 0;
  std::vector<float> values;

  size_t at(int c, int y, int x) const {
    return (static_cast<size_t>(c) * height + y) * width + x;
  }
};

/// Middlebury's .flo of a flow of two channels, pixels: "PIEH", width, height, then u and
/// v interleaved, little endian.
std::string encode_flo(const FloatMap& map);

/// .float3: the lines "float", "3", width, height, channels, then the values, width
/// fastest, little endian.
std::string encode_float3(const FloatMap& map);
/// Two sizes (width, height) are one channel. Errors name `filename`: another format,
/// more dimensions, cut off.
FloatMap decode_float3(const std::string& bytes, const std::string& filename);

/// .pfm of one channel ("Pf"), or three ("PF"; of two the third is 0): big endian, rows
/// from bottom to top. Values are NEGATED, as DispNet's disparities are stored.
std::string encode_pfm(const FloatMap& map);

/// .pgm of one channel, .ppm of three (BGR in the map, RGB in the file).
/// byte = value scale, cut off to 0..255 and to whole numbers; NaN is 0. `normalize`: the
/// map's range is stretched to 0..255 instead (a constant map is 0).
std::string encode_pixels(const FloatMap& map, float scale, bool normalize);

}  // namespace caffe

#endif  // CAFFE_UTIL_MAP_FILES_HPP_

// The flow forks' file functions: .flo, .float3 (raw floats), .ppm and .pgm.
//
// Arrays are planar, x fastest: index = (plane * ySize + y) * xSize + x. Readers allocate
// with new[]; the caller delete[]s. Functions return false, and log the reason, where a
// file is missing or cannot be written; a file that is broken is an Error.
#ifndef CAFFE_UTIL_OUTPUT_H_
#define CAFFE_UTIL_OUTPUT_H_

#include <string>

namespace caffe {

using std::string;

/// u plane, then v plane. differs: the magic number is checked.
bool readFloFile(string filename, float*& data, int& xSize, int& ySize);
bool writeFloFile(string filename, const float* data, int xSize, int ySize);

/// Three planes B, G, R (flipRGB) or R, G, B; byte = trunc(clamp(value * scale, 0, 255)).
bool writePPM(string filename, const float* data, int xSize, int ySize,
              bool flipRGB = true, float scale = 1.0);
/// The same with 255 (value - min) / (max - min) over all planes; 0 where all are equal.
bool writePPMNorm(string filename, const float* data, int xSize, int ySize,
                  bool flipRGB = true);
/// One plane; differs: values are clamped.
bool writePGM(string filename, const float* data, int xSize, int ySize,
              float scale = 1.0);
bool writePGMNorm(string filename, const float* data, int xSize, int ySize);

/// Text lines "float", "3", x, y, z, then raw little-endian floats.
bool writeFloatFile(string filename, const float* data, int xSize, int ySize, int zSize);
/// Takes files of 2 dimensions too (zSize 1).
bool readFloatFile(string filename, float*& data, int& xSize, int& ySize, int& zSize);

}  // namespace caffe

#endif  // CAFFE_UTIL_OUTPUT_H_

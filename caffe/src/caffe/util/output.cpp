// The flow forks' file functions: .flo, .float3, .ppm and .pgm.
#include "caffe/util/output.hpp"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <memory>
#include <vector>

#include "caffe/util/logging.hpp"

namespace caffe {
namespace {

constexpr float kFloMagic = 202021.25f;  // "PIEH" in little-endian bytes
// No picture is larger; a broken header must not ask for all memory.
constexpr int kLargestSize = 1 << 16;

bool is_open(const std::ios& file, const string& filename) {
  if (file) return true;
  LOG(ERROR) << "Unable to open file: " << filename << ": " << std::strerror(errno);
  return false;
}

bool is_written(std::ofstream* file, const string& filename) {
  file->close();
  if (*file) return true;
  LOG(ERROR) << "Unable to write file: " << filename << ": " << std::strerror(errno);
  return false;
}

void read_floats(std::ifstream* file, const string& filename, float* values,
                 size_t count) {
  file->read(reinterpret_cast<char*>(values),
             static_cast<std::streamsize>(count * sizeof(float)));
  CHECK(*file) << "File corrupted: " << filename << ": it ends before its " << count
               << " values";
}

void write_floats(std::ofstream* file, const float* values, size_t count) {
  file->write(reinterpret_cast<const char*>(values),
              static_cast<std::streamsize>(count * sizeof(float)));
}

void check_size(const string& filename, int size) {
  CHECK(size > 0 && size <= kLargestSize)
      << filename << ": File has invalid format: a size of " << size;
}

// value -> byte, as scale * (value - offset).
struct ByteScale {
  float offset, scale;
  uint8_t operator()(float value) const {
    const float scaled = (value - offset) * scale;
    if (std::isnan(scaled)) return 0;
    return static_cast<uint8_t>(std::min(255.0f, std::max(0.0f, scaled)));
  }
};

ByteScale normalizing(const float* data, size_t count) {
  if (count == 0) return {0, 0};
  const auto ends = std::minmax_element(data, data + count);
  const float range = *ends.second - *ends.first;
  return {*ends.first, range > 0 ? 255 / range : 0};
}

struct ImageSpec {
  const char* header;
  int planes;
  bool reversed;
  ByteScale to_byte;
};

bool write_image(const string& filename, const float* data, int width, int height,
                 const ImageSpec& spec) {
  std::ofstream file(filename, std::ios::binary);
  if (!is_open(file, filename)) return false;
  file << spec.header << width << " " << height << "\n255\n";
  const size_t plane = static_cast<size_t>(width) * height;
  std::vector<uint8_t> bytes(plane * spec.planes);
  for (size_t i = 0; i < plane; ++i) {
    for (int p = 0; p < spec.planes; ++p) {
      const int from = spec.reversed ? spec.planes - 1 - p : p;
      bytes[i * spec.planes + p] = spec.to_byte(data[from * plane + i]);
    }
  }
  file.write(reinterpret_cast<const char*>(bytes.data()),
             static_cast<std::streamsize>(bytes.size()));
  return is_written(&file, filename);
}

}  // namespace

bool readFloFile(string filename, float*& data, int& xSize, int& ySize) {
  std::ifstream file(filename, std::ios::binary);
  if (!is_open(file, filename)) return false;
  float magic = 0;
  int32_t sizes[2] = {0, 0};
  file.read(reinterpret_cast<char*>(&magic), sizeof magic);
  file.read(reinterpret_cast<char*>(sizes), sizeof sizes);
  CHECK(file && magic == kFloMagic) << filename << ": is not a .flo file (no \"PIEH\")";
  for (int size : sizes) check_size(filename, size);
  const size_t plane = static_cast<size_t>(sizes[0]) * sizes[1];
  std::vector<float> pairs(2 * plane);
  read_floats(&file, filename, pairs.data(), pairs.size());
  auto planar = std::make_unique<float[]>(2 * plane);
  for (size_t i = 0; i < plane; ++i) {
    planar[i] = pairs[2 * i];
    planar[plane + i] = pairs[2 * i + 1];
  }
  xSize = sizes[0];
  ySize = sizes[1];
  data = planar.release();
  return true;
}

bool writeFloFile(string filename, const float* data, int xSize, int ySize) {
  std::ofstream file(filename, std::ios::binary);
  if (!is_open(file, filename)) return false;
  const int32_t sizes[2] = {xSize, ySize};
  write_floats(&file, &kFloMagic, 1);
  file.write(reinterpret_cast<const char*>(sizes), sizeof sizes);
  const size_t plane = static_cast<size_t>(xSize) * ySize;
  std::vector<float> pairs(2 * plane);
  for (size_t i = 0; i < plane; ++i) {
    pairs[2 * i] = data[i];
    pairs[2 * i + 1] = data[plane + i];
  }
  write_floats(&file, pairs.data(), pairs.size());
  return is_written(&file, filename);
}

bool writePPM(string filename, const float* data, int xSize, int ySize, bool flipRGB,
              float scale) {
  return write_image(filename, data, xSize, ySize, {"P6 \n", 3, flipRGB, {0, scale}});
}

bool writePPMNorm(string filename, const float* data, int xSize, int ySize,
                  bool flipRGB) {
  const ByteScale scale = normalizing(data, static_cast<size_t>(3) * xSize * ySize);
  return write_image(filename, data, xSize, ySize, {"P6\n", 3, flipRGB, scale});
}

bool writePGM(string filename, const float* data, int xSize, int ySize, float scale) {
  return write_image(filename, data, xSize, ySize, {"P5\n", 1, false, {0, scale}});
}

bool writePGMNorm(string filename, const float* data, int xSize, int ySize) {
  const ByteScale scale = normalizing(data, static_cast<size_t>(xSize) * ySize);
  return write_image(filename, data, xSize, ySize, {"P5\n", 1, false, scale});
}

bool writeFloatFile(string filename, const float* data, int xSize, int ySize, int zSize) {
  std::ofstream file(filename, std::ios::binary);
  if (!is_open(file, filename)) return false;
  file << "float\n3\n" << xSize << "\n" << ySize << "\n" << zSize << "\n";
  write_floats(&file, data, static_cast<size_t>(xSize) * ySize * zSize);
  return is_written(&file, filename);
}

bool readFloatFile(string filename, float*& data, int& xSize, int& ySize, int& zSize) {
  std::ifstream file(filename, std::ios::binary);
  if (!is_open(file, filename)) return false;
  string type;
  int dimensions = 0;
  file >> type >> dimensions;
  CHECK(file && type == "float") << filename
                                 << ": File has invalid format: it must begin with "
                                    "\"float\"";
  CHECK(dimensions == 2 || dimensions == 3)
      << filename << ": File not 3-dimensional: it has " << dimensions << " dimensions";
  int sizes[3] = {1, 1, 1};
  for (int i = 0; i < dimensions; ++i) {
    file >> sizes[i];
    CHECK(file) << filename << ": File has invalid format: its sizes cannot be read";
    check_size(filename, sizes[i]);
  }
  file.get();  // the newline before the raw values
  const size_t count = static_cast<size_t>(sizes[0]) * sizes[1] * sizes[2];
  auto values = std::make_unique<float[]>(count);
  read_floats(&file, filename, values.get(), count);
  xSize = sizes[0];
  ySize = sizes[1];
  zSize = sizes[2];
  data = values.release();
  return true;
}

}  // namespace caffe

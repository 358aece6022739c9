// Maps of numbers as files.
#include "caffe/util/map_files.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <sstream>

#include "caffe/common.hpp"

namespace caffe {

namespace {

enum class Endian { kLittle, kBig };

/// Appends the four bytes of a word, whatever the processor's order is.
void append_word(std::uint32_t word, Endian endian, string* bytes) {
  for (int i = 0; i < 4; ++i) {
    const int shift = 8 * (endian == Endian::kLittle ? i : 3 - i);
    bytes->push_back(static_cast<char>(word >> shift & 0xff));
  }
}

void append_float(float value, Endian endian, string* bytes) {
  std::uint32_t word;
  std::memcpy(&word, &value, sizeof(word));
  append_word(word, endian, bytes);
}

float little_endian_float(const char* bytes) {
  std::uint32_t word = 0;
  for (int i = 0; i < 4; ++i) {
    word |= std::uint32_t{static_cast<unsigned char>(bytes[i])} << 8 * i;
  }
  float value;
  std::memcpy(&value, &word, sizeof(value));
  return value;
}

}  // namespace

string encode_flo(const FloatMap& map) {
  CHECK_EQ(map.channels, 2) << "a .flo file holds flow of two channels";
  string bytes = "PIEH";
  bytes.reserve(12 + 4 * map.values.size());
  append_word(static_cast<std::uint32_t>(map.width), Endian::kLittle, &bytes);
  append_word(static_cast<std::uint32_t>(map.height), Endian::kLittle, &bytes);
  for (int y = 0; y < map.height; ++y) {
    for (int x = 0; x < map.width; ++x) {
      for (int c = 0; c < 2; ++c) {
        append_float(map.values[map.at(c, y, x)], Endian::kLittle, &bytes);
      }
    }
  }
  return bytes;
}

string encode_float3(const FloatMap& map) {
  std::ostringstream header;
  header << "float\n3\n"
         << map.width << "\n"
         << map.height << "\n"
         << map.channels << "\n";
  string bytes = header.str();
  bytes.reserve(bytes.size() + 4 * map.values.size());
  for (const float value : map.values) append_float(value, Endian::kLittle, &bytes);
  return bytes;
}

FloatMap decode_float3(const string& bytes, const string& filename) {
  size_t at = 0;
  const auto line = [&] {
    const size_t end = bytes.find('\n', at);
    CHECK_VALUE(end != string::npos && end - at < 32)
        << filename << ": File has invalid format: the lines of a .float3 header are "
        << "\"float\", the number of dimensions, and one size a dimension";
    const string text = bytes.substr(at, end - at);
    at = end + 1;
    return text;
  };
  const string kind = line();
  CHECK_VALUE(kind == "float") << filename
                               << ": File has invalid format: it begins with \"" << kind
                               << "\", not with \"float\"";
  const string dimensions = line();
  CHECK_VALUE(dimensions == "2" || dimensions == "3")
      << filename << ": File not 3-dimensional: it has " << dimensions << " dimensions";
  const auto size = [&] {
    const string text = line();
    const int value = std::atoi(text.c_str());
    CHECK_VALUE(value >= 1) << filename << ": File has invalid format: \"" << text
                            << "\" is no size";
    return value;
  };
  FloatMap map;
  map.width = size();
  map.height = size();
  map.channels = dimensions == "3" ? size() : 1;
  const double count = 1.0 * map.width * map.height * map.channels;
  CHECK_VALUE((bytes.size() - at) / 4 >= count && count <= INT_MAX)
      << filename << ": File corrupted: " << map.width << " x " << map.height << " x "
      << map.channels << " values need " << 4 * count
      << " bytes behind the header; there are " << bytes.size() - at;
  map.values.resize(static_cast<size_t>(count));
  for (size_t i = 0; i < map.values.size(); ++i) {
    map.values[i] = little_endian_float(&bytes[at + 4 * i]);
  }
  return map;
}

string encode_pfm(const FloatMap& map) {
  CHECK(map.channels >= 1 && map.channels <= 3)
      << "a .pfm file holds one, two or three channels, not " << map.channels;
  std::ostringstream header;
  header << (map.channels == 1 ? "Pf" : "PF") << "\n"
         << map.width << " " << map.height << "\n1.0\n";
  string bytes = header.str();
  const int stored = map.channels == 1 ? 1 : 3;
  bytes.reserve(bytes.size() + size_t{4} * stored * map.width * map.height);
  for (int y = map.height - 1; y >= 0; --y) {
    for (int x = 0; x < map.width; ++x) {
      for (int c = 0; c < stored; ++c) {
        const bool given = c < map.channels;
        append_float(given ? -map.values[map.at(c, y, x)] : 0.f, Endian::kBig, &bytes);
      }
    }
  }
  return bytes;
}

string encode_pixels(const FloatMap& map, float scale, bool normalize) {
  CHECK(map.channels == 1 || map.channels == 3)
      << "an image file holds one or three channels, not " << map.channels;
  float least = 0, factor = scale;
  if (normalize) {
    least = std::numeric_limits<float>::infinity();
    float most = -least;
    for (const float value : map.values) {  // NaN is neither
      if (value < least) least = value;
      if (value > most) most = value;
    }
    factor = most > least ? 255 / (most - least) : 0;
  }
  std::ostringstream header;
  header << (map.channels == 1 ? "P5\n"
             : normalize       ? "P6\n"
                               : "P6 \n")
         << map.width << " " << map.height << " \n255\n";
  string bytes = header.str();
  bytes.reserve(bytes.size() + map.values.size());
  for (int y = 0; y < map.height; ++y) {
    for (int x = 0; x < map.width; ++x) {
      for (int c = map.channels - 1; c >= 0; --c) {
        const float value = (map.values[map.at(c, y, x)] - least) * factor;
        const float level = value > 0 ? std::min(value, 255.f) : 0.f;  // NaN too
        bytes.push_back(static_cast<char>(static_cast<unsigned char>(level)));
      }
    }
  }
  return bytes;
}

}  // namespace caffe

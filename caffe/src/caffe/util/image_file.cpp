// Telling image formats apart, and the plainest one.
#include "caffe/util/image_file.hpp"

#include "caffe/util/io.hpp"

namespace caffe {

namespace {

bool begins_with(const string& bytes, const string& magic) {
  return bytes.compare(0, magic.size(), magic) == 0;
}

/// The next number of a PNM header, past blanks and comments; -1 where there is none.
int next_number(const string& bytes, size_t* at) {
  while (*at < bytes.size()) {
    const unsigned char c = static_cast<unsigned char>(bytes[*at]);
    if (c == '#') {
      *at = std::min(bytes.find('\n', *at), bytes.size());
    } else if (std::isspace(c)) {
      ++*at;
    } else {
      break;
    }
  }
  int number = -1;
  for (; *at < bytes.size() && bytes[*at] >= '0' && bytes[*at] <= '9'; ++*at) {
    if (number > 10000000) return -1;
    number = std::max(number, 0) * 10 + (bytes[*at] - '0');
  }
  return number;
}

}  // namespace

string internal::decode_pnm(const string& bytes, ByteImage* image) {
  const int channels = bytes[1] == '6' ? 3 : 1;
  size_t at = 2;
  image->width = next_number(bytes, &at);
  image->height = next_number(bytes, &at);
  const int most = next_number(bytes, &at);
  ++at;  // one blank
  if (image->width < 1 || image->height < 1 || most < 1) return "its header is broken";
  if (most > 255) return "it has more than 8 bits a value, which is not read here";
  const size_t places = static_cast<size_t>(image->width) * image->height;
  if (bytes.size() < at + places * channels) return "it is cut off";
  image->pixels.resize(3 * places);
  for (size_t i = 0; i < places; ++i) {
    for (int c = 0; c < 3; ++c) {
      const size_t from = channels == 1 ? i : 3 * i + 2 - c;
      const int level = static_cast<unsigned char>(bytes[at + from]);
      image->pixels[3 * i + c] =
          static_cast<unsigned char>(std::min(255, (level * 255 + most / 2) / most));
    }
  }
  return "";
}

ByteImage read_image(const string& filename) {
  const string bytes = ReadFile(filename);
  ByteImage image;
  string wrong = "it is neither PNG, JPEG, nor binary PPM or PGM";
  if (begins_with(bytes, "\x89PNG")) {
    wrong = internal::decode_png(bytes, &image);
  } else if (begins_with(bytes, "\xff\xd8\xff")) {
    wrong = internal::decode_jpeg(bytes, &image);
  } else if (begins_with(bytes, "P6") || begins_with(bytes, "P5")) {
    wrong = internal::decode_pnm(bytes, &image);
  }
  CHECK_VALUE(wrong.empty()) << filename << " cannot be read as an image: " << wrong;
  return image;
}

}  // namespace caffe

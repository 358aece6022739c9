// PNG through libpng.
#include "caffe/util/image_file.hpp"

#ifdef USE_LIBPNG
#include <png.h>
#endif

namespace caffe {

#ifdef USE_LIBPNG

std::string internal::decode_png(const std::string& bytes, ByteImage* image) {
  png_image png = {};
  png.version = PNG_IMAGE_VERSION;
  if (!png_image_begin_read_from_memory(&png, bytes.data(), bytes.size())) {
    return png.message;
  }
  png.flags |= PNG_IMAGE_FLAG_16BIT_sRGB;  // 16 bits are cut, not taken as linear light
  png.format = PNG_FORMAT_BGRA;            // transparency is dropped, not laid on black
  std::vector<unsigned char> pixels(PNG_IMAGE_SIZE(png));
  if (!png_image_finish_read(&png, nullptr, pixels.data(), 0, nullptr)) {
    return png.message;  // libpng has freed what it held
  }
  image->width = static_cast<int>(png.width);
  image->height = static_cast<int>(png.height);
  image->pixels.resize(pixels.size() / 4 * 3);
  for (size_t i = 0; i < pixels.size() / 4; ++i) {
    for (int c = 0; c < 3; ++c) image->pixels[3 * i + c] = pixels[4 * i + c];
  }
  return "";
}

#else

std::string internal::decode_png(const std::string&, ByteImage*) {
  return "this build was made without libpng (libpng-dev)";
}

#endif

}  // namespace caffe

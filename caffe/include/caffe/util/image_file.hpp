// Reading image files: PNG, JPEG, and binary PPM and PGM.
#ifndef CAFFE_UTIL_IMAGE_FILE_HPP_
#define CAFFE_UTIL_IMAGE_FILE_HPP_

#include <string>
#include <vector>

namespace caffe {

/// (height, width, 3) bytes, BGR, as Caffe's nets take them.
struct ByteImage {
  int height = 0, width = 0;
  std::vector<unsigned char> pixels;
};

/// Reads an image by its content, whatever its name ends in; grey is repeated over the
/// three channels, transparency is dropped, 16 bits become 8.
/// Errors name the file: missing (kFileNotFound), of another format, broken, or of a
/// format that this build was made without (libpng, libjpeg).
ByteImage read_image(const std::string& filename);

namespace internal {
/// Decoders of one format; an empty string, or what is wrong.
std::string decode_png(const std::string& bytes, ByteImage* image);
std::string decode_jpeg(const std::string& bytes, ByteImage* image);
std::string decode_pnm(const std::string& bytes, ByteImage* image);
}  // namespace internal

}  // namespace caffe

#endif  // CAFFE_UTIL_IMAGE_FILE_HPP_

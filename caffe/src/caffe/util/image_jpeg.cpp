// JPEG through libjpeg.
#include "caffe/util/image_file.hpp"

#ifdef USE_LIBJPEG
#include <jerror.h>
#include <jpeglib.h>

#include <csetjmp>
#include <cstdio>
#endif

namespace caffe {

#ifdef USE_LIBJPEG

namespace {

/// libjpeg leaves by longjmp: its error handler must not return.
struct JpegErrors {
  jpeg_error_mgr manager;
  std::jmp_buf jump;
  char message[JMSG_LENGTH_MAX];

  static void Exit(j_common_ptr info) {
    auto* errors = reinterpret_cast<JpegErrors*>(info->err);
    info->err->format_message(info, errors->message);
    std::longjmp(errors->jump, 1);
  }
  /// Of the warnings one is an error here: libjpeg goes on with grey where a file is cut
  /// off.
  static void Emit(j_common_ptr info, int level) {
    if (level < 0 && info->err->msg_code == JWRN_JPEG_EOF) Exit(info);
  }
};

struct JpegDecoder {
  jpeg_decompress_struct info = {};
  ~JpegDecoder() { jpeg_destroy_decompress(&info); }
};

/// The part that libjpeg may leave by a jump: it holds nothing that needs a destructor.
bool decode(const std::string& bytes, JpegErrors* errors, JpegDecoder* decoder,
            ByteImage* image) {
  jpeg_decompress_struct* info = &decoder->info;
  if (setjmp(errors->jump)) return false;
  jpeg_create_decompress(info);
  jpeg_mem_src(info, reinterpret_cast<unsigned char*>(const_cast<char*>(bytes.data())),
               static_cast<unsigned long>(bytes.size()));
  jpeg_read_header(info, TRUE);
  info->out_color_space = JCS_RGB;
  jpeg_start_decompress(info);
  image->width = static_cast<int>(info->output_width);
  image->height = static_cast<int>(info->output_height);
  const size_t row = size_t{3} * info->output_width;
  image->pixels.resize(row * info->output_height);
  while (info->output_scanline < info->output_height) {
    unsigned char* line = image->pixels.data() + row * info->output_scanline;
    jpeg_read_scanlines(info, &line, 1);
  }
  jpeg_finish_decompress(info);
  return true;
}

}  // namespace

std::string internal::decode_jpeg(const std::string& bytes, ByteImage* image) {
  JpegErrors errors = {};
  JpegDecoder decoder;
  decoder.info.err = jpeg_std_error(&errors.manager);
  errors.manager.error_exit = &JpegErrors::Exit;
  errors.manager.emit_message = &JpegErrors::Emit;
  if (!decode(bytes, &errors, &decoder, image)) return errors.message;
  for (size_t i = 0; i < image->pixels.size(); i += 3) {  // RGB to BGR
    std::swap(image->pixels[i], image->pixels[i + 2]);
  }
  return "";
}

#else

std::string internal::decode_jpeg(const std::string&, ByteImage*) {
  return "this build was made without libjpeg (libjpeg-dev)";
}

#endif

}  // namespace caffe

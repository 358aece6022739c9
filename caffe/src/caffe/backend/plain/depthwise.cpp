// Depthwise convolutions without columns: rows of the image times one tap, added up.
#include <algorithm>

#include "caffe/backend/plain_convolution.hpp"
#include "caffe/util/parallel_for.hpp"
#include "caffe/util/simd.hpp"

namespace caffe {

namespace {

// Row kernels over n map positions; the image side advances by `stride`.
#define DEFINE_ROW_KERNELS(Dtype)                                                     \
  CAFFE_SIMD_CLONES                                                                   \
  void gather_row(int n, int stride, Dtype weight, const Dtype* image, Dtype* map) {  \
    if (stride == 1) {                                                                \
      for (int x = 0; x < n; ++x) map[x] += weight * image[x];                        \
    } else {                                                                          \
      for (int x = 0; x < n; ++x)                                                     \
        map[x] += weight * image[static_cast<std::int64_t>(x) * stride];              \
    }                                                                                 \
  }                                                                                   \
  CAFFE_SIMD_CLONES                                                                   \
  void scatter_row(int n, int stride, Dtype weight, const Dtype* map, Dtype* image) { \
    if (stride == 1) {                                                                \
      for (int x = 0; x < n; ++x) image[x] += weight * map[x];                        \
    } else {                                                                          \
      for (int x = 0; x < n; ++x)                                                     \
        image[static_cast<std::int64_t>(x) * stride] += weight * map[x];              \
    }                                                                                 \
  }                                                                                   \
  CAFFE_SIMD_CLONES                                                                   \
  Dtype dot_row(int n, int stride, const Dtype* image, const Dtype* map) {            \
    Dtype sum = 0;                                                                    \
    if (stride == 1) {                                                                \
      _Pragma("omp simd reduction(+ : sum)") for (int x = 0; x < n; ++x) sum +=       \
          image[x] * map[x];                                                          \
    } else {                                                                          \
      for (int x = 0; x < n; ++x)                                                     \
        sum += image[static_cast<std::int64_t>(x) * stride] * map[x];                 \
    }                                                                                 \
    return sum;                                                                       \
  }

DEFINE_ROW_KERNELS(float)
DEFINE_ROW_KERNELS(double)
#undef DEFINE_ROW_KERNELS

// Map positions of one axis under which a tap is inside the image.
struct Range {
  int begin, end;
};

Range inside(int map_size, int image_size, int stride, int offset) {
  const int begin = offset >= 0 ? 0 : (-offset + stride - 1) / stride;
  const int end = offset >= image_size ? 0 : (image_size - 1 - offset) / stride + 1;
  return {std::min(begin, map_size),
          std::max(std::min(begin, map_size), std::min(end, map_size))};
}

// Calls visit(tap, n, image offset, map offset) for every row piece of one channel.
template <typename Visit>
void for_each_row(const ConvShape& s, const Visit& visit) {
  const int image_w = s.image()[1], map_w = s.map()[1];
  for (int ky = 0; ky < s.kernel[0]; ++ky) {
    const int offset_y = ky * s.dilation[0] - s.pad[0];
    const Range rows = inside(s.map()[0], s.image()[0], s.stride[0], offset_y);
    for (int y = rows.begin; y < rows.end; ++y) {
      const std::int64_t image_row = std::int64_t{y * s.stride[0] + offset_y} * image_w;
      for (int kx = 0; kx < s.kernel[1]; ++kx) {
        const int offset_x = kx * s.dilation[1] - s.pad[1];
        const Range columns = inside(map_w, image_w, s.stride[1], offset_x);
        if (columns.begin == columns.end) continue;
        visit(ky * s.kernel[1] + kx, columns.end - columns.begin,
              image_row + columns.begin * s.stride[1] + offset_x,
              std::int64_t{y} * map_w + columns.begin);
      }
    }
  }
}

// Calls body(channel, its image plane's offset, its map plane's offset, its weights'
// offset).
template <typename Body>
void for_each_channel(const ConvShape& s, const Body& body) {
  const std::int64_t image_plane = ConvShape::volume(s.image());
  const std::int64_t map_plane = ConvShape::volume(s.map());
  const std::int64_t grain = std::max<std::int64_t>(
      1, (1 << 15) / std::max<std::int64_t>(1, map_plane * s.taps()));
  parallel_ranges(s.channels, grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t c = begin; c < end; ++c) {
      body(c * image_plane, c * map_plane, c * s.taps());
    }
  });
}

}  // namespace

template <typename Dtype>
void depthwise_correlate(const ConvShape& s, const Dtype* image, const Dtype* weights,
                         Dtype* map) {
  const std::int64_t plane = ConvShape::volume(s.map());
  for_each_channel(
      s, [&](std::int64_t image_at, std::int64_t map_at, std::int64_t weight_at) {
        std::fill(map + map_at, map + map_at + plane, Dtype(0));
        for_each_row(s, [&](int tap, int n, std::int64_t from, std::int64_t to) {
          gather_row(n, s.stride[1], weights[weight_at + tap], image + image_at + from,
                     map + map_at + to);
        });
      });
}

template <typename Dtype>
void depthwise_adjoint(const ConvShape& s, const Dtype* map, const Dtype* weights,
                       Dtype* image) {
  const std::int64_t plane = ConvShape::volume(s.image());
  for_each_channel(
      s, [&](std::int64_t image_at, std::int64_t map_at, std::int64_t weight_at) {
        std::fill(image + image_at, image + image_at + plane, Dtype(0));
        for_each_row(s, [&](int tap, int n, std::int64_t to, std::int64_t from) {
          scatter_row(n, s.stride[1], weights[weight_at + tap], map + map_at + from,
                      image + image_at + to);
        });
      });
}

template <typename Dtype>
void depthwise_weight_gradient(const ConvShape& s, const Dtype* image, const Dtype* map,
                               Dtype* weights_diff) {
  for_each_channel(s, [&](std::int64_t image_at, std::int64_t map_at,
                          std::int64_t weight_at) {
    for_each_row(s, [&](int tap, int n, std::int64_t image_from, std::int64_t map_from) {
      weights_diff[weight_at + tap] +=
          dot_row(n, s.stride[1], image + image_at + image_from, map + map_at + map_from);
    });
  });
}

#define INSTANTIATE_DEPTHWISE(Dtype)                                                     \
  template void depthwise_correlate(const ConvShape&, const Dtype*, const Dtype*,        \
                                    Dtype*);                                             \
  template void depthwise_adjoint(const ConvShape&, const Dtype*, const Dtype*, Dtype*); \
  template void depthwise_weight_gradient(const ConvShape&, const Dtype*, const Dtype*,  \
                                          Dtype*)

INSTANTIATE_DEPTHWISE(float);
INSTANTIATE_DEPTHWISE(double);
#undef INSTANTIATE_DEPTHWISE

}  // namespace caffe

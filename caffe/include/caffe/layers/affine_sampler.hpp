// The geometric half of an augmentation: every pixel of a crop fetched through its map.
#ifndef CAFFE_LAYERS_AFFINE_SAMPLER_HPP_
#define CAFFE_LAYERS_AFFINE_SAMPLER_HPP_

#include <cstdint>

#include "caffe/layers/affine_map.hpp"

namespace caffe {

/// Images (N, C, image_height, image_width) to crops (N, C, height, width), one map an
/// item; bilinear, at positions clamped to [0, W - 1.05] x [0, H - 1.05].
template <typename Dtype>
struct AffineSampler {
  CropShape shape;
  int channels;
  const AffineMap<Dtype>* maps;
  const Dtype* image;
  Dtype* crop;

  /// A position clamped: the pixel before it and how far it is on the way to the next.
  struct Position {
    int first, second;
    Dtype part;
  };
  CAFFE_HD static Position Clamped(Dtype position, int size) {
    const Dtype last = static_cast<Dtype>(size - 1.05);
    if (position > last) position = last;
    if (!(position > 0)) position = 0;  // NaN too
    const int first = static_cast<int>(position);
    return {first, first + 1 < size ? first + 1 : first, position - first};
  }

  /// Pixel i of the N height width pixels, in all channels.
  CAFFE_HD void operator()(std::int64_t i) const {
    const std::int64_t plane = std::int64_t{shape.height} * shape.width;
    const std::int64_t item = i / plane, pixel = i % plane;
    const int y = static_cast<int>(pixel / shape.width);
    const int x = static_cast<int>(pixel % shape.width);
    const AffineMap<Dtype> map = maps[item];
    const Position column = Clamped(map.X(x, y), shape.image_width);
    const Position row = Clamped(map.Y(x, y), shape.image_height);
    const std::int64_t image_plane = std::int64_t{shape.image_height} * shape.image_width;
    const std::int64_t upper = std::int64_t{row.first} * shape.image_width;
    const std::int64_t lower = std::int64_t{row.second} * shape.image_width;
    for (int c = 0; c < channels; ++c) {
      const Dtype* from = image + (item * channels + c) * image_plane;
      const Dtype above = (1 - column.part) * from[upper + column.first] +
                          column.part * from[upper + column.second];
      const Dtype below = (1 - column.part) * from[lower + column.first] +
                          column.part * from[lower + column.second];
      crop[(item * channels + c) * plane + pixel] =
          (1 - row.part) * above + row.part * below;
    }
  }
};

}  // namespace caffe

#endif  // CAFFE_LAYERS_AFFINE_SAMPLER_HPP_

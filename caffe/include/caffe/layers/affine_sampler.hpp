// The geometric half of an augmentation: every pixel of a crop fetched through its map.
#ifndef CAFFE_LAYERS_AFFINE_SAMPLER_HPP_
#define CAFFE_LAYERS_AFFINE_SAMPLER_HPP_

#include "caffe/layers/affine_map.hpp"

namespace caffe {

/// Images (N, C, image_height, image_width) to crops (N, C, height, width), one map an
/// item; bilinear, at positions clamped to [0, W - 1.05] x [0, H - 1.05].
template <typename Dtype>
struct AffineSampler {
  CropShape shape;
  int channels;
  const AffineMap<Dtype>* maps;  ///< null: all items have `common`
  AffineMap<Dtype> common;
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
  CAFFE_HD void operator()(int i) const {
    const int plane = shape.height * shape.width;
    const int item = i / plane, pixel = i % plane;
    const int y = pixel / shape.width, x = pixel % shape.width;
    const AffineMap<Dtype> map = maps == nullptr ? common : maps[item];
    const Position column = Clamped(map.X(x, y), shape.image_width);
    const Position row = Clamped(map.Y(x, y), shape.image_height);
    const int image_plane = shape.image_height * shape.image_width;
    const int upper = row.first * shape.image_width;
    const int lower = row.second * shape.image_width;
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

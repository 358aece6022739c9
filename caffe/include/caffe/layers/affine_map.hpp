// The affine map of an augmented crop: from its pixels to the image's.
#ifndef CAFFE_LAYERS_AFFINE_MAP_HPP_
#define CAFFE_LAYERS_AFFINE_MAP_HPP_

#include <cmath>

#include "caffe/device/body.hpp"
#include "caffe/layers/augmentation_coefficients.hpp"

namespace caffe {

/// X = xx x + xy y + x0, Y = yx x + yy y + y0. Six numbers, read from blobs as an array.
template <typename T>
struct AffineMap {
  T xx = 1, xy = 0, x0 = 0, yx = 0, yy = 1, y0 = 0;

  CAFFE_HD T X(T x, T y) const { return xx * x + xy * y + x0; }
  CAFFE_HD T Y(T x, T y) const { return yx * x + yy * y + y0; }

  template <typename U>
  AffineMap<U> As() const {
    return {static_cast<U>(xx), static_cast<U>(xy), static_cast<U>(x0),
            static_cast<U>(yx), static_cast<U>(yy), static_cast<U>(y0)};
  }
};

template <typename Dtype>
void write_map(const AffineMap<double>& map, Dtype* to) {
  *reinterpret_cast<AffineMap<Dtype>*>(to) = map.As<Dtype>();
}

/// The map that undoes `map`; its numbers are not finite where none exists.
inline AffineMap<double> inverse(const AffineMap<double>& map) {
  const double d = map.xx * map.yy - map.xy * map.yx;
  AffineMap<double> back{map.yy / d, -map.xy / d, 0, -map.yx / d, map.xx / d, 0};
  back.x0 = -(back.xx * map.x0 + back.xy * map.y0);
  back.y0 = -(back.yx * map.x0 + back.yy * map.y0);
  return back;
}

/// A crop of `width` x `height` pixels out of an image of `image_width` x `image_height`.
struct CropShape {
  int height = 1, width = 1, image_height = 1, image_width = 1;

  /// About the centres of both: mirror, turn by `angle`, shift by (dx, dy) crop sizes,
  /// divide by the zoom (facts: layers_flow.md 6.3).
  AffineMap<double> Map(const AugmentationCoefficients<double>& c) const {
    const double sign = c.mirror != 0 ? -1 : 1;
    const double cosine = std::cos(c.angle), sine = std::sin(c.angle);
    AffineMap<double> map;
    map.xx = sign * cosine / c.zoom_x;
    map.xy = -sine / c.zoom_x;
    map.yx = sign * sine / c.zoom_y;
    map.yy = cosine / c.zoom_y;
    map.x0 = c.dx * width / c.zoom_x + image_width / 2.0 -
             (map.xx * width + map.xy * height) / 2;
    map.y0 = c.dy * height / c.zoom_y + image_height / 2.0 -
             (map.yx * width + map.yy * height) / 2;
    return map;
  }

  /// Whether all corners of the crop have a neighbour to the right and below in the
  /// image.
  bool Inside(const AffineMap<double>& map) const {
    for (const int x : {0, width - 1}) {
      for (const int y : {0, height - 1}) {
        const double left = std::floor(map.X(x, y)), upper = std::floor(map.Y(x, y));
        if (!(left >= 0 && left <= image_width - 2)) return false;
        if (!(upper >= 0 && upper <= image_height - 2)) return false;
      }
    }
    return true;
  }
};

}  // namespace caffe

#endif  // CAFFE_LAYERS_AFFINE_MAP_HPP_

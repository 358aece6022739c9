// The geometry of a convolution inside kernels; only .cu files include this.
#ifndef CAFFE_DEVICE_UNFOLDING_HPP_
#define CAFFE_DEVICE_UNFOLDING_HPP_

#include "caffe/backend/conv_shape.hpp"
#include "caffe/device/body.hpp"
#include "caffe/util/logging.hpp"

namespace caffe {
namespace device {

constexpr int kMostAxes = 6;

/// A ConvShape for kernels: one group of one image.
struct Unfolding {
  int axes = 0, taps = 1, map_positions = 1, image_positions = 1;
  int image[kMostAxes] = {}, map[kMostAxes] = {}, kernel[kMostAxes] = {};
  int stride[kMostAxes] = {}, pad[kMostAxes] = {}, dilation[kMostAxes] = {};

  explicit Unfolding(const ConvShape& shape) : axes(shape.spatial_axes()) {
    CHECK_VALUE(axes <= kMostAxes) << "convolutions on a GPU take up to " << kMostAxes
                                   << " spatial axes; this one has " << axes;
    for (int a = 0; a < axes; ++a) {
      image[a] = shape.image()[a];
      map[a] = shape.map()[a];
      kernel[a] = shape.kernel[a];
      stride[a] = shape.stride[a];
      pad[a] = shape.pad[a];
      dilation[a] = shape.dilation[a];
      taps *= kernel[a];
      map_positions *= map[a];
      image_positions *= image[a];
    }
  }

  /// Where tap `tap` of map position `position` lies in the image; -1: outside.
  CAFFE_HD int ImagePosition(int position, int tap) const {
    int offset = 0, scale = 1;
    for (int a = axes - 1; a >= 0; --a) {
      const int at =
          position % map[a] * stride[a] - pad[a] + tap % kernel[a] * dilation[a];
      if (at < 0 || at >= image[a]) return -1;
      offset += at * scale;
      scale *= image[a];
      position /= map[a];
      tap /= kernel[a];
    }
    return offset;
  }
  /// The map position whose tap `tap` lies on image position `position`; -1: none.
  CAFFE_HD int MapPosition(int position, int tap) const {
    int offset = 0, scale = 1;
    for (int a = axes - 1; a >= 0; --a) {
      const int room = position % image[a] + pad[a] - tap % kernel[a] * dilation[a];
      if (room < 0 || room % stride[a] != 0 || room / stride[a] >= map[a]) return -1;
      offset += room / stride[a] * scale;
      scale *= map[a];
      position /= image[a];
      tap /= kernel[a];
    }
    return offset;
  }
};

/// The taps of one axis that lie on an image position: with dilation 1 every stride-th
/// one.
struct TapsOfPixel {
  int first, step, kernel, room, stride, dilation, map;
  CAFFE_HD TapsOfPixel(const Unfolding& u, int axis, int position)
      : room(position + u.pad[axis]),
        stride(u.stride[axis]),
        dilation(u.dilation[axis]),
        map(u.map[axis]) {
    kernel = u.kernel[axis];
    first = dilation == 1 ? room % stride : 0;
    step = dilation == 1 ? stride : 1;
  }
  /// The map position of a tap; -1: none.
  CAFFE_HD int MapPosition(int tap) const {
    const int rest = room - tap * dilation;
    if (rest < 0 || rest % stride != 0 || rest / stride >= map) return -1;
    return rest / stride;
  }
};

/// The sum over taps of value(tap, map position) that fall on image position `position`;
/// in two axes without asking the taps in vain.
template <typename Sum, typename Value>
CAFFE_HD Sum sum_over_pixel(const Unfolding& u, int position, const Value& value) {
  Sum sum(0);
  if (u.axes != 2) {
    for (int tap = 0; tap < u.taps; ++tap) {
      const int at = u.MapPosition(position, tap);
      if (at >= 0) sum += value(tap, at);
    }
    return sum;
  }
  const int width = u.image[1];
  const TapsOfPixel rows(u, 0, position / width), columns(u, 1, position % width);
  for (int i = rows.first; i < rows.kernel; i += rows.step) {
    const int y = rows.MapPosition(i);
    if (y < 0) continue;
    for (int j = columns.first; j < columns.kernel; j += columns.step) {
      const int x = columns.MapPosition(j);
      if (x >= 0) sum += value(i * columns.kernel + j, y * columns.map + x);
    }
  }
  return sum;
}

}  // namespace device
}  // namespace caffe

#endif  // CAFFE_DEVICE_UNFOLDING_HPP_

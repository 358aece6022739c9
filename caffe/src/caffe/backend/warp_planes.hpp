// Index maps that the device's warping kernels share; only .cu files include this.
#ifndef CAFFE_BACKEND_WARP_PLANES_HPP_
#define CAFFE_BACKEND_WARP_PLANES_HPP_

#include "caffe/backend/warp.hpp"
#include "caffe/device/divisor.hpp"

namespace caffe {

/// Channels that a thread serves with the samples that it computes.
constexpr int kWarpChannels = 8;

/// A pixel of an image and the channels from `first` on, of one thread.
struct WarpPlace {
  int n, pixel, first;
};

/// Images, their channels in groups of kWarpChannels, and the flow's planes.
template <typename Dtype>
class WarpPlanes {
 public:
  WarpPlanes(const WarpShape& warp, const Blob<Dtype>& image, const Blob<Dtype>& by)
      : shape(warp),
        num(image.num()),
        channels(image.channels()),
        flow(by.gpu_data()),
        groups_((channels + kWarpChannels - 1) / kWarpChannels),
        pixels_(shape.height * shape.width),
        out_pixels_(shape.out_height * shape.out_width),
        width_(shape.width),
        out_width_(shape.out_width) {}

  const WarpShape shape;
  const int num, channels;
  const Dtype* const flow;

  CAFFE_HD int groups() const { return groups_.divisor(); }
  CAFFE_HD int pixels() const { return pixels_.divisor(); }
  CAFFE_HD int out_pixels() const { return out_pixels_.divisor(); }
  /// Thread i over images, groups of channels, pixels.
  CAFFE_HD WarpPlace Place(int i) const { return PlaceOf(i, pixels_); }
  CAFFE_HD WarpPlace OutPlace(int i) const { return PlaceOf(i, out_pixels_); }
  /// The image of output pixel i of all.
  CAFFE_HD int OutImage(int i) const { return out_pixels_.quotient(i); }
  /// Row of pixel p of an image.
  CAFFE_HD int row(int p) const { return width_.quotient(p); }
  /// Output pixel o of image n.
  CAFFE_HD WarpSample<Dtype> sample(int n, int o) const {
    const Dtype* u = flow + std::int64_t{n} * 2 * out_pixels() + o;
    const int y = out_width_.quotient(o), x = o - y * out_width_.divisor();
    return shape.sample(x, y, u[0], u[out_pixels()]);
  }

 private:
  CAFFE_HD WarpPlace PlaceOf(int i, const device::Divisor& pixels) const {
    const int rest = pixels.quotient(i), n = groups_.quotient(rest);
    return {n, i - rest * pixels.divisor(), (rest - n * groups()) * kWarpChannels};
  }

  device::Divisor groups_, pixels_, out_pixels_, width_, out_width_;
};

}  // namespace caffe

#endif  // CAFFE_BACKEND_WARP_PLANES_HPP_

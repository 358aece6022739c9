// The inner loops of warping maps of many channels, one table for each instruction set.
//
// `lanes` channels side by side are moved at once: rows of that many planes are brought
// to [x][lane] and back. Like correlation_kernels.hpp this uses nothing of the standard
// library.
#ifndef CAFFE_BACKEND_WARP_KERNELS_HPP_
#define CAFFE_BACKEND_WARP_KERNELS_HPP_

#include <cstdint>

namespace caffe {

/// The samples of one row of output pixels, arrays over x. Value = row[0] (column[0]
/// I[top] + column[1] I[top + right]) + row[1] (the same of bottom); offsets in pixels.
template <typename Dtype>
struct WarpLine {
  int width;
  const int *top, *bottom, *right;
  const Dtype *column[2], *row[2];
  const unsigned char* inside;
};

/// Rows of up to `lanes` planes, `used` of them there, `stride` values apart.
template <typename Dtype>
struct PlaneRows {
  Dtype* data;
  std::int64_t stride;
  int used;
};

/// Rows that are wanted next: fetched into the cache while others are worked on.
template <typename Dtype>
struct WarpNextRows {
  const Dtype *image, *top;  ///< of the first of the planes
  const Dtype* image_diff;
  std::int64_t image_stride, top_stride;
};

/// What the backward pass of a row reads and writes, all as [x][lane] but for the slopes.
template <typename Dtype>
struct WarpBackwardRow {
  const Dtype* diff;         ///< of the top
  const Dtype* image;        ///< for the flow
  Dtype* image_diff;         ///< added to, unless null
  Dtype *u_slope, *v_slope;  ///< over x, sums over the lanes, unless null
};

template <typename Dtype>
struct WarpKernels {
  int lanes;
  /// to[x * lanes + l] = row l at x; 0 for lanes that are not used.
  void (*to_lanes)(const PlaneRows<const Dtype>& from, int width, Dtype* to);
  /// The way back; leaves zeros behind.
  void (*take_from_lanes)(Dtype* from, int width, const PlaneRows<Dtype>& to);
  /// The samples of `image`; what lies outside is undefined.
  void (*forward)(const WarpLine<Dtype>& line, const Dtype* image,
                  const WarpNextRows<Dtype>& next, const PlaneRows<Dtype>& to);
  /// The slopes are those of WarpRule::kFlowWarp.
  void (*backward)(const WarpLine<Dtype>& line, const WarpNextRows<Dtype>& next,
                   const WarpBackwardRow<Dtype>& row);
};

template <typename Dtype>
WarpKernels<Dtype> warp_kernels_base();
template <typename Dtype>
WarpKernels<Dtype> warp_kernels_avx2();
template <typename Dtype>
WarpKernels<Dtype> warp_kernels_avx512();

}  // namespace caffe

#endif  // CAFFE_BACKEND_WARP_KERNELS_HPP_

// The warp kernels for the plain processor.
#include "warp_tiles.hpp"

namespace caffe {

template <>
WarpKernels<float> warp_kernels_base<float>() {
  return WarpTiles<float, 16>::Table();
}
template <>
WarpKernels<double> warp_kernels_base<double>() {
  return WarpTiles<double, 16>::Table();
}

}  // namespace caffe

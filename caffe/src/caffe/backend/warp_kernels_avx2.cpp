// The warp kernels for AVX2.
#include "warp_tiles.hpp"

namespace caffe {

template <>
WarpKernels<float> warp_kernels_avx2<float>() {
  return WarpTiles<float, 32>::Table();
}
template <>
WarpKernels<double> warp_kernels_avx2<double>() {
  return WarpTiles<double, 32>::Table();
}

}  // namespace caffe

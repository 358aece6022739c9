// The warp kernels for AVX-512.
#include "warp_tiles.hpp"

namespace caffe {

template <>
WarpKernels<float> warp_kernels_avx512<float>() {
  return WarpTiles<float, 64>::Table();
}
template <>
WarpKernels<double> warp_kernels_avx512<double>() {
  return WarpTiles<double, 64>::Table();
}

}  // namespace caffe

// The correlation kernels for AVX2.
#include "correlation_tiles.hpp"

namespace caffe {

template <>
CorrelationKernels<float> correlation_kernels_avx2<float>() {
  return CorrelationTiles<float, 32>::Table<2, 4, 2>();
}
template <>
CorrelationKernels<double> correlation_kernels_avx2<double>() {
  return CorrelationTiles<double, 32>::Table<2, 4, 2>();
}

}  // namespace caffe

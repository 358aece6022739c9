// The correlation kernels for AVX-512.
#include "correlation_tiles.hpp"

namespace caffe {

template <>
CorrelationKernels<float> correlation_kernels_avx512<float>() {
  return CorrelationTiles<float, 64>::Table<6, 6, 4>();
}
template <>
CorrelationKernels<double> correlation_kernels_avx512<double>() {
  return CorrelationTiles<double, 64>::Table<6, 6, 4>();
}

}  // namespace caffe

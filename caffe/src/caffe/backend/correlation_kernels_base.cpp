// The correlation kernels for the plain processor.
#include "correlation_tiles.hpp"

namespace caffe {

template <>
CorrelationKernels<float> correlation_kernels_base<float>() {
  return CorrelationTiles<float, 16>::Table<2, 4, 2>();
}
template <>
CorrelationKernels<double> correlation_kernels_base<double>() {
  return CorrelationTiles<double, 16>::Table<2, 4, 2>();
}

}  // namespace caffe

// The few-rows kernel for AVX2.
#include "few_rows_tiles.hpp"

namespace caffe {

FewRowsKernel few_rows_avx2() { return FewRowsTiles<32>::Kernel<4, 2>(); }

}  // namespace caffe

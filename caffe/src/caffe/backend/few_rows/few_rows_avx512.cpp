// The few-rows kernel for AVX-512.
#include "few_rows_tiles.hpp"

namespace caffe {

FewRowsKernel few_rows_avx512() { return FewRowsTiles<64>::Kernel<6, 4>(); }

}  // namespace caffe

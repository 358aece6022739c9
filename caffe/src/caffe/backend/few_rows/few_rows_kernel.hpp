// The inner loop of few_rows.cpp, one for each instruction set; uses nothing of the
// standard library (see correlation_kernels.hpp).
#ifndef CAFFE_BACKEND_FEW_ROWS_FEW_ROWS_KERNEL_HPP_
#define CAFFE_BACKEND_FEW_ROWS_FEW_ROWS_KERNEL_HPP_

namespace caffe {

/// Some items and some outputs, whose sums fit the registers.
struct FewRowsTile {
  int items, outputs, inputs;
  const float *x, *weights;  ///< rows of `inputs` values
  float* y;                  ///< rows of `y_row` values
  int y_row;
};

struct FewRowsKernel {
  int items, outputs;  ///< the most of a tile
  void (*add)(const FewRowsTile& tile);
};

FewRowsKernel few_rows_avx2();
FewRowsKernel few_rows_avx512();

}  // namespace caffe

#endif  // CAFFE_BACKEND_FEW_ROWS_FEW_ROWS_KERNEL_HPP_

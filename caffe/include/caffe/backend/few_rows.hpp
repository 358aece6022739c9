// Products of a few rows with a large matrix.
#ifndef CAFFE_BACKEND_FEW_ROWS_HPP_
#define CAFFE_BACKEND_FEW_ROWS_HPP_

namespace caffe {

/// Whether add_few_rows() is worth it, and there for this processor: BLAS first brings
/// the matrix into another order, which a few rows do not repay.
bool takes_few_rows(int items, int outputs, int inputs);

/// y[i, j] += sum_k x[i, k] weights[j, k] for i < items, j < outputs, k < inputs, all
/// row-major. Results do not depend on the number of threads.
void add_few_rows(int items, int outputs, int inputs, const float* x,
                  const float* weights, float* y);

}  // namespace caffe

#endif  // CAFFE_BACKEND_FEW_ROWS_HPP_

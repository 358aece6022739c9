// Products of matrices on the device: cuBLAS, or CBLAS on the simulated one.
#ifndef CAFFE_DEVICE_BLAS_HPP_
#define CAFFE_DEVICE_BLAS_HPP_

#include <cstdint>

namespace caffe {
namespace device {

/// C (M x N) = alpha op(A) (M x K) op(B) (K x N) + beta C for `batch` triples that lie
/// stride_a, stride_b, stride_c numbers apart (a stride may be 0 for A or B). Row-major;
/// beta = 0 overwrites C, whatever it holds.
template <typename Dtype>
struct Gemm {
  bool transpose_a = false, transpose_b = false;
  int m = 0, n = 0, k = 0;
  Dtype alpha = 1, beta = 0;
  const Dtype* a = nullptr;
  const Dtype* b = nullptr;
  Dtype* c = nullptr;
  int batch = 1;
  std::int64_t stride_a = 0, stride_b = 0, stride_c = 0;
  /// float: TF32 though it is not allowed in general; the factors have no more digits.
  bool on_tensor_cores = false;
  /// Numbers from a row to the next, as the matrices are stored; 0: densely packed.
  int row_a = 0, row_b = 0, row_c = 0;

  int lda() const { return at_least_one(row_a, transpose_a ? m : k); }
  int ldb() const { return at_least_one(row_b, transpose_b ? k : n); }
  int ldc() const { return at_least_one(row_c, n); }

 private:
  static int at_least_one(int row, int dense) {
    return row > 0 ? row : dense > 0 ? dense : 1;
  }
};

template <typename Dtype>
void gemm(const Gemm<Dtype>& product);

/// y = alpha op(A) x + beta y; A is M x N as stored, row-major.
template <typename Dtype>
void gemv(bool transpose, int m, int n, Dtype alpha, const Dtype* a, const Dtype* x,
          Dtype beta, Dtype* y);

}  // namespace device
}  // namespace caffe

#endif  // CAFFE_DEVICE_BLAS_HPP_

// Products of matrices on the device: cuBLAS, or CBLAS on the simulated one.
#ifndef CAFFE_DEVICE_BLAS_HPP_
#define CAFFE_DEVICE_BLAS_HPP_

#include <cstdint>

namespace caffe {
namespace device {

/// C (M x N) = alpha op(A) (M x K) op(B) (K x N) + beta C for `batch` triples that lie
/// stride_a, stride_b, stride_c numbers apart (a stride may be 0 for A or B). Row-major,
/// densely packed; beta = 0 overwrites C, whatever it holds.
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

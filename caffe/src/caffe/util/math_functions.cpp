// BLAS calls and elementwise loops of math_functions.hpp, on the CPU.
#include "caffe/util/math_functions.hpp"

#include <algorithm>
#include <type_traits>

#include "caffe/device/device.hpp"
#include "caffe/util/math_functions_gpu.hpp"
#include "caffe/util/vector_math.hpp"

namespace caffe {
namespace {

// One name for the single and the double precision routine of BLAS.
template <typename Dtype>
struct Blas;

template <>
struct Blas<float> {
  static constexpr auto gemm = &cblas_sgemm;
  static constexpr auto gemv = &cblas_sgemv;
  static constexpr auto axpy = &cblas_saxpy;
  static constexpr auto dot = &cblas_sdot;
  static constexpr auto asum = &cblas_sasum;
};

template <>
struct Blas<double> {
  static constexpr auto gemm = &cblas_dgemm;
  static constexpr auto gemv = &cblas_dgemv;
  static constexpr auto axpy = &cblas_daxpy;
  static constexpr auto dot = &cblas_ddot;
  static constexpr auto asum = &cblas_dasum;
};

}  // namespace

template <typename Dtype>
void caffe_cpu_gemm(const CBLAS_TRANSPOSE TransA, const CBLAS_TRANSPOSE TransB,
                    const int M, const int N, const int K, const Dtype alpha,
                    const Dtype* A, const Dtype* B, const Dtype beta, Dtype* C) {
  if (M <= 0 || N <= 0) return;
  // BLAS wants leading dimensions of at least 1 even where K is 0.
  const int lda = std::max(1, TransA == CblasNoTrans ? K : M);
  const int ldb = std::max(1, TransB == CblasNoTrans ? N : K);
  Blas<Dtype>::gemm(CblasRowMajor, TransA, TransB, M, N, K, alpha, A, lda, B, ldb, beta,
                    C, N);
}

template <typename Dtype>
void caffe_cpu_gemv(const CBLAS_TRANSPOSE TransA, const int M, const int N,
                    const Dtype alpha, const Dtype* A, const Dtype* x, const Dtype beta,
                    Dtype* y) {
  const int length = TransA == CblasNoTrans ? M : N;
  if (length <= 0) return;
  if (M == 0 || N == 0) {  // BLAS returns at once here and leaves y unscaled
    caffe_cpu_axpby<Dtype>(length, 0, y, beta, y);
    return;
  }
  if (beta == Dtype(0)) caffe_set<Dtype>(length, 0, y);
  Blas<Dtype>::gemv(CblasRowMajor, TransA, M, N, alpha, A, N, x, 1, beta, y, 1);
}

template <typename Dtype>
void caffe_axpy(const int N, const Dtype alpha, const Dtype* X, Dtype* Y) {
  if (N > 0) Blas<Dtype>::axpy(N, alpha, X, 1, Y, 1);
}

template <typename Dtype>
void caffe_cpu_axpby(const int N, const Dtype alpha, const Dtype* X, const Dtype beta,
                     Dtype* Y) {
  if (beta == Dtype(0)) {
    for_each_index(N, [=](int64_t i) { Y[i] = alpha * X[i]; });
  } else {
    for_each_index(N, [=](int64_t i) { Y[i] = alpha * X[i] + beta * Y[i]; });
  }
}

template <typename Dtype>
void caffe_copy(const int N, const Dtype* X, Dtype* Y) {
  if (X == Y || N <= 0) return;
  if (Caffe::mode() == Caffe::GPU &&
      (device::is_device_pointer(X) || device::is_device_pointer(Y))) {
    caffe_gpu_memcpy(sizeof(Dtype) * N, X, Y);
    return;
  }
  parallel_ranges(N, 1 << 18, [=](int64_t begin, int64_t end) {
    std::memcpy(Y + begin, X + begin, sizeof(Dtype) * (end - begin));
  });
}

template <typename Dtype>
void caffe_set(const int N, const Dtype alpha, Dtype* X) {
  parallel_ranges(N, 1 << 18, [=](int64_t begin, int64_t end) {
    if (alpha == Dtype(0)) {
      std::memset(X + begin, 0, sizeof(Dtype) * (end - begin));
    } else {
      std::fill(X + begin, X + end, alpha);
    }
  });
}

template <typename Dtype>
void caffe_add_scalar(const int N, const Dtype alpha, Dtype* X) {
  for_each_index(N, [=](int64_t i) { X[i] += alpha; });
}

template <typename Dtype>
void caffe_scal(const int N, const Dtype alpha, Dtype* X) {
  if (alpha == Dtype(0)) {  // clears NaN too, as BLAS does
    caffe_set<Dtype>(N, 0, X);
  } else {
    for_each_index(N, [=](int64_t i) { X[i] *= alpha; });
  }
}

template <typename Dtype>
void caffe_cpu_scale(const int n, const Dtype alpha, const Dtype* x, Dtype* y) {
  for_each_index(n, [=](int64_t i) { y[i] = alpha * x[i]; });
}

template <typename Dtype>
void caffe_add(const int N, const Dtype* a, const Dtype* b, Dtype* y) {
  for_each_index(N, [=](int64_t i) { y[i] = a[i] + b[i]; });
}

template <typename Dtype>
void caffe_sub(const int N, const Dtype* a, const Dtype* b, Dtype* y) {
  for_each_index(N, [=](int64_t i) { y[i] = a[i] - b[i]; });
}

template <typename Dtype>
void caffe_mul(const int N, const Dtype* a, const Dtype* b, Dtype* y) {
  for_each_index(N, [=](int64_t i) { y[i] = a[i] * b[i]; });
}

template <typename Dtype>
void caffe_div(const int N, const Dtype* a, const Dtype* b, Dtype* y) {
  for_each_index(N, [=](int64_t i) { y[i] = a[i] / b[i]; });
}

template <typename Dtype>
void caffe_sqr(const int N, const Dtype* a, Dtype* y) {
  for_each_index(N, [=](int64_t i) { y[i] = a[i] * a[i]; });
}

template <typename Dtype>
void caffe_sqrt(const int N, const Dtype* a, Dtype* y) {
  for_each_index(N, [=](int64_t i) { y[i] = std::sqrt(a[i]); });
}

template <typename Dtype>
void caffe_exp(const int n, const Dtype* a, Dtype* y) {
  vector_exp<Dtype>(n, a, y);
}

template <typename Dtype>
void caffe_log(const int n, const Dtype* a, Dtype* y) {
  vector_log<Dtype>(n, a, y);
}

template <typename Dtype>
void caffe_abs(const int n, const Dtype* a, Dtype* y) {
  for_each_index(n, [=](int64_t i) { y[i] = std::fabs(a[i]); });
}

template <typename Dtype>
void caffe_powx(const int n, const Dtype* a, const Dtype b, Dtype* y) {
  if (b == Dtype(2)) {
    caffe_sqr(n, a, y);
  } else if (b == Dtype(1)) {
    caffe_copy(n, a, y);
  } else {
    parallel_ranges(n, 1 << 10, [=](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) y[i] = std::pow(a[i], b);
    });
  }
}

template <typename Dtype>
Dtype caffe_cpu_strided_dot(const int n, const Dtype* x, const int incx, const Dtype* y,
                            const int incy) {
  return n > 0 ? Blas<Dtype>::dot(n, x, incx, y, incy) : Dtype(0);
}

template <typename Dtype>
Dtype caffe_cpu_dot(const int n, const Dtype* x, const Dtype* y) {
  return caffe_cpu_strided_dot(n, x, 1, y, 1);
}

template <typename Dtype>
Dtype caffe_cpu_asum(const int n, const Dtype* x) {
  return n > 0 ? Blas<Dtype>::asum(n, x, 1) : Dtype(0);
}

#define INSTANTIATE_MATH(Dtype)                                                         \
  template void caffe_cpu_gemm<Dtype>(const CBLAS_TRANSPOSE, const CBLAS_TRANSPOSE,     \
                                      const int, const int, const int, const Dtype,     \
                                      const Dtype*, const Dtype*, const Dtype, Dtype*); \
  template void caffe_cpu_gemv<Dtype>(const CBLAS_TRANSPOSE, const int, const int,      \
                                      const Dtype, const Dtype*, const Dtype*,          \
                                      const Dtype, Dtype*);                             \
  template void caffe_axpy<Dtype>(const int, const Dtype, const Dtype*, Dtype*);        \
  template void caffe_cpu_axpby<Dtype>(const int, const Dtype, const Dtype*,            \
                                       const Dtype, Dtype*);                            \
  template void caffe_add_scalar<Dtype>(const int, const Dtype, Dtype*);                \
  template void caffe_scal<Dtype>(const int, const Dtype, Dtype*);                      \
  template void caffe_cpu_scale<Dtype>(const int, const Dtype, const Dtype*, Dtype*);   \
  template void caffe_add<Dtype>(const int, const Dtype*, const Dtype*, Dtype*);        \
  template void caffe_sub<Dtype>(const int, const Dtype*, const Dtype*, Dtype*);        \
  template void caffe_mul<Dtype>(const int, const Dtype*, const Dtype*, Dtype*);        \
  template void caffe_div<Dtype>(const int, const Dtype*, const Dtype*, Dtype*);        \
  template void caffe_sqr<Dtype>(const int, const Dtype*, Dtype*);                      \
  template void caffe_sqrt<Dtype>(const int, const Dtype*, Dtype*);                     \
  template void caffe_exp<Dtype>(const int, const Dtype*, Dtype*);                      \
  template void caffe_log<Dtype>(const int, const Dtype*, Dtype*);                      \
  template void caffe_abs<Dtype>(const int, const Dtype*, Dtype*);                      \
  template void caffe_powx<Dtype>(const int, const Dtype*, const Dtype, Dtype*);        \
  template Dtype caffe_cpu_dot<Dtype>(const int, const Dtype*, const Dtype*);           \
  template Dtype caffe_cpu_strided_dot<Dtype>(const int, const Dtype*, const int,       \
                                              const Dtype*, const int);                 \
  template Dtype caffe_cpu_asum<Dtype>(const int, const Dtype*)

INSTANTIATE_MATH(float);
INSTANTIATE_MATH(double);
#undef INSTANTIATE_MATH

#define INSTANTIATE_COPY_AND_SET(type)                           \
  template void caffe_copy<type>(const int, const type*, type*); \
  template void caffe_set<type>(const int, const type, type*)

INSTANTIATE_COPY_AND_SET(float);
INSTANTIATE_COPY_AND_SET(double);
INSTANTIATE_COPY_AND_SET(int);
INSTANTIATE_COPY_AND_SET(unsigned int);
#undef INSTANTIATE_COPY_AND_SET

}  // namespace caffe

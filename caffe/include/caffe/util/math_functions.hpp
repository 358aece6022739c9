// BLAS, elementwise functions and random arrays under Caffe's names, for float and
// double.
//
// Matrices are row-major and densely packed. Every length may be 0 (differs: BVLC refused
// that in its elementwise functions). Elementwise functions allow the result to be an
// operand.
#ifndef CAFFE_UTIL_MATH_FUNCTIONS_H_
#define CAFFE_UTIL_MATH_FUNCTIONS_H_

#include <cmath>
#include <cstdint>
#include <cstring>

#include "caffe/common.hpp"
#include "caffe/util/device_alternate.hpp"
#include "caffe/util/mkl_alternate.hpp"
#include "caffe/util/parallel_for.hpp"

namespace caffe {

// Products and sums of matrices and vectors.

/// C (M x N) = alpha op(A) (M x K) op(B) (K x N) + beta C; M, N, K are those after op.
/// beta = 0 overwrites C, whatever it holds.
template <typename Dtype>
void caffe_cpu_gemm(const CBLAS_TRANSPOSE TransA, const CBLAS_TRANSPOSE TransB,
                    const int M, const int N, const int K, const Dtype alpha,
                    const Dtype* A, const Dtype* B, const Dtype beta, Dtype* C);

/// y = alpha op(A) x + beta y; A is M x N as stored.
template <typename Dtype>
void caffe_cpu_gemv(const CBLAS_TRANSPOSE TransA, const int M, const int N,
                    const Dtype alpha, const Dtype* A, const Dtype* x, const Dtype beta,
                    Dtype* y);

/// Y += alpha X.
template <typename Dtype>
void caffe_axpy(const int N, const Dtype alpha, const Dtype* X, Dtype* Y);

/// Y = alpha X + beta Y; beta = 0 overwrites Y.
template <typename Dtype>
void caffe_cpu_axpby(const int N, const Dtype alpha, const Dtype* X, const Dtype beta,
                     Dtype* Y);

/// Copies N values; in GPU mode between any two of host and device. X == Y does nothing.
template <typename Dtype>
void caffe_copy(const int N, const Dtype* X, Dtype* Y);

/// X[i] = alpha.
template <typename Dtype>
void caffe_set(const int N, const Dtype alpha, Dtype* X);

inline void caffe_memset(const size_t N, const int alpha, void* X) {
  std::memset(X, alpha, N);
}

// Elementwise functions.

/// X[i] += alpha.
template <typename Dtype>
void caffe_add_scalar(const int N, const Dtype alpha, Dtype* X);

/// X[i] *= alpha.
template <typename Dtype>
void caffe_scal(const int N, const Dtype alpha, Dtype* X);

/// y = alpha x.
template <typename Dtype>
void caffe_cpu_scale(const int n, const Dtype alpha, const Dtype* x, Dtype* y);

template <typename Dtype>
void caffe_add(const int N, const Dtype* a, const Dtype* b, Dtype* y);
template <typename Dtype>
void caffe_sub(const int N, const Dtype* a, const Dtype* b, Dtype* y);
template <typename Dtype>
void caffe_mul(const int N, const Dtype* a, const Dtype* b, Dtype* y);
template <typename Dtype>
void caffe_div(const int N, const Dtype* a, const Dtype* b, Dtype* y);

template <typename Dtype>
void caffe_sqr(const int N, const Dtype* a, Dtype* y);
template <typename Dtype>
void caffe_sqrt(const int N, const Dtype* a, Dtype* y);
/// float: vector_math.hpp, within 1.01 ulp; double: the C library. The same for
/// caffe_log.
template <typename Dtype>
void caffe_exp(const int n, const Dtype* a, Dtype* y);
template <typename Dtype>
void caffe_log(const int n, const Dtype* a, Dtype* y);
template <typename Dtype>
void caffe_abs(const int n, const Dtype* a, Dtype* y);
/// y[i] = a[i]^b; the exponent keeps Dtype's precision.
template <typename Dtype>
void caffe_powx(const int n, const Dtype* a, const Dtype b, Dtype* y);

// Sums.

template <typename Dtype>
Dtype caffe_cpu_dot(const int n, const Dtype* x, const Dtype* y);
template <typename Dtype>
Dtype caffe_cpu_strided_dot(const int n, const Dtype* x, const int incx, const Dtype* y,
                            const int incy);
/// Sum of absolute values.
template <typename Dtype>
Dtype caffe_cpu_asum(const int n, const Dtype* x);

// Random arrays, from the thread's generator (Caffe::rng_stream).

/// The next 32 random bits.
unsigned int caffe_rng_rand();

/// The next larger representable number.
template <typename Dtype>
Dtype caffe_nextafter(const Dtype b);

/// Uniform in [a, b]; a <= b.
template <typename Dtype>
void caffe_rng_uniform(const int n, const Dtype a, const Dtype b, Dtype* r);

/// Normal with mean mu and standard deviation sigma > 0.
template <typename Dtype>
void caffe_rng_gaussian(const int n, const Dtype mu, const Dtype sigma, Dtype* r);

/// 1 with probability p in [0, 1], else 0.
template <typename Dtype>
void caffe_rng_bernoulli(const int n, const Dtype p, int* r);
template <typename Dtype>
void caffe_rng_bernoulli(const int n, const Dtype p, unsigned int* r);

// Signs.

/// -1, 0 or 1.
template <typename Dtype>
inline int8_t caffe_sign(Dtype val) {
  return static_cast<int8_t>((Dtype(0) < val) - (val < Dtype(0)));
}

/// Defines caffe_cpu_NAME(n, x, y): `operation` for each i, over `x[i]` and `y[i]`.
#define DEFINE_CAFFE_CPU_UNARY_FUNC(name, operation)                   \
  template <typename Dtype>                                            \
  void caffe_cpu_##name(const int n, const Dtype* x, Dtype* y) {       \
    CHECK_GE(n, 0);                                                    \
    ::caffe::for_each_index(n, [x, y](std::int64_t i) { operation; }); \
  }

DEFINE_CAFFE_CPU_UNARY_FUNC(sign, y[i] = caffe_sign<Dtype>(x[i]))
/// 1 for negative numbers, -0 among them, else 0.
DEFINE_CAFFE_CPU_UNARY_FUNC(sgnbit, y[i] = static_cast<Dtype>(std::signbit(x[i]) ? 1 : 0))
DEFINE_CAFFE_CPU_UNARY_FUNC(fabs, y[i] = std::fabs(x[i]))

}  // namespace caffe

#ifndef CPU_ONLY
#include "caffe/util/math_functions_gpu.hpp"
#endif

#endif  // CAFFE_UTIL_MATH_FUNCTIONS_H_

// MKL's vector functions under their names, for builds without MKL, and the BLAS header.
//
// differs: n = 0 is allowed, and vdPowx takes its exponent in double (BVLC rounded it to
// float).
#ifndef CAFFE_UTIL_MKL_ALTERNATE_HPP_
#define CAFFE_UTIL_MKL_ALTERNATE_HPP_

#ifdef USE_MKL

#include <mkl.h>

#else

extern "C" {
#include <cblas.h>
}

#include <cmath>

#include "caffe/util/logging.hpp"

/// Defines vsNAME and vdNAME(n, a, y): `operation` for each i, over `a[i]` and `y[i]`.
#define DEFINE_VSL_UNARY_FUNC(name, operation)                    \
  template <typename Dtype>                                       \
  void v##name(const int n, const Dtype* a, Dtype* y) {           \
    CHECK_GE(n, 0);                                               \
    for (int i = 0; i < n; ++i) {                                 \
      operation;                                                  \
    }                                                             \
  }                                                               \
  inline void vs##name(const int n, const float* a, float* y) {   \
    v##name<float>(n, a, y);                                      \
  }                                                               \
  inline void vd##name(const int n, const double* a, double* y) { \
    v##name<double>(n, a, y);                                     \
  }

/// Defines vsNAME and vdNAME(n, a, b, y) with a scalar parameter `b`.
#define DEFINE_VSL_UNARY_FUNC_WITH_PARAM(name, operation)                         \
  template <typename Dtype>                                                       \
  void v##name(const int n, const Dtype* a, const Dtype b, Dtype* y) {            \
    CHECK_GE(n, 0);                                                               \
    for (int i = 0; i < n; ++i) {                                                 \
      operation;                                                                  \
    }                                                                             \
  }                                                                               \
  inline void vs##name(const int n, const float* a, const float b, float* y) {    \
    v##name<float>(n, a, b, y);                                                   \
  }                                                                               \
  inline void vd##name(const int n, const double* a, const double b, double* y) { \
    v##name<double>(n, a, b, y);                                                  \
  }

/// Defines vsNAME and vdNAME(n, a, b, y) over `a[i]`, `b[i]` and `y[i]`.
#define DEFINE_VSL_BINARY_FUNC(name, operation)                                    \
  template <typename Dtype>                                                        \
  void v##name(const int n, const Dtype* a, const Dtype* b, Dtype* y) {            \
    CHECK_GE(n, 0);                                                                \
    for (int i = 0; i < n; ++i) {                                                  \
      operation;                                                                   \
    }                                                                              \
  }                                                                                \
  inline void vs##name(const int n, const float* a, const float* b, float* y) {    \
    v##name<float>(n, a, b, y);                                                    \
  }                                                                                \
  inline void vd##name(const int n, const double* a, const double* b, double* y) { \
    v##name<double>(n, a, b, y);                                                   \
  }

DEFINE_VSL_UNARY_FUNC(Sqr, y[i] = a[i] * a[i])
DEFINE_VSL_UNARY_FUNC(Sqrt, y[i] = std::sqrt(a[i]))
DEFINE_VSL_UNARY_FUNC(Exp, y[i] = std::exp(a[i]))
DEFINE_VSL_UNARY_FUNC(Ln, y[i] = std::log(a[i]))
DEFINE_VSL_UNARY_FUNC(Abs, y[i] = std::fabs(a[i]))
DEFINE_VSL_UNARY_FUNC_WITH_PARAM(Powx, y[i] = std::pow(a[i], b))
DEFINE_VSL_BINARY_FUNC(Add, y[i] = a[i] + b[i])
DEFINE_VSL_BINARY_FUNC(Sub, y[i] = a[i] - b[i])
DEFINE_VSL_BINARY_FUNC(Mul, y[i] = a[i] * b[i])
DEFINE_VSL_BINARY_FUNC(Div, y[i] = a[i] / b[i])

// y = alpha x + beta y is not part of BLAS; OpenBLAS has it, others do not.
#ifndef OPENBLAS_CONFIG_H
inline void cblas_saxpby(const int N, const float alpha, const float* X, const int incX,
                         const float beta, float* Y, const int incY) {
  cblas_sscal(N, beta, Y, incY);
  cblas_saxpy(N, alpha, X, incX, Y, incY);
}
inline void cblas_daxpby(const int N, const double alpha, const double* X, const int incX,
                         const double beta, double* Y, const int incY) {
  cblas_dscal(N, beta, Y, incY);
  cblas_daxpy(N, alpha, X, incX, Y, incY);
}
#endif  // OPENBLAS_CONFIG_H

#endif  // USE_MKL

#endif  // CAFFE_UTIL_MKL_ALTERNATE_HPP_

// Elementwise transcendental functions over arrays: exp, log, sigmoid, tanh.
//
// float: polynomials of our own under `omp simd`, compiled for several instruction sets
// and chosen at load time; no -ffast-math, so NaN, infinities and signed zeros come out
// as the formulas say. double: the C library's functions, one by one. Both are threaded
// for long arrays. Results do not depend on the thread count.
//
// Largest error of the float versions, measured over every 61st float, on each
// instruction set: exp 1.01 ulp, log 0.82 ulp, sigmoid 2.4 ulp, tanh 2.6 ulp. Results
// below FLT_MIN in magnitude may be off by more ulps (sigmoid flushes them to 0).
#ifndef CAFFE_UTIL_VECTOR_MATH_HPP_
#define CAFFE_UTIL_VECTOR_MATH_HPP_

#include <cstdint>

namespace caffe {

/// y[i] = exp(x[i]); y may be x. n >= 0.
template <typename Dtype>
void vector_exp(int64_t n, const Dtype* x, Dtype* y);

/// y[i] = ln(x[i]); -inf at 0, NaN below. y may be x.
template <typename Dtype>
void vector_log(int64_t n, const Dtype* x, Dtype* y);

/// y[i] = 1 / (1 + exp(-x[i])), without overflow for any x. y may be x.
template <typename Dtype>
void vector_sigmoid(int64_t n, const Dtype* x, Dtype* y);

/// y[i] = tanh(x[i]). y may be x.
template <typename Dtype>
void vector_tanh(int64_t n, const Dtype* x, Dtype* y);

}  // namespace caffe

#endif  // CAFFE_UTIL_VECTOR_MATH_HPP_

// The device half of math_functions.hpp, which includes it in a CUDA build; .cu files
// include it themselves, since they run on the simulated device, too.
//
// Pointers are device pointers; the results of dot and asum come back to the host.
#ifndef CAFFE_UTIL_MATH_FUNCTIONS_GPU_HPP_
#define CAFFE_UTIL_MATH_FUNCTIONS_GPU_HPP_

#include "caffe/util/math_functions.hpp"

namespace caffe {

template <typename Dtype>
void caffe_gpu_gemm(const CBLAS_TRANSPOSE TransA, const CBLAS_TRANSPOSE TransB,
                    const int M, const int N, const int K, const Dtype alpha,
                    const Dtype* A, const Dtype* B, const Dtype beta, Dtype* C);
template <typename Dtype>
void caffe_gpu_gemv(const CBLAS_TRANSPOSE TransA, const int M, const int N,
                    const Dtype alpha, const Dtype* A, const Dtype* x, const Dtype beta,
                    Dtype* y);
template <typename Dtype>
void caffe_gpu_axpy(const int N, const Dtype alpha, const Dtype* X, Dtype* Y);
template <typename Dtype>
void caffe_gpu_axpby(const int N, const Dtype alpha, const Dtype* X, const Dtype beta,
                     Dtype* Y);

/// Copies bytes; the direction follows from the addresses.
void caffe_gpu_memcpy(const size_t N, const void* X, void* Y);
template <typename Dtype>
void caffe_gpu_set(const int N, const Dtype alpha, Dtype* X);
void caffe_gpu_memset(const size_t N, const int alpha, void* X);

template <typename Dtype>
void caffe_gpu_add_scalar(const int N, const Dtype alpha, Dtype* X);
template <typename Dtype>
void caffe_gpu_scal(const int N, const Dtype alpha, Dtype* X);
#ifndef CPU_ONLY
template <typename Dtype>
void caffe_gpu_scal(const int N, const Dtype alpha, Dtype* X, cudaStream_t stream);
#endif
template <typename Dtype>
void caffe_gpu_scale(const int n, const Dtype alpha, const Dtype* x, Dtype* y);

template <typename Dtype>
void caffe_gpu_add(const int N, const Dtype* a, const Dtype* b, Dtype* y);
template <typename Dtype>
void caffe_gpu_sub(const int N, const Dtype* a, const Dtype* b, Dtype* y);
template <typename Dtype>
void caffe_gpu_mul(const int N, const Dtype* a, const Dtype* b, Dtype* y);
template <typename Dtype>
void caffe_gpu_div(const int N, const Dtype* a, const Dtype* b, Dtype* y);
template <typename Dtype>
void caffe_gpu_abs(const int n, const Dtype* a, Dtype* y);
template <typename Dtype>
void caffe_gpu_exp(const int n, const Dtype* a, Dtype* y);
template <typename Dtype>
void caffe_gpu_log(const int n, const Dtype* a, Dtype* y);
template <typename Dtype>
void caffe_gpu_sqrt(const int n, const Dtype* a, Dtype* y);
template <typename Dtype>
void caffe_gpu_powx(const int n, const Dtype* a, const Dtype b, Dtype* y);
template <typename Dtype>
void caffe_gpu_sign(const int n, const Dtype* x, Dtype* y);
template <typename Dtype>
void caffe_gpu_sgnbit(const int n, const Dtype* x, Dtype* y);
template <typename Dtype>
void caffe_gpu_fabs(const int n, const Dtype* x, Dtype* y);

template <typename Dtype>
void caffe_gpu_dot(const int n, const Dtype* x, const Dtype* y, Dtype* out);
template <typename Dtype>
void caffe_gpu_asum(const int n, const Dtype* x, Dtype* y);

/// 32 random bits each.
void caffe_gpu_rng_uniform(const int n, unsigned int* r);
/// Uniform in (a, b].
template <typename Dtype>
void caffe_gpu_rng_uniform(const int n, const Dtype a, const Dtype b, Dtype* r);
/// differs: n may be odd.
template <typename Dtype>
void caffe_gpu_rng_gaussian(const int n, const Dtype mu, const Dtype sigma, Dtype* r);

}  // namespace caffe

#ifndef CPU_ONLY
/// Defines and instantiates caffe_gpu_NAME over `x[index]` and `y[index]`; in a .cu.
#define DEFINE_AND_INSTANTIATE_GPU_UNARY_FUNC(name, operation)                      \
  template <typename Dtype>                                                         \
  __global__ void name##_kernel(const int n, const Dtype* x, Dtype* y) {            \
    CUDA_KERNEL_LOOP(index, n) { operation; }                                       \
  }                                                                                 \
  template <typename Dtype>                                                         \
  void caffe_gpu_##name(const int n, const Dtype* x, Dtype* y) {                    \
    if (n == 0) return;                                                             \
    name##_kernel<Dtype><<<CAFFE_GET_BLOCKS(n), CAFFE_CUDA_NUM_THREADS>>>(n, x, y); \
    CUDA_POST_KERNEL_CHECK;                                                         \
  }                                                                                 \
  template void caffe_gpu_##name<float>(const int, const float*, float*);           \
  template void caffe_gpu_##name<double>(const int, const double*, double*)
#endif

#endif  // CAFFE_UTIL_MATH_FUNCTIONS_GPU_HPP_

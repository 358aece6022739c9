// BLAS, elementwise functions and random arrays on the device, under Caffe's names.
#include <cmath>

#include "caffe/device/blas.hpp"
#include "caffe/device/device.hpp"
#include "caffe/device/launch.hpp"
#include "caffe/device/random.hpp"
#include "caffe/device/scratch.hpp"
#include "caffe/util/math_functions.hpp"
#include "caffe/util/math_functions_gpu.hpp"

namespace caffe {

namespace device {
std::uint64_t next_seed() {
  const std::uint64_t high = caffe_rng_rand();
  return high << 32 | caffe_rng_rand();
}
}  // namespace device

template <typename Dtype>
void caffe_gpu_gemm(const CBLAS_TRANSPOSE TransA, const CBLAS_TRANSPOSE TransB,
                    const int M, const int N, const int K, const Dtype alpha,
                    const Dtype* A, const Dtype* B, const Dtype beta, Dtype* C) {
  device::Gemm<Dtype> product;
  product.transpose_a = TransA != CblasNoTrans;
  product.transpose_b = TransB != CblasNoTrans;
  product.m = M;
  product.n = N;
  product.k = K;
  product.alpha = alpha;
  product.beta = beta;
  product.a = A;
  product.b = B;
  product.c = C;
  device::gemm(product);
}

template <typename Dtype>
void caffe_gpu_gemv(const CBLAS_TRANSPOSE TransA, const int M, const int N,
                    const Dtype alpha, const Dtype* A, const Dtype* x, const Dtype beta,
                    Dtype* y) {
  device::gemv<Dtype>(TransA != CblasNoTrans, M, N, alpha, A, x, beta, y);
}

template <typename Dtype>
void caffe_gpu_axpy(const int N, const Dtype alpha, const Dtype* X, Dtype* Y) {
  launch(
      N, CAFFE_LAMBDA(int i) { Y[i] += alpha * X[i]; });
}

template <typename Dtype>
void caffe_gpu_axpby(const int N, const Dtype alpha, const Dtype* X, const Dtype beta,
                     Dtype* Y) {
  if (beta == Dtype(0)) {
    launch(
        N, CAFFE_LAMBDA(int i) { Y[i] = alpha * X[i]; });
  } else {
    launch(
        N, CAFFE_LAMBDA(int i) { Y[i] = alpha * X[i] + beta * Y[i]; });
  }
}

void caffe_gpu_memcpy(const size_t N, const void* X, void* Y) {
  if (X == Y) return;
  const bool from_device = device::is_device_pointer(X);
  const bool to_device = device::is_device_pointer(Y);
  if (from_device && to_device) {
    device::copy_on_device(Y, X, N);
  } else if (from_device) {
    device::copy_to_host(Y, X, N);
  } else if (to_device) {
    device::copy_to_device(Y, X, N);
  } else {
    std::memcpy(Y, X, N);
  }
}

void caffe_gpu_memset(const size_t N, const int alpha, void* X) {
  device::fill_bytes(X, alpha, N);
}

template <typename Dtype>
void caffe_gpu_set(const int N, const Dtype alpha, Dtype* X) {
  if (alpha == Dtype(0)) {
    device::fill_bytes(X, 0, sizeof(Dtype) * N);
  } else {
    launch_fill(N, alpha, X);
  }
}

template <typename Dtype>
void caffe_gpu_add_scalar(const int N, const Dtype alpha, Dtype* X) {
  launch(
      N, CAFFE_LAMBDA(int i) { X[i] += alpha; });
}
template <typename Dtype>
void caffe_gpu_scal(const int N, const Dtype alpha, Dtype* X) {
  launch(
      N, CAFFE_LAMBDA(int i) { X[i] *= alpha; });
}
template <typename Dtype>
void caffe_gpu_scale(const int n, const Dtype alpha, const Dtype* x, Dtype* y) {
  launch(
      n, CAFFE_LAMBDA(int i) { y[i] = alpha * x[i]; });
}

#define CAFFE_GPU_BINARY(name, expression)                                       \
  template <typename Dtype>                                                      \
  void caffe_gpu_##name(const int N, const Dtype* a, const Dtype* b, Dtype* y) { \
    launch(                                                                      \
        N, CAFFE_LAMBDA(int i) { y[i] = expression; });                          \
  }                                                                              \
  template void caffe_gpu_##name(const int, const float*, const float*, float*); \
  template void caffe_gpu_##name(const int, const double*, const double*, double*);
CAFFE_GPU_BINARY(add, a[i] + b[i])
CAFFE_GPU_BINARY(sub, a[i] - b[i])
CAFFE_GPU_BINARY(mul, a[i] * b[i])
CAFFE_GPU_BINARY(div, a[i] / b[i])
#undef CAFFE_GPU_BINARY

#define CAFFE_GPU_UNARY(name, expression)                          \
  template <typename Dtype>                                        \
  void caffe_gpu_##name(const int n, const Dtype* x, Dtype* y) {   \
    launch(                                                        \
        n, CAFFE_LAMBDA(int i) { y[i] = expression; });            \
  }                                                                \
  template void caffe_gpu_##name(const int, const float*, float*); \
  template void caffe_gpu_##name(const int, const double*, double*);
CAFFE_GPU_UNARY(abs, std::abs(x[i]))
CAFFE_GPU_UNARY(exp, std::exp(x[i]))
CAFFE_GPU_UNARY(log, std::log(x[i]))
CAFFE_GPU_UNARY(sqrt, std::sqrt(x[i]))
CAFFE_GPU_UNARY(sign, Dtype((Dtype(0) < x[i]) - (x[i] < Dtype(0))))
CAFFE_GPU_UNARY(sgnbit, Dtype(std::signbit(x[i]) ? 1 : 0))
CAFFE_GPU_UNARY(fabs, std::fabs(x[i]))
#undef CAFFE_GPU_UNARY

template <typename Dtype>
void caffe_gpu_powx(const int n, const Dtype* a, const Dtype b, Dtype* y) {
  launch(
      n, CAFFE_LAMBDA(int i) { y[i] = std::pow(a[i], b); });
}

namespace {

/// The sum of load(0, i) over i in [0, n), in double, brought to the host.
template <typename Load>
double SumOf(int n, const Load& load) {
  const device::Scratch scratch(sizeof(double));
  double* sum = scratch.as<double>();
  launch_row_sums<double>(
      1, n, load, CAFFE_LAMBDA(int, double value) { *sum = value; });
  double result = 0;
  device::copy_to_host(&result, sum, sizeof(result));
  return result;
}

}  // namespace

template <typename Dtype>
void caffe_gpu_dot(const int n, const Dtype* x, const Dtype* y, Dtype* out) {
  *out = static_cast<Dtype>(SumOf(
      n, CAFFE_LAMBDA(int, int i) { return static_cast<double>(x[i]) * y[i]; }));
}
template <typename Dtype>
void caffe_gpu_asum(const int n, const Dtype* x, Dtype* y) {
  *y = static_cast<Dtype>(SumOf(
      n, CAFFE_LAMBDA(int, int i) { return std::abs(static_cast<double>(x[i])); }));
}

void caffe_gpu_rng_uniform(const int n, unsigned int* r) {
  const std::uint64_t seed = device::next_seed();
  launch(
      n, CAFFE_LAMBDA(int i) { r[i] = device::random_word(seed, i); });
}

template <typename Dtype>
void caffe_gpu_rng_uniform(const int n, const Dtype a, const Dtype b, Dtype* r) {
  CHECK_LE(a, b) << "the range of uniform numbers";
  const std::uint64_t seed = device::next_seed();
  launch(
      n, CAFFE_LAMBDA(int i) {
        r[i] = a + (b - a) * device::random_uniform<Dtype>(seed, i);
      });
}

/// Pairs by Box and Muller.
template <typename Dtype>
void caffe_gpu_rng_gaussian(const int n, const Dtype mu, const Dtype sigma, Dtype* r) {
  CHECK_GT(sigma, 0) << "the standard deviation of normal numbers";
  const std::uint64_t seed = device::next_seed();
  launch(
      n, CAFFE_LAMBDA(int i) {
        const std::uint64_t pair = static_cast<std::uint64_t>(i) & ~std::uint64_t{1};
        const Dtype radius =
            std::sqrt(Dtype(-2) * std::log(device::random_uniform<Dtype>(seed, pair)));
        const Dtype angle =
            Dtype(6.283185307179586) * device::random_uniform<Dtype>(seed, pair + 1);
        r[i] = mu + sigma * radius * (i % 2 == 0 ? std::cos(angle) : std::sin(angle));
      });
}

#ifndef CPU_ONLY
template <typename Dtype>
void caffe_gpu_scal(const int N, const Dtype alpha, Dtype* X, cudaStream_t stream) {
  if (N == 0) return;
  const auto body = CAFFE_LAMBDA(int i) { X[i] *= alpha; };
  device::
      run_body<<<(N - 1) / device::kBlockThreads + 1, device::kBlockThreads, 0, stream>>>(
          N, body);
  CUDA_POST_KERNEL_CHECK;
}
template void caffe_gpu_scal(const int, const float, float*, cudaStream_t);
template void caffe_gpu_scal(const int, const double, double*, cudaStream_t);
#endif

#define CAFFE_INSTANTIATE_GPU_MATH(T)                                                   \
  template void caffe_gpu_gemm(const CBLAS_TRANSPOSE, const CBLAS_TRANSPOSE, const int, \
                               const int, const int, const T, const T*, const T*,       \
                               const T, T*);                                            \
  template void caffe_gpu_gemv(const CBLAS_TRANSPOSE, const int, const int, const T,    \
                               const T*, const T*, const T, T*);                        \
  template void caffe_gpu_axpy(const int, const T, const T*, T*);                       \
  template void caffe_gpu_axpby(const int, const T, const T*, const T, T*);             \
  template void caffe_gpu_add_scalar(const int, const T, T*);                           \
  template void caffe_gpu_scal(const int, const T, T*);                                 \
  template void caffe_gpu_scale(const int, const T, const T*, T*);                      \
  template void caffe_gpu_powx(const int, const T*, const T, T*);                       \
  template void caffe_gpu_dot(const int, const T*, const T*, T*);                       \
  template void caffe_gpu_asum(const int, const T*, T*);                                \
  template void caffe_gpu_rng_uniform(const int, const T, const T, T*);                 \
  template void caffe_gpu_rng_gaussian(const int, const T, const T, T*)
CAFFE_INSTANTIATE_GPU_MATH(float);
CAFFE_INSTANTIATE_GPU_MATH(double);
#undef CAFFE_INSTANTIATE_GPU_MATH
template void caffe_gpu_set(const int, const float, float*);
template void caffe_gpu_set(const int, const double, double*);
template void caffe_gpu_set(const int, const int, int*);

}  // namespace caffe

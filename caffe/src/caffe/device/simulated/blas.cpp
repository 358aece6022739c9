// Products on the simulated device, by the host's BLAS.
#include "caffe/device/blas.hpp"

#include "caffe/device/launch_simulated.hpp"
#include "caffe/util/math_functions.hpp"

namespace caffe {
namespace device {

namespace {

/// caffe_cpu_gemm with rows of any distance.
template <typename Dtype>
void one_product(const Gemm<Dtype>& p, const Dtype* a, const Dtype* b, Dtype* c) {
  const auto product = [&](auto* blas) {
    blas(CblasRowMajor, p.transpose_a ? CblasTrans : CblasNoTrans,
         p.transpose_b ? CblasTrans : CblasNoTrans, p.m, p.n, p.k, p.alpha, a, p.lda(), b,
         p.ldb(), p.beta, c, p.ldc());
  };
  if constexpr (sizeof(Dtype) == 4) {
    product(cblas_sgemm);
  } else {
    product(cblas_dgemm);
  }
}

}  // namespace

template <typename Dtype>
void gemm(const Gemm<Dtype>& p) {
  check_body(p);
  if (p.m == 0 || p.n == 0) return;
  submit([p] {
    for (int i = 0; i < p.batch; ++i) {
      one_product(p, p.a + i * p.stride_a, p.b + i * p.stride_b, p.c + i * p.stride_c);
    }
  });
}

template <typename Dtype>
void gemv(bool transpose, int m, int n, Dtype alpha, const Dtype* a, const Dtype* x,
          Dtype beta, Dtype* y) {
  const void* const pointers[] = {a, x, y};
  check_body(pointers, sizeof(pointers));
  submit([=] {
    caffe_cpu_gemv<Dtype>(transpose ? CblasTrans : CblasNoTrans, m, n, alpha, a, x, beta,
                          y);
  });
}

template void gemm(const Gemm<float>&);
template void gemm(const Gemm<double>&);
template void gemv(bool, int, int, float, const float*, const float*, float, float*);
template void gemv(bool, int, int, double, const double*, const double*, double, double*);

}  // namespace device
}  // namespace caffe

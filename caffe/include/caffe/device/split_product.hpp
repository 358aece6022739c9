// Products of float32 accuracy on tensor cores: each factor as a sum of two TF32 numbers.
//
// Source: the splitting of Markidis et al., "NVIDIA Tensor Core Programmability,
// Performance & Precision" (2018), with three of the four products.
#ifndef CAFFE_DEVICE_SPLIT_PRODUCT_HPP_
#define CAFFE_DEVICE_SPLIT_PRODUCT_HPP_

#include "caffe/device/blas.hpp"

namespace caffe {
namespace device {

/// x = high + low: `high` has the sign, the exponent and the first 10 bits of x, `low`
/// the exact rest (0 where x is not finite).
void split(int n, const float* x, float* high, float* low);

/// gemm(product) as low_a high_b + high_a low_b + high_a high_b. What is left out is
/// below 2^-21 of |a| |b|; an infinite factor gives NaN.
void split_gemm(const Gemm<float>& product);

/// CAFFE_SPLIT_TF32=1: convolutions try it where TF32 is not allowed. (Off by default
/// until a card has shown what it is worth.)
bool split_products_wanted();

}  // namespace device
}  // namespace caffe

#endif  // CAFFE_DEVICE_SPLIT_PRODUCT_HPP_

// What a failed CUDA, cuBLAS or cuDNN call becomes: a caffe::Error that names the call.
#ifndef CAFFE_DEVICE_CUDA_CUDA_CHECK_HPP_
#define CAFFE_DEVICE_CUDA_CUDA_CHECK_HPP_

#include <cublas_v2.h>
#include <cuda_runtime.h>

#include "caffe/util/logging.hpp"

namespace caffe {
const char* cublasGetErrorString(cublasStatus_t error);
}  // namespace caffe

#define CUDA_CHECK(condition)                                                   \
  do {                                                                          \
    const cudaError_t caffe_cuda_error = (condition);                           \
    if (caffe_cuda_error != cudaSuccess) {                                      \
      cudaGetLastError();                                                       \
      LOG(FATAL) << #condition << ": " << cudaGetErrorString(caffe_cuda_error); \
    }                                                                           \
  } while (0)

#define CUBLAS_CHECK(condition)                                       \
  do {                                                                \
    const cublasStatus_t caffe_cublas_status = (condition);           \
    if (caffe_cublas_status != CUBLAS_STATUS_SUCCESS) {               \
      cudaGetLastError(); /* or the next launch would report it */    \
      LOG(FATAL) << #condition << ": "                                \
                 << caffe::cublasGetErrorString(caffe_cublas_status); \
    }                                                                 \
  } while (0)

#endif  // CAFFE_DEVICE_CUDA_CUDA_CHECK_HPP_

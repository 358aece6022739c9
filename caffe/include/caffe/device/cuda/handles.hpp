// The calling thread's library handles, bound to its stream.
#ifndef CAFFE_DEVICE_CUDA_HANDLES_HPP_
#define CAFFE_DEVICE_CUDA_HANDLES_HPP_

#include <cublas_v2.h>

namespace caffe {
namespace device {

/// For the current device; products round to TF32 only where device::tf32_allowed().
cublasHandle_t cublas_handle();

}  // namespace device
}  // namespace caffe

#endif  // CAFFE_DEVICE_CUDA_HANDLES_HPP_

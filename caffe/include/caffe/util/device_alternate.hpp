// The GPU macros that layer code uses: stubs in a build without CUDA, CUDA's own in one
// with it.
#ifndef CAFFE_UTIL_DEVICE_ALTERNATE_HPP_
#define CAFFE_UTIL_DEVICE_ALTERNATE_HPP_

#include "caffe/util/logging.hpp"

#ifdef CPU_ONLY

#define NO_GPU LOG(FATAL) << "Cannot use GPU in CPU-only Caffe: check mode."

#define STUB_GPU(classname)                                               \
  template <typename Dtype>                                               \
  void classname<Dtype>::Forward_gpu(const std::vector<Blob<Dtype>*>&,    \
                                     const std::vector<Blob<Dtype>*>&) {  \
    NO_GPU;                                                               \
  }                                                                       \
  template <typename Dtype>                                               \
  void classname<Dtype>::Backward_gpu(const std::vector<Blob<Dtype>*>&,   \
                                      const std::vector<bool>&,           \
                                      const std::vector<Blob<Dtype>*>&) { \
    NO_GPU;                                                               \
  }

#define STUB_GPU_FORWARD(classname, funcname)                               \
  template <typename Dtype>                                                 \
  void classname<Dtype>::funcname##_gpu(const std::vector<Blob<Dtype>*>&,   \
                                        const std::vector<Blob<Dtype>*>&) { \
    NO_GPU;                                                                 \
  }

#define STUB_GPU_BACKWARD(classname, funcname)                              \
  template <typename Dtype>                                                 \
  void classname<Dtype>::funcname##_gpu(const std::vector<Blob<Dtype>*>&,   \
                                        const std::vector<bool>&,           \
                                        const std::vector<Blob<Dtype>*>&) { \
    NO_GPU;                                                                 \
  }

#else  // CPU_ONLY

#include <cublas_v2.h>
#include <cuda.h>
#include <cuda_runtime.h>
#include <driver_types.h>

#include "caffe/device/cuda/cuda_check.hpp"
#ifdef USE_CUDNN
#include "caffe/util/cudnn.hpp"
#endif

/// A grid-stride loop over int i in [0, n).
#define CUDA_KERNEL_LOOP(i, n)                                 \
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < (n); \
       i += blockDim.x * gridDim.x)

#define CUDA_POST_KERNEL_CHECK CUDA_CHECK(cudaPeekAtLastError())

namespace caffe {

const int CAFFE_CUDA_NUM_THREADS = 512;

/// Blocks for N items; differs: at least one, so that N = 0 is a launch that does nothing
/// (BVLC's was invalid).
inline int CAFFE_GET_BLOCKS(const int N) {
  return N > 0 ? (N - 1) / CAFFE_CUDA_NUM_THREADS + 1 : 1;
}

}  // namespace caffe

#endif  // CPU_ONLY

#endif  // CAFFE_UTIL_DEVICE_ALTERNATE_HPP_

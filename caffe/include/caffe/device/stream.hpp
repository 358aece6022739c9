// The calling thread's CUDA stream; only CUDA code includes this.
#ifndef CAFFE_DEVICE_STREAM_HPP_
#define CAFFE_DEVICE_STREAM_HPP_

#include <cuda_runtime.h>

#include "caffe/device/scratch.hpp"

namespace caffe {
namespace device {

/// One a thread: also the default stream of kernels that other people's layers launch,
/// since .cu files are compiled with --default-stream per-thread. It can be captured.
inline cudaStream_t stream() { return cudaStreamPerThread; }

}  // namespace device
}  // namespace caffe

#endif  // CAFFE_DEVICE_STREAM_HPP_

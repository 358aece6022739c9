// Kernels, written once: bodies over an index that run on a GPU or on the simulated
// device.
//
// Only .cu files include this. nvcc compiles them in a CUDA build, the host compiler in
// every other, so a layer's .cu holds no __global__, no <<<>>> and no CUDA header:
//
//   template <typename Dtype>
//   void negate(int n, const Dtype* x, Dtype* y) {     // a free function, see below
//     launch(n, CAFFE_LAMBDA(int i) { y[i] = -x[i]; });
//   }
//
// A body is a CAFFE_LAMBDA or a struct with `CAFFE_HD void operator()(int i) const`. It
// holds pointers to DEVICE memory, numbers, and plain structs of them (at most 4 kB), by
// value. nvcc wants a CAFFE_LAMBDA to stand in a free function or a public member
// function (Forward_gpu is protected: let it call a free function), not inside another
// lambda, and not in an `if constexpr` that is the first to name what it captures.
// Functions that a body calls are marked CAFFE_HD, too.
#ifndef CAFFE_DEVICE_LAUNCH_HPP_
#define CAFFE_DEVICE_LAUNCH_HPP_

#include "caffe/device/body.hpp"

#ifdef __CUDACC__
#include "caffe/device/launch_cuda.cuh"
#else
#include "caffe/device/launch_simulated.hpp"
#endif

namespace caffe {

namespace device {
template <typename T>
struct FillBody {
  T value;
  T* data;
  CAFFE_HD void operator()(int i) const { data[i] = value; }
};
}  // namespace device

/// data[i] = value for i in [0, n).
template <typename T>
void launch_fill(int n, T value, T* data) {
  launch(n, device::FillBody<T>{value, data});
}

}  // namespace caffe

#endif  // CAFFE_DEVICE_LAUNCH_HPP_

// Kernels on a GPU: the launches.
#ifndef CAFFE_DEVICE_LAUNCH_CUDA_CUH_
#define CAFFE_DEVICE_LAUNCH_CUDA_CUH_

#include <cuda_runtime.h>

#include "caffe/device/device.hpp"
#include "caffe/device/stream.hpp"
#include "caffe/util/logging.hpp"

namespace caffe {

namespace device {

constexpr int kBlockThreads = 256;
constexpr int kMostBlocks = 1 << 16;

inline void check_launch(const char* file, int line) {
  const cudaError_t error = cudaGetLastError();
  if (error != cudaSuccess) {
    throw Error(file, line,
                std::string("kernel launch failed: ") + cudaGetErrorString(error),
                Error::kGeneric);
  }
}

template <typename Body>
__global__ void __launch_bounds__(kBlockThreads) run_body(int n, Body body) {
  // unsigned: i + stride may pass INT_MAX.
  const unsigned stride = gridDim.x * blockDim.x;
  for (unsigned i = blockIdx.x * blockDim.x + threadIdx.x; i < static_cast<unsigned>(n);
       i += stride) {
    body(static_cast<int>(i));
  }
}

/// The sum over a block, in a fixed order; valid in thread 0.
template <typename Sum>
__device__ Sum block_sum(Sum sum) {
  __shared__ Sum warps[kBlockThreads / 32];
  for (int offset = 16; offset > 0; offset /= 2)
    sum += __shfl_down_sync(~0u, sum, offset);
  if (threadIdx.x % 32 == 0) warps[threadIdx.x / 32] = sum;
  __syncthreads();
  if (threadIdx.x < 32) {
    sum = threadIdx.x < kBlockThreads / 32 ? warps[threadIdx.x] : Sum(0);
    for (int offset = kBlockThreads / 64; offset > 0; offset /= 2) {
      sum += __shfl_down_sync(~0u, sum, offset);
    }
  }
  __syncthreads();
  return sum;
}

/// Block (row, part) sums its part of a row.
template <typename Sum, typename Load, typename Store>
__global__ void __launch_bounds__(kBlockThreads)
    sum_parts(int rows, int length, int parts, Load load, Store store) {
  const int part_length = (length + parts - 1) / parts;
  for (int item = blockIdx.x; item < rows * parts; item += gridDim.x) {
    const int row = item / parts, part = item % parts;
    const int end = min(length, (part + 1) * part_length);
    Sum sum(0);
    for (int i = part * part_length + threadIdx.x; i < end; i += kBlockThreads) {
      sum += load(row, i);
    }
    sum = block_sum(sum);
    if (threadIdx.x == 0) store(item, sum);
  }
}

/// One warp a row: short rows.
template <typename Sum, typename Load, typename Store>
__global__ void __launch_bounds__(kBlockThreads)
    sum_short_rows(int rows, int length, Load load, Store store) {
  const int lane = threadIdx.x % 32;
  const int warps = gridDim.x * (kBlockThreads / 32);
  for (int row = (blockIdx.x * kBlockThreads + threadIdx.x) / 32; row < rows;
       row += warps) {
    Sum sum(0);
    for (int i = lane; i < length; i += 32) sum += load(row, i);
    for (int offset = 16; offset > 0; offset /= 2)
      sum += __shfl_down_sync(~0u, sum, offset);
    if (lane == 0) store(row, sum);
  }
}

template <typename Sum>
struct LoadPart {
  const Sum* sums;
  int parts;
  CAFFE_HD Sum operator()(int row, int i) const { return sums[row * parts + i]; }
};

template <typename Sum>
struct StorePart {
  Sum* sums;
  CAFFE_HD void operator()(int item, Sum sum) const { sums[item] = sum; }
};

}  // namespace device

template <typename Body>
void launch(int n, const Body& body) {
  static_assert(sizeof(Body) <= 4096, "a kernel's body holds at most 4 kB");
  if (n <= 0) return;
  const int blocks = std::min((n - 1) / device::kBlockThreads + 1, device::kMostBlocks);
  device::run_body<<<blocks, device::kBlockThreads, 0, device::stream()>>>(n, body);
  device::check_launch(__FILE__, __LINE__);
}

template <typename Sum, typename Load, typename Store>
void launch_row_sums(int rows, int length, const Load& load, const Store& store) {
  if (rows <= 0) return;
  if (length <= 256) {
    const int blocks =
        std::min((rows - 1) / (device::kBlockThreads / 32) + 1, device::kMostBlocks);
    device::sum_short_rows<Sum><<<blocks, device::kBlockThreads, 0, device::stream()>>>(
        rows, length, load, store);
    device::check_launch(__FILE__, __LINE__);
    return;
  }
  int parts = 1;
  if (rows < 512) parts = std::min(std::max(1, 1024 / rows), (length - 1) / 2048 + 1);
  const int blocks = std::min(rows * parts, device::kMostBlocks);
  if (parts == 1) {
    device::sum_parts<Sum><<<blocks, device::kBlockThreads, 0, device::stream()>>>(
        rows, length, 1, load, store);
    device::check_launch(__FILE__, __LINE__);
    return;
  }
  const device::Scratch scratch(sizeof(Sum) * rows * parts);
  Sum* sums = static_cast<Sum*>(scratch.get());
  device::sum_parts<Sum><<<blocks, device::kBlockThreads, 0, device::stream()>>>(
      rows, length, parts, load, device::StorePart<Sum>{sums});
  device::check_launch(__FILE__, __LINE__);
  const device::LoadPart<Sum> load_part{sums, parts};
  device::sum_parts<Sum><<<std::min(rows, device::kMostBlocks), device::kBlockThreads, 0,
                           device::stream()>>>(rows, parts, 1, load_part, store);
  device::check_launch(__FILE__, __LINE__);
}

}  // namespace caffe

#endif  // CAFFE_DEVICE_LAUNCH_CUDA_CUH_

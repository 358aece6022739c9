// Kernels whose threads work together: blocks with shared memory, written once for a GPU
// and the simulated device.
//
// A block kernel is a struct of plain values whose member functions are the stretches
// between two barriers:
//
//   static constexpr int kThreads, kStageFloats, kSharedFloats;
//   struct Thread { ... };                       what a thread keeps in registers
//   void Begin(const Block&, int t, Thread*) const;
//   int Steps(const Block&) const;               how many stages of input there are
//   void Load(const Block&, int t, const Thread&, int step, float* stage) const;
//   void Step(const Block&, int t, int step, const float* stage, Thread*) const;
//   void Put(const Block&, int t, const Thread&, float* shared) const;
//   void Finish(const Block&, int t, const Thread&, const float* shared) const;
//
// all CAFFE_BLOCK_HD, t < kThreads. Load fills a stage of kStageFloats with copy_async;
// the stage of step + 1 is filled while that of `step` is used, so kSharedFloats is at
// least twice kStageFloats. After the last step Put may overwrite all shared memory, and
// Finish reads it. On the simulated device shared memory is NaN at first.
#ifndef CAFFE_DEVICE_LAUNCH_BLOCKS_HPP_
#define CAFFE_DEVICE_LAUNCH_BLOCKS_HPP_

#include <cstdlib>

#include "caffe/device/launch.hpp"

#ifdef __CUDACC__
#include <cuda_pipeline.h>
#define CAFFE_BLOCK_HD __host__ __device__ __forceinline__
#define CAFFE_UNROLL _Pragma("unroll")
#define CAFFE_UNROLL_TWICE _Pragma("unroll 2")
#else
#include <algorithm>
#include <limits>
#include <vector>
#define CAFFE_BLOCK_HD inline
#define CAFFE_UNROLL
#define CAFFE_UNROLL_TWICE
#endif

namespace caffe {
namespace device {

/// Where a block stands in the grid.
struct Block {
  int x, y, z;
};

/// Blocks in each direction; at most 65535 in y and z.
struct Grid {
  int x, y, z;
};

/// True if CAFFE_PLAIN_KERNELS=1 is in the environment: only kernels over an index run,
/// for a comparison.
inline bool plain_kernels() {
  const char* value = std::getenv("CAFFE_PLAIN_KERNELS");
  return value != nullptr && value[0] == '1';
}

/// *to = valid ? *from : 0, done when the stage is used. `from` must be an address of the
/// array even where nothing is read.
CAFFE_BLOCK_HD void copy_async(float* to, const float* from, bool valid) {
#ifdef __CUDA_ARCH__
  __pipeline_memcpy_async(to, from, 4, valid ? 0 : 4);
#else
  *to = valid ? *from : 0.f;
#endif
}

/// Four numbers, 16-byte aligned.
CAFFE_BLOCK_HD void load4(const float* from, float* to) {
#ifdef __CUDA_ARCH__
  const float4 value = *reinterpret_cast<const float4*>(from);
  to[0] = value.x;
  to[1] = value.y;
  to[2] = value.z;
  to[3] = value.w;
#else
  for (int k = 0; k < 4; ++k) to[k] = from[k];
#endif
}
CAFFE_BLOCK_HD void store4(const float* from, float* to) {
#ifdef __CUDA_ARCH__
  *reinterpret_cast<float4*>(to) = make_float4(from[0], from[1], from[2], from[3]);
#else
  for (int k = 0; k < 4; ++k) to[k] = from[k];
#endif
}

#ifdef __CUDACC__
template <typename Kernel>
__global__ void __launch_bounds__(Kernel::kThreads) run_blocks(const Kernel kernel) {
  extern __shared__ float4 block_memory[];
  float* shared = reinterpret_cast<float*>(block_memory);
  const Block block = {static_cast<int>(blockIdx.x), static_cast<int>(blockIdx.y),
                       static_cast<int>(blockIdx.z)};
  const int t = static_cast<int>(threadIdx.x);
  typename Kernel::Thread thread;
  kernel.Begin(block, t, &thread);
  const int steps = kernel.Steps(block);
  if (steps > 0) kernel.Load(block, t, thread, 0, shared);
  __pipeline_commit();
  for (int step = 0; step < steps; ++step) {
    if (step + 1 < steps) {
      kernel.Load(block, t, thread, step + 1,
                  shared + (step + 1) % 2 * Kernel::kStageFloats);
    }
    __pipeline_commit();
    __pipeline_wait_prior(1);
    __syncthreads();
    kernel.Step(block, t, step, shared + step % 2 * Kernel::kStageFloats, &thread);
    __syncthreads();
  }
  kernel.Put(block, t, thread, shared);
  __syncthreads();
  kernel.Finish(block, t, thread, shared);
}
#else
template <typename Kernel>
void run_blocks(const Grid& grid, const Kernel& kernel) {
  using Thread = typename Kernel::Thread;
  std::vector<float> shared(Kernel::kSharedFloats);
  std::vector<Thread> threads(Kernel::kThreads);
  for (int i = 0; i < grid.x * grid.y * grid.z; ++i) {
    const Block block = {i % grid.x, i / grid.x % grid.y, i / grid.x / grid.y};
    const auto each = [&](const auto& stretch) {
      for (int t = 0; t < Kernel::kThreads; ++t) stretch(t, &threads[t]);
    };
    std::fill(shared.begin(), shared.end(), std::numeric_limits<float>::quiet_NaN());
    each([&](int t, Thread* thread) { kernel.Begin(block, t, thread); });
    const int steps = kernel.Steps(block);
    const auto load = [&](int step) {
      if (step >= steps) return;
      float* stage = shared.data() + step % 2 * Kernel::kStageFloats;
      each([&](int t, Thread* thread) { kernel.Load(block, t, *thread, step, stage); });
    };
    load(0);
    for (int step = 0; step < steps; ++step) {
      load(step + 1);
      const float* stage = shared.data() + step % 2 * Kernel::kStageFloats;
      each([&](int t, Thread* thread) { kernel.Step(block, t, step, stage, thread); });
    }
    each([&](int t, Thread* thread) { kernel.Put(block, t, *thread, shared.data()); });
    each([&](int t, Thread* thread) { kernel.Finish(block, t, *thread, shared.data()); });
  }
}
#endif

/// Whether the device can run the kernel on that grid.
template <typename Kernel>
bool can_launch_blocks(const Grid& grid) {
#ifdef __CUDACC__
  int device_id = 0, most_bytes = 0;
  cudaGetDevice(&device_id);
  cudaDeviceGetAttribute(&most_bytes, cudaDevAttrMaxSharedMemoryPerBlockOptin, device_id);
  if (Kernel::kSharedFloats * static_cast<int>(sizeof(float)) > most_bytes) return false;
#endif
  return grid.y <= 65535 && grid.z <= 65535;
}

}  // namespace device

template <typename Kernel>
void launch_blocks(const device::Grid& grid, const Kernel& kernel) {
  static_assert(Kernel::kSharedFloats >= 2 * Kernel::kStageFloats, "two stages");
  if (grid.x <= 0 || grid.y <= 0 || grid.z <= 0) return;
#ifdef __CUDACC__
  static_assert(sizeof(Kernel) <= 4096, "a kernel's body holds at most 4 kB");
  constexpr int bytes = Kernel::kSharedFloats * static_cast<int>(sizeof(float));
  if (bytes > 48 * 1024) {
    cudaFuncSetAttribute(device::run_blocks<Kernel>,
                         cudaFuncAttributeMaxDynamicSharedMemorySize, bytes);
  }
  const dim3 blocks(grid.x, grid.y, grid.z);
  device::run_blocks<Kernel>
      <<<blocks, Kernel::kThreads, bytes, device::stream()>>>(kernel);
  device::check_launch(__FILE__, __LINE__);
#else
  device::check_body(kernel);
  device::submit([grid, kernel] { device::run_blocks(grid, kernel); });
#endif
}

}  // namespace caffe

#endif  // CAFFE_DEVICE_LAUNCH_BLOCKS_HPP_

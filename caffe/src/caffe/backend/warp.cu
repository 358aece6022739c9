// Warping on the device: forward, and the flow's gradient.
#include "caffe/backend/warp.hpp"
#include "caffe/device/launch_blocks.hpp"
#include "warp_planes.hpp"

namespace caffe {

namespace {

template <typename Dtype>
CAFFE_HD Dtype weighted(const Dtype* plane, const int* index, const Dtype* weight) {
  return (weight[0] * plane[index[0]] + weight[1] * plane[index[1]]) +
         (weight[2] * plane[index[2]] + weight[3] * plane[index[3]]);
}

template <typename Dtype>
struct WarpForward {
  WarpPlanes<Dtype> planes;
  Dtype fill;
  const Dtype* image;
  Dtype* top;

  CAFFE_HD void operator()(int i) const {
    const WarpPlace at = planes.OutPlace(i);
    const std::int64_t plane = std::int64_t{at.n} * planes.channels + at.first;
    const int count = planes.channels - at.first;
    const Dtype* from = image + plane * planes.pixels();
    Dtype* to = top + plane * planes.out_pixels() + at.pixel;
    const WarpSample<Dtype> s = planes.sample(at.n, at.pixel);
    Dtype value[kWarpChannels];
    for (int c = 0; c < kWarpChannels; ++c, from += planes.pixels()) {
      value[c] = s.inside && c < count ? weighted(from, s.index, s.weight) : fill;
    }
    for (int c = 0; c < kWarpChannels; ++c, to += planes.out_pixels()) {
      if (c < count) *to = value[c];
    }
  }
};

/// One output pixel's derivatives by u and v.
template <typename Dtype>
struct WarpSlopes {
  WarpPlanes<Dtype> planes;
  const Dtype *image, *top_diff;
  Dtype* flow_diff;

  CAFFE_HD void operator()(int i) const {
    const int n = planes.OutImage(i), o = i - n * planes.out_pixels();
    const WarpSample<Dtype> s = planes.sample(n, o);
    Dtype u = 0, v = 0;
    for (int c = 0; s.inside && c < planes.channels; ++c) {
      const std::int64_t plane = std::int64_t{n} * planes.channels + c;
      const Dtype* from = image + plane * planes.pixels();
      const Dtype slope = top_diff[plane * planes.out_pixels() + o];
      u += slope * weighted(from, s.u_index, s.u_weight);
      v += slope * weighted(from, s.v_index, s.v_weight);
    }
    Dtype* to = flow_diff + std::int64_t{n} * 2 * planes.out_pixels() + o;
    to[0] = u;
    to[planes.out_pixels()] = v;
  }
};

/// The same by blocks of 32 output pixels: each warp sums some of the channels.
struct WarpSlopesBlock {
  static constexpr int kPixels = 32, kParts = 8, kThreads = kPixels * kParts;
  static constexpr int kStageFloats = 0, kSharedFloats = 2 * kThreads;

  WarpPlanes<float> planes;
  const float *image, *top_diff;
  float* flow_diff;

  struct Thread {
    float u, v;
  };

  device::Grid grid() const {
    return {(planes.out_pixels() + kPixels - 1) / kPixels, planes.num, 1};
  }
  CAFFE_BLOCK_HD void Begin(const device::Block& block, int t, Thread* thread) const {
    thread->u = thread->v = 0;
    const int o = block.x * kPixels + t % kPixels;
    if (o >= planes.out_pixels()) return;
    const WarpSample<float> s = planes.sample(block.y, o);
    if (!s.inside) return;
    for (int c = t / kPixels; c < planes.channels; c += kParts) {
      const std::int64_t plane = std::int64_t{block.y} * planes.channels + c;
      const float* from = image + plane * planes.pixels();
      const float slope = top_diff[plane * planes.out_pixels() + o];
      thread->u += slope * weighted(from, s.u_index, s.u_weight);
      thread->v += slope * weighted(from, s.v_index, s.v_weight);
    }
  }
  CAFFE_BLOCK_HD int Steps(const device::Block&) const { return 0; }
  CAFFE_BLOCK_HD void Load(const device::Block&, int, const Thread&, int, float*) const {}
  CAFFE_BLOCK_HD void Step(const device::Block&, int, int, const float*, Thread*) const {}
  CAFFE_BLOCK_HD void Put(const device::Block&, int t, const Thread& thread,
                          float* shared) const {
    shared[t] = thread.u;
    shared[kThreads + t] = thread.v;
  }
  /// The first warp sums up u, the second v.
  CAFFE_BLOCK_HD void Finish(const device::Block& block, int t, const Thread&,
                             const float* shared) const {
    const int o = block.x * kPixels + t % kPixels, axis = t / kPixels;
    if (axis > 1 || o >= planes.out_pixels()) return;
    float sum = 0;
    for (int part = 0; part < kParts; ++part) {
      sum += shared[axis * kThreads + part * kPixels + t % kPixels];
    }
    flow_diff[(std::int64_t{block.y} * 2 + axis) * planes.out_pixels() + o] = sum;
  }
};

/// False if nothing was done: few channels, or plain kernels wanted.
bool slopes_in_blocks(const WarpPlanes<float>& planes, const float* image,
                      const float* top_diff, float* flow_diff) {
  const bool few = planes.channels < 2 * WarpSlopesBlock::kParts;
  if (few || device::plain_kernels()) return false;
  const WarpSlopesBlock kernel = {planes, image, top_diff, flow_diff};
  if (!device::can_launch_blocks<WarpSlopesBlock>(kernel.grid())) return false;
  launch_blocks(kernel.grid(), kernel);
  return true;
}
bool slopes_in_blocks(const WarpPlanes<double>&, const double*, const double*, double*) {
  return false;
}

}  // namespace

template <typename Dtype>
void warp_forward_gpu(const WarpShape& shape, Dtype fill, const Blob<Dtype>& image,
                      const Blob<Dtype>& flow, Blob<Dtype>* top) {
  const WarpPlanes<Dtype> planes(shape, image, flow);
  launch(planes.num * planes.groups() * planes.out_pixels(),
         WarpForward<Dtype>{planes, fill, image.gpu_data(), top->mutable_gpu_data()});
}

template <typename Dtype>
void warp_backward_flow_gpu(const WarpShape& shape, const Blob<Dtype>& top,
                            const Blob<Dtype>& image, Blob<Dtype>* flow) {
  const WarpPlanes<Dtype> planes(shape, image, *flow);
  const Dtype *image_data = image.gpu_data(), *top_diff = top.gpu_diff();
  Dtype* flow_diff = flow->mutable_gpu_diff();
  if (slopes_in_blocks(planes, image_data, top_diff, flow_diff)) return;
  launch(planes.num * planes.out_pixels(),
         WarpSlopes<Dtype>{planes, image_data, top_diff, flow_diff});
}

#define INSTANTIATE_WARP_GPU(Dtype)                                           \
  template void warp_forward_gpu(const WarpShape&, Dtype, const Blob<Dtype>&, \
                                 const Blob<Dtype>&, Blob<Dtype>*);           \
  template void warp_backward_flow_gpu(const WarpShape&, const Blob<Dtype>&,  \
                                       const Blob<Dtype>&, Blob<Dtype>*)

INSTANTIATE_WARP_GPU(float);
INSTANTIATE_WARP_GPU(double);
#undef INSTANTIATE_WARP_GPU

}  // namespace caffe

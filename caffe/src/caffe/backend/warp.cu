// Warping on the device.
//
// The image's gradient is gathered: output pixels are listed by the pixel of their upper
// left corner, in ascending order, and each pixel of the image sums over the four lists
// that can reach it. So nothing is added in an order that chance decides.
#include "caffe/backend/warp.hpp"
#include "caffe/device/divisor.hpp"
#include "caffe/device/launch_blocks.hpp"
#include "caffe/device/scratch.hpp"

namespace caffe {

namespace {

/// Channels that a thread serves with the samples that it computes.
constexpr int kWarpChannels = 8;

/// A pixel of an image and the channels from `first` on, of one thread.
struct WarpPlace {
  int n, pixel, first;
};

/// Images, their channels in groups of kWarpChannels, and the flow's planes.
template <typename Dtype>
class WarpPlanes {
 public:
  WarpPlanes(const WarpShape& warp, const Blob<Dtype>& image, const Blob<Dtype>& by)
      : shape(warp),
        num(image.num()),
        channels(image.channels()),
        flow(by.gpu_data()),
        groups_((channels + kWarpChannels - 1) / kWarpChannels),
        pixels_(shape.height * shape.width),
        out_pixels_(shape.out_height * shape.out_width),
        width_(shape.width),
        out_width_(shape.out_width) {}

  const WarpShape shape;
  const int num, channels;
  const Dtype* const flow;

  CAFFE_HD int groups() const { return groups_.divisor(); }
  CAFFE_HD int pixels() const { return pixels_.divisor(); }
  CAFFE_HD int out_pixels() const { return out_pixels_.divisor(); }
  /// Thread i over images, groups of channels, pixels.
  CAFFE_HD WarpPlace Place(int i) const { return PlaceOf(i, pixels_); }
  CAFFE_HD WarpPlace OutPlace(int i) const { return PlaceOf(i, out_pixels_); }
  /// The image of output pixel i of all.
  CAFFE_HD int OutImage(int i) const { return out_pixels_.quotient(i); }
  /// Row of pixel p of an image.
  CAFFE_HD int row(int p) const { return width_.quotient(p); }
  /// Output pixel o of image n.
  CAFFE_HD WarpSample<Dtype> sample(int n, int o) const {
    const Dtype* u = flow + std::int64_t{n} * 2 * out_pixels() + o;
    const int y = out_width_.quotient(o), x = o - y * out_width_.divisor();
    return shape.sample(x, y, u[0], u[out_pixels()]);
  }

 private:
  CAFFE_HD WarpPlace PlaceOf(int i, const device::Divisor& pixels) const {
    const int rest = pixels.quotient(i), n = groups_.quotient(rest);
    return {n, i - rest * pixels.divisor(), (rest - n * groups()) * kWarpChannels};
  }

  device::Divisor groups_, pixels_, out_pixels_, width_, out_width_;
};

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

/// Lists of output pixels: those of image n whose first corner is pixel p begin at
/// head[n pixels + p], o is followed by next[n out_pixels + o]; -1 ends a list.
struct WarpLists {
  int *head, *next;
};

/// Makes the lists of one image, one output pixel after another.
template <typename Dtype>
struct LinkInOrder {
  WarpPlanes<Dtype> planes;
  WarpLists lists;

  CAFFE_HD void operator()(int n) const {
    int* head = lists.head + std::int64_t{n} * planes.pixels();
    int* next = lists.next + std::int64_t{n} * planes.out_pixels();
    for (int p = 0; p < planes.pixels(); ++p) head[p] = -1;
    for (int o = planes.out_pixels() - 1; o >= 0; --o) {
      const WarpSample<Dtype> s = planes.sample(n, o);
      if (!s.inside) continue;
      next[o] = head[s.index[0]];
      head[s.index[0]] = o;
    }
  }
};

/// The same from all output pixels at once, on empty lists; the order is left to chance.
template <typename Dtype>
struct LinkInAnyOrder {
  WarpPlanes<Dtype> planes;
  WarpLists lists;

  CAFFE_HD void operator()(int i) const {
    const int n = planes.OutImage(i), o = i - n * planes.out_pixels();
    const WarpSample<Dtype> s = planes.sample(n, o);
    if (!s.inside) return;
    int* head = lists.head + std::int64_t{n} * planes.pixels() + s.index[0];
#ifdef __CUDA_ARCH__
    lists.next[i] = atomicExch(head, o);
#else
    lists.next[i] = *head;
    *head = o;
#endif
  }
};

/// Brings list i into ascending order: runs of 1, 2, 4, ... are merged, two at a time.
struct SortList {
  WarpLists lists;
  device::Divisor pixels;
  int out_pixels;

  CAFFE_HD void operator()(int i) const {
    int list = lists.head[i];
    int* next = lists.next + std::int64_t{pixels.quotient(i)} * out_pixels;
    if (list < 0 || next[list] < 0) return;
    for (int length = 1;; length *= 2) {
      const int merges = MergeRuns(length, next, &list);
      if (merges <= 1) break;
    }
    lists.head[i] = list;
  }

  /// Merges neighbouring runs of a length throughout a list; how many pairs there were.
  CAFFE_HD static int MergeRuns(int length, int* next, int* list) {
    int merges = 0, first = *list, tail = -1;
    while (first >= 0) {
      ++merges;
      int second = first, firsts = 0, seconds = length;
      while (firsts < length && second >= 0) {
        ++firsts;
        second = next[second];
      }
      while (firsts > 0 || (seconds > 0 && second >= 0)) {
        const bool take_first =
            firsts > 0 && (seconds == 0 || second < 0 || first < second);
        const int taken = take_first ? first : second;
        if (take_first) {
          first = next[first];
          --firsts;
        } else {
          second = next[second];
          --seconds;
        }
        if (tail < 0) {
          *list = taken;
        } else {
          next[tail] = taken;
        }
        tail = taken;
      }
      first = second;
    }
    next[tail] = -1;
    return merges;
  }
};

/// One pixel of the image, kWarpChannels channels.
template <typename Dtype>
struct WarpGather {
  WarpPlanes<Dtype> planes;
  WarpLists lists;
  const Dtype* top_diff;
  Dtype* diff;

  CAFFE_HD void operator()(int i) const {
    const WarpPlace at = planes.Place(i);
    const int n = at.n, p = at.pixel, count = planes.channels - at.first;
    const std::int64_t plane = std::int64_t{n} * planes.channels + at.first;
    const Dtype* from = top_diff + plane * planes.out_pixels();
    const int* head = lists.head + std::int64_t{n} * planes.pixels();
    const int* next = lists.next + std::int64_t{n} * planes.out_pixels();
    const int width = planes.shape.width, y = planes.row(p), x = p - y * width;
    int begin[4];
    begin[0] = x > 0 && y > 0 ? head[p - width - 1] : -1;
    begin[1] = y > 0 ? head[p - width] : -1;
    begin[2] = x > 0 ? head[p - 1] : -1;
    begin[3] = head[p];
    Dtype sum[kWarpChannels] = {};
    for (int list = 0; list < 4; ++list) {
      for (int o = begin[list]; o >= 0; o = next[o]) {
        const WarpSample<Dtype> s = planes.sample(n, o);
        Dtype weight = 0;
        for (int k = 0; k < 4; ++k) weight += s.index[k] == p ? s.weight[k] : Dtype(0);
        if (weight == 0) continue;
        const Dtype* g = from + o;
        for (int c = 0; c < kWarpChannels; ++c, g += planes.out_pixels()) {
          if (c < count) sum[c] += weight * *g;
        }
      }
    }
    for (int c = 0; c < kWarpChannels; ++c) {
      if (c < count) diff[(plane + c) * planes.pixels() + p] = sum[c];
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
void warp_backward_image_gpu(const WarpShape& shape, const Blob<Dtype>& top,
                             const Blob<Dtype>& flow, Blob<Dtype>* image) {
  const WarpPlanes<Dtype> planes(shape, *image, flow);
  const int cells = planes.num * planes.pixels();
  const device::Scratch memory(sizeof(int) *
                               (cells + std::size_t(planes.num) * planes.out_pixels()));
  const WarpLists lists = {memory.as<int>(), memory.as<int>() + cells};
  if (device::plain_kernels()) {
    launch(planes.num, LinkInOrder<Dtype>{planes, lists});
  } else {
    launch_fill(cells, -1, lists.head);
    launch(planes.num * planes.out_pixels(), LinkInAnyOrder<Dtype>{planes, lists});
    launch(cells, SortList{lists, device::Divisor(planes.pixels()), planes.out_pixels()});
  }
  launch(planes.groups() * cells,
         WarpGather<Dtype>{planes, lists, top.gpu_diff(), image->mutable_gpu_diff()});
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
  template void warp_backward_image_gpu(const WarpShape&, const Blob<Dtype>&, \
                                        const Blob<Dtype>&, Blob<Dtype>*);    \
  template void warp_backward_flow_gpu(const WarpShape&, const Blob<Dtype>&,  \
                                       const Blob<Dtype>&, Blob<Dtype>*)

INSTANTIATE_WARP_GPU(float);
INSTANTIATE_WARP_GPU(double);
#undef INSTANTIATE_WARP_GPU

}  // namespace caffe

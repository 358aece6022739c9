// The image's gradient of warping on the device; no floating-point numbers are added in
// an order that chance decides.
//
// Of many channels it is gathered: output pixels are listed by the pixel of their upper
// left corner, in ascending order, and each pixel of the image sums over the four lists
// that can reach it. Of few channels, for which making lists takes longest, output pixels
// add their shares as whole numbers, whose sum does not depend on the order.
#include "caffe/backend/warp.hpp"
#include "caffe/device/launch_blocks.hpp"
#include "caffe/device/scratch.hpp"
#include "warp_planes.hpp"

namespace caffe {

namespace {

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

/// Shares of a plane are counted in units of 1 / scale, a power of two: the sum of all
/// its top's diffs is below 2^62 units, and one unit below 2^-60 of it.
struct PlaneScale {
  double scale, unit;
};

struct DiffSize {
  const float* top_diff;
  int out_pixels;
  CAFFE_HD double operator()(int plane, int i) const {
    return fabs(static_cast<double>(top_diff[std::int64_t{plane} * out_pixels + i]));
  }
};

/// A plane of zeros has scale 0; one whose diffs are not all finite gives NaN.
struct StoreScale {
  PlaneScale* scales;
  CAFFE_HD void operator()(int plane, double sum) const {
    const bool finite = sum - sum == 0;
    const int exponent = finite && sum > 0 ? 61 - ilogb(sum) : 0;
    const double size = finite ? (sum > 0 ? 1. : 0.) : NAN;
    scales[plane] = {size * scalbn(1., exponent), size * scalbn(1., -exponent)};
  }
};

/// One output pixel, kWarpChannels channels.
struct WarpScatter {
  WarpPlanes<float> planes;
  const PlaneScale* scales;
  const float* top_diff;
  long long* sums;

  CAFFE_HD void operator()(int i) const {
    const WarpPlace at = planes.OutPlace(i);
    const WarpSample<float> s = planes.sample(at.n, at.pixel);
    if (!s.inside) return;
    for (int c = at.first; c < planes.channels && c < at.first + kWarpChannels; ++c) {
      const std::int64_t plane = std::int64_t{at.n} * planes.channels + c;
      const double scale = scales[plane].scale;
      if (!(scale > 0)) continue;
      const float slope = top_diff[plane * planes.out_pixels() + at.pixel];
      for (int k = 0; k < 4; ++k) {
        const long long share = llrint(scale * (s.weight[k] * slope));
        Add(share, sums + plane * planes.pixels() + s.index[k]);
      }
    }
  }
  CAFFE_HD static void Add(long long value, long long* to) {
#ifdef __CUDA_ARCH__
    atomicAdd(reinterpret_cast<unsigned long long*>(to),
              static_cast<unsigned long long>(value));
#else
    *to += value;
#endif
  }
};

struct FromWholeNumbers {
  device::Divisor pixels;
  const PlaneScale* scales;
  const long long* sums;
  float* diff;

  CAFFE_HD void operator()(int i) const {
    diff[i] = static_cast<float>(static_cast<double>(sums[i]) *
                                 scales[pixels.quotient(i)].unit);
  }
};

/// False if nothing was done: many channels, or plain kernels wanted.
bool add_whole_numbers(const WarpPlanes<float>& planes, const float* top_diff,
                       Blob<float>* image) {
  if (planes.channels >= kWarpChannels || device::plain_kernels()) return false;
  const int count = image->count(), all = planes.num * planes.channels;
  const device::Scratch memory(sizeof(PlaneScale) * all +
                               sizeof(long long) * std::size_t(count));
  auto* scales = memory.as<PlaneScale>();
  auto* sums = reinterpret_cast<long long*>(scales + all);
  launch_row_sums<double>(all, planes.out_pixels(),
                          DiffSize{top_diff, planes.out_pixels()}, StoreScale{scales});
  launch_fill(count, 0LL, sums);
  launch(planes.num * planes.groups() * planes.out_pixels(),
         WarpScatter{planes, scales, top_diff, sums});
  launch(count, FromWholeNumbers{device::Divisor(planes.pixels()), scales, sums,
                                 image->mutable_gpu_diff()});
  return true;
}
bool add_whole_numbers(const WarpPlanes<double>&, const double*, Blob<double>*) {
  return false;
}

}  // namespace

template <typename Dtype>
void warp_backward_image_gpu(const WarpShape& shape, const Blob<Dtype>& top,
                             const Blob<Dtype>& flow, Blob<Dtype>* image) {
  const WarpPlanes<Dtype> planes(shape, *image, flow);
  if (add_whole_numbers(planes, top.gpu_diff(), image)) return;
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

#define INSTANTIATE_WARP_GRADIENT(Dtype)                                      \
  template void warp_backward_image_gpu(const WarpShape&, const Blob<Dtype>&, \
                                        const Blob<Dtype>&, Blob<Dtype>*)

INSTANTIATE_WARP_GRADIENT(float);
INSTANTIATE_WARP_GRADIENT(double);
#undef INSTANTIATE_WARP_GRADIENT

}  // namespace caffe

// Warping: the samples of a row of output pixels, then all planes by them.
#include "caffe/backend/warp.hpp"

#include <algorithm>
#include <vector>

#include "caffe/backend/planes.hpp"
#include "caffe/util/parallel_for.hpp"
#include "caffe/util/simd.hpp"
#include "warp_lanes.hpp"

namespace caffe {

namespace {

/// Corners of the samples of one row, each as an array over x.
template <typename Dtype>
struct Corners {
  std::vector<int> index[4];
  std::vector<Dtype> weight[4];

  void Resize(int width) {
    for (int k = 0; k < 4; ++k) {
      index[k].resize(width);
      weight[k].resize(width);
    }
  }
  void Set(int x, const int* from_index, const Dtype* from_weight) {
    for (int k = 0; k < 4; ++k) {
      index[k][x] = from_index[k];
      weight[k][x] = from_weight[k];
    }
  }
};

template <typename Dtype>
struct WarpRow {
  Corners<Dtype> value, u, v;
  std::vector<unsigned char> inside;
  bool all_inside = false;

  explicit WarpRow(int width) {
    value.Resize(width);
    inside.resize(width);
  }
  /// The samples of row y; `flow` points to image n's two planes.
  void Fill(const WarpShape& shape, const Dtype* flow, int y, bool slopes) {
    const Dtype* u_row = flow + std::int64_t{y} * shape.out_width;
    const Dtype* v_row = u_row + std::int64_t{shape.out_height} * shape.out_width;
    if (slopes && u.index[0].empty()) {
      u.Resize(shape.out_width);
      v.Resize(shape.out_width);
    }
    all_inside = true;
    for (int x = 0; x < shape.out_width; ++x) {
      const WarpSample<Dtype> s = shape.sample(x, y, u_row[x], v_row[x]);
      inside[x] = s.inside;
      all_inside = all_inside && s.inside;
      value.Set(x, s.index, s.weight);
      if (!slopes) continue;
      u.Set(x, s.u_index, s.u_weight);
      v.Set(x, s.v_index, s.v_weight);
    }
  }
};

// out[x] = sum of corners of `in`; lanes side by side.
template <typename Dtype, int kLanes>
CAFFE_ALWAYS_INLINE void gather_lanes(const Corners<Dtype>& corners, int width,
                                      const Dtype* in, Dtype* out) {
  const int *i0 = corners.index[0].data(), *i1 = corners.index[1].data();
  const int *i2 = corners.index[2].data(), *i3 = corners.index[3].data();
  const Dtype *w0 = corners.weight[0].data(), *w1 = corners.weight[1].data();
  const Dtype *w2 = corners.weight[2].data(), *w3 = corners.weight[3].data();
  if (kLanes == 1) {
#pragma omp simd
    for (int x = 0; x < width; ++x) {
      out[x] = (w0[x] * in[i0[x]] + w1[x] * in[i1[x]]) +
               (w2[x] * in[i2[x]] + w3[x] * in[i3[x]]);
    }
    return;
  }
  for (int x = 0; x < width; ++x) {
    const Dtype *a = in + std::int64_t{i0[x]} * kLanes,
                *b = in + std::int64_t{i1[x]} * kLanes;
    const Dtype *c = in + std::int64_t{i2[x]} * kLanes,
                *d = in + std::int64_t{i3[x]} * kLanes;
    Dtype* to = out + std::int64_t{x} * kLanes;
    const Dtype wa = w0[x], wb = w1[x], wc = w2[x], wd = w3[x];
#pragma omp simd
    for (int l = 0; l < kLanes; ++l)
      to[l] = (wa * a[l] + wb * b[l]) + (wc * c[l] + wd * d[l]);
  }
}

// in_diff[corner] += weight * out_diff[x], in the order of x.
template <typename Dtype, int kLanes>
CAFFE_ALWAYS_INLINE void scatter_lanes(const Corners<Dtype>& corners, int width,
                                       const Dtype* out_diff, Dtype* in_diff) {
  for (int x = 0; x < width; ++x) {
    const Dtype* from = out_diff + std::int64_t{x} * kLanes;
    for (int k = 0; k < 4; ++k) {
      const Dtype w = corners.weight[k][x];
      if (w == 0) continue;
      Dtype* to = in_diff + std::int64_t{corners.index[k][x]} * kLanes;
#pragma omp simd
      for (int l = 0; l < kLanes; ++l) to[l] += w * from[l];
    }
  }
}

// sum[x * kLanes + l] += out_diff * sum of corners of `in`.
template <typename Dtype, int kLanes>
CAFFE_ALWAYS_INLINE void slope_lanes(const Corners<Dtype>& corners, int width,
                                     const Dtype* in, const Dtype* out_diff, Dtype* sum) {
  const int *i0 = corners.index[0].data(), *i1 = corners.index[1].data();
  const int *i2 = corners.index[2].data(), *i3 = corners.index[3].data();
  const Dtype *w0 = corners.weight[0].data(), *w1 = corners.weight[1].data();
  const Dtype *w2 = corners.weight[2].data(), *w3 = corners.weight[3].data();
  if (kLanes == 1) {
#pragma omp simd
    for (int x = 0; x < width; ++x) {
      sum[x] += out_diff[x] * ((w0[x] * in[i0[x]] + w1[x] * in[i1[x]]) +
                               (w2[x] * in[i2[x]] + w3[x] * in[i3[x]]));
    }
    return;
  }
  for (int x = 0; x < width; ++x) {
    const Dtype *a = in + std::int64_t{i0[x]} * kLanes,
                *b = in + std::int64_t{i1[x]} * kLanes;
    const Dtype *c = in + std::int64_t{i2[x]} * kLanes,
                *d = in + std::int64_t{i3[x]} * kLanes;
    const Dtype* from = out_diff + std::int64_t{x} * kLanes;
    Dtype* to = sum + std::int64_t{x} * kLanes;
    const Dtype wa = w0[x], wb = w1[x], wc = w2[x], wd = w3[x];
#pragma omp simd
    for (int l = 0; l < kLanes; ++l) {
      to[l] += from[l] * ((wa * a[l] + wb * b[l]) + (wc * c[l] + wd * d[l]));
    }
  }
}

// The instruction set is chosen for whole functions that are no templates.
#define DEFINE_WARP_ROWS(Dtype)                                                          \
  CAFFE_SIMD_CLONES void gather_row(const Corners<Dtype>& corners, int lanes, int width, \
                                    const Dtype* in, Dtype* out) {                       \
    if (lanes == 16) return gather_lanes<Dtype, 16>(corners, width, in, out);            \
    if (lanes == 8) return gather_lanes<Dtype, 8>(corners, width, in, out);              \
    gather_lanes<Dtype, 1>(corners, width, in, out);                                     \
  }                                                                                      \
  CAFFE_SIMD_CLONES void scatter_row(const Corners<Dtype>& corners, int lanes,           \
                                     int width, const Dtype* out_diff, Dtype* in_diff) { \
    if (lanes == 16) return scatter_lanes<Dtype, 16>(corners, width, out_diff, in_diff); \
    if (lanes == 8) return scatter_lanes<Dtype, 8>(corners, width, out_diff, in_diff);   \
    scatter_lanes<Dtype, 1>(corners, width, out_diff, in_diff);                          \
  }                                                                                      \
  CAFFE_SIMD_CLONES void slope_row(const Corners<Dtype>& corners, int lanes, int width,  \
                                   const Dtype* in, const Dtype* out_diff, Dtype* sum) { \
    if (lanes == 16) return slope_lanes<Dtype, 16>(corners, width, in, out_diff, sum);   \
    if (lanes == 8) return slope_lanes<Dtype, 8>(corners, width, in, out_diff, sum);     \
    slope_lanes<Dtype, 1>(corners, width, in, out_diff, sum);                            \
  }

DEFINE_WARP_ROWS(float)
DEFINE_WARP_ROWS(double)
#undef DEFINE_WARP_ROWS

std::int64_t grain(std::int64_t work_per_item) {
  return std::max<std::int64_t>(1, (1 << 14) / std::max<std::int64_t>(1, work_per_item));
}

std::int64_t flow_size(const WarpShape& shape) {
  return std::int64_t{2} * shape.out_height * shape.out_width;
}

// Outside pixels become `fill`; lanes beyond the last channel stay zero.
template <typename Dtype>
void fill_outside(const WarpRow<Dtype>& row, Dtype fill, int lanes, int used,
                  Dtype* out) {
  for (std::size_t x = 0; x < row.inside.size(); ++x) {
    if (row.inside[x]) continue;
    std::fill_n(out + x * lanes, used, fill);
    std::fill_n(out + x * lanes + used, lanes - used, Dtype(0));
  }
}

}  // namespace

template <typename Dtype>
void warp_forward(const WarpShape& shape, Dtype fill, const Blob<Dtype>& image,
                  const Blob<Dtype>& flow, Blob<Dtype>* top) {
  const bool blocked = prefers_blocks(image, *image.data());
  if (!blocked && warp_fills_lanes<Dtype>(image.channels())) {
    return warp_forward_lanes(shape, fill, image, flow, top);
  }
  const Planes<const Dtype> in = read_planes(image, image.data().get(), blocked);
  const Planes<Dtype> out = write_planes(*top, top->data().get(), blocked);
  const Dtype* flow_data = flow.cpu_data();
  const int lanes = in.lanes, channels = image.channels();
  const std::int64_t groups = in.planes / image.num();
  const std::int64_t in_plane = std::int64_t{shape.height} * shape.width * lanes;
  const std::int64_t out_row = std::int64_t{shape.out_width} * lanes;
  const std::int64_t rows = std::int64_t{image.num()} * shape.out_height;
  parallel_ranges(
      rows, grain(4 * groups * out_row), [&](std::int64_t begin, std::int64_t end) {
        WarpRow<Dtype> row(shape.out_width);
        for (std::int64_t i = begin; i < end; ++i) {
          const std::int64_t n = i / shape.out_height, y = i % shape.out_height;
          row.Fill(shape, flow_data + n * flow_size(shape), static_cast<int>(y), false);
          for (std::int64_t g = 0; g < groups; ++g) {
            Dtype* to = out.data + ((n * groups + g) * shape.out_height + y) * out_row;
            gather_row(row.value, lanes, shape.out_width,
                       in.data + (n * groups + g) * in_plane, to);
            if (row.all_inside) continue;
            const int used =
                static_cast<int>(std::min<std::int64_t>(lanes, channels - g * lanes));
            fill_outside(row, fill, lanes, used, to);
          }
        }
      });
}

namespace {

template <typename Dtype>
void backward_image(const WarpShape& shape, const Blob<Dtype>& top,
                    const Blob<Dtype>& flow, Blob<Dtype>* image) {
  const bool blocked = prefers_blocks(top, *top.diff());
  const Planes<const Dtype> from = read_planes(top, top.diff().get(), blocked);
  const Planes<Dtype> to = write_planes(*image, image->diff().get(), blocked);
  const Dtype* flow_data = flow.cpu_data();
  const std::int64_t groups = to.planes / image->num();
  const std::int64_t in_plane = std::int64_t{shape.height} * shape.width * to.lanes;
  const std::int64_t out_row = std::int64_t{shape.out_width} * to.lanes;
  const std::int64_t out_plane = out_row * shape.out_height;
  // A plane belongs to one thread; the planes of one image that a thread has share the
  // samples.
  parallel_ranges(
      to.planes, grain(4 * out_plane), [&](std::int64_t begin, std::int64_t end) {
        WarpRow<Dtype> row(shape.out_width);
        std::fill(to.data + begin * in_plane, to.data + end * in_plane, Dtype(0));
        for (std::int64_t first = begin; first < end;) {
          const std::int64_t n = first / groups, last = std::min(end, (n + 1) * groups);
          for (int y = 0; y < shape.out_height; ++y) {
            row.Fill(shape, flow_data + n * flow_size(shape), y, false);
            for (std::int64_t plane = first; plane < last; ++plane) {
              scatter_row(row.value, to.lanes, shape.out_width,
                          from.data + plane * out_plane + y * out_row,
                          to.data + plane * in_plane);
            }
          }
          first = last;
        }
      });
}

template <typename Dtype>
void backward_flow(const WarpShape& shape, const Blob<Dtype>& top,
                   const Blob<Dtype>& image, Blob<Dtype>* flow) {
  const bool blocked = prefers_blocks(image, *image.data());
  const Planes<const Dtype> in = read_planes(image, image.data().get(), blocked);
  const Planes<const Dtype> from = read_planes(top, top.diff().get(), blocked);
  const Dtype* flow_data = flow->cpu_data();
  Dtype* flow_diff = flow->mutable_cpu_diff();
  const int lanes = in.lanes;
  const std::int64_t groups = in.planes / image.num();
  const std::int64_t in_plane = std::int64_t{shape.height} * shape.width * lanes;
  const std::int64_t out_row = std::int64_t{shape.out_width} * lanes;
  const std::int64_t rows = std::int64_t{image.num()} * shape.out_height;
  parallel_ranges(
      rows, grain(8 * groups * out_row), [&](std::int64_t begin, std::int64_t end) {
        WarpRow<Dtype> row(shape.out_width);
        std::vector<Dtype> sum_u(out_row), sum_v(out_row);
        for (std::int64_t i = begin; i < end; ++i) {
          const std::int64_t n = i / shape.out_height, y = i % shape.out_height;
          row.Fill(shape, flow_data + n * flow_size(shape), static_cast<int>(y), true);
          std::fill(sum_u.begin(), sum_u.end(), Dtype(0));
          std::fill(sum_v.begin(), sum_v.end(), Dtype(0));
          for (std::int64_t g = 0; g < groups; ++g) {
            const Dtype* diff =
                from.data + ((n * groups + g) * shape.out_height + y) * out_row;
            const Dtype* plane = in.data + (n * groups + g) * in_plane;
            slope_row(row.u, lanes, shape.out_width, plane, diff, sum_u.data());
            slope_row(row.v, lanes, shape.out_width, plane, diff, sum_v.data());
          }
          Dtype* u_diff = flow_diff + n * flow_size(shape) + y * shape.out_width;
          Dtype* v_diff = u_diff + std::int64_t{shape.out_height} * shape.out_width;
          for (int x = 0; x < shape.out_width; ++x) {
            Dtype u = 0, v = 0;
            for (int l = 0; l < lanes; ++l) {
              u += sum_u[std::int64_t{x} * lanes + l];
              v += sum_v[std::int64_t{x} * lanes + l];
            }
            u_diff[x] = row.inside[x] ? u : Dtype(0);
            v_diff[x] = row.inside[x] ? v : Dtype(0);
          }
        }
      });
}

}  // namespace

template <typename Dtype>
void warp_backward(const WarpShape& shape, const Blob<Dtype>& top, bool image_wants_diff,
                   bool flow_wants_diff, Blob<Dtype>* image, Blob<Dtype>* flow) {
  const bool blocked =
      prefers_blocks(*image, *image->data()) || prefers_blocks(top, *top.diff());
  if (!blocked && warp_fills_lanes<Dtype>(image->channels())) {
    const bool slopes = flow_wants_diff && shape.rule == WarpRule::kFlowWarp;
    if (image_wants_diff || slopes) {
      warp_backward_lanes(shape, top, image_wants_diff, slopes, image, flow);
    }
    if (flow_wants_diff && !slopes) backward_flow(shape, top, *image, flow);
    return;
  }
  if (image_wants_diff) backward_image(shape, top, *flow, image);
  if (flow_wants_diff) backward_flow(shape, top, *image, flow);
}

#define INSTANTIATE_WARP(Dtype)                                                 \
  template void warp_forward(const WarpShape&, Dtype, const Blob<Dtype>&,       \
                             const Blob<Dtype>&, Blob<Dtype>*);                 \
  template void warp_backward(const WarpShape&, const Blob<Dtype>&, bool, bool, \
                              Blob<Dtype>*, Blob<Dtype>*)

INSTANTIATE_WARP(float);
INSTANTIATE_WARP(double);
#undef INSTANTIATE_WARP

}  // namespace caffe

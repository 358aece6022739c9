// Resizing of planes: a row of the input's columns first, then the columns.
#include "caffe/backend/resample.hpp"

#include <algorithm>

#include "caffe/util/parallel_for.hpp"
#include "caffe/util/simd.hpp"

namespace caffe {

template <typename Dtype>
void ResampleTaps<Dtype>::FindRuns() {
  for (int o = 1; o <= out; ++o) {
    if (o == out || length[o] != length[o - 1]) runs.push_back(o);
  }
}

template <typename Dtype>
ResampleTaps<Dtype> ResampleTaps<Dtype>::Of(
    int in, const std::vector<int>& first,
    const std::vector<std::vector<double>>& weights) {
  ResampleTaps taps;
  taps.in = in;
  taps.out = static_cast<int>(first.size());
  taps.first = first;
  for (const std::vector<double>& row : weights) {
    taps.length.push_back(static_cast<int>(row.size()));
    taps.most = std::max(taps.most, taps.length.back());
  }
  taps.weight.assign(static_cast<std::size_t>(taps.most) * taps.out, 0);
  for (int o = 0; o < taps.out; ++o) {
    std::copy(weights[o].begin(), weights[o].end(),
              taps.weight.begin() + static_cast<std::ptrdiff_t>(o) * taps.most);
  }
  taps.FindRuns();
  return taps;
}

template <typename Dtype>
ResampleTaps<Dtype> ResampleTaps<Dtype>::Make(const ResampleAxis& axis) {
  std::vector<int> firsts;
  std::vector<std::vector<double>> weights(axis.out);
  for (int o = 0; o < axis.out; ++o) {
    int first = axis.first(o), last = axis.last(o);
    while (first < last && axis.weight(o, first) == 0) ++first;
    while (last > first && axis.weight(o, last) == 0) --last;
    double sum = 0;
    for (int p = first; p <= last; ++p) {
      weights[o].push_back(axis.weight(o, p));
      sum += weights[o].back();
    }
    for (double& weight : weights[o]) weight /= sum;
    firsts.push_back(first);
  }
  return Of(axis.in, firsts, weights);
}

template <typename Dtype>
ResampleTaps<Dtype> ResampleTaps<Dtype>::Transposed() const {
  // Both ends of an output's taps move in one direction, so the outputs of a pixel are
  // contiguous; between them an output without this pixel has the weight 0.
  ResampleTaps taps;
  taps.in = out;
  taps.out = in;
  std::vector<int> last(in, -1);
  taps.first.assign(in, 0);
  for (int o = 0; o < out; ++o) {
    for (int p = first[o]; p < first[o] + length[o]; ++p) {
      if (last[p] < 0) taps.first[p] = o;
      last[p] = o;
    }
  }
  taps.length.resize(in);
  for (int p = 0; p < in; ++p) {
    taps.length[p] = last[p] < 0 ? 0 : last[p] - taps.first[p] + 1;
    taps.most = std::max(taps.most, taps.length[p]);
  }
  taps.weight.assign(static_cast<std::size_t>(taps.most) * in, 0);
  for (int o = 0; o < out; ++o) {
    for (int k = 0; k < length[o]; ++k) {
      const int p = first[o] + k;
      taps.weight[static_cast<std::size_t>(p) * taps.most + o - taps.first[p]] =
          weight[static_cast<std::size_t>(o) * most + k];
    }
  }
  taps.FindRuns();
  return taps;
}

namespace {

// line = sum_k weight[k] * rows[k], rows `stride` apart.
template <typename Dtype>
CAFFE_ALWAYS_INLINE void combine_rows_impl(const Dtype* weight, int taps,
                                           const Dtype* rows, std::int64_t stride,
                                           std::int64_t n, Dtype* line) {
  const Dtype w0 = weight[0];
  if (taps == 1) {
#pragma omp simd
    for (std::int64_t i = 0; i < n; ++i) line[i] = w0 * rows[i];
    return;
  }
  const Dtype w1 = weight[1];
  const Dtype* second = rows + stride;
#pragma omp simd
  for (std::int64_t i = 0; i < n; ++i) line[i] = w0 * rows[i] + w1 * second[i];
  for (int k = 2; k < taps; ++k) {
    const Dtype w = weight[k];
    const Dtype* row = rows + k * stride;
#pragma omp simd
    for (std::int64_t i = 0; i < n; ++i) line[i] += w * row[i];
  }
}

template <typename Dtype, int kLanes>
CAFFE_ALWAYS_INLINE void columns_of_lanes(const ResampleTaps<Dtype>& taps,
                                          const Dtype* line, Dtype* out) {
  const int* first = taps.first.data();
  const int* length = taps.length.data();
  const Dtype* weight = taps.weight.data();
  for (int o = 0; o < taps.out; ++o, weight += taps.most) {
    Dtype sum[kLanes] = {};
    const Dtype* from = line + std::int64_t{first[o]} * kLanes;
    for (int k = 0; k < length[o]; ++k) {
      const Dtype w = weight[k];
      for (int c = 0; c < kLanes; ++c) sum[c] += w * from[k * kLanes + c];
    }
    for (int c = 0; c < kLanes; ++c) out[std::int64_t{o} * kLanes + c] = sum[c];
  }
}

template <typename Dtype>
CAFFE_ALWAYS_INLINE void columns_plain(const ResampleTaps<Dtype>& taps, const Dtype* line,
                                       Dtype* out) {
  const int* first = taps.first.data();
  const Dtype* weight = taps.weight.data();
  const int most = taps.most;
  int begin = 0;
  for (const int end : taps.runs) {
    const int length = taps.length[begin];
    if (length == 1) {
#pragma omp simd
      for (int o = begin; o < end; ++o) out[o] = weight[o * most] * line[first[o]];
    } else if (length == 2) {
#pragma omp simd
      for (int o = begin; o < end; ++o) {
        out[o] =
            weight[o * most] * line[first[o]] + weight[o * most + 1] * line[first[o] + 1];
      }
    } else {
      for (int o = begin; o < end; ++o) {
        Dtype sum = 0;
        for (int k = 0; k < length; ++k) sum += weight[o * most + k] * line[first[o] + k];
        out[o] = sum;
      }
    }
    begin = end;
  }
}

// The instruction set is chosen for whole functions that are no templates.
#define DEFINE_RESAMPLE_LINES(Dtype)                                                    \
  CAFFE_SIMD_CLONES void combine_rows(const Dtype* weight, int taps, const Dtype* rows, \
                                      std::int64_t stride, std::int64_t n,              \
                                      Dtype* line) {                                    \
    combine_rows_impl(weight, taps, rows, stride, n, line);                             \
  }                                                                                     \
  CAFFE_SIMD_CLONES void resample_columns(const ResampleTaps<Dtype>& taps, int lanes,   \
                                          const Dtype* line, Dtype* out) {              \
    if (lanes == 16) return columns_of_lanes<Dtype, 16>(taps, line, out);               \
    if (lanes == 8) return columns_of_lanes<Dtype, 8>(taps, line, out);                 \
    columns_plain<Dtype>(taps, line, out);                                              \
  }

DEFINE_RESAMPLE_LINES(float)
DEFINE_RESAMPLE_LINES(double)
#undef DEFINE_RESAMPLE_LINES

}  // namespace

template <typename Dtype>
void resample_planes(const ResampleTaps<Dtype>& rows, const ResampleTaps<Dtype>& columns,
                     Planes<const Dtype> in, Planes<Dtype> out) {
  const std::int64_t in_row = std::int64_t{columns.in} * in.lanes;
  const std::int64_t out_row = std::int64_t{columns.out} * in.lanes;
  const std::int64_t grain = std::max<std::int64_t>(
      1,
      (1 << 14) / std::max<std::int64_t>(1, in_row * rows.most + out_row * columns.most));
  parallel_ranges(in.planes * rows.out, grain, [&](std::int64_t begin, std::int64_t end) {
    std::vector<Dtype> line(in_row);
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t plane = i / rows.out;
      const int y = static_cast<int>(i % rows.out);
      Dtype* to = out.data + i * out_row;
      const int taps = rows.length[y];
      if (taps == 0) {
        std::fill_n(to, out_row, Dtype(0));
        continue;
      }
      const Dtype* weight = rows.weight.data() + static_cast<std::size_t>(y) * rows.most;
      const Dtype* from = in.data + (plane * rows.in + rows.first[y]) * in_row;
      if (taps > 1 || weight[0] != Dtype(1)) {
        combine_rows(weight, taps, from, in_row, in_row, line.data());
        from = line.data();
      }
      resample_columns(columns, in.lanes, from, to);
    }
  });
}

#define INSTANTIATE_RESAMPLE(Dtype)                                                     \
  template struct ResampleTaps<Dtype>;                                                  \
  template void resample_planes(const ResampleTaps<Dtype>&, const ResampleTaps<Dtype>&, \
                                Planes<const Dtype>, Planes<Dtype>)

INSTANTIATE_RESAMPLE(float);
INSTANTIATE_RESAMPLE(double);
#undef INSTANTIATE_RESAMPLE

}  // namespace caffe

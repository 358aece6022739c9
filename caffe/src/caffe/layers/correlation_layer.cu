// Correlation and Correlation1D on the device: any shape, and faster ones in blocks.
#include "caffe/backend/correlation_blocks.hpp"
#include "caffe/device/launch.hpp"
#include "caffe/layers/correlation_layer.hpp"

namespace caffe {

namespace {

/// One image's map, zero outside.
template <typename Dtype>
struct PaddedMap {
  const Dtype* data;
  int height, width;

  CAFFE_HD bool inside(int y, int x) const {
    return y >= 0 && x >= 0 && y < height && x < width;
  }
  CAFFE_HD Dtype at(int c, int y, int x) const {
    return inside(y, x) ? data[(std::int64_t{c} * height + y) * width + x] : Dtype(0);
  }
};

/// One number of the top.
template <typename Dtype>
struct CorrelationOutput {
  CorrelationShape s;
  const Dtype *a, *b;
  Dtype* top;

  CAFFE_HD void operator()(int i) const {
    const int x = i % s.out_width, y = i / s.out_width % s.out_height;
    const int rest = i / s.out_width / s.out_height;
    const int q = rest % s.displacements(), n = rest / s.displacements();
    const int dy = s.displacement_y(q), dx = s.displacement_x(q);
    const std::int64_t image = std::int64_t{n} * s.channels * s.height * s.width;
    const PaddedMap<Dtype> first = {a + image, s.height, s.width};
    const PaddedMap<Dtype> second = {b + image, s.height, s.width};
    Dtype sum = 0;
    for (int window = 0; window < s.kernel * s.kernel; ++window) {
      const int py = s.window_y(y) + window / s.kernel;
      const int px = s.window_x(x) + window % s.kernel;
      const bool both = first.inside(py, px) && second.inside(py + dy, px + dx);
      if (!s.subtract && !both) continue;
      Dtype part = 0;
      for (int c = 0; c < s.channels; ++c) {
        const Dtype u = first.at(c, py, px), v = second.at(c, py + dy, px + dx);
        part += s.subtract ? (u < v ? v - u : u - v) : u * v;
      }
      sum += part;
    }
    top[i] = static_cast<Dtype>(s.scale()) * sum;
  }
};

/// One number of a bottom's diff: the other map lies `sign` times the displacement away.
template <typename Dtype>
struct CorrelationDiff {
  CorrelationShape s;
  int sign;  ///< +1 for the first bottom, -1 for the second
  const Dtype *self, *other, *top_diff;
  Dtype* diff;

  CAFFE_HD void operator()(int i) const {
    const int x = i % s.width, y = i / s.width % s.height;
    const int c = i / s.width / s.height % s.channels;
    const int n = i / s.width / s.height / s.channels;
    const PaddedMap<Dtype> map = {
        other + std::int64_t{n} * s.channels * s.height * s.width, s.height, s.width};
    Dtype sum = 0;
    for (int q = 0; q < s.displacements(); ++q) {
      const int dy = sign * s.displacement_y(q), dx = sign * s.displacement_x(q);
      if (!s.subtract && !map.inside(y + dy, x + dx)) continue;
      const Dtype value = map.at(c, y + dy, x + dx);
      const Dtype slope =
          s.subtract ? Dtype(self[i] > value) - Dtype(self[i] < value) : value;
      // The windows are those of the first bottom.
      const Dtype* plane = top_diff + (std::int64_t{n} * s.displacements() + q) *
                                          s.out_height * s.out_width;
      sum += slope * Windows(plane, sign > 0 ? y : y + dy, sign > 0 ? x : x + dx);
    }
    diff[i] = static_cast<Dtype>(s.scale()) * sum;
  }

  /// The top's diff, summed over the windows that cover a position.
  CAFFE_HD Dtype Windows(const Dtype* plane, int y, int x) const {
    const int end_y = s.end_output(y, s.origin_y, s.out_height);
    const int end_x = s.end_output(x, s.origin_x, s.out_width);
    Dtype sum = 0;
    for (int oy = s.first_output(y, s.origin_y); oy < end_y; ++oy) {
      for (int ox = s.first_output(x, s.origin_x); ox < end_x; ++ox) {
        sum += plane[std::int64_t{oy} * s.out_width + ox];
      }
    }
    return sum;
  }
};

}  // namespace

template <typename Dtype>
void CorrelationLayer<Dtype>::Forward_gpu(const vector<Blob<Dtype>*>& bottom,
                                          const vector<Blob<Dtype>*>& top) {
  if (bottom[0]->count() == 0) return;
  const Dtype *a = bottom[0]->gpu_data(), *b = bottom[1]->gpu_data();
  Dtype* out = top[0]->mutable_gpu_data();
  if (correlation_forward_in_blocks(shape_, bottom[0]->num(), a, b, out)) return;
  launch(top[0]->count(), CorrelationOutput<Dtype>{shape_, a, b, out});
}

template <typename Dtype>
void CorrelationLayer<Dtype>::Backward_gpu(const vector<Blob<Dtype>*>& top,
                                           const vector<bool>& propagate_down,
                                           const vector<Blob<Dtype>*>& bottom) {
  if (bottom[0]->count() == 0) return;
  for (int side = 0; side < 2; ++side) {
    if (!propagate_down[side]) continue;
    const Dtype *self = bottom[side]->gpu_data(), *other = bottom[1 - side]->gpu_data();
    const Dtype* top_diff = top[0]->gpu_diff();
    Dtype* diff = bottom[side]->mutable_gpu_diff();
    if (correlation_backward_in_blocks(shape_, bottom[0]->num(), side == 1, other,
                                       top_diff, diff)) {
      continue;
    }
    launch(bottom[side]->count(), CorrelationDiff<Dtype>{shape_, side == 0 ? 1 : -1, self,
                                                         other, top_diff, diff});
  }
}

INSTANTIATE_LAYER_GPU_FUNCS(CorrelationLayer);

}  // namespace caffe

// Downsample on the device.
#include <limits>

#include "caffe/device/launch.hpp"
#include "caffe/device/scratch.hpp"
#include "caffe/layers/downsample_layer.hpp"
#include "caffe/util/math_functions_gpu.hpp"

namespace caffe {

namespace {

template <typename Dtype>
void downsample(int count, const DownsampleAxis& rows, const DownsampleAxis& columns,
                const Dtype* in, Dtype* out) {
  const Dtype unknown = std::numeric_limits<Dtype>::quiet_NaN();
  launch(
      count, CAFFE_LAMBDA(int i) {
        const int x = i % columns.out, y = i / columns.out % rows.out;
        const int plane = i / columns.out / rows.out;
        const DownsampleSums sums = DownsampleSums::At(
            rows, columns, in + std::int64_t{plane} * rows.in * columns.in, y, x);
        out[i] = sums.is_known() ? static_cast<Dtype>(sums.value / sums.known) : unknown;
      });
}

/// share[o] = diff / (sum of known weights), 0 where the output is unknown.
template <typename Dtype>
void downsample_shares(int count, const DownsampleAxis& rows,
                       const DownsampleAxis& columns, const Dtype* in, const Dtype* diff,
                       double* share) {
  launch(
      count, CAFFE_LAMBDA(int i) {
        const int x = i % columns.out, y = i / columns.out % rows.out;
        const int plane = i / columns.out / rows.out;
        const DownsampleSums sums = DownsampleSums::At(
            rows, columns, in + std::int64_t{plane} * rows.in * columns.in, y, x);
        share[i] = sums.is_known() ? diff[i] / sums.known : 0;
      });
}

template <typename Dtype>
void downsample_gather(int count, const DownsampleAxis& rows,
                       const DownsampleAxis& columns, const Dtype* in,
                       const double* share, Dtype* diff) {
  launch(
      count, CAFFE_LAMBDA(int i) {
        const int p = i % columns.in, s = i / columns.in % rows.in;
        const int plane = i / columns.in / rows.in;
        Dtype sum = 0;
        for (int y = rows.first_output(s); y <= rows.last_output(s); ++y) {
          if (s < rows.first(y) || s > rows.last(y)) continue;
          const double row_weight = rows.weight(y, s);
          for (int x = columns.first_output(p); x <= columns.last_output(p); ++x) {
            if (p < columns.first(x) || p > columns.last(x)) continue;
            const double from =
                share[(std::int64_t{plane} * rows.out + y) * columns.out + x];
            sum += static_cast<Dtype>(from * row_weight * columns.weight(x, p));
          }
        }
        diff[i] = in[i] == in[i] ? sum : 0;
      });
}

}  // namespace

template <typename Dtype>
void DownsampleLayer<Dtype>::Forward_gpu(const vector<Blob<Dtype>*>& bottom,
                                         const vector<Blob<Dtype>*>& top) {
  const int count = top[0]->count();
  const Dtype* in = bottom[0]->gpu_data();
  Dtype* out = top[0]->mutable_gpu_data();
  if (SameSize()) {
    caffe_gpu_memcpy(count * sizeof(Dtype), in, out);
    return;
  }
  downsample(count, rows_, columns_, in, out);
}

template <typename Dtype>
void DownsampleLayer<Dtype>::Backward_gpu(const vector<Blob<Dtype>*>& top,
                                          const vector<bool>& propagate_down,
                                          const vector<Blob<Dtype>*>& bottom) {
  if (bottom.size() > 1 && propagate_down[1]) {
    caffe_gpu_set(bottom[1]->count(), Dtype(0), bottom[1]->mutable_gpu_diff());
  }
  if (!propagate_down[0]) return;
  const int outputs = top[0]->count(), inputs = bottom[0]->count();
  const Dtype *in = bottom[0]->gpu_data(), *out_diff = top[0]->gpu_diff();
  Dtype* in_diff = bottom[0]->mutable_gpu_diff();
  if (SameSize()) {
    caffe_gpu_memcpy(outputs * sizeof(Dtype), out_diff, in_diff);
    return;
  }
  const device::Scratch share(outputs * sizeof(double));
  downsample_shares(outputs, rows_, columns_, in, out_diff, share.as<double>());
  downsample_gather(inputs, rows_, columns_, in, share.as<double>(), in_diff);
}

INSTANTIATE_LAYER_GPU_FUNCS(DownsampleLayer);

}  // namespace caffe

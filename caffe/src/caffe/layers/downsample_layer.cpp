// Downsample.
#include "caffe/layers/downsample_layer.hpp"

#include <cmath>
#include <limits>

#include "caffe/layers/idle_setting.hpp"
#include "caffe/layers/pixel_setting.hpp"
#include "caffe/util/math_functions.hpp"
#include "caffe/util/parallel_for.hpp"

namespace caffe {

template <typename Dtype>
void DownsampleLayer<Dtype>::LayerSetUp(const vector<Blob<Dtype>*>& bottom,
                                        const vector<Blob<Dtype>*>&) {
  const DownsampleParameter& param = this->layer_param_.downsample_param();
  CHECK_VALUE(bottom.size() > 1 || (param.top_height() > 0 && param.top_width() > 0))
      << "Downsample layer '" << this->layer_param_.name()
      << "': DownsampleLayer must have top_height > 0 and top_width > 0; set both in "
      << "downsample_param, or give a second bottom of the size wanted";
  const string where = "Downsample layer '" + this->layer_param_.name() + "': ";
  pixels_of(where, "downsample_param.top_height", param.top_height());
  pixels_of(where, "downsample_param.top_width", param.top_width());
  if (bottom.size() == 1) return;
  const string reason = "the second bottom gives the size";
  if (param.top_width() > 0) warn_idle(where, "downsample_param.top_width", reason);
  if (param.top_height() > 0) warn_idle(where, "downsample_param.top_height", reason);
}

template <typename Dtype>
void DownsampleLayer<Dtype>::Reshape(const vector<Blob<Dtype>*>& bottom,
                                     const vector<Blob<Dtype>*>& top) {
  const DownsampleParameter& param = this->layer_param_.downsample_param();
  for (const Blob<Dtype>* blob : bottom) {
    CHECK_VALUE(blob->num_axes() == 4 && blob->height() > 0 && blob->width() > 0)
        << "Downsample layer '" << this->layer_param_.name()
        << "' takes blobs (N, C, H, W), not " << blob->shape_string();
  }
  const bool like = bottom.size() > 1;
  rows_ = {bottom[0]->height(),
           like ? bottom[1]->height() : static_cast<int>(param.top_height())};
  columns_ = {bottom[0]->width(),
              like ? bottom[1]->width() : static_cast<int>(param.top_width())};
  top[0]->Reshape({bottom[0]->num(), bottom[0]->channels(), rows_.out, columns_.out});
}

template <typename Dtype>
void DownsampleLayer<Dtype>::Forward_cpu(const vector<Blob<Dtype>*>& bottom,
                                         const vector<Blob<Dtype>*>& top) {
  const Dtype* in = bottom[0]->cpu_data();
  Dtype* out = top[0]->mutable_cpu_data();
  if (SameSize()) {
    caffe_copy(top[0]->count(), in, out);
    return;
  }
  const std::int64_t in_plane = std::int64_t{rows_.in} * columns_.in;
  parallel_ranges(std::int64_t{top[0]->count(0, 2)} * rows_.out, 4,
                  [&](std::int64_t begin, std::int64_t end) {
                    for (std::int64_t i = begin; i < end; ++i) {
                      const Dtype* plane = in + i / rows_.out * in_plane;
                      const int y = static_cast<int>(i % rows_.out);
                      for (int x = 0; x < columns_.out; ++x) {
                        const auto sums =
                            DownsampleSums::At(rows_, columns_, plane, y, x);
                        out[i * columns_.out + x] =
                            sums.is_known() ? static_cast<Dtype>(sums.value / sums.known)
                                            : std::numeric_limits<Dtype>::quiet_NaN();
                      }
                    }
                  });
}

template <typename Dtype>
void DownsampleLayer<Dtype>::Backward_cpu(const vector<Blob<Dtype>*>& top,
                                          const vector<bool>& propagate_down,
                                          const vector<Blob<Dtype>*>& bottom) {
  if (bottom.size() > 1 && propagate_down[1]) {
    caffe_set(bottom[1]->count(), Dtype(0), bottom[1]->mutable_cpu_diff());
  }
  if (!propagate_down[0]) return;
  const Dtype *in = bottom[0]->cpu_data(), *out_diff = top[0]->cpu_diff();
  Dtype* in_diff = bottom[0]->mutable_cpu_diff();
  if (SameSize()) {
    caffe_copy(top[0]->count(), out_diff, in_diff);
    return;
  }
  caffe_set(bottom[0]->count(), Dtype(0), in_diff);
  const std::int64_t in_plane = std::int64_t{rows_.in} * columns_.in;
  const std::int64_t out_plane = std::int64_t{rows_.out} * columns_.out;
  parallel_ranges(bottom[0]->count(0, 2), 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t plane = begin; plane < end; ++plane) {
      const Dtype* x_data = in + plane * in_plane;
      Dtype* x_diff = in_diff + plane * in_plane;
      for (std::int64_t o = 0; o < out_plane; ++o) {
        const int y = static_cast<int>(o / columns_.out),
                  x = static_cast<int>(o % columns_.out);
        const auto sums = DownsampleSums::At(rows_, columns_, x_data, y, x);
        if (!sums.is_known()) continue;
        const double share = out_diff[plane * out_plane + o] / sums.known;
        for (int s = rows_.first(y); s <= rows_.last(y); ++s) {
          for (int p = columns_.first(x); p <= columns_.last(x); ++p) {
            const std::int64_t i = std::int64_t{s} * columns_.in + p;
            if (std::isnan(x_data[i])) continue;
            x_diff[i] +=
                static_cast<Dtype>(share * rows_.weight(y, s) * columns_.weight(x, p));
          }
        }
      }
    }
  });
}

INSTANTIATE_CLASS(DownsampleLayer);
REGISTER_LAYER_CLASS(Downsample);

}  // namespace caffe

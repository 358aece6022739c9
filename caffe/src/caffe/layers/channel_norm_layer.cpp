// ChannelNorm.
#include "caffe/layers/channel_norm_layer.hpp"

#include <cmath>

#include "caffe/util/parallel_for.hpp"

namespace caffe {

namespace {

constexpr std::int64_t kPiece = 1024;  // pixels whose sums stay in the first-level cache

/// Calls body(n, begin, end) for pieces of every image's pixels.
template <typename Body>
void for_each_piece(std::int64_t num, std::int64_t plane, const Body& body) {
  const std::int64_t pieces = (plane + kPiece - 1) / kPiece;
  parallel_ranges(num * pieces, 8, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t i = first; i < last; ++i) {
      const std::int64_t begin = i % pieces * kPiece;
      body(i / pieces, begin, std::min(plane, begin + kPiece));
    }
  });
}

}  // namespace

template <typename Dtype>
void ChannelNormLayer<Dtype>::Reshape(const vector<Blob<Dtype>*>& bottom,
                                      const vector<Blob<Dtype>*>& top) {
  CHECK_VALUE(bottom[0]->num_axes() == 4)
      << "ChannelNorm layer '" << this->layer_param_.name()
      << "' takes a bottom (N, C, H, W), not " << bottom[0]->shape_string();
  top[0]->Reshape({bottom[0]->num(), 1, bottom[0]->height(), bottom[0]->width()});
}

template <typename Dtype>
void ChannelNormLayer<Dtype>::Forward_cpu(const vector<Blob<Dtype>*>& bottom,
                                          const vector<Blob<Dtype>*>& top) {
  const int channels = bottom[0]->channels();
  const std::int64_t plane = bottom[0]->count(2);
  const Dtype* in = bottom[0]->cpu_data();
  Dtype* out = top[0]->mutable_cpu_data();
  for_each_piece(bottom[0]->num(), plane,
                 [=](std::int64_t n, std::int64_t begin, std::int64_t end) {
                   Dtype* y = out + n * plane;
                   std::fill(y + begin, y + end, Dtype(0));
                   for (int c = 0; c < channels; ++c) {
                     const Dtype* x = in + (n * channels + c) * plane;
                     for (std::int64_t i = begin; i < end; ++i) y[i] += x[i] * x[i];
                   }
                   for (std::int64_t i = begin; i < end; ++i) y[i] = std::sqrt(y[i]);
                 });
}

template <typename Dtype>
void ChannelNormLayer<Dtype>::Backward_cpu(const vector<Blob<Dtype>*>& top,
                                           const vector<bool>& propagate_down,
                                           const vector<Blob<Dtype>*>& bottom) {
  if (!propagate_down[0]) return;
  const int channels = bottom[0]->channels();
  const std::int64_t plane = bottom[0]->count(2);
  const Dtype *in = bottom[0]->cpu_data(), *out = top[0]->cpu_data();
  const Dtype* out_diff = top[0]->cpu_diff();
  Dtype* in_diff = bottom[0]->mutable_cpu_diff();
  for_each_piece(bottom[0]->num(), plane,
                 [=](std::int64_t n, std::int64_t begin, std::int64_t end) {
                   const Dtype *y = out + n * plane, *dy = out_diff + n * plane;
                   for (int c = 0; c < channels; ++c) {
                     const std::int64_t at = (n * channels + c) * plane;
                     for (std::int64_t i = begin; i < end; ++i) {
                       in_diff[at + i] = dy[i] * in[at + i] / (y[i] + Dtype(1e-9));
                     }
                   }
                 });
}

INSTANTIATE_CLASS(ChannelNormLayer);
REGISTER_LAYER_CLASS(ChannelNorm);

}  // namespace caffe

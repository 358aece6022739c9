// ChannelNorm on the device: a thread a pixel.
#include "caffe/device/launch.hpp"
#include "caffe/layers/channel_norm_layer.hpp"

namespace caffe {

namespace {

template <typename Dtype>
void channel_norm_forward(int pixels, int channels, int plane, const Dtype* x, Dtype* y) {
  launch(
      pixels, CAFFE_LAMBDA(int pixel) {
        const int item = pixel / plane;
        const Dtype* from = x + item * (channels - 1) * plane + pixel;
        Dtype sum = 0;
        for (int c = 0; c < channels; ++c) sum += from[c * plane] * from[c * plane];
        y[pixel] = std::sqrt(sum);
      });
}

template <typename Dtype>
struct ChannelNormGradient {
  const Dtype *x, *y, *dy;
  Dtype* dx;
};

template <typename Dtype>
void channel_norm_backward(int pixels, int channels, int plane,
                           const ChannelNormGradient<Dtype> of) {
  launch(
      pixels, CAFFE_LAMBDA(int pixel) {
        const int at = pixel / plane * (channels - 1) * plane + pixel;
        const Dtype factor = of.dy[pixel], length = of.y[pixel] + Dtype(1e-9);
        for (int c = 0; c < channels; ++c) {
          of.dx[at + c * plane] = factor * of.x[at + c * plane] / length;
        }
      });
}

}  // namespace

template <typename Dtype>
void ChannelNormLayer<Dtype>::Forward_gpu(const vector<Blob<Dtype>*>& bottom,
                                          const vector<Blob<Dtype>*>& top) {
  channel_norm_forward(top[0]->count(), bottom[0]->channels(), bottom[0]->count(2),
                       bottom[0]->gpu_data(), top[0]->mutable_gpu_data());
}

template <typename Dtype>
void ChannelNormLayer<Dtype>::Backward_gpu(const vector<Blob<Dtype>*>& top,
                                           const vector<bool>& propagate_down,
                                           const vector<Blob<Dtype>*>& bottom) {
  if (!propagate_down[0]) return;
  channel_norm_backward(
      top[0]->count(), bottom[0]->channels(), bottom[0]->count(2),
      ChannelNormGradient<Dtype>{bottom[0]->gpu_data(), top[0]->gpu_data(),
                                 top[0]->gpu_diff(), bottom[0]->mutable_gpu_diff()});
}

INSTANTIATE_LAYER_GPU_FUNCS(ChannelNormLayer);

}  // namespace caffe

// LRN on the device: a thread an element sums its own window.
#include "caffe/device/launch.hpp"
#include "caffe/layers/lrn_layer.hpp"

namespace caffe {

namespace {

/// The neighbours of an element: in its column of channels, or in its plane.
struct LrnWindow {
  int channels, height, width, half;
  int across;

  /// Sum of value(j) over the window of element i.
  template <typename Dtype, typename Value>
  CAFFE_HD Dtype sum(int i, const Value& value) const {
    const int plane = height * width;
    Dtype total = 0;
    if (across) {
      const int c = i / plane % channels;
      const int begin = c > half ? -half : -c;
      const int end = c + half < channels ? half : channels - 1 - c;
      for (int k = begin; k <= end; ++k) total += value(i + k * plane);
      return total;
    }
    const int row = i / width, w = i - row * width, h = row % height;
    const int top = h > half ? -half : -h;
    const int bottom = h + half < height ? half : height - 1 - h;
    const int left = w > half ? -half : -w;
    const int right = w + half < width ? half : width - 1 - w;
    for (int y = top; y <= bottom; ++y) {
      for (int x = left; x <= right; ++x) total += value(i + y * width + x);
    }
    return total;
  }
};

template <typename Dtype>
struct SquareAt {
  const Dtype* x;
  CAFFE_HD Dtype operator()(int i) const { return x[i] * x[i]; }
};

/// The output's gradient, as it comes down through the scales.
template <typename Dtype>
struct RatioAt {
  const Dtype *dy, *y, *s;
  CAFFE_HD Dtype operator()(int i) const { return dy[i] * y[i] / s[i]; }
};

template <typename Dtype>
struct LrnRule {
  Dtype alpha;  ///< divided by the numbers of a window
  Dtype beta, k;
};

/// y may be null: the scales only.
template <typename Dtype>
void lrn_forward(int count, const LrnWindow window, const LrnRule<Dtype> rule,
                 const Dtype* x, Dtype* s, Dtype* y) {
  launch(
      count, CAFFE_LAMBDA(int i) {
        const Dtype scale =
            rule.k + rule.alpha * window.sum<Dtype>(i, SquareAt<Dtype>{x});
        s[i] = scale;
        if (y != nullptr) y[i] = x[i] * std::pow(scale, -rule.beta);
      });
}

template <typename Dtype>
void lrn_backward(int count, const LrnWindow window, const LrnRule<Dtype> rule,
                  const Dtype* x, const RatioAt<Dtype> ratio, Dtype* dx) {
  launch(
      count, CAFFE_LAMBDA(int i) {
        dx[i] = ratio.dy[i] * std::pow(ratio.s[i], -rule.beta) -
                2 * rule.alpha * rule.beta * x[i] * window.sum<Dtype>(i, ratio);
      });
}

}  // namespace

template <typename Dtype>
void LRNLayer<Dtype>::Forward_gpu(const vector<Blob<Dtype>*>& bottom,
                                  const vector<Blob<Dtype>*>& top) {
  const LrnWindow window{channels_, height_, width_, pre_pad_, Across()};
  const LrnRule<Dtype> rule{alpha_ / (Across() ? size_ : size_ * size_), beta_, k_};
  lrn_forward(scale_.count(), window, rule, bottom[0]->gpu_data(),
              scale_.mutable_gpu_data(), top[0]->mutable_gpu_data());
  scale_is_stale_ = false;
}

template <typename Dtype>
void LRNLayer<Dtype>::Backward_gpu(const vector<Blob<Dtype>*>& top,
                                   const vector<bool>& propagate_down,
                                   const vector<Blob<Dtype>*>& bottom) {
  if (!propagate_down[0]) return;
  const LrnWindow window{channels_, height_, width_, pre_pad_, Across()};
  const LrnRule<Dtype> rule{alpha_ / (Across() ? size_ : size_ * size_), beta_, k_};
  const Dtype* x = bottom[0]->gpu_data();
  if (scale_is_stale_) {  // forward ran on the host
    lrn_forward<Dtype>(scale_.count(), window, rule, x, scale_.mutable_gpu_data(),
                       nullptr);
    scale_is_stale_ = false;
  }
  lrn_backward(scale_.count(), window, rule, x,
               RatioAt<Dtype>{top[0]->gpu_diff(), top[0]->gpu_data(), scale_.gpu_data()},
               bottom[0]->mutable_gpu_diff());
}

INSTANTIATE_LAYER_GPU_FUNCS(LRNLayer);

}  // namespace caffe

// Normalize on the device.
#include "caffe/device/launch.hpp"
#include "caffe/device/scratch.hpp"
#include "caffe/layers/normalize_layer.hpp"

namespace caffe {

namespace {

template <typename Dtype>
struct NormalizeShape {
  int items, channels, inner;
  const Dtype* scales;  ///< one, or one a channel
  int one_scale;
  Dtype eps;

  int count() const { return items * channels * inner; }
  int positions() const { return items * inner; }
  CAFFE_HD Dtype scale(int c) const { return scales[one_scale ? 0 : c]; }
  /// The first channel of a position.
  CAFFE_HD int first(int position) const {
    return position / inner * (channels - 1) * inner + position;
  }
};

// Whole items.

/// inverse[n] = 1 / length of item n.
template <typename Dtype>
void item_lengths(const NormalizeShape<Dtype> s, const Dtype* x, double* inverse) {
  const int length = s.channels * s.inner;
  launch_row_sums<double>(
      s.items, length,
      CAFFE_LAMBDA(int n, int i) {
        const double value = x[n * length + i];
        return value * value;
      },
      CAFFE_LAMBDA(int n, double sum) { inverse[n] = 1 / std::sqrt(sum + s.eps); });
}

template <typename Dtype>
void scale_items(const NormalizeShape<Dtype> s, const Dtype* x, const double* inverse,
                 Dtype* y) {
  launch(
      s.count(), CAFFE_LAMBDA(int i) {
        const int plane = i / s.inner, n = plane / s.channels;
        y[i] = x[i] * s.scale(plane - n * s.channels) * static_cast<Dtype>(inverse[n]);
      });
}

/// dots[n, c] = sum of g u over a plane, along[n] = sum of scale g u over an item.
template <typename Dtype>
void item_dots(const NormalizeShape<Dtype> s, const Dtype* g, const Dtype* x,
               const double* inverse, double* dots, double* along) {
  launch_row_sums<double>(
      s.items * s.channels, s.inner,
      CAFFE_LAMBDA(int plane, int k) {
        const int i = plane * s.inner + k;
        return static_cast<double>(g[i]) * x[i];
      },
      CAFFE_LAMBDA(int plane, double sum) {
        dots[plane] = sum * inverse[plane / s.channels];
      });
  launch_row_sums<double>(
      s.items, s.channels,
      CAFFE_LAMBDA(int n, int c) { return s.scale(c) * dots[n * s.channels + c]; },
      CAFFE_LAMBDA(int n, double sum) { along[n] = sum; });
}

template <typename Dtype>
void add_scale_gradient(const NormalizeShape<Dtype> s, const double* dots, Dtype* diff) {
  const int items = s.items, channels = s.channels;
  const auto store = CAFFE_LAMBDA(int row, double sum) {
    diff[row] += static_cast<Dtype>(sum);
  };
  if (s.one_scale) {
    launch_row_sums<double>(
        1, items * channels, CAFFE_LAMBDA(int, int i) { return dots[i]; }, store);
  } else {
    launch_row_sums<double>(
        channels, items, CAFFE_LAMBDA(int c, int n) { return dots[n * channels + c]; },
        store);
  }
}

template <typename Dtype>
struct ItemGradient {
  NormalizeShape<Dtype> s;
  const Dtype *g, *x;
  const double *inverse, *along;
  Dtype* dx;

  CAFFE_HD void operator()(int i) const {
    const int plane = i / s.inner, n = plane / s.channels;
    const Dtype factor = static_cast<Dtype>(inverse[n]);
    const Dtype of_x = static_cast<Dtype>(along[n]) * factor * factor;
    dx[i] = s.scale(plane - n * s.channels) * factor * g[i] - of_x * x[i];
  }
};

// Positions.

template <typename Dtype>
CAFFE_HD Dtype inverse_length(const NormalizeShape<Dtype>& s, const Dtype* first) {
  Dtype sum = 0;
  for (int c = 0; c < s.channels; ++c) sum += first[c * s.inner] * first[c * s.inner];
  return 1 / std::sqrt(sum + s.eps);
}

template <typename Dtype>
void normalize_positions(const NormalizeShape<Dtype> s, const Dtype* x, Dtype* y) {
  launch(
      s.positions(), CAFFE_LAMBDA(int position) {
        const int first = s.first(position);
        const Dtype inverse = inverse_length(s, x + first);
        for (int c = 0; c < s.channels; ++c) {
          const int i = first + c * s.inner;
          y[i] = x[i] * inverse * s.scale(c);
        }
      });
}

/// Keeps the inverse lengths; dx may be null.
template <typename Dtype>
void positions_gradient(const NormalizeShape<Dtype> s, const Dtype* g, const Dtype* x,
                        Dtype* inverses, Dtype* dx) {
  launch(
      s.positions(), CAFFE_LAMBDA(int position) {
        const int first = s.first(position);
        const Dtype inverse = inverse_length(s, x + first);
        inverses[position] = inverse;
        if (dx == nullptr) return;
        Dtype along = 0;
        for (int c = 0; c < s.channels; ++c) {
          const int i = first + c * s.inner;
          along += x[i] * g[i] * s.scale(c);
        }
        along *= inverse * inverse;
        for (int c = 0; c < s.channels; ++c) {
          const int i = first + c * s.inner;
          dx[i] = inverse * (s.scale(c) * g[i] - x[i] * along);
        }
      });
}

/// dots[n, c] as above, from the inverse lengths of the positions.
template <typename Dtype>
void position_dots(const NormalizeShape<Dtype> s, const Dtype* g, const Dtype* x,
                   const Dtype* inverses, double* dots) {
  launch_row_sums<double>(
      s.items * s.channels, s.inner,
      CAFFE_LAMBDA(int plane, int k) {
        const int i = plane * s.inner + k;
        return static_cast<double>(g[i]) * x[i] *
               inverses[plane / s.channels * s.inner + k];
      },
      CAFFE_LAMBDA(int plane, double sum) { dots[plane] = sum; });
}

template <typename Dtype>
NormalizeShape<Dtype> shape_of(const Blob<Dtype>& bottom, const Blob<Dtype>& scales,
                               bool one_scale, Dtype eps) {
  return {bottom.shape(0),   bottom.shape(1), bottom.count(2),
          scales.gpu_data(), one_scale,       eps};
}

}  // namespace

template <typename Dtype>
void NormalizeLayer<Dtype>::Forward_gpu(const vector<Blob<Dtype>*>& bottom,
                                        const vector<Blob<Dtype>*>& top) {
  const NormalizeShape<Dtype> shape =
      shape_of(*bottom[0], *this->blobs_[0], channel_shared_, eps_);
  const Dtype* x = bottom[0]->gpu_data();
  Dtype* y = top[0]->mutable_gpu_data();
  if (!across_spatial_) {
    normalize_positions(shape, x, y);
    return;
  }
  const device::Scratch inverse(sizeof(double) * shape.items);
  item_lengths(shape, x, inverse.as<double>());
  scale_items(shape, x, inverse.as<double>(), y);
}

template <typename Dtype>
void NormalizeLayer<Dtype>::Backward_gpu(const vector<Blob<Dtype>*>& top,
                                         const vector<bool>& propagate_down,
                                         const vector<Blob<Dtype>*>& bottom) {
  const bool wants_scale = this->param_propagate_down(0), wants_input = propagate_down[0];
  if (!wants_scale && !wants_input) return;
  const NormalizeShape<Dtype> shape =
      shape_of(*bottom[0], *this->blobs_[0], channel_shared_, eps_);
  const Dtype *g = top[0]->gpu_diff(), *x = bottom[0]->gpu_data();
  Dtype* dx = wants_input ? bottom[0]->mutable_gpu_diff() : nullptr;
  const device::Scratch dots(sizeof(double) * shape.items * shape.channels);
  if (across_spatial_) {
    const device::Scratch inverse(sizeof(double) * shape.items);
    const device::Scratch along(sizeof(double) * shape.items);
    item_lengths(shape, x, inverse.as<double>());
    item_dots(shape, g, x, inverse.as<double>(), dots.as<double>(), along.as<double>());
    if (wants_input) {
      launch(shape.count(), ItemGradient<Dtype>{shape, g, x, inverse.as<double>(),
                                                along.as<double>(), dx});
    }
  } else {
    const device::Scratch inverses(sizeof(Dtype) * shape.positions());
    positions_gradient(shape, g, x, inverses.as<Dtype>(), dx);
    if (wants_scale) {
      position_dots(shape, g, x, inverses.as<Dtype>(), dots.as<double>());
    }
  }
  if (wants_scale) {
    add_scale_gradient(shape, dots.as<double>(), this->blobs_[0]->mutable_gpu_diff());
  }
}

INSTANTIATE_LAYER_GPU_FUNCS(NormalizeLayer);

}  // namespace caffe

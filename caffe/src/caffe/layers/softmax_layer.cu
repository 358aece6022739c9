// Softmax on the device.
#include "caffe/device/launch.hpp"
#include "caffe/device/scratch.hpp"
#include "caffe/layers/softmax_layer.hpp"

namespace caffe {

namespace {

/// (outer, classes, inner), row-major.
struct SoftmaxShape {
  int outer, classes, inner;

  CAFFE_HD int first(int position) const {
    return inner == 1 ? position * classes
                      : position / inner * classes * inner + position % inner;
  }
  CAFFE_HD int position_of(int i) const {
    return inner == 1 ? i / classes : i / (classes * inner) * inner + i % inner;
  }
  int positions() const { return outer * inner; }
  int count() const { return outer * classes * inner; }
  /// Few positions of many classes: several threads share a position.
  bool is_split() const { return classes >= 64 && positions() < (1 << 15); }
};

/// The maximum of some classes, and the sum of exp(x - maximum). Equal values, infinite
/// ones too, count 1 each.
template <typename Dtype>
struct Peak {
  Dtype most, sum;

  CAFFE_HD void add(Dtype value) {
    if (value > most) {
      sum = sum * std::exp(most - value) + 1;
      most = value;
    } else {
      sum += value == most ? Dtype(1) : std::exp(value - most);
    }
  }
  CAFFE_HD void merge(const Peak& other) {
    if (other.most > most) {
      sum = sum * std::exp(most - other.most) + other.sum;
      most = other.most;
    } else {
      sum += other.most == most ? other.sum : other.sum * std::exp(other.most - most);
    }
  }
};

template <typename Dtype>
void softmax_forward(const SoftmaxShape s, const Dtype* x, Dtype* y) {
  launch(
      s.positions(), CAFFE_LAMBDA(int position) {
        const int first = s.first(position);
        Peak<Dtype> peak{x[first], Dtype(1)};
        for (int c = 1; c < s.classes; ++c) peak.add(x[first + c * s.inner]);
        for (int c = 0; c < s.classes; ++c) {
          const int i = first + c * s.inner;
          y[i] = std::exp(x[i] - peak.most) / peak.sum;
        }
      });
}

/// Strips of every 32nd class, then their sum, then the quotients.
template <typename Dtype>
void softmax_forward_split(const SoftmaxShape s, const Dtype* x, Dtype* y) {
  constexpr int kStrips = 32;
  const int inner = s.inner;
  const device::Scratch scratch(sizeof(Peak<Dtype>) * s.positions() * (kStrips + 1));
  auto* strips = scratch.as<Peak<Dtype>>();
  Peak<Dtype>* peaks = strips + s.positions() * kStrips;
  launch(
      s.positions() * kStrips, CAFFE_LAMBDA(int i) {
        const int strip = i / inner % kStrips;
        const int first = i / (inner * kStrips) * s.classes * inner + i % inner;
        Peak<Dtype> peak{x[first + strip * inner], Dtype(1)};
        for (int c = strip + kStrips; c < s.classes; c += kStrips) {
          peak.add(x[first + c * inner]);
        }
        strips[i] = peak;
      });
  launch(
      s.positions(), CAFFE_LAMBDA(int position) {
        const int first = position / inner * kStrips * inner + position % inner;
        Peak<Dtype> peak = strips[first];
        for (int k = 1; k < kStrips; ++k) peak.merge(strips[first + k * inner]);
        peaks[position] = peak;
      });
  launch(
      s.count(), CAFFE_LAMBDA(int i) {
        const Peak<Dtype> peak = peaks[s.position_of(i)];
        y[i] = std::exp(x[i] - peak.most) / peak.sum;
      });
}

template <typename Dtype>
void softmax_backward(const SoftmaxShape s, const Dtype* y, const Dtype* dy, Dtype* dx) {
  launch(
      s.positions(), CAFFE_LAMBDA(int position) {
        const int first = s.first(position);
        Dtype dot = 0;
        for (int c = 0; c < s.classes; ++c) {
          dot += y[first + c * s.inner] * dy[first + c * s.inner];
        }
        for (int c = 0; c < s.classes; ++c) {
          const int i = first + c * s.inner;
          dx[i] = y[i] * (dy[i] - dot);
        }
      });
}

template <typename Dtype>
void softmax_backward_split(const SoftmaxShape s, const Dtype* y, const Dtype* dy,
                            Dtype* dx) {
  const device::Scratch scratch(sizeof(Dtype) * s.positions());
  Dtype* dots = scratch.as<Dtype>();
  launch_row_sums<Dtype>(
      s.positions(), s.classes,
      CAFFE_LAMBDA(int position, int c) {
        const int i = s.first(position) + c * s.inner;
        return y[i] * dy[i];
      },
      CAFFE_LAMBDA(int position, Dtype sum) { dots[position] = sum; });
  launch(
      s.count(),
      CAFFE_LAMBDA(int i) { dx[i] = y[i] * (dy[i] - dots[s.position_of(i)]); });
}

}  // namespace

template <typename Dtype>
void SoftmaxLayer<Dtype>::Forward_gpu(const vector<Blob<Dtype>*>& bottom,
                                      const vector<Blob<Dtype>*>& top) {
  if (bottom[0]->count() == 0) return;
  const SoftmaxShape shape{outer_num_, bottom[0]->shape(softmax_axis_), inner_num_};
  const Dtype* x = bottom[0]->gpu_data();
  Dtype* y = top[0]->mutable_gpu_data();
  if (shape.is_split()) {
    softmax_forward_split(shape, x, y);
  } else {
    softmax_forward(shape, x, y);
  }
}

template <typename Dtype>
void SoftmaxLayer<Dtype>::Backward_gpu(const vector<Blob<Dtype>*>& top,
                                       const vector<bool>& propagate_down,
                                       const vector<Blob<Dtype>*>& bottom) {
  if (!propagate_down[0] || top[0]->count() == 0) return;
  const SoftmaxShape shape{outer_num_, top[0]->shape(softmax_axis_), inner_num_};
  const Dtype *y = top[0]->gpu_data(), *dy = top[0]->gpu_diff();
  Dtype* dx = bottom[0]->mutable_gpu_diff();
  if (shape.is_split()) {
    softmax_backward_split(shape, y, dy, dx);
  } else {
    softmax_backward(shape, y, dy, dx);
  }
}

INSTANTIATE_LAYER_GPU_FUNCS(SoftmaxLayer);

}  // namespace caffe

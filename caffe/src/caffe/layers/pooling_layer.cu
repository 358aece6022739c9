// Pooling on the device: forward a thread an output, backward a thread an input that
// looks at the windows which hold it.
#include <cfloat>

#include "caffe/device/launch.hpp"
#include "caffe/device/random.hpp"
#include "caffe/device/scratch.hpp"
#include "caffe/layers/pooling_layer.hpp"

namespace caffe {

namespace {

/// An element of planes: its plane, row and column.
struct PlaneIndex {
  int plane, row, column;
  CAFFE_HD PlaneIndex(int i, int height, int width) {
    const int line = i / width;
    column = i - line * width;
    plane = line / height;
    row = line - plane * height;
  }
};

CAFFE_HD inline PlaneIndex output_index(const PoolShape& s, int i) {
  return PlaneIndex(i, s.pooled_height, s.pooled_width);
}
CAFFE_HD inline PlaneIndex input_index(const PoolShape& s, int i) {
  return PlaneIndex(i, s.height, s.width);
}

/// The whole plane is one window, so that its numbers can be shared out among threads.
bool is_global(const PoolShape& s) {
  return s.pooled_height == 1 && s.pooled_width == 1 && s.pad_h == 0 && s.pad_w == 0 &&
         s.kernel_h >= s.height && s.kernel_w >= s.width;
}

// Maximum.

/// The first of the largest values of a window.
template <typename Dtype>
struct Maximum {
  Dtype value = Dtype(-FLT_MAX);
  int index = -1;

  CAFFE_HD void add(Dtype other, int at) {
    if (other > value) {
      value = other;
      index = at;
    }
  }
  CAFFE_HD void merge(const Maximum& other) {
    if (other.value > value || (other.value == value && other.index >= 0 &&
                                (index < 0 || other.index < index))) {
      *this = other;
    }
  }
};

/// Where maxima go; each may be null.
template <typename Dtype>
struct MaximaOut {
  Dtype* values;
  int* mask;
  Dtype* mask_top;

  CAFFE_HD void store(int i, Dtype value, int index) const {
    if (values != nullptr) values[i] = value;
    if (mask != nullptr) mask[i] = index;
    if (mask_top != nullptr) mask_top[i] = static_cast<Dtype>(index);
  }
};

template <typename Dtype>
struct MaxPool {
  PoolShape s;
  const Dtype* in;
  MaximaOut<Dtype> out;

  CAFFE_HD void operator()(int i) const {
    const PlaneIndex at = output_index(s, i);
    const PoolShape::Span rows = s.rows(at.row), columns = s.columns(at.column);
    const Dtype* plane = in + at.plane * s.height * s.width;
    Maximum<Dtype> best;
    for_each_in_window(rows, columns, [&](int h, int w) {
      const int k = h * s.width + w;
      best.add(plane[k], k);
    });
    const bool empty = rows.empty() || columns.empty();
    out.store(i, empty ? Dtype(0) : best.value, best.index);
  }
};

/// kStrips threads a plane, each over every kStrips-th element.
template <typename Dtype>
void global_max_pool(int planes, int size, const Dtype* in, const MaximaOut<Dtype>& to) {
  constexpr int kStrips = 64;
  const MaximaOut<Dtype> out = to;
  const device::Scratch scratch(sizeof(Maximum<Dtype>) * planes * kStrips);
  auto* strips = scratch.as<Maximum<Dtype>>();
  launch(
      planes * kStrips, CAFFE_LAMBDA(int i) {
        const Dtype* plane = in + i / kStrips * size;
        Maximum<Dtype> best;
        for (int k = i % kStrips; k < size; k += kStrips) best.add(plane[k], k);
        strips[i] = best;
      });
  launch(
      planes, CAFFE_LAMBDA(int plane) {
        Maximum<Dtype> best;
        for (int k = 0; k < kStrips; ++k) best.merge(strips[plane * kStrips + k]);
        out.store(plane, best.value, best.index);
      });
}

template <typename Dtype>
void max_pool(const PoolShape& s, int planes, const Dtype* in,
              const MaximaOut<Dtype>& out) {
  const int size = s.height * s.width;
  if (is_global(s) && size >= 256 && planes < (1 << 16)) {
    global_max_pool(planes, size, in, out);
  } else {
    launch(planes * s.pooled_height * s.pooled_width, MaxPool<Dtype>{s, in, out});
  }
}

/// Sums the gradients of the windows whose pick was the element.
template <typename Dtype>
struct PickGradient {
  PoolShape s;
  const Dtype* out_diff;
  const int* mask;
  Dtype* in_diff;

  CAFFE_HD void operator()(int i) const {
    const PlaneIndex at = input_index(s, i);
    const PoolShape::Outputs rows = s.row_outputs(at.row);
    const PoolShape::Outputs columns = s.column_outputs(at.column);
    const int index = at.row * s.width + at.column;
    const int plane = at.plane * s.pooled_height * s.pooled_width;
    Dtype sum = 0;
    for_each_in_window(rows, columns, [&](int y, int x) {
      const int o = plane + y * s.pooled_width + x;
      if (mask[o] == index) sum += out_diff[o];
    });
    in_diff[i] = sum;
  }
};

// Average.

template <typename Dtype>
struct AveragePool {
  PoolShape s;
  const Dtype* in;
  Dtype* out;

  CAFFE_HD void operator()(int i) const {
    const PlaneIndex at = output_index(s, i);
    const PoolShape::Span rows = s.rows(at.row), columns = s.columns(at.column);
    const Dtype* plane = in + at.plane * s.height * s.width;
    Dtype sum = 0;
    for_each_in_window(rows, columns,
                       [&](int h, int w) { sum += plane[h * s.width + w]; });
    const bool empty = rows.empty() || columns.empty();
    out[i] = empty ? Dtype(0) : sum / static_cast<Dtype>(rows.counted * columns.counted);
  }
};

template <typename Dtype>
void average_pool(const PoolShape& s, int planes, const Dtype* in, Dtype* out) {
  if (!is_global(s)) {
    launch(planes * s.pooled_height * s.pooled_width, AveragePool<Dtype>{s, in, out});
    return;
  }
  const int size = s.height * s.width;
  launch_row_sums<Dtype>(
      planes, size, CAFFE_LAMBDA(int plane, int k) { return in[plane * size + k]; },
      CAFFE_LAMBDA(int plane, Dtype sum) {
        out[plane] = size > 0 ? sum / static_cast<Dtype>(size) : Dtype(0);
      });
}

template <typename Dtype>
struct AverageGradient {
  PoolShape s;
  const Dtype* out_diff;
  Dtype* in_diff;

  CAFFE_HD void operator()(int i) const {
    const PlaneIndex at = input_index(s, i);
    const PoolShape::Outputs rows = s.row_outputs(at.row);
    const PoolShape::Outputs columns = s.column_outputs(at.column);
    const Dtype* plane = out_diff + at.plane * s.pooled_height * s.pooled_width;
    Dtype sum = 0;
    for_each_in_window(rows, columns, [&](int y, int x) {
      sum += plane[y * s.pooled_width + x] /
             static_cast<Dtype>(s.rows(y).counted * s.columns(x).counted);
    });
    in_diff[i] = sum;
  }
};

// Stochastic.

/// Picks an element with probability proportional to its value.
template <typename Dtype>
struct StochasticPick {
  PoolShape s;
  const Dtype* in;
  std::uint64_t seed;
  Dtype* out;
  int* mask;

  CAFFE_HD void operator()(int i) const {
    const PlaneIndex at = output_index(s, i);
    const PoolShape::Span rows = s.rows(at.row), columns = s.columns(at.column);
    const Dtype* plane = in + at.plane * s.height * s.width;
    Dtype sum = 0;
    for_each_in_window(rows, columns,
                       [&](int h, int w) { sum += plane[h * s.width + w]; });
    // The first element whose running sum reaches the threshold; the last one at worst.
    const Dtype threshold = device::random_uniform<Dtype>(seed, i) * sum;
    Dtype running = 0;
    int pick = -1;
    bool found = false;
    for_each_in_window(rows, columns, [&](int h, int w) {
      if (found) return;
      pick = h * s.width + w;
      running += plane[pick];
      found = running >= threshold && running > 0;
    });
    mask[i] = pick;
    out[i] = pick >= 0 ? plane[pick] : Dtype(0);
  }
};

/// sum x, sum x^2 of a window.
template <typename Dtype>
struct WindowSums {
  Dtype sum = 0, squares = 0;
  CAFFE_HD WindowSums(const PoolShape& s, const Dtype* plane, int y, int x) {
    for_each_in_window(s.rows(y), s.columns(x), [&](int h, int w) {
      const Dtype value = plane[h * s.width + w];
      sum += value;
      squares += value * value;
    });
  }
  CAFFE_HD Dtype expectation() const { return sum > 0 ? squares / sum : Dtype(0); }
};

template <typename Dtype>
struct ExpectedPool {
  PoolShape s;
  const Dtype* in;
  Dtype* out;

  CAFFE_HD void operator()(int i) const {
    const PlaneIndex at = output_index(s, i);
    const Dtype* plane = in + at.plane * s.height * s.width;
    out[i] = WindowSums<Dtype>(s, plane, at.row, at.column).expectation();
  }
};

/// y = sum x^2 / sum x, so dy/dx = (2 x - y) / sum x.
template <typename Dtype>
struct ExpectedGradient {
  PoolShape s;
  const Dtype *in, *out_diff;
  Dtype* in_diff;

  CAFFE_HD void operator()(int i) const {
    const PlaneIndex at = input_index(s, i);
    const PoolShape::Outputs rows = s.row_outputs(at.row);
    const PoolShape::Outputs columns = s.column_outputs(at.column);
    const Dtype* plane = in + at.plane * s.height * s.width;
    const Dtype* plane_diff = out_diff + at.plane * s.pooled_height * s.pooled_width;
    Dtype total = 0;
    for_each_in_window(rows, columns, [&](int y, int x) {
      const WindowSums<Dtype> window(s, plane, y, x);
      if (!(window.sum > 0)) return;
      total += plane_diff[y * s.pooled_width + x] * (2 * in[i] - window.expectation()) /
               window.sum;
    });
    in_diff[i] = total;
  }
};

}  // namespace

template <typename Dtype>
void PoolingLayer<Dtype>::Forward_gpu(const vector<Blob<Dtype>*>& bottom,
                                      const vector<Blob<Dtype>*>& top) {
  const PoolShape shape = Shape();
  const int planes = bottom[0]->count(0, 2);
  const Dtype* in = bottom[0]->gpu_data();
  Dtype* out = top[0]->mutable_gpu_data();
  const bool train = this->phase_ == TRAIN;
  const auto method = this->layer_param_.pooling_param().pool();
  mask_.clear();  // what forward on the host left
  // In the TEST phase the mask is made by backward, should it ever run.
  device_mask_is_valid_ =
      train && method != PoolingParameter_PoolMethod_AVE && top[0]->count() > 0;
  if (device_mask_is_valid_) device_mask_.Reshape(top[0]->shape());
  int* mask = device_mask_is_valid_ ? device_mask_.mutable_gpu_data() : nullptr;
  switch (method) {
    case PoolingParameter_PoolMethod_MAX:
      max_pool(shape, planes, in,
               MaximaOut<Dtype>{out, mask,
                                top.size() > 1 ? top[1]->mutable_gpu_data() : nullptr});
      break;
    case PoolingParameter_PoolMethod_AVE:
      average_pool(shape, planes, in, out);
      break;
    case PoolingParameter_PoolMethod_STOCHASTIC:
      if (train) {
        launch(top[0]->count(),
               StochasticPick<Dtype>{shape, in, device::next_seed(), out, mask});
      } else {
        launch(top[0]->count(), ExpectedPool<Dtype>{shape, in, out});
      }
      break;
  }
}

template <typename Dtype>
void PoolingLayer<Dtype>::Backward_gpu(const vector<Blob<Dtype>*>& top,
                                       const vector<bool>& propagate_down,
                                       const vector<Blob<Dtype>*>& bottom) {
  if (!propagate_down[0] || bottom[0]->count() == 0) return;
  const PoolShape shape = Shape();
  const auto method = this->layer_param_.pooling_param().pool();
  const Dtype* out_diff = top[0]->gpu_diff();
  Dtype* in_diff = bottom[0]->mutable_gpu_diff();
  const int count = bottom[0]->count();
  if (method == PoolingParameter_PoolMethod_AVE) {
    launch(count, AverageGradient<Dtype>{shape, out_diff, in_diff});
    return;
  }
  const Dtype* in = bottom[0]->gpu_data();
  if (method == PoolingParameter_PoolMethod_STOCHASTIC && this->phase_ != TRAIN) {
    launch(count, ExpectedGradient<Dtype>{shape, in, out_diff, in_diff});
    return;
  }
  if (!device_mask_is_valid_) {
    CHECK(method == PoolingParameter_PoolMethod_MAX)
        << Where() << ": backward on the device after a forward pass on the host";
    device_mask_.Reshape(top[0]->shape());
    max_pool(shape, bottom[0]->count(0, 2), in,
             MaximaOut<Dtype>{nullptr, device_mask_.mutable_gpu_data(), nullptr});
  }
  launch(count, PickGradient<Dtype>{shape, out_diff, device_mask_.gpu_data(), in_diff});
}

INSTANTIATE_LAYER_GPU_FUNCS(PoolingLayer);

}  // namespace caffe

// ArgMax on the device: each pick is the best that comes after the one before.
#include "caffe/device/launch.hpp"
#include "caffe/device/scratch.hpp"
#include "caffe/layers/argmax_layer.hpp"

namespace caffe {

namespace {

template <typename Dtype>
struct ArgMaxRows {
  const Dtype* x;
  Dtype* y;
  int rows, candidates, inner, top_k;
  int has_axis, values_too;

  CAFFE_HD int first(int row) const {
    return inner == 1 ? row * candidates : row / inner * candidates * inner + row % inner;
  }
  /// Whether candidate a of the row comes before b: higher values, of equal ones the
  /// larger index; NaN last. -1 comes after all.
  CAFFE_HD bool before(int at, int a, int b) const {
    if (a < 0 || b < 0) return a >= 0;
    const Dtype u = x[at + a * inner], v = x[at + b * inner];
    const bool u_is_nan = u != u, v_is_nan = v != v;
    if (u_is_nan != v_is_nan) return v_is_nan;
    return u > v || ((u == v || u_is_nan) && a > b);
  }
  /// The first in order of begin, begin + step, ... that comes after `last` (-1: of all).
  CAFFE_HD int pick(int at, int begin, int step, int last) const {
    int best = -1;
    for (int c = begin; c < candidates; c += step) {
      if ((last < 0 || before(at, last, c)) && before(at, c, best)) best = c;
    }
    return best;
  }
  CAFFE_HD void store(int row, int k, int index) const {
    const Dtype value = x[first(row) + index * inner];
    if (has_axis) {
      y[(row / inner * top_k + k) * inner + row % inner] =
          values_too ? value : static_cast<Dtype>(index);
    } else {
      Dtype* item = y + row * (values_too ? 2 : 1) * top_k;
      item[k] = static_cast<Dtype>(index);
      if (values_too) item[top_k + k] = value;
    }
  }
};

/// A thread a row.
template <typename Dtype>
void argmax_rows(const ArgMaxRows<Dtype>& of) {
  const ArgMaxRows<Dtype> rows = of;
  launch(
      rows.rows, CAFFE_LAMBDA(int row) {
        int last = -1;
        for (int k = 0; k < rows.top_k; ++k) {
          last = rows.pick(rows.first(row), 0, 1, last);
          rows.store(row, k, last);
        }
      });
}

/// Few long rows: kStrips threads a row, each over every kStrips-th candidate.
template <typename Dtype>
void argmax_long_rows(const ArgMaxRows<Dtype>& of) {
  constexpr int kStrips = 256;
  const ArgMaxRows<Dtype> rows = of;
  const device::Scratch scratch(sizeof(int) * rows.rows * (kStrips + 1));
  int* strips = scratch.as<int>();
  int* last = strips + rows.rows * kStrips;
  launch_fill(rows.rows, -1, last);
  for (int k = 0; k < rows.top_k; ++k) {
    launch(
        rows.rows * kStrips, CAFFE_LAMBDA(int i) {
          const int row = i / kStrips;
          strips[i] = rows.pick(rows.first(row), i % kStrips, kStrips, last[row]);
        });
    launch(
        rows.rows, CAFFE_LAMBDA(int row) {
          const int at = rows.first(row);
          int best = -1;
          for (int s = 0; s < kStrips; ++s) {
            const int candidate = strips[row * kStrips + s];
            if (rows.before(at, candidate, best)) best = candidate;
          }
          last[row] = best;
          rows.store(row, k, best);
        });
  }
}

}  // namespace

template <typename Dtype>
void ArgMaxLayer<Dtype>::Forward_gpu(const vector<Blob<Dtype>*>& bottom,
                                     const vector<Blob<Dtype>*>& top) {
  ArgMaxRows<Dtype> rows;
  rows.x = bottom[0]->gpu_data();
  rows.y = top[0]->mutable_gpu_data();
  rows.candidates = axis_ >= 0 ? bottom[0]->shape(axis_) : bottom[0]->count(1);
  rows.inner = axis_ >= 0 ? bottom[0]->count(axis_ + 1) : 1;
  rows.rows = bottom[0]->count() / (rows.candidates > 0 ? rows.candidates : 1);
  rows.top_k = top_k_;
  rows.has_axis = axis_ >= 0;
  rows.values_too = this->layer_param_.argmax_param().out_max_val();
  if (rows.candidates >= 512 && rows.rows < (1 << 14)) {
    argmax_long_rows(rows);
  } else {
    argmax_rows(rows);
  }
}

template <typename Dtype>
void ArgMaxLayer<Dtype>::Backward_gpu(const vector<Blob<Dtype>*>& top,
                                      const vector<bool>& propagate_down,
                                      const vector<Blob<Dtype>*>& bottom) {
  Backward_cpu(top, propagate_down, bottom);  // there is none
}

INSTANTIATE_LAYER_GPU_FUNCS(ArgMaxLayer);

}  // namespace caffe

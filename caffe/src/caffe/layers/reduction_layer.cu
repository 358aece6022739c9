// Reduction on the device: row sums in double.
#include <cmath>

#include "caffe/device/divisor.hpp"
#include "caffe/device/launch.hpp"
#include "caffe/layers/reduction_layer.hpp"

namespace caffe {

namespace {

using device::Divisor;

template <typename Dtype>
struct LoadTerm {
  const Dtype* x;
  int length;
  ReductionParameter_ReductionOp op;
  CAFFE_HD double operator()(int row, int i) const {
    const double value = x[row * length + i];
    if (op == ReductionParameter_ReductionOp_ASUM) return std::fabs(value);
    return op == ReductionParameter_ReductionOp_SUMSQ ? value * value : value;
  }
};

template <typename Dtype>
void reduce_rows(int rows, const LoadTerm<Dtype>& load, double coeff, Dtype* y) {
  launch_row_sums<double>(
      rows, load.length, load,
      CAFFE_LAMBDA(int row, double sum) { y[row] = static_cast<Dtype>(coeff * sum); });
}

/// dx = coeff g (SUM and MEAN).
template <typename Dtype>
void spread_gradient(int n, int row_length, Dtype coeff, const Dtype* g, Dtype* dx) {
  const Divisor length(row_length);
  launch(
      n, CAFFE_LAMBDA(int i) { dx[i] = coeff * g[length.quotient(i)]; });
}

template <typename Dtype>
void absolute_gradient(int n, int row_length, Dtype coeff, const Dtype* g, const Dtype* x,
                       Dtype* dx) {
  const Divisor length(row_length);
  launch(
      n, CAFFE_LAMBDA(int i) {
        const Dtype value = x[i];
        dx[i] = coeff * g[length.quotient(i)] * ((value > 0) - (value < 0));
      });
}

template <typename Dtype>
void square_gradient(int n, int row_length, Dtype coeff, const Dtype* g, const Dtype* x,
                     Dtype* dx) {
  const Divisor length(row_length);
  launch(
      n, CAFFE_LAMBDA(int i) { dx[i] = coeff * g[length.quotient(i)] * 2 * x[i]; });
}

}  // namespace

template <typename Dtype>
void ReductionLayer<Dtype>::Forward_gpu(const vector<Blob<Dtype>*>& bottom,
                                        const vector<Blob<Dtype>*>& top) {
  const ReductionParameter& param = this->layer_param_.reduction_param();
  double coeff = param.coeff();
  if (param.operation() == ReductionParameter_ReductionOp_MEAN) coeff /= length_;
  const LoadTerm<Dtype> load{bottom[0]->gpu_data(), length_, param.operation()};
  reduce_rows(rows_, load, coeff, top[0]->mutable_gpu_data());
}

template <typename Dtype>
void ReductionLayer<Dtype>::Backward_gpu(const vector<Blob<Dtype>*>& top,
                                         const vector<bool>& propagate_down,
                                         const vector<Blob<Dtype>*>& bottom) {
  if (!propagate_down[0]) return;
  const ReductionParameter& param = this->layer_param_.reduction_param();
  const int n = bottom[0]->count();
  const Dtype* g = top[0]->gpu_diff();
  const Dtype coeff = param.coeff();
  Dtype* dx = bottom[0]->mutable_gpu_diff();
  switch (param.operation()) {
    case ReductionParameter_ReductionOp_MEAN:
      spread_gradient(n, length_, coeff / length_, g, dx);
      break;
    case ReductionParameter_ReductionOp_ASUM:
      absolute_gradient(n, length_, coeff, g, bottom[0]->gpu_data(), dx);
      break;
    case ReductionParameter_ReductionOp_SUMSQ:
      square_gradient(n, length_, coeff, g, bottom[0]->gpu_data(), dx);
      break;
    default:
      spread_gradient(n, length_, coeff, g, dx);
  }
}

INSTANTIATE_LAYER_GPU_FUNCS(ReductionLayer);

}  // namespace caffe

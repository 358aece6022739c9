// Reduction: rows of numbers, each to one.
#include "caffe/layers/reduction_layer.hpp"

#include <cmath>

#include "caffe/util/parallel_sum.hpp"

namespace caffe {

namespace {

template <typename Dtype>
double SumRow(ReductionParameter_ReductionOp op, const Dtype* x, std::int64_t length) {
  return parallel_sum_of(length, [=](std::int64_t i) {
    const double value = x[i];
    return op == ReductionParameter_ReductionOp_ASUM    ? std::fabs(value)
           : op == ReductionParameter_ReductionOp_SUMSQ ? value * value
                                                        : value;
  });
}

}  // namespace

template <typename Dtype>
void ReductionLayer<Dtype>::Reshape(const vector<Blob<Dtype>*>& bottom,
                                    const vector<Blob<Dtype>*>& top) {
  axis_ = bottom[0]->CanonicalAxisIndex(this->layer_param_.reduction_param().axis());
  rows_ = bottom[0]->count(0, axis_);
  length_ = bottom[0]->count(axis_);
  top[0]->Reshape(
      vector<int>(bottom[0]->shape().begin(), bottom[0]->shape().begin() + axis_));
}

template <typename Dtype>
void ReductionLayer<Dtype>::Forward_cpu(const vector<Blob<Dtype>*>& bottom,
                                        const vector<Blob<Dtype>*>& top) {
  const ReductionParameter& param = this->layer_param_.reduction_param();
  const Dtype* x = bottom[0]->cpu_data();
  Dtype* y = top[0]->mutable_cpu_data();
  double coeff = param.coeff();
  if (param.operation() == ReductionParameter_ReductionOp_MEAN) coeff /= length_;
  for (int row = 0; row < rows_; ++row) {
    y[row] = static_cast<Dtype>(
        coeff *
        SumRow(param.operation(), x + static_cast<std::int64_t>(row) * length_, length_));
  }
}

template <typename Dtype>
void ReductionLayer<Dtype>::Backward_cpu(const vector<Blob<Dtype>*>& top,
                                         const vector<bool>& propagate_down,
                                         const vector<Blob<Dtype>*>& bottom) {
  if (!propagate_down[0]) return;
  const ReductionParameter& param = this->layer_param_.reduction_param();
  const Dtype *x = bottom[0]->cpu_data(), *g = top[0]->cpu_diff();
  Dtype* dx = bottom[0]->mutable_cpu_diff();
  const Dtype coeff = param.coeff();
  const std::int64_t length = length_;
  const auto op = param.operation();
  for_each_index(bottom[0]->count(), [=](std::int64_t i) {
    const Dtype scaled = coeff * g[i / length];
    if (op == ReductionParameter_ReductionOp_MEAN) {
      dx[i] = scaled / length;
    } else if (op == ReductionParameter_ReductionOp_ASUM) {
      dx[i] = scaled * ((x[i] > 0) - (x[i] < 0));
    } else if (op == ReductionParameter_ReductionOp_SUMSQ) {
      dx[i] = scaled * 2 * x[i];
    } else {
      dx[i] = scaled;
    }
  });
}

INSTANTIATE_CLASS(ReductionLayer);
REGISTER_LAYER_CLASS(Reduction);

}  // namespace caffe

// Softmax.
#include "caffe/layers/softmax_layer.hpp"

#include <algorithm>

#include "caffe/util/math_functions.hpp"

namespace caffe {

namespace {

constexpr std::int64_t kPiece = 256;  // positions a step: a few rows stay in the cache

// Calls body(offset of the first class, positions) for pieces of neighbouring positions.
template <typename Body>
void for_each_piece(std::int64_t outer, std::int64_t classes, std::int64_t inner,
                    const Body& body) {
  const std::int64_t pieces = (inner + kPiece - 1) / kPiece;
  const std::int64_t grain = std::max<std::int64_t>(
      1, 4096 / std::max<std::int64_t>(1, classes * std::min(inner, kPiece)));
  parallel_ranges(outer * pieces, grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t first = i % pieces * kPiece;
      body(i / pieces * classes * inner + first,
           static_cast<int>(std::min(kPiece, inner - first)));
    }
  });
}

}  // namespace

template <typename Dtype>
void SoftmaxLayer<Dtype>::Reshape(const vector<Blob<Dtype>*>& bottom,
                                  const vector<Blob<Dtype>*>& top) {
  softmax_axis_ =
      bottom[0]->CanonicalAxisIndex(this->layer_param_.softmax_param().axis());
  top[0]->ReshapeLike(*bottom[0]);
  outer_num_ = bottom[0]->count(0, softmax_axis_);
  inner_num_ = bottom[0]->count(softmax_axis_ + 1);
}

template <typename Dtype>
SoftmaxKernel* SoftmaxLayer<Dtype>::FastKernel() {
  if (!kernel_is_chosen_) {
    kernel_is_chosen_ = true;
    const bool fast =
        std::is_same<Dtype, float>::value &&
        this->layer_param_.softmax_param().engine() != SoftmaxParameter_Engine_CAFFE;
    if (fast) kernel_ = make_softmax_kernel();
  }
  return kernel_.get();
}

template <typename Dtype>
void SoftmaxLayer<Dtype>::Forward_cpu(const vector<Blob<Dtype>*>& bottom,
                                      const vector<Blob<Dtype>*>& top) {
  const std::int64_t classes = bottom[0]->shape(softmax_axis_), inner = inner_num_;
  if (bottom[0]->count() == 0) return;
  if constexpr (std::is_same<Dtype, float>::value) {
    SoftmaxKernel* kernel = FastKernel();
    if (kernel != nullptr && kernel->Forward(*bottom[0], softmax_axis_, top[0])) return;
  }
  const Dtype* from = bottom[0]->cpu_data();
  Dtype* to = top[0]->mutable_cpu_data();
  if (inner == 1) {  // the classes of one item lie side by side
    parallel_ranges(outer_num_, std::max<std::int64_t>(1, 4096 / classes),
                    [=](std::int64_t begin, std::int64_t end) {
                      for (std::int64_t i = begin; i < end; ++i) {
                        const Dtype* x = from + i * classes;
                        Dtype* y = to + i * classes;
                        const Dtype most = *std::max_element(x, x + classes);
                        for (std::int64_t k = 0; k < classes; ++k) y[k] = x[k] - most;
                        caffe_exp(static_cast<int>(classes), y, y);
                        Dtype sum = 0;
                        for (std::int64_t k = 0; k < classes; ++k) sum += y[k];
                        for (std::int64_t k = 0; k < classes; ++k) y[k] /= sum;
                      }
                    });
    return;
  }
  for_each_piece(outer_num_, classes, inner, [=](std::int64_t at, int n) {
    Dtype most[kPiece], sum[kPiece];
    std::copy(from + at, from + at + n, most);
    for (std::int64_t k = 1; k < classes; ++k) {
      const Dtype* x = from + at + k * inner;
      for (int i = 0; i < n; ++i) most[i] = std::max(most[i], x[i]);
    }
    std::fill(sum, sum + n, Dtype(0));
    for (std::int64_t k = 0; k < classes; ++k) {
      const Dtype* x = from + at + k * inner;
      Dtype* y = to + at + k * inner;
      for (int i = 0; i < n; ++i) y[i] = x[i] - most[i];
      caffe_exp(n, y, y);
      for (int i = 0; i < n; ++i) sum[i] += y[i];
    }
    for (std::int64_t k = 0; k < classes; ++k) {
      Dtype* y = to + at + k * inner;
      for (int i = 0; i < n; ++i) y[i] /= sum[i];
    }
  });
}

template <typename Dtype>
void SoftmaxLayer<Dtype>::Backward_cpu(const vector<Blob<Dtype>*>& top,
                                       const vector<bool>& propagate_down,
                                       const vector<Blob<Dtype>*>& bottom) {
  if (!propagate_down[0] || top[0]->count() == 0) return;
  const std::int64_t classes = top[0]->shape(softmax_axis_), inner = inner_num_;
  const Dtype* y = top[0]->cpu_data();
  const Dtype* dy = top[0]->cpu_diff();
  Dtype* dx = bottom[0]->mutable_cpu_diff();
  for_each_piece(outer_num_, classes, inner, [=](std::int64_t at, int n) {
    Dtype dot[kPiece] = {};
    for (std::int64_t k = 0; k < classes; ++k) {
      const std::int64_t row = at + k * inner;
      for (int i = 0; i < n; ++i) dot[i] += y[row + i] * dy[row + i];
    }
    for (std::int64_t k = 0; k < classes; ++k) {
      const std::int64_t row = at + k * inner;
      for (int i = 0; i < n; ++i) dx[row + i] = y[row + i] * (dy[row + i] - dot[i]);
    }
  });
}

INSTANTIATE_CLASS(SoftmaxLayer);
REGISTER_LAYER_CLASS(Softmax);

}  // namespace caffe

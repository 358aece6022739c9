// SoftIoULoss: two sums an item forward, their quotient's derivative backward.
#include "caffe/layers/soft_iou_loss_layer.hpp"

#include "caffe/util/parallel_sum.hpp"
#include "caffe/util/vector_math.hpp"

namespace caffe {

namespace {

constexpr int kPiece = 1024;

// The two sums of an item.
struct Overlap {
  double intersection = 0, union_ = 0;
  Overlap& operator+=(const Overlap& other) {
    intersection += other.intersection;
    union_ += other.union_;
    return *this;
  }
};

}  // namespace

template <typename Dtype>
void SoftIoULossLayer<Dtype>::LayerSetUp(const vector<Blob<Dtype>*>& bottom,
                                         const vector<Blob<Dtype>*>& top) {
  LossLayer<Dtype>::LayerSetUp(bottom, top);
  CHECK_VALUE(this->layer_param_.soft_iou_loss_param().smooth() > 0)
      << "soft_iou_loss_param: smooth must be positive (it keeps the divisor from 0), "
         "not "
      << this->layer_param_.soft_iou_loss_param().smooth();
}

template <typename Dtype>
void SoftIoULossLayer<Dtype>::Reshape(const vector<Blob<Dtype>*>& bottom,
                                      const vector<Blob<Dtype>*>& top) {
  CHECK_GE(bottom[0]->num_axes(), 1) << "SoftIoULoss needs logits with a batch axis";
  LossLayer<Dtype>::Reshape(bottom, top);
  CHECK_EQ(bottom[0]->count(), bottom[1]->count())
      << "logits, shape " << bottom[0]->shape_string() << ", and labels, shape "
      << bottom[1]->shape_string() << ", must hold the same count";
  positions_.SetShape(bottom[0]->shape(0), bottom[0]->count(1),
                      bottom.size() > 2 ? bottom[2] : nullptr);
  overlaps_.Reshape({bottom[0]->shape(0), 2});
}

template <typename Dtype>
void SoftIoULossLayer<Dtype>::Forward_cpu(const vector<Blob<Dtype>*>& bottom,
                                          const vector<Blob<Dtype>*>& top) {
  const Dtype *logits = bottom[0]->cpu_data(), *labels = bottom[1]->cpu_data();
  const auto weights = positions_.weights();
  const int items = bottom[0]->shape(0), length = bottom[0]->count(1);
  const double smooth = this->layer_param_.soft_iou_loss_param().smooth();
  double* kept = overlaps_.mutable_cpu_data();
  double loss = 0;
  for (int n = 0; n < items; ++n) {
    const std::int64_t first = static_cast<std::int64_t>(n) * length;
    const Overlap overlap = parallel_sum<Overlap>(
        length,
        [&](std::int64_t begin, std::int64_t end) {
          Dtype p[kPiece] = {};
          vector_sigmoid(end - begin, logits + first + begin, p);
          Overlap sums;
          for (std::int64_t i = begin; i < end; ++i) {
            const Dtype y = labels[first + i],
                        weight = weights(static_cast<int>(first + i));
            const Dtype both = p[i - begin] * y;
            sums.intersection += weight * both;
            sums.union_ += weight * (p[i - begin] + y - both);
          }
          return sums;
        },
        kPiece);
    kept[2 * n] = overlap.intersection + smooth;
    kept[2 * n + 1] = overlap.union_ + smooth;
    loss += 1 - kept[2 * n] / kept[2 * n + 1];
  }
  top[0]->mutable_cpu_data()[0] = static_cast<Dtype>(items > 0 ? loss / items : 0);
}

template <typename Dtype>
void SoftIoULossLayer<Dtype>::Backward_cpu(const vector<Blob<Dtype>*>& top,
                                           const vector<bool>& propagate_down,
                                           const vector<Blob<Dtype>*>& bottom) {
  this->CheckOnlyPrediction(propagate_down);
  if (!propagate_down[0]) return;
  const Dtype *logits = bottom[0]->cpu_data(), *labels = bottom[1]->cpu_data();
  Dtype* diff = bottom[0]->mutable_cpu_diff();
  const auto weights = positions_.weights();
  const std::int64_t length = bottom[0]->count(1);
  const double scale = static_cast<double>(top[0]->cpu_diff()[0]) / bottom[0]->shape(0);
  for (int n = 0; n < bottom[0]->shape(0); ++n) {
    // d loss / d p = w ((1 - y) I / U^2 - y / U)
    const double intersection = overlaps_.cpu_data()[2 * n];
    const double union_ = overlaps_.cpu_data()[2 * n + 1];
    const Dtype of_label = static_cast<Dtype>(-scale / union_);
    const Dtype of_rest = static_cast<Dtype>(scale * intersection / (union_ * union_));
    const std::int64_t first = n * length;
    parallel_ranges(length, 4096, [&](std::int64_t begin, std::int64_t end) {
      vector_sigmoid(end - begin, logits + first + begin, diff + first + begin);
      for (std::int64_t i = first + begin; i < first + end; ++i) {
        const Dtype p = diff[i], y = labels[i];
        diff[i] = weights(static_cast<int>(i)) * (y * of_label + (1 - y) * of_rest) * p *
                  (1 - p);
      }
    });
  }
}

INSTANTIATE_CLASS(SoftIoULossLayer);
REGISTER_LAYER_CLASS(SoftIoULoss);

}  // namespace caffe

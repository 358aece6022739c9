// SigmoidCrossEntropyLoss in pieces, with the vectorised exp, log and sigmoid.
#include "caffe/layers/sigmoid_cross_entropy_loss_layer.hpp"

#include <cmath>

#include "caffe/util/parallel_sum.hpp"
#include "caffe/util/vector_math.hpp"

namespace caffe {

namespace {

constexpr int kPiece = 1024;

// ln(1 + exp(-|x|)) of up to kPiece numbers.
template <typename Dtype>
void SoftPlusOfMinusMagnitude(int count, const Dtype* x, Dtype* y) {
  for (int i = 0; i < count; ++i) y[i] = -std::fabs(x[i]);
  vector_exp(count, y, y);
  for (int i = 0; i < count; ++i) y[i] += 1;
  vector_log(count, y, y);
}

// Sum of losses, and of what counts.
struct Sums {
  double loss = 0, valid = 0;
  Sums& operator+=(const Sums& other) {
    loss += other.loss;
    valid += other.valid;
    return *this;
  }
};

}  // namespace

template <typename Dtype>
void SigmoidCrossEntropyLossLayer<Dtype>::LayerSetUp(const vector<Blob<Dtype>*>& bottom,
                                                     const vector<Blob<Dtype>*>& top) {
  LossLayer<Dtype>::LayerSetUp(bottom, top);
  positions_ = PositionLoss<Dtype>(this->layer_param_.loss_param(),
                                   LossParameter_NormalizationMode_BATCH_SIZE);
}

template <typename Dtype>
void SigmoidCrossEntropyLossLayer<Dtype>::Reshape(const vector<Blob<Dtype>*>& bottom,
                                                  const vector<Blob<Dtype>*>& top) {
  LossLayer<Dtype>::Reshape(bottom, top);
  CHECK_EQ(bottom[0]->count(), bottom[1]->count())
      << "logits, shape " << bottom[0]->shape_string() << ", and targets, shape "
      << bottom[1]->shape_string() << ", must hold the same count";
  const int outer = bottom[0]->num_axes() > 0 ? bottom[0]->shape(0) : 1;
  const int inner = bottom[0]->num_axes() > 0 ? bottom[0]->count(1) : 1;
  positions_.SetShape(outer, inner, bottom.size() > 2 ? bottom[2] : nullptr);
}

template <typename Dtype>
Dtype SigmoidCrossEntropyLossLayer<Dtype>::get_normalizer(
    LossParameter_NormalizationMode mode, int valid_count) {
  return positions_.normalizer(mode, static_cast<Dtype>(valid_count));
}

template <typename Dtype>
void SigmoidCrossEntropyLossLayer<Dtype>::Forward_cpu(const vector<Blob<Dtype>*>& bottom,
                                                      const vector<Blob<Dtype>*>& top) {
  const Dtype *x = bottom[0]->cpu_data(), *targets = bottom[1]->cpu_data();
  const auto weights = positions_.weights();
  const Sums sums = parallel_sum<Sums>(
      bottom[0]->count(),
      [&](std::int64_t begin, std::int64_t end) {
        Dtype soft[kPiece] = {};
        SoftPlusOfMinusMagnitude(static_cast<int>(end - begin), x + begin, soft);
        Sums piece;
        for (std::int64_t i = begin; i < end; ++i) {
          if (positions_.ignores(targets[i])) continue;
          const Dtype weight = weights(static_cast<int>(i));
          piece.loss +=
              weight * (std::max(x[i], Dtype(0)) - x[i] * targets[i] + soft[i - begin]);
          piece.valid += weight;
        }
        return piece;
      },
      kPiece);
  const Dtype normalizer =
      positions_.has_weight()
          ? positions_.normalizer(positions_.mode(), static_cast<Dtype>(sums.valid))
          : get_normalizer(positions_.mode(), static_cast<int>(sums.valid));
  normalizer_.mutable_cpu_data()[0] = normalizer;
  top[0]->mutable_cpu_data()[0] = static_cast<Dtype>(sums.loss / normalizer);
}

template <typename Dtype>
void SigmoidCrossEntropyLossLayer<Dtype>::Backward_cpu(
    const vector<Blob<Dtype>*>& top, const vector<bool>& propagate_down,
    const vector<Blob<Dtype>*>& bottom) {
  this->CheckOnlyPrediction(propagate_down);
  if (!propagate_down[0]) return;
  const Dtype *x = bottom[0]->cpu_data(), *targets = bottom[1]->cpu_data();
  Dtype* diff = bottom[0]->mutable_cpu_diff();
  const Dtype scale = top[0]->cpu_diff()[0] / normalizer_.cpu_data()[0];
  const auto weights = positions_.weights();
  parallel_ranges(bottom[0]->count(), 4096, [&](std::int64_t begin, std::int64_t end) {
    vector_sigmoid(end - begin, x + begin, diff + begin);
    for (std::int64_t i = begin; i < end; ++i) {
      const bool ignored = positions_.ignores(targets[i]);
      diff[i] = ignored ? Dtype(0)
                        : scale * weights(static_cast<int>(i)) * (diff[i] - targets[i]);
    }
  });
}

INSTANTIATE_CLASS(SigmoidCrossEntropyLossLayer);
REGISTER_LAYER_CLASS(SigmoidCrossEntropyLoss);

}  // namespace caffe

// SigmoidCrossEntropyLoss on the device.
#include "caffe/layers/launch_position_loss.hpp"
#include "caffe/layers/sigmoid_cross_entropy_loss_layer.hpp"

namespace caffe {

namespace {

template <typename Dtype>
struct SigmoidCrossEntropy {
  const Dtype *logits, *targets;

  CAFFE_HD double operator()(int i) const {
    const Dtype x = logits[i];
    return (x > 0 ? x : Dtype(0)) - x * targets[i] + std::log1p(std::exp(-std::fabs(x)));
  }
};

template <typename Dtype>
struct SigmoidCrossEntropyGradient {
  LoadPositionLoss<Dtype, SigmoidCrossEntropy<Dtype>> loss;
  const Dtype *loss_diff, *normalizer;
  Dtype* diff;

  CAFFE_HD void operator()(int i) const {
    const Dtype target = loss.targets[i];
    const Dtype sigmoid = 1 / (1 + std::exp(-loss.value.logits[i]));
    diff[i] = loss.ignored(target)
                  ? Dtype(0)
                  : *loss_diff / *normalizer * loss.weights(i) * (sigmoid - target);
  }
};

}  // namespace

template <typename Dtype>
void SigmoidCrossEntropyLossLayer<Dtype>::Forward_gpu(const vector<Blob<Dtype>*>& bottom,
                                                      const vector<Blob<Dtype>*>& top) {
  const Dtype* targets = bottom[1]->gpu_data();
  launch_position_loss(bottom[0]->count(), positions_,
                       LoadPositionLoss<Dtype, SigmoidCrossEntropy<Dtype>>{
                           {bottom[0]->gpu_data(), targets},
                           targets,
                           positions_.gpu_weights(),
                           positions_.ignored()},
                       top[0]->mutable_gpu_data(), normalizer_.mutable_gpu_data());
}

template <typename Dtype>
void SigmoidCrossEntropyLossLayer<Dtype>::Backward_gpu(
    const vector<Blob<Dtype>*>& top, const vector<bool>& propagate_down,
    const vector<Blob<Dtype>*>& bottom) {
  this->CheckOnlyPrediction(propagate_down);
  if (!propagate_down[0]) return;
  const Dtype* targets = bottom[1]->gpu_data();
  launch(bottom[0]->count(),
         SigmoidCrossEntropyGradient<Dtype>{{{bottom[0]->gpu_data(), targets},
                                             targets,
                                             positions_.gpu_weights(),
                                             positions_.ignored()},
                                            top[0]->gpu_diff(),
                                            normalizer_.gpu_data(),
                                            bottom[0]->mutable_gpu_diff()});
}

INSTANTIATE_LAYER_GPU_FUNCS(SigmoidCrossEntropyLossLayer);

}  // namespace caffe

// SoftmaxWithLoss on the device.
#include <cfloat>

#include "caffe/layers/launch_position_loss.hpp"
#include "caffe/layers/softmax_loss_layer.hpp"

namespace caffe {

namespace {

/// -ln of the label's probability; NaN for a label that is no class.
template <typename Dtype>
struct CrossEntropy {
  const Dtype *prob, *labels;
  int classes, inner;

  CAFFE_HD double operator()(int position) const {
    const Dtype label = labels[position];
    if (!(label > Dtype(-1) && label < Dtype(classes))) return NAN;
    const int outer = inner == 1 ? position : position / inner;
    const int at =
        (outer * classes + static_cast<int>(label)) * inner + position - outer * inner;
    const Dtype p = prob[at];
    return -static_cast<double>(std::log(p > Dtype(FLT_MIN) ? p : Dtype(FLT_MIN)));
  }
};

template <typename Dtype>
struct CrossEntropyGradient {
  LoadPositionLoss<Dtype, CrossEntropy<Dtype>> loss;
  const Dtype *loss_diff, *normalizer;
  Dtype* diff;

  CAFFE_HD void operator()(int i) const {
    const int row = loss.value.inner == 1 ? i : i / loss.value.inner;
    const int outer = row / loss.value.classes, c = row - outer * loss.value.classes;
    const int position = (outer - row) * loss.value.inner + i;
    const Dtype label = loss.targets[position];
    if (loss.ignored(label)) {
      diff[i] = 0;
      return;
    }
    const Dtype target = static_cast<int>(label) == c ? Dtype(1) : Dtype(0);
    diff[i] =
        *loss_diff / *normalizer * loss.weights(position) * (loss.value.prob[i] - target);
  }
};

}  // namespace

template <typename Dtype>
void SoftmaxWithLossLayer<Dtype>::Forward_gpu(const vector<Blob<Dtype>*>& bottom,
                                              const vector<Blob<Dtype>*>& top) {
  softmax_layer_->Forward(softmax_bottom_, softmax_top_);
  const Dtype* labels = bottom[1]->gpu_data();
  launch_position_loss(bottom[1]->count(), positions_,
                       LoadPositionLoss<Dtype, CrossEntropy<Dtype>>{
                           {prob_.gpu_data(), labels, classes_, inner_},
                           labels,
                           positions_.gpu_weights(),
                           positions_.ignored()},
                       top[0]->mutable_gpu_data(), normalizer_.mutable_gpu_data());
  if (top.size() > 1) top[1]->ShareData(prob_);
}

template <typename Dtype>
void SoftmaxWithLossLayer<Dtype>::Backward_gpu(const vector<Blob<Dtype>*>& top,
                                               const vector<bool>& propagate_down,
                                               const vector<Blob<Dtype>*>& bottom) {
  this->CheckOnlyPrediction(propagate_down);
  if (!propagate_down[0]) return;
  const Dtype* labels = bottom[1]->gpu_data();
  launch(bottom[0]->count(),
         CrossEntropyGradient<Dtype>{{{prob_.gpu_data(), labels, classes_, inner_},
                                      labels,
                                      positions_.gpu_weights(),
                                      positions_.ignored()},
                                     top[0]->gpu_diff(),
                                     normalizer_.gpu_data(),
                                     bottom[0]->mutable_gpu_diff()});
}

INSTANTIATE_LAYER_GPU_FUNCS(SoftmaxWithLossLayer);

}  // namespace caffe

// SoftIoULoss on the device.
#include "caffe/device/launch.hpp"
#include "caffe/layers/soft_iou_loss_layer.hpp"

namespace caffe {

namespace {

/// Row 2 n: the intersection of item n; row 2 n + 1: the union.
template <typename Dtype>
struct LoadOverlap {
  const Dtype *logits, *labels;
  int length;
  typename PositionLoss<Dtype>::Weights weights;

  CAFFE_HD double operator()(int row, int k) const {
    const int i = row / 2 * length + k;
    const Dtype p = 1 / (1 + std::exp(-logits[i])), y = labels[i], both = p * y;
    return static_cast<double>(weights(i)) * (row % 2 == 0 ? both : p + y - both);
  }
};

template <typename Dtype>
void soft_iou_forward(int items, double smooth, const LoadOverlap<Dtype>& load,
                      double* overlaps, Dtype* loss) {
  launch_row_sums<double>(
      2 * items, load.length, load,
      CAFFE_LAMBDA(int row, double sum) { overlaps[row] = sum + smooth; });
  launch_row_sums<double>(
      1, items,
      CAFFE_LAMBDA(int, int n) { return 1 - overlaps[2 * n] / overlaps[2 * n + 1]; },
      CAFFE_LAMBDA(int, double sum) {
        *loss = static_cast<Dtype>(items > 0 ? sum / items : 0);
      });
}

/// d loss / d p = w ((1 - y) I / U^2 - y / U)
template <typename Dtype>
void soft_iou_backward(int items, const LoadOverlap<Dtype>& values,
                       const double* overlaps, const Dtype* loss_diff, Dtype* diff) {
  launch(
      items * values.length, CAFFE_LAMBDA(int i) {
        const double* overlap = overlaps + i / values.length * 2;
        const Dtype inverse_union = static_cast<Dtype>(1 / overlap[1]);
        const Dtype ratio = static_cast<Dtype>(overlap[0] / overlap[1]);
        const Dtype scale = *loss_diff / items * inverse_union;
        const Dtype p = 1 / (1 + std::exp(-values.logits[i])), y = values.labels[i];
        diff[i] = scale * values.weights(i) * ((1 - y) * ratio - y) * p * (1 - p);
      });
}

}  // namespace

template <typename Dtype>
void SoftIoULossLayer<Dtype>::Forward_gpu(const vector<Blob<Dtype>*>& bottom,
                                          const vector<Blob<Dtype>*>& top) {
  const int items = bottom[0]->shape(0);
  soft_iou_forward(items, this->layer_param_.soft_iou_loss_param().smooth(),
                   LoadOverlap<Dtype>{bottom[0]->gpu_data(), bottom[1]->gpu_data(),
                                      bottom[0]->count(1), positions_.gpu_weights()},
                   overlaps_.mutable_gpu_data(), top[0]->mutable_gpu_data());
}

template <typename Dtype>
void SoftIoULossLayer<Dtype>::Backward_gpu(const vector<Blob<Dtype>*>& top,
                                           const vector<bool>& propagate_down,
                                           const vector<Blob<Dtype>*>& bottom) {
  this->CheckOnlyPrediction(propagate_down);
  if (!propagate_down[0]) return;
  soft_iou_backward(bottom[0]->shape(0),
                    LoadOverlap<Dtype>{bottom[0]->gpu_data(), bottom[1]->gpu_data(),
                                       bottom[0]->count(1), positions_.gpu_weights()},
                    overlaps_.gpu_data(), top[0]->gpu_diff(),
                    bottom[0]->mutable_gpu_diff());
}

INSTANTIATE_LAYER_GPU_FUNCS(SoftIoULossLayer);

}  // namespace caffe

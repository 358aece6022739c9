// Dropout on the device: the mask is the host's, value by value.
#include "caffe/device/device.hpp"
#include "caffe/device/launch.hpp"
#include "caffe/layers/dropout_layer.hpp"

namespace caffe {

namespace {

template <typename Dtype>
void drop_values(int n, const DropoutMask& dropout_mask, Dtype factor, const Dtype* x,
                 Dtype* y) {
  const DropoutMask mask = dropout_mask;
  launch(
      n, CAFFE_LAMBDA(int i) {
        y[i] = mask.keeps(static_cast<std::uint32_t>(i)) ? x[i] * factor : Dtype(0);
      });
}

}  // namespace

template <typename Dtype>
void DropoutLayer<Dtype>::Forward_gpu(const vector<Blob<Dtype>*>& bottom,
                                      const vector<Blob<Dtype>*>& top) {
  const int n = top[0]->count();
  if (this->phase_ == TRAIN) {
    DrawMask();
    drop_values(n, Mask(), 1 / (1 - ratio_), bottom[0]->gpu_data(),
                top[0]->mutable_gpu_data());
  } else if (bottom[0] != top[0]) {
    device::copy_on_device(top[0]->mutable_gpu_data(), bottom[0]->gpu_data(),
                           sizeof(Dtype) * n);
  }
}

template <typename Dtype>
void DropoutLayer<Dtype>::Backward_gpu(const vector<Blob<Dtype>*>& top,
                                       const vector<bool>& propagate_down,
                                       const vector<Blob<Dtype>*>& bottom) {
  if (!propagate_down[0]) return;
  const int n = top[0]->count();
  if (this->phase_ == TRAIN) {
    drop_values(n, Mask(), 1 / (1 - ratio_), top[0]->gpu_diff(),
                bottom[0]->mutable_gpu_diff());
  } else if (bottom[0] != top[0]) {
    device::copy_on_device(bottom[0]->mutable_gpu_diff(), top[0]->gpu_diff(),
                           sizeof(Dtype) * n);
  }
}

INSTANTIATE_LAYER_GPU_FUNCS(DropoutLayer);

}  // namespace caffe

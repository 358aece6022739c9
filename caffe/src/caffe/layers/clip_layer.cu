// Clip on the device.
#include "caffe/device/launch.hpp"
#include "caffe/layers/clip_layer.hpp"

namespace caffe {

namespace {

template <typename Dtype>
void clip_forward(int n, Dtype lower, Dtype upper, const Dtype* x, Dtype* y) {
  launch(
      n, CAFFE_LAMBDA(int i) {
        const Dtype value = x[i];
        const Dtype bounded = value > upper ? upper : value;
        y[i] = bounded < lower ? lower : bounded;
      });
}

template <typename Dtype>
void clip_backward(int n, Dtype lower, Dtype upper, const Dtype* g, const Dtype* x,
                   Dtype* dx) {
  launch(
      n, CAFFE_LAMBDA(int i) {
        const Dtype value = x[i];
        dx[i] = value >= lower && value <= upper ? g[i] : Dtype(0);
      });
}

/// A value at a bound may have come from beyond it.
template <typename Dtype>
void clip_backward_in_place(int n, Dtype lower, Dtype upper, const Dtype* g,
                            const Dtype* y, Dtype* dx) {
  launch(
      n, CAFFE_LAMBDA(int i) {
        const Dtype value = y[i];
        dx[i] = value > lower && value < upper ? g[i] : Dtype(0);
      });
}

}  // namespace

template <typename Dtype>
void ClipLayer<Dtype>::Forward_gpu(const vector<Blob<Dtype>*>& bottom,
                                   const vector<Blob<Dtype>*>& top) {
  clip_forward(top[0]->count(), min_, max_, bottom[0]->gpu_data(),
               top[0]->mutable_gpu_data());
}

template <typename Dtype>
void ClipLayer<Dtype>::Backward_gpu(const vector<Blob<Dtype>*>& top,
                                    const vector<bool>& propagate_down,
                                    const vector<Blob<Dtype>*>& bottom) {
  if (!propagate_down[0]) return;
  if (bottom[0] == top[0]) {
    clip_backward_in_place(top[0]->count(), min_, max_, top[0]->gpu_diff(),
                           top[0]->gpu_data(), bottom[0]->mutable_gpu_diff());
  } else {
    clip_backward(top[0]->count(), min_, max_, top[0]->gpu_diff(), bottom[0]->gpu_data(),
                  bottom[0]->mutable_gpu_diff());
  }
}

INSTANTIATE_LAYER_GPU_FUNCS(ClipLayer);

}  // namespace caffe

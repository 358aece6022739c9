// ELU on the device.
#include <cmath>

#include "caffe/device/launch.hpp"
#include "caffe/layers/elu_layer.hpp"

namespace caffe {

namespace {

template <typename Dtype>
void elu_forward(int n, Dtype alpha, const Dtype* x, Dtype* y) {
  launch(
      n, CAFFE_LAMBDA(int i) {
        const Dtype value = x[i];
        y[i] = value > 0 ? value : alpha * std::expm1(value);
      });
}

template <typename Dtype>
void elu_backward(int n, Dtype alpha, const Dtype* g, const Dtype* x, Dtype* dx) {
  launch(
      n, CAFFE_LAMBDA(int i) {
        const Dtype value = x[i];
        dx[i] = value > 0 ? g[i] : alpha * std::exp(value) * g[i];
      });
}

template <typename Dtype>
void elu_backward_from_output(int n, Dtype alpha, const Dtype* g, const Dtype* y,
                              Dtype* dx) {
  launch(
      n, CAFFE_LAMBDA(int i) {
        const Dtype value = y[i];
        dx[i] = value > 0 ? g[i] : (alpha + value) * g[i];
      });
}

}  // namespace

template <typename Dtype>
void ELULayer<Dtype>::Forward_gpu(const vector<Blob<Dtype>*>& bottom,
                                  const vector<Blob<Dtype>*>& top) {
  const Dtype alpha = this->layer_param_.elu_param().alpha();
  elu_forward(top[0]->count(), alpha, bottom[0]->gpu_data(), top[0]->mutable_gpu_data());
}

template <typename Dtype>
void ELULayer<Dtype>::Backward_gpu(const vector<Blob<Dtype>*>& top,
                                   const vector<bool>& propagate_down,
                                   const vector<Blob<Dtype>*>& bottom) {
  if (!propagate_down[0]) return;
  const Dtype alpha = this->layer_param_.elu_param().alpha();
  if (bottom[0] != top[0]) {
    elu_backward(top[0]->count(), alpha, top[0]->gpu_diff(), bottom[0]->gpu_data(),
                 bottom[0]->mutable_gpu_diff());
    return;
  }
  CHECK(alpha >= 0) << "ELU with alpha " << alpha
                    << " cannot run backward in place: the sign "
                    << "of its input is lost. Give its top another name";
  elu_backward_from_output(top[0]->count(), alpha, top[0]->gpu_diff(), top[0]->gpu_data(),
                           bottom[0]->mutable_gpu_diff());
}

INSTANTIATE_LAYER_GPU_FUNCS(ELULayer);

}  // namespace caffe

// ReLU on the device.
#include "caffe/device/launch.hpp"
#include "caffe/layers/relu_layer.hpp"

namespace caffe {

namespace {

template <typename Dtype>
void relu_forward(int n, Dtype slope, const Dtype* x, Dtype* y) {
  launch(
      n, CAFFE_LAMBDA(int i) { y[i] = x[i] < 0 ? slope * x[i] : x[i]; });
}

template <typename Dtype>
void relu_backward(int n, Dtype slope, const Dtype* g, const Dtype* x, Dtype* dx) {
  launch(
      n, CAFFE_LAMBDA(int i) { dx[i] = x[i] > 0 ? g[i] : slope * g[i]; });
}

}  // namespace

template <typename Dtype>
void ReLULayer<Dtype>::Forward_gpu(const vector<Blob<Dtype>*>& bottom,
                                   const vector<Blob<Dtype>*>& top) {
  const Dtype slope = this->layer_param_.relu_param().negative_slope();
  relu_forward(top[0]->count(), slope, bottom[0]->gpu_data(), top[0]->mutable_gpu_data());
}

template <typename Dtype>
void ReLULayer<Dtype>::Backward_gpu(const vector<Blob<Dtype>*>& top,
                                    const vector<bool>& propagate_down,
                                    const vector<Blob<Dtype>*>& bottom) {
  if (!propagate_down[0]) return;
  const Dtype slope = this->layer_param_.relu_param().negative_slope();
  CHECK(slope >= 0 || bottom[0] != top[0])
      << "ReLU with negative_slope " << slope
      << " cannot run backward in place: the sign of "
      << "its input is lost. Give its top another name";
  relu_backward(top[0]->count(), slope, top[0]->gpu_diff(), bottom[0]->gpu_data(),
                bottom[0]->mutable_gpu_diff());
}

INSTANTIATE_LAYER_GPU_FUNCS(ReLULayer);

}  // namespace caffe

// ReLU on the device.
#include "caffe/device/channels_last.hpp"
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
  SyncedMemory* in = bottom[0]->data().get();
  const ChannelsLast order = device::common_order(*bottom[0], {in});
  const Dtype* x = device::read_in_order<Dtype>(in, order);
  relu_forward(top[0]->count(), slope, x,
               device::write_in_order<Dtype>(top[0]->data().get(), order));
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
  SyncedMemory *gradient = top[0]->diff().get(), *in = bottom[0]->data().get();
  const ChannelsLast order = device::common_order(*bottom[0], {gradient, in});
  const Dtype* g = device::read_in_order<Dtype>(gradient, order);
  const Dtype* x = device::read_in_order<Dtype>(in, order);
  relu_backward(top[0]->count(), slope, g, x,
                device::write_in_order<Dtype>(bottom[0]->diff().get(), order));
}

INSTANTIATE_LAYER_GPU_FUNCS(ReLULayer);

}  // namespace caffe

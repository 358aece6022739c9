// BaseConvolutionLayer on the device: the passes, and the products for other people's
// layers. (No kernels of its own: those are in device/.)
#include <algorithm>

#include "caffe/layers/base_conv_layer.hpp"
#include "caffe/util/math_functions_gpu.hpp"

namespace caffe {

template <typename Dtype>
device::Convolution<Dtype>& BaseConvolutionLayer<Dtype>::DeviceConvolution() const {
  if (!on_device_) {
    const bool plain = this->layer_param_.convolution_param().engine() ==
                       ConvolutionParameter_Engine_CAFFE;
    on_device_ = std::make_unique<device::Convolution<Dtype>>(conv_shape(), plain,
                                                              this->phase_ == TEST);
  }
  return *on_device_;
}

template <typename Dtype>
void BaseConvolutionLayer<Dtype>::ForwardAllOnDevice(const vector<Blob<Dtype>*>& bottom,
                                                     const vector<Blob<Dtype>*>& top,
                                                     const Epilogue<Dtype>& epilogue) {
  const Blob<Dtype>* bias = bias_term_ ? this->blobs_[1].get() : nullptr;
  for (size_t i = 0; i < bottom.size(); ++i) {
    DeviceConvolution().Forward(*bottom[i], *this->blobs_[0], bias, epilogue, top[i]);
  }
}

template <typename Dtype>
void BaseConvolutionLayer<Dtype>::BackwardAllOnDevice(
    const vector<Blob<Dtype>*>& top, const vector<bool>& propagate_down,
    const vector<Blob<Dtype>*>& bottom) {
  for (size_t i = 0; i < top.size(); ++i) {
    BackwardOnDevice(top[i], propagate_down[i], bottom[i], Epilogue<Dtype>(), nullptr);
  }
}

template <typename Dtype>
void BaseConvolutionLayer<Dtype>::BackwardOnDevice(Blob<Dtype>* top, bool propagate_down,
                                                   Blob<Dtype>* bottom,
                                                   const Epilogue<Dtype>& epilogue,
                                                   AffineGradient* affine) {
  device::Convolution<Dtype>& convolution = DeviceConvolution();
  const Blob<Dtype>& weights = *this->blobs_[0];
  const Blob<Dtype>* bias = bias_term_ ? this->blobs_[1].get() : nullptr;
  Dtype* weights_diff =
      this->param_propagate_down_[0] ? this->blobs_[0]->mutable_gpu_diff() : nullptr;
  Dtype* bias_diff = bias_term_ && this->param_propagate_down_[1]
                         ? this->blobs_[1]->mutable_gpu_diff()
                         : nullptr;
  convolution.BackwardActivation(epilogue.activation, top);
  if (epilogue.has_affine()) {
    convolution.AddFoldedGradients(
        *bottom, *top, {weights.gpu_data(), bias != nullptr ? bias->gpu_data() : nullptr},
        epilogue.on_device, {weights_diff, bias_diff},
        affine != nullptr ? affine->on_device : AffineRows());
  } else {
    if (bias_diff != nullptr) convolution.AddBiasGradient(*top, bias_diff);
    if (weights_diff != nullptr) {
      convolution.AddWeightGradient(*bottom, *top, weights_diff);
    }
  }
  if (propagate_down) convolution.BackwardBottom(*top, weights, epilogue, bottom);
}

template <typename Dtype>
void BaseConvolutionLayer<Dtype>::forward_gpu_gemm(const Dtype* input,
                                                   const Dtype* weights, Dtype* output,
                                                   bool) {
  DeviceConvolution().RunPlain(
      device::ConvOp::kCorrelate,
      {const_cast<Dtype*>(input), output, const_cast<Dtype*>(weights)});
}

template <typename Dtype>
void BaseConvolutionLayer<Dtype>::forward_gpu_bias(Dtype* output, const Dtype* bias) {
  device::MapTail<Dtype> tail;
  tail.num = 1;
  tail.channels = num_output_;
  tail.positions = out_spatial_dim_;
  tail.bias = bias;
  device::apply_map_tail(tail, output);
}

template <typename Dtype>
void BaseConvolutionLayer<Dtype>::backward_gpu_gemm(const Dtype* input,
                                                    const Dtype* weights, Dtype* output) {
  DeviceConvolution().RunPlain(
      device::ConvOp::kAdjoint,
      {output, const_cast<Dtype*>(input), const_cast<Dtype*>(weights)});
}

template <typename Dtype>
void BaseConvolutionLayer<Dtype>::weight_gpu_gemm(const Dtype* input, const Dtype* output,
                                                  Dtype* weights) {
  DeviceConvolution().RunPlain(
      device::ConvOp::kWeightGradient,
      {const_cast<Dtype*>(input), const_cast<Dtype*>(output), weights});
}

template <typename Dtype>
void BaseConvolutionLayer<Dtype>::backward_gpu_bias(Dtype* bias, const Dtype* input) {
  device::add_channel_sums(1, num_output_, out_spatial_dim_, input, bias);
}

#define CAFFE_INSTANTIATE_ON_DEVICE(T)                                                   \
  template device::Convolution<T>& BaseConvolutionLayer<T>::DeviceConvolution() const;   \
  template void BaseConvolutionLayer<T>::ForwardAllOnDevice(                             \
      const vector<Blob<T>*>&, const vector<Blob<T>*>&, const Epilogue<T>&);             \
  template void BaseConvolutionLayer<T>::BackwardAllOnDevice(                            \
      const vector<Blob<T>*>&, const vector<bool>&, const vector<Blob<T>*>&);            \
  template void BaseConvolutionLayer<T>::BackwardOnDevice(                               \
      Blob<T>*, bool, Blob<T>*, const Epilogue<T>&, AffineGradient*);                    \
  template void BaseConvolutionLayer<T>::forward_gpu_gemm(const T*, const T*, T*, bool); \
  template void BaseConvolutionLayer<T>::forward_gpu_bias(T*, const T*);                 \
  template void BaseConvolutionLayer<T>::backward_gpu_gemm(const T*, const T*, T*);      \
  template void BaseConvolutionLayer<T>::weight_gpu_gemm(const T*, const T*, T*);        \
  template void BaseConvolutionLayer<T>::backward_gpu_bias(T*, const T*)
CAFFE_INSTANTIATE_ON_DEVICE(float);
CAFFE_INSTANTIATE_ON_DEVICE(double);
#undef CAFFE_INSTANTIATE_ON_DEVICE

}  // namespace caffe

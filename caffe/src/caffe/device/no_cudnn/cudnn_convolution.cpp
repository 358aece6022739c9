// A CUDA build without cuDNN, and the simulated device: it offers nothing.
#include "caffe/device/convolution_ops.hpp"

namespace caffe {
namespace device {

template <typename Dtype>
std::unique_ptr<ConvolutionOps<Dtype>> make_cudnn_convolution(const ConvShape&) {
  return nullptr;
}
template std::unique_ptr<ConvolutionOps<float>> make_cudnn_convolution(const ConvShape&);
template std::unique_ptr<ConvolutionOps<double>> make_cudnn_convolution(const ConvShape&);

std::unique_ptr<ConvolutionOps<float>> make_cudnn_channels_last(const ConvShape&) {
  return nullptr;
}

}  // namespace device
}  // namespace caffe

// Without oneDNN there is no such convolution.
#include "caffe/backend/convolution.hpp"

namespace caffe {

std::unique_ptr<ConvolutionKernel> make_onednn_convolution(const ConvShape&) {
  return nullptr;
}

}  // namespace caffe

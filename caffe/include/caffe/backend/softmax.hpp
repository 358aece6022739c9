// The interface of fast softmax.
#ifndef CAFFE_BACKEND_SOFTMAX_HPP_
#define CAFFE_BACKEND_SOFTMAX_HPP_

#include <memory>

#include "caffe/blob.hpp"

namespace caffe {

/// Softmax over one axis; keeps what it has made for the last shape and layout.
class SoftmaxKernel {
 public:
  virtual ~SoftmaxKernel() = default;
  /// top.data from bottom.data, in the bottom's layout. False, and nothing is done, where
  /// the plain code is faster: classes that lie apart in row-major memory.
  virtual bool Forward(const Blob<float>& bottom, int axis, Blob<float>* top) = 0;
};

/// Null without oneDNN.
std::unique_ptr<SoftmaxKernel> make_softmax_kernel();

}  // namespace caffe

#endif  // CAFFE_BACKEND_SOFTMAX_HPP_

// cuDNN under the names of BVLC's header: checks, types and descriptors.
#ifndef CAFFE_UTIL_CUDNN_H_
#define CAFFE_UTIL_CUDNN_H_
#ifdef USE_CUDNN

#include <cudnn.h>

#include "caffe/proto/caffe.pb.h"
#include "caffe/util/logging.hpp"

#define CUDNN_VERSION_MIN(major, minor, patch) \
  (CUDNN_VERSION >= ((major)*10000 + (minor)*100 + (patch)))

#define CUDNN_CHECK(condition)                                                     \
  do {                                                                             \
    const cudnnStatus_t caffe_cudnn_status = (condition);                          \
    if (caffe_cudnn_status != CUDNN_STATUS_SUCCESS) {                              \
      cudaGetLastError(); /* or the next launch would report it */                 \
      LOG(FATAL) << #condition << ": " << cudnnGetErrorString(caffe_cudnn_status); \
    }                                                                              \
  } while (0)

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

namespace caffe {
namespace cudnn {

template <typename Dtype>
class dataType;
template <>
class dataType<float> {
 public:
  static const cudnnDataType_t type = CUDNN_DATA_FLOAT;
  inline static float oneval = 1, zeroval = 0;
  inline static const void *one = &oneval, *zero = &zeroval;
};
template <>
class dataType<double> {
 public:
  static const cudnnDataType_t type = CUDNN_DATA_DOUBLE;
  inline static double oneval = 1, zeroval = 0;
  inline static const void *one = &oneval, *zero = &zeroval;
};

template <typename Dtype>
inline void createTensor4dDesc(cudnnTensorDescriptor_t* desc) {
  CUDNN_CHECK(cudnnCreateTensorDescriptor(desc));
}

template <typename Dtype>
inline void setTensor4dDesc(cudnnTensorDescriptor_t* desc, int n, int c, int h, int w,
                            int stride_n, int stride_c, int stride_h, int stride_w) {
  CUDNN_CHECK(cudnnSetTensor4dDescriptorEx(*desc, dataType<Dtype>::type, n, c, h, w,
                                           stride_n, stride_c, stride_h, stride_w));
}

template <typename Dtype>
inline void setTensor4dDesc(cudnnTensorDescriptor_t* desc, int n, int c, int h, int w) {
  setTensor4dDesc<Dtype>(desc, n, c, h, w, c * h * w, h * w, w, 1);
}

template <typename Dtype>
inline void createFilterDesc(cudnnFilterDescriptor_t* desc, int n, int c, int h, int w) {
  CUDNN_CHECK(cudnnCreateFilterDescriptor(desc));
  CUDNN_CHECK(cudnnSetFilter4dDescriptor(*desc, dataType<Dtype>::type, CUDNN_TENSOR_NCHW,
                                         n, c, h, w));
}

template <typename Dtype>
inline void createConvolutionDesc(cudnnConvolutionDescriptor_t* conv) {
  CUDNN_CHECK(cudnnCreateConvolutionDescriptor(conv));
}

template <typename Dtype>
inline void setConvolutionDesc(cudnnConvolutionDescriptor_t* conv,
                               cudnnTensorDescriptor_t, cudnnFilterDescriptor_t,
                               int pad_h, int pad_w, int stride_h, int stride_w) {
  CUDNN_CHECK(cudnnSetConvolution2dDescriptor(*conv, pad_h, pad_w, stride_h, stride_w, 1,
                                              1, CUDNN_CROSS_CORRELATION,
                                              dataType<Dtype>::type));
}

template <typename Dtype>
inline void createPoolingDesc(cudnnPoolingDescriptor_t* pool,
                              PoolingParameter_PoolMethod method,
                              cudnnPoolingMode_t* mode, int h, int w, int pad_h,
                              int pad_w, int stride_h, int stride_w) {
  CHECK(method != PoolingParameter_PoolMethod_STOCHASTIC)
      << "cuDNN pools by maximum and average only";
  *mode = method == PoolingParameter_PoolMethod_MAX
              ? CUDNN_POOLING_MAX
              : CUDNN_POOLING_AVERAGE_COUNT_INCLUDE_PADDING;
  CUDNN_CHECK(cudnnCreatePoolingDescriptor(pool));
  CUDNN_CHECK(cudnnSetPooling2dDescriptor(*pool, *mode, CUDNN_PROPAGATE_NAN, h, w, pad_h,
                                          pad_w, stride_h, stride_w));
}

template <typename Dtype>
inline void createActivationDescriptor(cudnnActivationDescriptor_t* activation,
                                       cudnnActivationMode_t mode) {
  CUDNN_CHECK(cudnnCreateActivationDescriptor(activation));
  CUDNN_CHECK(cudnnSetActivationDescriptor(*activation, mode, CUDNN_PROPAGATE_NAN, 0));
}

}  // namespace cudnn
}  // namespace caffe

#pragma GCC diagnostic pop

#endif  // USE_CUDNN
#endif  // CAFFE_UTIL_CUDNN_H_

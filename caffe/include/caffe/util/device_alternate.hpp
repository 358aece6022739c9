// The GPU macros of a build without a GPU. (A CUDA build puts its own beside these.)
#ifndef CAFFE_UTIL_DEVICE_ALTERNATE_HPP_
#define CAFFE_UTIL_DEVICE_ALTERNATE_HPP_

#include "caffe/util/logging.hpp"

#ifdef CPU_ONLY

#define NO_GPU LOG(FATAL) << "Cannot use GPU in CPU-only Caffe: check mode."

#define STUB_GPU(classname)                                               \
  template <typename Dtype>                                               \
  void classname<Dtype>::Forward_gpu(const std::vector<Blob<Dtype>*>&,    \
                                     const std::vector<Blob<Dtype>*>&) {  \
    NO_GPU;                                                               \
  }                                                                       \
  template <typename Dtype>                                               \
  void classname<Dtype>::Backward_gpu(const std::vector<Blob<Dtype>*>&,   \
                                      const std::vector<bool>&,           \
                                      const std::vector<Blob<Dtype>*>&) { \
    NO_GPU;                                                               \
  }

#define STUB_GPU_FORWARD(classname, funcname)                               \
  template <typename Dtype>                                                 \
  void classname<Dtype>::funcname##_gpu(const std::vector<Blob<Dtype>*>&,   \
                                        const std::vector<Blob<Dtype>*>&) { \
    NO_GPU;                                                                 \
  }

#define STUB_GPU_BACKWARD(classname, funcname)                              \
  template <typename Dtype>                                                 \
  void classname<Dtype>::funcname##_gpu(const std::vector<Blob<Dtype>*>&,   \
                                        const std::vector<bool>&,           \
                                        const std::vector<Blob<Dtype>*>&) { \
    NO_GPU;                                                                 \
  }

#endif  // CPU_ONLY

#endif  // CAFFE_UTIL_DEVICE_ALTERNATE_HPP_

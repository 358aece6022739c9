// Marks of code that runs on host and device alike.
#ifndef CAFFE_DEVICE_BODY_HPP_
#define CAFFE_DEVICE_BODY_HPP_

#ifdef __CUDACC__
/// A function that kernels may call.
#define CAFFE_HD __host__ __device__
#else
#define CAFFE_HD
#endif

/// A kernel's body; captures by value.
#define CAFFE_LAMBDA(...) [=] CAFFE_HD(__VA_ARGS__)

#endif  // CAFFE_DEVICE_BODY_HPP_

// Data-parallel training over several devices: nothing in a build without NCCL.
#ifndef CAFFE_PARALLEL_HPP_
#define CAFFE_PARALLEL_HPP_
#endif  // CAFFE_PARALLEL_HPP_

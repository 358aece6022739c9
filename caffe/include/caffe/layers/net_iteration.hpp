// What layers ask of the net that they belong to. (The net is a level above them.)
#ifndef CAFFE_NET_ITERATION_HPP_
#define CAFFE_NET_ITERATION_HPP_

namespace caffe {

template <typename Dtype>
class Net;

/// Net::iter() and Net::training_iter(); 0 without a net. Defined with the net.
template <typename Dtype>
int iteration_of(const Net<Dtype>* net);
template <typename Dtype>
int training_iteration_of(const Net<Dtype>* net);

}  // namespace caffe

#endif  // CAFFE_NET_ITERATION_HPP_

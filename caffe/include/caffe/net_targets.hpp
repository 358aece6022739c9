// The labels of a net that are no class: asked for where a result is NaN.
#ifndef CAFFE_NET_TARGETS_HPP_
#define CAFFE_NET_TARGETS_HPP_

#include "caffe/net.hpp"

namespace caffe {

/// An error for targets that a loss or an Accuracy is not defined for, such as a label
/// that is no class; it names layer, label and position. A kernel cannot throw: on a
/// device the result of these is NaN, and who reads that asks here. Targets whose memory
/// a net with `keep` has given up cannot be asked.
template <typename Dtype>
void check_targets(const Net<Dtype>& net);

/// The same if one of the results, which the host has anyway, is NaN.
template <typename Dtype>
void check_results(const Net<Dtype>& net, const vector<Blob<Dtype>*>& results);

}  // namespace caffe

#endif  // CAFFE_NET_TARGETS_HPP_

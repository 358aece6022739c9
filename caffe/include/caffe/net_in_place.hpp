// Which layers may work in place.
#ifndef CAFFE_NET_IN_PLACE_HPP_
#define CAFFE_NET_IN_PLACE_HPP_

#include "caffe/proto/caffe.pb.h"

namespace caffe {

/// Whether a layer whose top is its own bottom would give garbage: it writes its top
/// before it has read all of the bottom, or the top has another shape. Types from outside
/// are trusted.
bool cannot_work_in_place(const LayerParameter& layer);

}  // namespace caffe

#endif  // CAFFE_NET_IN_PLACE_HPP_

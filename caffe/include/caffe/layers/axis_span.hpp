// What layers check of their blobs alike: in-place use, and factors spread over axes.
#ifndef CAFFE_LAYERS_AXIS_SPAN_HPP_
#define CAFFE_LAYERS_AXIS_SPAN_HPP_

#include <vector>

#include "caffe/blob.hpp"

namespace caffe {

/// For a layer that reads its bottoms again after it has begun to write its tops.
template <typename Dtype>
void check_not_in_place(const char* type, const vector<Blob<Dtype>*>& bottom,
                        const vector<Blob<Dtype>*>& top) {
  for (const Blob<Dtype>* t : top) {
    for (const Blob<Dtype>* b : bottom) {
      CHECK(t != b) << type << " cannot work in place: give the top another name";
    }
  }
}

/// The sizes of `bottom` on [axis, axis + num_axes); num_axes = -1 means to the end. The
/// shape of a parameter that Scale or Bias spreads.
template <typename Dtype>
vector<int> span_shape(const Blob<Dtype>& bottom, int axis, int num_axes) {
  CHECK_GE(num_axes, -1) << "num_axes must be at least 0, or -1 for all axes to the end";
  const int first = num_axes == 0 ? 0 : bottom.CanonicalAxisIndex(axis);
  const int last = num_axes == -1 ? bottom.num_axes() : first + num_axes;
  CHECK_GE(bottom.num_axes(), last)
      << "axis " << axis << " and num_axes " << num_axes
      << " reach past the last axis of the bottom, shape " << bottom.shape_string();
  return vector<int>(bottom.shape().begin() + first, bottom.shape().begin() + last);
}

/// Checks that `factor`'s axes are the bottom's from `axis` on; returns the canonical
/// first axis (0 for a factor without axes).
template <typename Dtype>
int span_axis(const Blob<Dtype>& bottom, const Blob<Dtype>& factor, int axis) {
  if (factor.num_axes() == 0) return 0;
  const int first = bottom.CanonicalAxisIndex(axis);
  CHECK_GE(bottom.num_axes(), first + factor.num_axes())
      << "a factor of shape " << factor.shape_string() << " from axis " << axis
      << " on reaches past the last axis of the bottom, shape " << bottom.shape_string();
  for (int i = 0; i < factor.num_axes(); ++i) {
    CHECK_EQ(bottom.shape(first + i), factor.shape(i))
        << "axis " << first + i << " of the bottom, shape " << bottom.shape_string()
        << ", does not fit axis " << i << " of the factor, shape "
        << factor.shape_string();
  }
  return first;
}

/// The axis of Concat or Slice: `axis`, or where it is given the old unsigned field.
template <typename Dtype>
int canonical_joint_axis(const Blob<Dtype>& bottom, const char* old_name, int axis,
                         bool old_is_given, unsigned int old_axis) {
  if (!old_is_given) return bottom.CanonicalAxisIndex(axis);
  CHECK_LT(old_axis, static_cast<unsigned int>(bottom.num_axes()))
      << old_name << " is out of range for a bottom of shape " << bottom.shape_string();
  return static_cast<int>(old_axis);
}

}  // namespace caffe

#endif  // CAFFE_LAYERS_AXIS_SPAN_HPP_

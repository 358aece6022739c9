// Reshape: the rule of 0 and -1, then another shape over the bottom's memory.
#include "caffe/layers/reshape_layer.hpp"

#include "caffe/layers/axis_span.hpp"

namespace caffe {

namespace {

// The top's shape, its -1 entry still open; sets `open_axis` to where that is (else -1).
template <typename Dtype>
vector<int> RequestedShape(const ReshapeParameter& param, const Blob<Dtype>& bottom,
                           int* open_axis) {
  const int axes = bottom.num_axes();
  const int first = param.axis() >= 0 ? param.axis() : axes + param.axis() + 1;
  CHECK(first >= 0 && first <= axes)
      << "reshape_param: axis " << param.axis() << " is out of range for a bottom of "
      << axes << " axes";
  CHECK_GE(param.num_axes(), -1)
      << "reshape_param: num_axes must be at least 0, or -1 for all";
  const int last = param.num_axes() == -1 ? axes : first + param.num_axes();
  CHECK_LE(last, axes) << "reshape_param: axis " << param.axis() << " and num_axes "
                       << param.num_axes() << " reach past the " << axes
                       << " axes of the bottom";
  vector<int> shape(bottom.shape().begin(), bottom.shape().begin() + first);
  *open_axis = -1;
  for (int i = 0; i < param.shape().dim_size(); ++i) {
    const int64_t dim = param.shape().dim(i);
    CHECK_VALUE(dim >= -1 && dim <= INT_MAX)
        << "reshape_param: entry " << i << " is " << dim
        << "; it must be a size, 0 (copy) or -1 (infer)";
    if (dim == -1) {
      CHECK_VALUE(*open_axis < 0) << "reshape_param: entry " << i << " is a second -1";
      *open_axis = first + i;
    }
    if (dim == 0) {
      CHECK_GT(axes, first + i)
          << "reshape_param: entry " << i << " is 0 but the bottom, shape "
          << bottom.shape_string() << ", has no axis " << first + i << " to copy";
    }
    shape.push_back(dim == 0 ? bottom.shape(first + i) : static_cast<int>(dim));
  }
  shape.insert(shape.end(), bottom.shape().begin() + last, bottom.shape().end());
  return shape;
}

}  // namespace

template <typename Dtype>
void ReshapeLayer<Dtype>::Reshape(const vector<Blob<Dtype>*>& bottom,
                                  const vector<Blob<Dtype>*>& top) {
  check_not_in_place(type(), bottom, top);
  int open_axis = -1;
  vector<int> shape =
      RequestedShape(this->layer_param_.reshape_param(), *bottom[0], &open_axis);
  if (open_axis >= 0) {
    int64_t rest = 1;
    for (size_t i = 0; i < shape.size(); ++i) {
      if (static_cast<int>(i) != open_axis) rest *= shape[i];
    }
    CHECK_GT(rest, 0) << "reshape_param: -1 cannot be inferred beside an axis of size 0";
    CHECK_EQ(bottom[0]->count() % rest, 0)
        << "reshape_param: the bottom's count " << bottom[0]->count()
        << " is not divisible by the other axes' " << rest;
    shape[open_axis] = static_cast<int>(bottom[0]->count() / rest);
  }
  top[0]->Reshape(shape);
  CHECK_EQ(top[0]->count(), bottom[0]->count())
      << "reshape_param: the bottom's shape " << bottom[0]->shape_string()
      << " and the asked one " << top[0]->shape_string() << " hold different counts";
  top[0]->ShareData(*bottom[0]);
  top[0]->ShareDiff(*bottom[0]);
}

template <typename Dtype>
void ReshapeLayer<Dtype>::Forward_cpu(const vector<Blob<Dtype>*>&,
                                      const vector<Blob<Dtype>*>&) {}

template <typename Dtype>
void ReshapeLayer<Dtype>::Backward_cpu(const vector<Blob<Dtype>*>&, const vector<bool>&,
                                       const vector<Blob<Dtype>*>&) {}

INSTANTIATE_CLASS(ReshapeLayer);
REGISTER_LAYER_CLASS(Reshape);

}  // namespace caffe

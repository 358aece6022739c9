// Concat: the shape rule; the copying is Joint's.
#include "caffe/layers/concat_layer.hpp"

#include "caffe/layers/axis_span.hpp"

namespace caffe {

template <typename Dtype>
void ConcatLayer<Dtype>::Reshape(const vector<Blob<Dtype>*>& bottom,
                                 const vector<Blob<Dtype>*>& top) {
  check_not_in_place(type(), bottom, top);
  const ConcatParameter& param = this->layer_param_.concat_param();
  CHECK(!(param.has_axis() && param.has_concat_dim()))
      << "concat_param: give axis or concat_dim, not both";
  const int axis = canonical_joint_axis(*bottom[0], "concat_dim", param.axis(),
                                        param.has_concat_dim(), param.concat_dim());
  vector<int> shape = bottom[0]->shape();
  for (size_t i = 1; i < bottom.size(); ++i) {
    vector<int> other = bottom[i]->shape();
    CHECK_EQ(other.size(), shape.size())
        << "bottom " << i << ", shape " << bottom[i]->shape_string()
        << ", has another number of axes than bottom 0, shape "
        << bottom[0]->shape_string();
    const int size = other[axis];
    other[axis] = shape[axis];
    CHECK(other == shape) << "bottom " << i << ", shape " << bottom[i]->shape_string()
                          << ", differs from bottom 0, shape "
                          << bottom[0]->shape_string() << ", on another axis than "
                          << axis;
    shape[axis] += size;
  }
  top[0]->Reshape(shape);
  if (bottom.size() == 1) {
    top[0]->ShareData(*bottom[0]);
    top[0]->ShareDiff(*bottom[0]);
  }
  joint_ = Joint<Dtype>(axis, *top[0], bottom);
}

template <typename Dtype>
void ConcatLayer<Dtype>::Forward_cpu(const vector<Blob<Dtype>*>& bottom,
                                     const vector<Blob<Dtype>*>& top) {
  if (bottom.size() == 1) return;
  vector<SyncedMemory*> parts;
  for (const Blob<Dtype>* blob : bottom) parts.push_back(blob->data().get());
  joint_.Join(parts, top[0]->data().get());
}

template <typename Dtype>
void ConcatLayer<Dtype>::Backward_cpu(const vector<Blob<Dtype>*>& top,
                                      const vector<bool>& propagate_down,
                                      const vector<Blob<Dtype>*>& bottom) {
  if (bottom.size() == 1) return;
  vector<SyncedMemory*> parts;
  for (size_t i = 0; i < bottom.size(); ++i) {
    parts.push_back(propagate_down[i] ? bottom[i]->diff().get() : nullptr);
  }
  joint_.Cut(top[0]->diff().get(), parts);
}

INSTANTIATE_CLASS(ConcatLayer);
REGISTER_LAYER_CLASS(Concat);

}  // namespace caffe

// Flatten: another shape over the bottom's memory.
#include "caffe/layers/flatten_layer.hpp"

#include "caffe/layers/axis_span.hpp"

namespace caffe {

template <typename Dtype>
void FlattenLayer<Dtype>::Reshape(const vector<Blob<Dtype>*>& bottom,
                                  const vector<Blob<Dtype>*>& top) {
  check_not_in_place(type(), bottom, top);
  const FlattenParameter& param = this->layer_param_.flatten_param();
  const int first = bottom[0]->CanonicalAxisIndex(param.axis());
  const int last = bottom[0]->CanonicalAxisIndex(param.end_axis());
  CHECK_GE(last, first - 1) << "flatten_param: end_axis " << param.end_axis()
                            << " lies before axis " << param.axis()
                            << " of a bottom of shape " << bottom[0]->shape_string();
  vector<int> shape(bottom[0]->shape().begin(), bottom[0]->shape().begin() + first);
  shape.push_back(bottom[0]->count(first, last + 1));
  shape.insert(shape.end(), bottom[0]->shape().begin() + last + 1,
               bottom[0]->shape().end());
  top[0]->Reshape(shape);
  top[0]->ShareData(*bottom[0]);
  top[0]->ShareDiff(*bottom[0]);
}

template <typename Dtype>
void FlattenLayer<Dtype>::Forward_cpu(const vector<Blob<Dtype>*>&,
                                      const vector<Blob<Dtype>*>&) {}

template <typename Dtype>
void FlattenLayer<Dtype>::Backward_cpu(const vector<Blob<Dtype>*>&, const vector<bool>&,
                                       const vector<Blob<Dtype>*>&) {}

INSTANTIATE_CLASS(FlattenLayer);
REGISTER_LAYER_CLASS(Flatten);

}  // namespace caffe

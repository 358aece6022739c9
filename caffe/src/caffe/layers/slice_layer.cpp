// Slice: the shape rule; the copying is Joint's.
#include "caffe/layers/slice_layer.hpp"

#include "caffe/layers/axis_span.hpp"

namespace caffe {

template <typename Dtype>
vector<int> SliceLayer<Dtype>::PartSizes(const Blob<Dtype>& bottom, int axis,
                                         int tops) const {
  const SliceParameter& param = this->layer_param_.slice_param();
  const int size = bottom.shape(axis);
  if (param.slice_point_size() == 0) {
    CHECK_EQ(size % tops, 0) << "slice_param: " << tops << " equal parts of axis " << axis
                             << " of a bottom of shape " << bottom.shape_string();
    return vector<int>(tops, size / tops);
  }
  CHECK_EQ(param.slice_point_size(), tops - 1)
      << "slice_param: one slice_point fewer than tops is needed";
  CHECK_LE(tops, size) << "slice_param: more tops than axis " << axis
                       << " has indices; bottom shape " << bottom.shape_string();
  vector<int> sizes;
  int64_t begin = 0;
  for (const uint32_t point : param.slice_point()) {
    CHECK_GT(point, begin)
        << "slice_param: each slice_point must be larger than the one before";
    CHECK_LT(point, size) << "slice_param: a slice_point lies beyond axis " << axis
                          << " of the bottom, shape " << bottom.shape_string();
    sizes.push_back(static_cast<int>(point - begin));
    begin = point;
  }
  sizes.push_back(static_cast<int>(size - begin));
  return sizes;
}

template <typename Dtype>
void SliceLayer<Dtype>::Reshape(const vector<Blob<Dtype>*>& bottom,
                                const vector<Blob<Dtype>*>& top) {
  check_not_in_place(type(), bottom, top);
  const SliceParameter& param = this->layer_param_.slice_param();
  CHECK(!(param.has_axis() && param.has_slice_dim()))
      << "slice_param: give axis or slice_dim, not both";
  const int axis = canonical_joint_axis(*bottom[0], "slice_dim", param.axis(),
                                        param.has_slice_dim(), param.slice_dim());
  const vector<int> sizes = PartSizes(*bottom[0], axis, static_cast<int>(top.size()));
  vector<int> shape = bottom[0]->shape();
  for (size_t i = 0; i < top.size(); ++i) {
    shape[axis] = sizes[i];
    top[i]->Reshape(shape);
  }
  if (top.size() == 1) {
    top[0]->ShareData(*bottom[0]);
    top[0]->ShareDiff(*bottom[0]);
  }
  joint_ = Joint<Dtype>(axis, *bottom[0], top);
}

template <typename Dtype>
void SliceLayer<Dtype>::Forward_cpu(const vector<Blob<Dtype>*>& bottom,
                                    const vector<Blob<Dtype>*>& top) {
  if (top.size() == 1) return;
  vector<SyncedMemory*> parts;
  for (const Blob<Dtype>* blob : top) parts.push_back(blob->data().get());
  joint_.Cut(bottom[0]->data().get(), parts);
}

template <typename Dtype>
void SliceLayer<Dtype>::Backward_cpu(const vector<Blob<Dtype>*>& top,
                                     const vector<bool>& propagate_down,
                                     const vector<Blob<Dtype>*>& bottom) {
  if (!propagate_down[0] || top.size() == 1) return;
  vector<SyncedMemory*> parts;
  for (size_t i = 0; i < top.size(); ++i) {
    const bool has_gradient = this->top_has_gradient(static_cast<int>(i));
    parts.push_back(has_gradient ? top[i]->diff().get() : nullptr);
  }
  joint_.Join(parts, bottom[0]->diff().get());
}

INSTANTIATE_CLASS(SliceLayer);
REGISTER_LAYER_CLASS(Slice);

}  // namespace caffe

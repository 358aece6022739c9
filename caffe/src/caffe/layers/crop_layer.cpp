// Crop: a window copy, blocked where only spatial axes are cropped.
#include "caffe/layers/crop_layer.hpp"

#include "caffe/backend/elementwise.hpp"
#include "caffe/layers/axis_span.hpp"

namespace caffe {

template <typename Dtype>
void CropLayer<Dtype>::Reshape(const vector<Blob<Dtype>*>& bottom,
                               const vector<Blob<Dtype>*>& top) {
  check_not_in_place(type(), bottom, top);
  const CropParameter& param = this->layer_param_.crop_param();
  const int axes = bottom[0]->num_axes();
  const int first = bottom[0]->CanonicalAxisIndex(param.axis());
  const int offsets = param.offset_size();
  CHECK(offsets <= 1 || offsets == axes - first)
      << "crop_param: " << offsets << " offsets for " << axes - first
      << " cropped axes; give none, one for all, or one an axis";
  window_.from = window_.size = bottom[0]->shape();
  window_.offset.assign(axes, 0);
  for (int i = first; i < axes; ++i) {
    CHECK_LT(i, bottom[1]->num_axes()) << "bottom 1, shape " << bottom[1]->shape_string()
                                       << ", has no axis " << i << " to crop to";
    const int64_t offset = offsets == 0 ? 0 : param.offset(offsets == 1 ? 0 : i - first);
    CHECK_GE(bottom[0]->shape(i) - offset, bottom[1]->shape(i))
        << "the crop reaches past the end of axis " << i << ": size "
        << bottom[0]->shape(i) << ", offset " << offset << ", cropped size "
        << bottom[1]->shape(i);
    window_.offset[i] = static_cast<int>(offset);
    window_.size[i] = bottom[1]->shape(i);
  }
  top[0]->Reshape(window_.size);
}

template <typename Dtype>
void CropLayer<Dtype>::Forward_cpu(const vector<Blob<Dtype>*>& bottom,
                                   const vector<Blob<Dtype>*>& top) {
  const BlockedLayout large_layout =
      window_.is_spatial() ? common_layout({bottom[0]->data().get()}, *top[0]->data(),
                                           bottom[0]->blocked_layout())
                           : BlockedLayout();
  const BlockedLayout small_layout =
      large_layout.valid() ? top[0]->blocked_layout() : BlockedLayout();
  const Dtype* large = read_memory<Dtype>(bottom[0]->data().get(), large_layout);
  Dtype* small = overwrite_memory<Dtype>(top[0]->data().get(), small_layout);
  copy_from_window(large_layout.valid() ? window_.Blocked(large_layout) : window_, large,
                   small);
}

template <typename Dtype>
void CropLayer<Dtype>::Backward_cpu(const vector<Blob<Dtype>*>& top,
                                    const vector<bool>& propagate_down,
                                    const vector<Blob<Dtype>*>& bottom) {
  if (propagate_down[1]) {
    zero_memory<Dtype>(bottom[1]->diff().get(), BlockedLayout(), bottom[1]->count());
  }
  if (!propagate_down[0]) return;
  const BlockedLayout small_layout =
      window_.is_spatial() ? common_layout({top[0]->diff().get()}, *bottom[0]->diff(),
                                           top[0]->blocked_layout())
                           : BlockedLayout();
  const BlockedLayout large_layout =
      small_layout.valid() ? bottom[0]->blocked_layout() : BlockedLayout();
  const Dtype* small = read_memory<Dtype>(top[0]->diff().get(), small_layout);
  if (window_.size != window_.from) {
    zero_memory<Dtype>(bottom[0]->diff().get(), large_layout, bottom[0]->count());
  }
  Dtype* large = overwrite_memory<Dtype>(bottom[0]->diff().get(), large_layout);
  copy_to_window(large_layout.valid() ? window_.Blocked(large_layout) : window_, small,
                 large);
}

INSTANTIATE_CLASS(CropLayer);
REGISTER_LAYER_CLASS(Crop);

}  // namespace caffe

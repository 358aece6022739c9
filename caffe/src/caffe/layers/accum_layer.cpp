// Accum.
#include "caffe/layers/accum_layer.hpp"

#include <algorithm>

#include "caffe/backend/elementwise.hpp"
#include "caffe/layers/idle_setting.hpp"
#include "caffe/layers/pixel_setting.hpp"

namespace caffe {

template <typename Dtype>
void AccumLayer<Dtype>::LayerSetUp(const vector<Blob<Dtype>*>& bottom,
                                   const vector<Blob<Dtype>*>&) {
  CHECK_VALUE(!has_reference() || bottom.size() >= 2)
      << "Accum layer '" << this->layer_param_.name()
      << "': have_reference takes the size from the last bottom and needs another one "
      << "before it";
  const AccumParameter& param = this->layer_param_.accum_param();
  const string where = "Accum layer '" + this->layer_param_.name() + "': ";
  pixels_of(where, "accum_param.top_height", param.top_height());
  pixels_of(where, "accum_param.top_width", param.top_width());
  pixels_of(where, "accum_param.size_divisible_by", param.size_divisible_by());
  const bool rounded = param.size_divisible_by() > 0;
  if (!has_reference() && !rounded) return;
  const string reason = has_reference()
                            ? "have_reference takes the size of the last bottom"
                            : "size_divisible_by gives the size";
  if (param.top_width() > 0) warn_idle(where, "accum_param.top_width", reason);
  if (param.top_height() > 0) warn_idle(where, "accum_param.top_height", reason);
  if (rounded && has_reference()) {
    warn_idle(where, "accum_param.size_divisible_by", reason);
  }
}

template <typename Dtype>
int AccumLayer<Dtype>::TopSize(const vector<Blob<Dtype>*>& bottom, int axis) const {
  const AccumParameter& param = this->layer_param_.accum_param();
  if (has_reference()) return bottom.back()->shape(axis);
  int size = 0;
  for (const Blob<Dtype>* blob : bottom) size = std::max(size, blob->shape(axis));
  const int divisor = static_cast<int>(param.size_divisible_by());
  if (divisor > 0) return (size + divisor - 1) / divisor * divisor;
  const auto asked = axis == 2 ? param.top_height() : param.top_width();
  return std::max(size, static_cast<int>(asked));
}

template <typename Dtype>
void AccumLayer<Dtype>::Reshape(const vector<Blob<Dtype>*>& bottom,
                                const vector<Blob<Dtype>*>& top) {
  const string where = "Accum layer '" + this->layer_param_.name() + "': ";
  for (const Blob<Dtype>* blob : bottom) {
    CHECK_VALUE(blob->num_axes() == 4 && blob->height() > 0 && blob->width() > 0)
        << where << "takes maps (N, C, H, W), not " << blob->shape_string();
    CHECK_VALUE(blob->num() == bottom[0]->num())
        << where << "All accumulated layers must have same number of images (num_); "
        << "there are " << bottom[0]->shape_string() << " and " << blob->shape_string();
  }
  const int height = TopSize(bottom, 2), width = TopSize(bottom, 3);
  const size_t parts = bottom.size() - (has_reference() ? 1 : 0);
  parts_.clear();
  int channels = 0;
  for (size_t k = 0; k < parts; ++k) {
    const Blob<Dtype>& in = *bottom[k];
    parts_.push_back(
        {{in.height(), height}, {in.width(), width}, in.channels(), channels, 0});
    channels += in.channels();
  }
  for (AccumShape& part : parts_) part.top_channels = channels;
  top[0]->Reshape({bottom[0]->num(), channels, height, width});
}

template <typename Dtype>
void AccumLayer<Dtype>::Forward_cpu(const vector<Blob<Dtype>*>& bottom,
                                    const vector<Blob<Dtype>*>& top) {
  for (size_t k = 0; k < parts_.size(); ++k) {
    const std::int64_t count = bottom[k]->count(0, 2) * parts_[k].out_plane();
    for_each_index(count, AccumValue<Dtype>{parts_[k], bottom[k]->cpu_data(),
                                            top[0]->mutable_cpu_data()});
  }
}

template <typename Dtype>
void AccumLayer<Dtype>::Backward_cpu(const vector<Blob<Dtype>*>& top,
                                     const vector<bool>& propagate_down,
                                     const vector<Blob<Dtype>*>& bottom) {
  for (size_t k = 0; k < bottom.size(); ++k) {
    if (!propagate_down[k]) continue;
    if (k == parts_.size()) {  // the reference
      zero_memory<Dtype>(bottom[k]->diff().get(), BlockedLayout(), bottom[k]->count());
      continue;
    }
    for_each_index(bottom[k]->count(),
                   AccumGradient<Dtype>{parts_[k], top[0]->cpu_diff(),
                                        bottom[k]->mutable_cpu_diff()});
  }
}

INSTANTIATE_CLASS(AccumLayer);
REGISTER_LAYER_CLASS(Accum);

}  // namespace caffe

// Resample.
#include "caffe/layers/resample_layer.hpp"

#include "caffe/layers/idle_setting.hpp"
#include "caffe/layers/pixel_setting.hpp"
#include "caffe/util/math_functions.hpp"

namespace caffe {

template <typename Dtype>
void ResampleLayer<Dtype>::LayerSetUp(const vector<Blob<Dtype>*>& bottom,
                                      const vector<Blob<Dtype>*>&) {
  const ResampleParameter& param = this->layer_param_.resample_param();
  const string where = "layer '" + this->layer_param_.name() + "': ";
  switch (param.type()) {
    case ResampleParameter::NEAREST:
      kernel_ = ResampleAxis::kNearest;
      break;
    case ResampleParameter::LINEAR:
      kernel_ = ResampleAxis::kLinear;
      break;
    case ResampleParameter::CUBIC:
      kernel_ = ResampleAxis::kCubic;
      break;
    default:
      CAFFE_THROW(kValue) << where << "only CUBIC, LINEAR and NEAREST interpolation is "
                          << "supported for now, not "
                          << param.ResampleType_Name(param.type());
  }
  const string what = "Resample " + where;
  if (param.factor() != 1) {
    warn_idle(what, "resample_param.factor",
              "the size is that of width and height or of a second bottom");
  }
  if (bottom.size() > 1) {
    const string reason = "the second bottom gives the size";
    if (param.has_width()) warn_idle(what, "resample_param.width", reason);
    if (param.has_height()) warn_idle(what, "resample_param.height", reason);
    return;
  }
  CHECK_VALUE(param.height() > 0)
      << where << "ResampleLayer must have top_height > 0: set "
      << "resample_param.height, or give a second bottom of the "
      << "size wanted";
  CHECK_VALUE(param.width() > 0)
      << where << "ResampleLayer must have top_width > 0: set "
      << "resample_param.width, or give a second bottom of the size "
      << "wanted";
  pixels_of(what, "resample_param.height", param.height());
  pixels_of(what, "resample_param.width", param.width());
}

template <typename Dtype>
void ResampleLayer<Dtype>::Reshape(const vector<Blob<Dtype>*>& bottom,
                                   const vector<Blob<Dtype>*>& top) {
  const ResampleParameter& param = this->layer_param_.resample_param();
  for (const Blob<Dtype>* blob : bottom) {
    CHECK_VALUE(blob->num_axes() == 4 && blob->height() > 0 && blob->width() > 0)
        << "layer '" << this->layer_param_.name()
        << "' resamples images (N, C, H, W), not " << blob->shape_string();
  }
  const bool like = bottom.size() > 1;
  const int height = like ? bottom[1]->height() : static_cast<int>(param.height());
  const int width = like ? bottom[1]->width() : static_cast<int>(param.width());
  top[0]->Reshape({bottom[0]->num(), bottom[0]->channels(), height, width});
  const auto renew = [&](int in, int out, ResampleTaps<Dtype>* taps,
                         ResampleTaps<Dtype>* back, DeviceTaps<Dtype>* device_taps,
                         DeviceTaps<Dtype>* device_back) {
    if (taps->in == in && taps->out == out) return;
    *taps = ResampleTaps<Dtype>::Make(
        ResampleAxis::Make(in, out, kernel_, param.antialias()));
    *back = ResampleTaps<Dtype>();
    *device_taps = *device_back = DeviceTaps<Dtype>();
  };
  renew(bottom[0]->height(), height, &rows_, &rows_back_, &device_rows_,
        &device_rows_back_);
  renew(bottom[0]->width(), width, &columns_, &columns_back_, &device_columns_,
        &device_columns_back_);
}

template <typename Dtype>
void ResampleLayer<Dtype>::Forward_cpu(const vector<Blob<Dtype>*>& bottom,
                                       const vector<Blob<Dtype>*>& top) {
  if (top[0]->count() == 0) return;
  const bool blocked = prefers_blocks(*bottom[0], *bottom[0]->data());
  resample_planes(rows_, columns_,
                  read_planes(*bottom[0], bottom[0]->data().get(), blocked),
                  write_planes(*top[0], top[0]->data().get(), blocked));
}

template <typename Dtype>
void ResampleLayer<Dtype>::MakeAdjoint() {
  if (rows_back_.in == 0) rows_back_ = rows_.Transposed();
  if (columns_back_.in == 0) columns_back_ = columns_.Transposed();
}

template <typename Dtype>
void ResampleLayer<Dtype>::Backward_cpu(const vector<Blob<Dtype>*>& top,
                                        const vector<bool>& propagate_down,
                                        const vector<Blob<Dtype>*>& bottom) {
  if (bottom.size() > 1 && propagate_down[1]) {
    caffe_set(bottom[1]->count(), Dtype(0), bottom[1]->mutable_cpu_diff());
  }
  if (!propagate_down[0] || bottom[0]->count() == 0) return;
  MakeAdjoint();
  const bool blocked = prefers_blocks(*top[0], *top[0]->diff());
  resample_planes(rows_back_, columns_back_,
                  read_planes(*top[0], top[0]->diff().get(), blocked),
                  write_planes(*bottom[0], bottom[0]->diff().get(), blocked));
}

INSTANTIATE_CLASS(ResampleLayer);
REGISTER_LAYER_CLASS(Resample);

}  // namespace caffe

// GenerateAugmentationParameters.
#include "caffe/layers/generate_augmentation_parameters_layer.hpp"

#include <stdexcept>

#include "caffe/layers/idle_setting.hpp"
#include "caffe/layers/pixel_setting.hpp"
#include "caffe/util/math_functions_gpu.hpp"

namespace caffe {

namespace {

template <typename Dtype>
bool is_data(const Blob<Dtype>& bottom) {
  return bottom.height() > 1 || bottom.width() > 1;
}

}  // namespace

template <typename Dtype>
void GenerateAugmentationParametersLayer<Dtype>::LayerSetUp(
    const vector<Blob<Dtype>*>& bottom, const vector<Blob<Dtype>*>& top) {
  CHECK_VALUE(bottom.size() != 2)
      << where() << "takes one bottom, or three: coefficients, data and the crop of it";
  CHECK_VALUE(this->layer_param_.coeff_schedule_param().half_life() >= 0)
      << where() << "coeff_schedule_param.half_life is a number of passes, not "
      << this->layer_param_.coeff_schedule_param().half_life();
  pixels_of(where(), "augmentation_param.crop_height", param().crop_height());
  pixels_of(where(), "augmentation_param.crop_width", param().crop_width());
  pixels_of(where(), "augmentation_param.bottomheight", param().bottomheight());
  pixels_of(where(), "augmentation_param.bottomwidth", param().bottomwidth());
  warn_idle_draws(where(), param());
  const bool data = bottom.size() == 1 && is_data(*bottom[0]);
  CHECK_VALUE(!data || top[0] != bottom[0])
      << where() << "cannot work in place on data: give its top another name";
  if (data && param().has_mode() && param().mode() != "regenerate") {
    warn_idle(where(), "augmentation_param.mode",
              "bottom 0 holds data and no coefficients, so all are drawn anew");
  }
  const bool gives_sizes = param().bottomwidth() > 0 || param().bottomheight() > 0;
  if (data && gives_sizes) {
    warn_idle(where(), "augmentation_param.bottomwidth or bottomheight",
              "bottom 0 holds data, and its size is taken");
  }
  if (bottom.size() == 3 &&
      (gives_sizes || param().has_crop_width() || param().has_crop_height())) {
    warn_idle(where(), "what augmentation_param says of sizes",
              "those of bottoms 1 and 2 are taken");
  }
}

template <typename Dtype>
CropShape GenerateAugmentationParametersLayer<Dtype>::ShapeOf(
    const vector<Blob<Dtype>*>& bottom) const {
  if (bottom.size() == 3) {
    for (int i = 1; i < 3; ++i) {
      CHECK_VALUE(bottom[i]->num_axes() == 4)
          << where() << "bottom " << i << " is data (N, C, H, W), not "
          << bottom[i]->shape_string();
    }
    return {bottom[2]->height(), bottom[2]->width(), bottom[1]->height(),
            bottom[1]->width()};
  }
  CHECK_VALUE(param().crop_width() > 0 && param().crop_height() > 0)
      << where() << "with one bottom, augmentation_param must have crop_width and "
      << "crop_height";
  const int height = param().crop_height(), width = param().crop_width();
  if (is_data(*bottom[0])) {
    return {height, width, bottom[0]->height(), bottom[0]->width()};
  }
  CHECK_VALUE(param().bottomwidth() > 0 && param().bottomheight() > 0)
      << where() << "with coefficients for its one bottom, augmentation_param must have "
      << "bottomwidth and bottomheight";
  return {height, width, static_cast<int>(param().bottomheight()),
          static_cast<int>(param().bottomwidth())};
}

template <typename Dtype>
void GenerateAugmentationParametersLayer<Dtype>::Reshape(
    const vector<Blob<Dtype>*>& bottom, const vector<Blob<Dtype>*>& top) {
  shape_ = ShapeOf(bottom);
  mode_ = bottom.size() == 1 && is_data(*bottom[0]) ? AugmentationMode::kRegenerate
                                                    : augmentation_mode(param().mode());
  const int num = bottom[0]->num();
  CHECK_VALUE(mode_ == AugmentationMode::kRegenerate ||
              bottom[0]->count() == num * kAugmentationCoefficients)
      << where() << "bottom 0 holds coefficients (N, " << kAugmentationCoefficients
      << ", 1, 1), not " << bottom[0]->shape_string();
  top[0]->Reshape({num, kAugmentationCoefficients, 1, 1});
}

template <typename Dtype>
void GenerateAugmentationParametersLayer<Dtype>::Forward_cpu(
    const vector<Blob<Dtype>*>& bottom, const vector<Blob<Dtype>*>& top) {
  ++passes_;
  const bool reads = mode_ != AugmentationMode::kRegenerate;
  const bool draws_now = this->phase_ == TRAIN || param().augment_during_test();
  const AugmentationDraw draw{
      param(), mode_,
      augmentation_discount(this->layer_param_.coeff_schedule_param(), passes_), shape_,
      this->layer_param_.name()};
  const Dtype* incoming = reads ? bottom[0]->cpu_data() : nullptr;
  Dtype* to = top[0]->mutable_cpu_data();
  for (int at = 0; at < top[0]->count(); at += kAugmentationCoefficients) {
    StoredAugmentation item{};
    if (reads) item = read_augmentation(incoming + at);
    if (draws_now) item = draw(item);
    write_augmentation(item, to + at);
  }
}

template <typename Dtype>
void GenerateAugmentationParametersLayer<Dtype>::Backward_cpu(
    const vector<Blob<Dtype>*>&, const vector<bool>& propagate_down,
    const vector<Blob<Dtype>*>& bottom) {
  for (size_t i = 0; i < bottom.size(); ++i) {
    if (propagate_down[i])
      caffe_set(bottom[i]->count(), Dtype(0), bottom[i]->mutable_cpu_diff());
  }
}

template <typename Dtype>
string GenerateAugmentationParametersLayer<Dtype>::GetState() {
  return std::to_string(passes_);
}

template <typename Dtype>
void GenerateAugmentationParametersLayer<Dtype>::SetState(const string& state) {
  try {
    passes_ = std::stoi(state);
  } catch (const std::logic_error&) {
    CHECK_VALUE(false) << where() << "a snapshot's count of passes is not a number: \""
                       << state << "\"";
  }
}

// The numbers are drawn on the host and read there by the layers that use them; nothing
// is copied to a device and back.
template <typename Dtype>
void GenerateAugmentationParametersLayer<Dtype>::Forward_gpu(
    const vector<Blob<Dtype>*>& bottom, const vector<Blob<Dtype>*>& top) {
  Forward_cpu(bottom, top);
}

template <typename Dtype>
void GenerateAugmentationParametersLayer<Dtype>::Backward_gpu(
    const vector<Blob<Dtype>*>&, const vector<bool>& propagate_down,
    const vector<Blob<Dtype>*>& bottom) {
  for (size_t i = 0; i < bottom.size(); ++i) {
    if (!propagate_down[i]) continue;
    caffe_gpu_set(bottom[i]->count(), Dtype(0), bottom[i]->mutable_gpu_diff());
  }
}

INSTANTIATE_CLASS(GenerateAugmentationParametersLayer);
REGISTER_LAYER_CLASS(GenerateAugmentationParameters);

}  // namespace caffe

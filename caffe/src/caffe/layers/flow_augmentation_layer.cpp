// FlowAugmentation.
#include "caffe/layers/flow_augmentation_layer.hpp"

#include "caffe/layers/augmentation_draw.hpp"
#include "caffe/layers/idle_setting.hpp"
#include "caffe/layers/pixel_setting.hpp"
#include "caffe/util/parallel_for.hpp"

namespace caffe {

namespace {

template <typename T>
FlowMap<T> flow_map(const AffineMap<double>& first, const AffineMap<double>& second) {
  const AffineMap<double> back = inverse(second);
  // Taken together before rounding: two nearly equal maps leave a small difference.
  const AffineMap<double> drift{back.xx * first.xx + back.xy * first.yx - 1,
                                back.xx * first.xy + back.xy * first.yy,
                                back.X(first.x0, first.y0),
                                back.yx * first.xx + back.yy * first.yx,
                                back.yx * first.xy + back.yy * first.yy - 1,
                                back.Y(first.x0, first.y0)};
  return {first.As<T>(),           drift.As<T>(),           static_cast<T>(back.xx),
          static_cast<T>(back.xy), static_cast<T>(back.yx), static_cast<T>(back.yy)};
}

}  // namespace

template <typename Dtype>
void FlowAugmentationLayer<Dtype>::LayerSetUp(const vector<Blob<Dtype>*>&,
                                              const vector<Blob<Dtype>*>&) {
  const AugmentationParameter& param = this->layer_param_.augmentation_param();
  pixels_of(where(), "augmentation_param.crop_height", param.crop_height());
  pixels_of(where(), "augmentation_param.crop_width", param.crop_width());
  for (const AugmentationGroup group :
       {kSpatialGroup, kChromaticGroup, kEigenGroup, kEffectsGroup}) {
    if (!draws(param, group)) continue;
    warn_idle(where(), "what augmentation_param says of random draws",
              "bottoms 1 and 2 give the coefficients");
    return;
  }
}

template <typename Dtype>
void FlowAugmentationLayer<Dtype>::Reshape(const vector<Blob<Dtype>*>& bottom,
                                           const vector<Blob<Dtype>*>& top) {
  const AugmentationParameter& param = this->layer_param_.augmentation_param();
  const Blob<Dtype>& flow = *bottom[0];
  CHECK_VALUE(param.crop_width() > 0 && param.crop_height() > 0)
      << where() << "augmentation_param must have crop_width > 0 and crop_height > 0";
  CHECK_VALUE(flow.num_axes() == 4 && flow.channels() == 2)
      << where() << "bottom 0 is a flow (N, 2, H, W), not " << flow.shape_string();
  for (int i = 1; i < 3; ++i) {
    CHECK_VALUE(bottom[i]->count() == flow.num() * kAugmentationCoefficients)
        << where() << "bottom " << i << " holds coefficients (" << flow.num() << ", "
        << kAugmentationCoefficients << ", 1, 1), not " << bottom[i]->shape_string();
  }
  shape_ = {static_cast<int>(param.crop_height()), static_cast<int>(param.crop_width()),
            flow.height(), flow.width()};
  top[0]->Reshape({flow.num(), 2, shape_.height, shape_.width});
  maps_.Reshape({flow.num(), static_cast<int>(sizeof(FlowMap<Dtype>) / sizeof(Dtype))});
}

template <typename Dtype>
void FlowAugmentationLayer<Dtype>::MakeMaps(const vector<Blob<Dtype>*>& bottom) {
  auto* maps = reinterpret_cast<FlowMap<Dtype>*>(maps_.mutable_cpu_data());
  const auto map_of = [&](int i, int n) {
    const Dtype* item = bottom[i]->cpu_data() + n * kAugmentationCoefficients;
    return shape_.Map(augmentation_from(read_augmentation(item)));
  };
  for (int n = 0; n < bottom[0]->num(); ++n) {
    maps[n] = flow_map<Dtype>(map_of(1, n), map_of(2, n));
  }
}

template <typename Dtype>
void FlowAugmentationLayer<Dtype>::Forward_cpu(const vector<Blob<Dtype>*>& bottom,
                                               const vector<Blob<Dtype>*>& top) {
  MakeMaps(bottom);
  for_each_index(top[0]->count() / 2,
                 FlowSampler<Dtype>{
                     shape_, reinterpret_cast<const FlowMap<Dtype>*>(maps_.cpu_data()),
                     bottom[0]->cpu_data(), top[0]->mutable_cpu_data()});
}

template <typename Dtype>
void FlowAugmentationLayer<Dtype>::Backward_cpu(const vector<Blob<Dtype>*>&,
                                                const vector<bool>& propagate_down,
                                                const vector<Blob<Dtype>*>& bottom) {
  for (size_t i = 0; i < bottom.size(); ++i) {
    if (propagate_down[i])
      caffe_set(bottom[i]->count(), Dtype(0), bottom[i]->mutable_cpu_diff());
  }
}

INSTANTIATE_CLASS(FlowAugmentationLayer);
REGISTER_LAYER_CLASS(FlowAugmentation);

}  // namespace caffe

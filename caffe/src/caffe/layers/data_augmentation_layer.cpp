// DataAugmentation.
#include "caffe/layers/data_augmentation_layer.hpp"

#include <algorithm>
#include <cmath>

#include "caffe/layers/augmentation_mean.hpp"
#include "caffe/layers/idle_setting.hpp"
#include "caffe/layers/pixel_setting.hpp"
#include "caffe/util/math_functions.hpp"
#include "caffe/util/parallel_for.hpp"

namespace caffe {

namespace {

// Parts of the batch whose colours are summed side by side.
constexpr int kColourParts = 256;

// The centre crop of one axis, stopped 1.05 pixels before the end.
template <typename Dtype>
ResampleTaps<Dtype> crop_taps(int in, int out) {
  std::vector<int> first;
  std::vector<std::vector<double>> weights;
  const double most = std::max(0.0, in - 1.05);
  for (int o = 0; o < out; ++o) {
    const double x = std::min(std::max(0.0, o + (in - out) / 2.0), most);
    const int left = static_cast<int>(x);
    const double part = x - left;
    first.push_back(left);
    weights.push_back(part > 0 ? std::vector<double>{1 - part, part}
                               : std::vector<double>{1});
  }
  return ResampleTaps<Dtype>::Of(in, first, weights);
}

bool has_effect(const AugmentationCoefficients<double>& c) {
  return (c.fog_amount != 0 && c.fog_size != 0) || c.motion_blur_size > 0 ||
         c.shadow_strength > 0 || c.noise > 0;
}

}  // namespace

template <typename Dtype>
void DataAugmentationLayer<Dtype>::CheckParameters(int channels) const {
  CHECK_VALUE(!crops() || (param().crop_width() > 0 && param().crop_height() > 0))
      << where()
      << "augmentation_param.crop_width and crop_height must be at least 1, or "
      << "not set at all; they are " << param().crop_width() << " and "
      << param().crop_height();
  CHECK_VALUE(this->layer_param_.coeff_schedule_param().half_life() >= 0)
      << where() << "coeff_schedule_param.half_life is a number of passes, not "
      << this->layer_param_.coeff_schedule_param().half_life();
  CHECK_VALUE(param().max_multiplier() > 0)
      << where() << "augmentation_param.max_multiplier is the largest value of an "
      << "augmented image and must be more than 0, not " << param().max_multiplier();
  CHECK_VALUE(param().chromatic_eigvec_size() == 0 ||
              param().chromatic_eigvec_size() == 9)
      << where() << "augmentation_param.chromatic_eigvec is a matrix of 9 numbers, not "
      << param().chromatic_eigvec_size();
  pixels_of(where(), "augmentation_param.crop_height", param().crop_height());
  pixels_of(where(), "augmentation_param.crop_width", param().crop_width());
  if (!crops() || !draws_now()) return;
  const bool eigen = draws(param(), kEigenGroup);
  CHECK_VALUE(!eigen || param().chromatic_eigvec_size() == 9)
      << where() << "chromatic-eigen augmentation needs the 9 numbers of "
      << "augmentation_param.chromatic_eigvec, not " << param().chromatic_eigvec_size();
  CHECK_VALUE(channels == 3 || !(eigen || draws(param(), kChromaticGroup)))
      << where() << "chromatic augmentation works only with 3 channels, not " << channels;
}

template <typename Dtype>
void DataAugmentationLayer<Dtype>::WarnOfIdleSettings(int channels,
                                                      bool given_coefficients) const {
  const auto groups = {kSpatialGroup, kChromaticGroup, kEigenGroup, kEffectsGroup};
  const bool draws_any =
      std::any_of(groups.begin(), groups.end(),
                  [this](AugmentationGroup group) { return draws(param(), group); });
  if (!crops() && draws_any) {
    LOG(WARNING) << where()
                 << "Please enter crop size if you want to perform augmentation";
  }
  if (param().has_crop_width() != param().has_crop_height()) {
    const bool has_width = param().has_crop_width();
    warn_idle(
        where(), string("augmentation_param.crop_") + (has_width ? "width" : "height"),
        string("nothing is cropped without crop_") + (has_width ? "height" : "width"));
  }
  if (crops() && draws_any && given_coefficients) {
    warn_idle(where(), "what augmentation_param says of random draws",
              "bottom 1 gives the coefficients");
  }
  warn_idle_draws(where(), param());
  if (param().mean_size() > 0 && GivenMeans(channels).empty()) {
    const string why = param().recompute_mean() > 0
                           ? "with recompute_mean above 0 the running mean is subtracted"
                       : param().mean_per_pixel()
                           ? "it is subtracted only with mean_per_pixel: false"
                           : "only 3 values for 3 channels are subtracted; there are " +
                                 std::to_string(param().mean_size()) + " values and " +
                                 std::to_string(channels) + " channels";
    warn_idle(where(), "augmentation_param.mean", why);
  }
  if (!param().write_augmented().empty()) {
    warn_idle(where(), "augmentation_param.write_augmented",
              "no images are written; an ImgWriter layer does that");
  }
  if (!param().write_mean().empty()) {
    warn_idle(where(), "augmentation_param.write_mean",
              "the mean is a parameter of the layer and in the weights file");
  }
  if (param().has_mode()) {
    warn_idle(where(), "augmentation_param.mode",
              "only GenerateAugmentationParameters reads it");
  }
}

template <typename Dtype>
void DataAugmentationLayer<Dtype>::LayerSetUp(const vector<Blob<Dtype>*>& bottom,
                                              const vector<Blob<Dtype>*>&) {
  CHECK_VALUE(bottom[0]->num_axes() == 4)
      << where() << "takes images (N, C, H, W), not " << bottom[0]->shape_string();
  CheckParameters(bottom[0]->channels());
  WarnOfIdleSettings(bottom[0]->channels(), bottom.size() > 1);
  const int height =
      crops() ? static_cast<int>(param().crop_height()) : bottom[0]->height();
  const int width = crops() ? static_cast<int>(param().crop_width()) : bottom[0]->width();
  MakeParameters(bottom[0]->channels(), height, width);
}

template <typename Dtype>
void DataAugmentationLayer<Dtype>::MakeParameters(int channels, int height, int width) {
  vector<vector<int>> shapes = {{1, 1, 1, 1}};
  if (param().recompute_mean() > 0) {
    shapes.push_back({1, channels, height, width});
    shapes.push_back({1, channels, 1, 1});
  }
  if (this->blobs_.size() != shapes.size()) {
    this->blobs_.clear();
    for (const vector<int>& shape : shapes) {
      this->blobs_.push_back(std::make_shared<Blob<Dtype>>(shape));
    }
  }
  // Statistics: no solver may touch them, and they ask for no gradient.
  while (this->layer_param_.param_size() < static_cast<int>(shapes.size())) {
    this->layer_param_.add_param();
  }
  for (ParamSpec& spec : *this->layer_param_.mutable_param()) {
    spec.set_lr_mult(0);
    spec.set_decay_mult(0);
  }
  this->param_propagate_down_.assign(this->blobs_.size(), false);
}

template <typename Dtype>
void DataAugmentationLayer<Dtype>::Reshape(const vector<Blob<Dtype>*>& bottom,
                                           const vector<Blob<Dtype>*>& top) {
  const int num = bottom[0]->num(), channels = bottom[0]->channels();
  channels_ = channels;
  alone_ = bottom.size() == 1 && top.size() == 1;
  shape_ = {bottom[0]->height(), bottom[0]->width(), bottom[0]->height(),
            bottom[0]->width()};
  if (crops()) {
    shape_.height = static_cast<int>(param().crop_height());
    shape_.width = static_cast<int>(param().crop_width());
    CHECK_VALUE(shape_.width <= shape_.image_width)
        << where() << "crop width greater than original: " << shape_.width << " of "
        << shape_.image_width;
    CHECK_VALUE(shape_.height <= shape_.image_height)
        << where() << "crop height greater than original: " << shape_.height << " of "
        << shape_.image_height;
    if (columns_.in != shape_.image_width)
      columns_ = crop_taps<Dtype>(shape_.image_width, shape_.width);
    if (rows_.in != shape_.image_height)
      rows_ = crop_taps<Dtype>(shape_.image_height, shape_.height);
  }
  if (bottom.size() > 1) {
    CHECK_VALUE(bottom[1]->count() == num * kAugmentationCoefficients)
        << where() << "bottom 1 holds coefficients (" << num << ", "
        << kAugmentationCoefficients << ", 1, 1), not " << bottom[1]->shape_string();
  }
  top[0]->Reshape({num, channels, shape_.height, shape_.width});
  if (top.size() > 1) top[1]->Reshape({num, kAugmentationCoefficients, 1, 1});
  values_.Reshape({num, kAugmentationCoefficients});
  maps_.Reshape({num, 6});
  statistics_.Reshape(
      {static_cast<int>(sizeof(ColourStatistics<Dtype>) / sizeof(Dtype))});
  if (this->blobs_.size() < 3) return;
  CHECK_VALUE(this->blobs_[2]->count() == channels)
      << where() << "holds means of " << this->blobs_[2]->count()
      << " channels, its bottom is " << bottom[0]->shape_string();
  const vector<int> shape = {1, channels, shape_.height, shape_.width};
  if (this->blobs_[1]->shape() == shape) return;
  // An input of another size: the mean image starts again from the channels' means.
  this->blobs_[1]->Reshape(shape);
  spread_means(*this->blobs_[2], this->blobs_[1].get());
}

template <typename Dtype>
bool DataAugmentationLayer<Dtype>::RepeatsOnDevice() const {
  if (!alone_) return false;
  if (crops() && draws_now()) {
    for (const AugmentationGroup group :
         {kSpatialGroup, kChromaticGroup, kEigenGroup, kEffectsGroup}) {
      if (draws(param(), group)) return false;
    }
  }
  return param().recompute_mean() == 0 ||
         std::trunc(this->blobs_[0]->cpu_data()[0]) >= param().recompute_mean();
}

template <typename Dtype>
double DataAugmentationLayer<Dtype>::CountPass() {
  const double pass = std::trunc(this->blobs_[0]->cpu_data()[0]) + 1;
  this->blobs_[0]->mutable_cpu_data()[0] = static_cast<Dtype>(pass);
  return pass;
}

template <typename Dtype>
typename DataAugmentationLayer<Dtype>::Work DataAugmentationLayer<Dtype>::Prepare(
    const vector<Blob<Dtype>*>& bottom, const vector<Blob<Dtype>*>& top, double pass) {
  const Dtype* given = bottom.size() > 1 ? bottom[1]->cpu_data() : nullptr;
  const AugmentationDraw draw{
      param(), AugmentationMode::kRegenerate,
      augmentation_discount(this->layer_param_.coeff_schedule_param(), pass), shape_,
      this->layer_param_.name()};
  vector<AugmentationCoefficients<double>> items;
  for (int n = 0; n < bottom[0]->num(); ++n) {
    StoredAugmentation stored{};
    if (given != nullptr) {
      stored = read_augmentation(given + n * kAugmentationCoefficients);
    } else if (crops() && draws_now()) {
      stored = draw(stored);
    }
    // Used as the blob holds them, so that who is given top 1 does exactly the same.
    Dtype item[kAugmentationCoefficients];
    write_augmentation(stored, item);
    if (top.size() > 1) {
      std::copy_n(item, kAugmentationCoefficients,
                  top[1]->mutable_cpu_data() + n * kAugmentationCoefficients);
    }
    items.push_back(snapped(augmentation_from(read_augmentation(item))));
  }
  if (!crops()) return Work();
  const Work work = WorkOf(items);
  if (!work.any()) return work;  // nobody reads them: a device needs no copy of them
  for (int n = 0; n < bottom[0]->num(); ++n) {
    write_values(items[n], values_.mutable_cpu_data() + n * kAugmentationCoefficients);
    write_map(shape_.Map(items[n]), maps_.mutable_cpu_data() + n * 6);
  }
  return work;
}

template <typename Dtype>
typename DataAugmentationLayer<Dtype>::Work DataAugmentationLayer<Dtype>::WorkOf(
    const vector<AugmentationCoefficients<double>>& items) const {
  Work work;
  bool noise = false;
  for (const AugmentationCoefficients<double>& item : items) {
    work.moves |= changes(item, kSpatialGroup);
    work.eigen |= changes(item, kEigenGroup);
    work.chromatic |= changes(item, kChromaticGroup);
    work.effects |= has_effect(item);
    noise |= item.noise > 0;
  }
  if (noise) work.noise_seed = device::next_seed();
  return work;
}

template <typename Dtype>
ColourAxes<Dtype> DataAugmentationLayer<Dtype>::Axes() const {
  CHECK_VALUE(param().chromatic_eigvec_size() == 9)
      << where() << "chromatic-eigen coefficients need the 9 numbers of "
      << "augmentation_param.chromatic_eigvec, not " << param().chromatic_eigvec_size();
  ColourAxes<Dtype> axes;
  for (int k = 0; k < 9; ++k) axes.v[k / 3][k % 3] = param().chromatic_eigvec(k);
  return axes;
}

template <typename Dtype>
vector<Dtype> DataAugmentationLayer<Dtype>::GivenMeans(int channels) const {
  if (param().recompute_mean() > 0 || param().mean_size() != 3 || channels != 3 ||
      param().mean_per_pixel()) {
    return {};
  }
  return vector<Dtype>(param().mean().begin(), param().mean().end());
}

template <typename Dtype>
AffineSampler<Dtype> DataAugmentationLayer<Dtype>::Sampler(const Side& side) const {
  const AffineMap<double> centre = shape_.Map(AugmentationCoefficients<double>());
  return {shape_,
          channels_,
          reinterpret_cast<const AffineMap<Dtype>*>(side.maps),
          centre.As<Dtype>(),
          side.image,
          side.crop};
}

template <typename Dtype>
ColourPass<Dtype> DataAugmentationLayer<Dtype>::Colours(const Work& work,
                                                        const Side& side) const {
  CHECK_VALUE(channels_ == 3) << where()
                              << "chromatic augmentation works only with 3 channels, not "
                              << channels_;
  return {work.eigen,
          work.chromatic,
          work.eigen ? Axes() : ColourAxes<Dtype>{},
          side.statistics,
          static_cast<Dtype>(param().max_multiplier()),
          shape_.height * shape_.width,
          reinterpret_cast<const AugmentationCoefficients<Dtype>*>(side.values),
          side.crop};
}

template <typename Dtype>
EffectsPass<Dtype> DataAugmentationLayer<Dtype>::Effects(const Work& work,
                                                         const Side& side) const {
  return {channels_,
          shape_.height,
          shape_.width,
          static_cast<Dtype>(param().max_multiplier()),
          work.noise_seed,
          reinterpret_cast<const AugmentationCoefficients<Dtype>*>(side.values),
          side.crop};
}

template <typename Dtype>
const ColourStatistics<Dtype>* DataAugmentationLayer<Dtype>::Statistics_cpu(
    const Blob<Dtype>& image) {
  const int plane = image.count(2), pixels = image.num() * plane;
  vector<ColourPart> parts(kColourParts);
  parallel_for(kColourParts, ColourPartsOf<Dtype>{Axes(), pixels, plane, kColourParts,
                                                  false, image.cpu_data(), parts.data()});
  auto* statistics =
      reinterpret_cast<ColourStatistics<Dtype>*>(statistics_.mutable_cpu_data());
  ColourStatisticsOf<Dtype>{Axes(), pixels, kColourParts, parts.data(), statistics}(0);
  return statistics;
}

template <typename Dtype>
void DataAugmentationLayer<Dtype>::Augment_cpu(const Work& work, const Blob<Dtype>& image,
                                               Blob<Dtype>* crop) {
  if (!work.moves) {
    resample_planes(rows_, columns_, read_planes(image, image.data().get(), false),
                    write_planes(*crop, crop->data().get(), false));
  }
  if (!work.any()) return;
  const int pixels = crop->num() * crop->count(2);
  const Side side{image.cpu_data(), crop->mutable_cpu_data(), maps_.cpu_data(),
                  values_.cpu_data(), work.eigen ? Statistics_cpu(image) : nullptr};
  if (work.moves) for_each_index(pixels, Sampler(side));
  if (work.eigen || work.chromatic) for_each_index(pixels, Colours(work, side));
  if (work.effects) for_each_index(pixels, Effects(work, side));
}

template <typename Dtype>
void DataAugmentationLayer<Dtype>::SubtractMean_cpu(double pass, Blob<Dtype>* images) {
  if (param().recompute_mean() == 0) {
    const vector<Dtype> means = GivenMeans(images->channels());
    if (!means.empty()) subtract_means(means.data(), images);
    return;
  }
  if (pass <= param().recompute_mean()) {
    update_mean_image(*images, pass, this->blobs_[1].get());
    average_planes(*this->blobs_[1], this->blobs_[2].get());
  }
  if (param().mean_per_pixel()) {
    subtract_mean_image(*this->blobs_[1], images);
  } else {
    subtract_means(this->blobs_[2]->cpu_data(), images);
  }
}

template <typename Dtype>
void DataAugmentationLayer<Dtype>::Forward_cpu(const vector<Blob<Dtype>*>& bottom,
                                               const vector<Blob<Dtype>*>& top) {
  const double pass = CountPass();
  const Work work = Prepare(bottom, top, pass);
  if (top[0]->count() == 0) return;
  if (crops()) {
    Augment_cpu(work, *bottom[0], top[0]);
  } else {
    caffe_copy(bottom[0]->count(), bottom[0]->cpu_data(), top[0]->mutable_cpu_data());
  }
  SubtractMean_cpu(pass, top[0]);
}

template <typename Dtype>
void DataAugmentationLayer<Dtype>::Backward_cpu(const vector<Blob<Dtype>*>&,
                                                const vector<bool>& propagate_down,
                                                const vector<Blob<Dtype>*>& bottom) {
  for (size_t i = 0; i < bottom.size(); ++i) {
    if (propagate_down[i])
      caffe_set(bottom[i]->count(), Dtype(0), bottom[i]->mutable_cpu_diff());
  }
}

template <typename Dtype>
void DataAugmentationLayer<Dtype>::CustomCopyBlobs(const vector<Blob<float>*>& source) {
  if (param().recompute_mean() == 0 || source.size() < 2) return;
  Blob<Dtype>& means = *this->blobs_[2];
  CHECK_VALUE(source[0]->count() == 1)
      << where() << "the source's count is " << source[0]->shape_string();
  this->blobs_[0]->mutable_cpu_data()[0] = source[0]->cpu_data()[0];
  if (param().mean_per_pixel()) {
    take_mean_image(*source[1], where(), this->blobs_[1].get(), &means);
    return;
  }
  CHECK_VALUE(source.size() > 2 && source[2]->count() == means.count())
      << where() << "the source holds no means of " << means.count() << " channels";
  std::copy_n(source[2]->cpu_data(), means.count(), means.mutable_cpu_data());
}

INSTANTIATE_CLASS(DataAugmentationLayer);
REGISTER_LAYER_CLASS(DataAugmentation);

}  // namespace caffe

// DataAugmentation.
#include "caffe/layers/data_augmentation_layer.hpp"

#include <algorithm>
#include <cmath>

#include "caffe/util/math_functions.hpp"
#include "caffe/util/parallel_for.hpp"
#include "caffe/util/parallel_sum.hpp"

namespace caffe {

namespace {

constexpr int kCoefficients = 42;

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

// The first field that asks for random values; "" if there is none.
string random_field(const AugmentationParameter& param) {
  vector<const google::protobuf::FieldDescriptor*> fields;
  param.GetReflection()->ListFields(param, &fields);
  for (const auto* field : fields) {
    if (field->message_type() != nullptr &&
        field->message_type()->name() == "RandomGeneratorParameter") {
      return field->name();
    }
  }
  return "";
}

}  // namespace

template <typename Dtype>
bool DataAugmentationLayer<Dtype>::crops() const {
  const AugmentationParameter& param = this->layer_param_.augmentation_param();
  return param.has_crop_width() && param.has_crop_height();
}

template <typename Dtype>
void DataAugmentationLayer<Dtype>::RefuseRandomAugmentation(size_t bottoms) const {
  const AugmentationParameter& param = this->layer_param_.augmentation_param();
  const string where = "DataAugmentation layer '" + this->layer_param_.name() + "': ";
  if (!crops()) {
    LOG(WARNING) << where << "Please enter crop size if you want to perform augmentation";
    return;
  }
  CHECK_VALUE(bottoms == 1) << where
                            << "a bottom of augmentation coefficients is not supported "
                            << "yet; this layer crops and subtracts the mean";
  if (this->phase_ != TRAIN && !param.augment_during_test()) return;
  const string field = random_field(param);
  CHECK_VALUE(field.empty())
      << where << "augmentation_param." << field << " asks for random "
      << "augmentation, which is not supported yet; this layer crops and "
      << "subtracts the mean";
}

template <typename Dtype>
void DataAugmentationLayer<Dtype>::LayerSetUp(const vector<Blob<Dtype>*>& bottom,
                                              const vector<Blob<Dtype>*>&) {
  RefuseRandomAugmentation(bottom.size());
  const AugmentationParameter& param = this->layer_param_.augmentation_param();
  CHECK_VALUE(bottom[0]->num_axes() == 4)
      << "DataAugmentation layer '" << this->layer_param_.name()
      << "' takes images (N, C, H, W), not " << bottom[0]->shape_string();
  const int height =
      crops() ? static_cast<int>(param.crop_height()) : bottom[0]->height();
  const int width = crops() ? static_cast<int>(param.crop_width()) : bottom[0]->width();
  MakeParameters(bottom[0]->channels(), height, width);
}

template <typename Dtype>
void DataAugmentationLayer<Dtype>::MakeParameters(int channels, int height, int width) {
  const bool mean = this->layer_param_.augmentation_param().recompute_mean() > 0;
  vector<vector<int>> shapes = {{1, 1, 1, 1}};
  if (mean) {
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
  const AugmentationParameter& param = this->layer_param_.augmentation_param();
  const int num = bottom[0]->num(), channels = bottom[0]->channels();
  int height = bottom[0]->height(), width = bottom[0]->width();
  if (crops()) {
    const int crop_height = static_cast<int>(param.crop_height());
    const int crop_width = static_cast<int>(param.crop_width());
    const string where = "DataAugmentation layer '" + this->layer_param_.name() + "': ";
    CHECK_VALUE(crop_width <= width)
        << where << "crop width greater than original: " << crop_width << " of " << width;
    CHECK_VALUE(crop_height <= height)
        << where << "crop height greater than original: " << crop_height << " of "
        << height;
    if (columns_.in != width) columns_ = crop_taps<Dtype>(width, crop_width);
    if (rows_.in != height) rows_ = crop_taps<Dtype>(height, crop_height);
    height = crop_height;
    width = crop_width;
  }
  top[0]->Reshape({num, channels, height, width});
  if (top.size() > 1) top[1]->Reshape({num, kCoefficients, 1, 1});
  if (this->blobs_.size() < 3) return;
  CHECK_VALUE(this->blobs_[2]->count() == channels)
      << "DataAugmentation layer '" << this->layer_param_.name() << "' holds means of "
      << this->blobs_[2]->count() << " channels, its bottom is "
      << bottom[0]->shape_string();
  const vector<int> shape = {1, channels, height, width};
  if (this->blobs_[1]->shape() == shape) return;
  // An input of another size: the mean image starts again from the channels' means.
  this->blobs_[1]->Reshape(shape);
  for (int c = 0; c < channels; ++c) {
    std::fill_n(this->blobs_[1]->mutable_cpu_data() + std::int64_t{c} * height * width,
                height * width, this->blobs_[2]->cpu_data()[c]);
  }
}

template <typename Dtype>
void DataAugmentationLayer<Dtype>::Forward_cpu(const vector<Blob<Dtype>*>& bottom,
                                               const vector<Blob<Dtype>*>& top) {
  const AugmentationParameter& param = this->layer_param_.augmentation_param();
  const double passes = std::trunc(this->blobs_[0]->cpu_data()[0]) + 1;
  this->blobs_[0]->mutable_cpu_data()[0] = static_cast<Dtype>(passes);
  if (crops()) {
    resample_planes(rows_, columns_,
                    read_planes(*bottom[0], bottom[0]->data().get(), false),
                    write_planes(*top[0], top[0]->data().get(), false));
  } else {
    caffe_copy(bottom[0]->count(), bottom[0]->cpu_data(), top[0]->mutable_cpu_data());
  }
  if (top.size() > 1) caffe_set(top[1]->count(), Dtype(0), top[1]->mutable_cpu_data());
  if (param.recompute_mean() > 0 && passes <= param.recompute_mean()) {
    UpdateMean(*top[0], passes);
  }
  SubtractMean(top[0]);
}

template <typename Dtype>
void DataAugmentationLayer<Dtype>::UpdateMean(const Blob<Dtype>& top, double passes) {
  const int num = top.num();
  const std::int64_t item = this->blobs_[1]->count();
  const Dtype* data = top.cpu_data();
  Dtype* mean = this->blobs_[1]->mutable_cpu_data();
  for_each_index(item, [=](std::int64_t i) {
    double sum = 0;
    for (int n = 0; n < num; ++n) sum += data[n * item + i];
    mean[i] = static_cast<Dtype>(((passes - 1) * mean[i] + sum / num) / passes);
  });
  SetChannelMeans();
}

template <typename Dtype>
void DataAugmentationLayer<Dtype>::SetChannelMeans() {
  const std::int64_t plane = this->blobs_[1]->count(2);
  for (int c = 0; c < this->blobs_[2]->count(); ++c) {
    const Dtype* mean = this->blobs_[1]->cpu_data() + c * plane;
    const double sum = parallel_sum(plane, [=](std::int64_t begin, std::int64_t end) {
      double piece = 0;
      for (std::int64_t i = begin; i < end; ++i) piece += mean[i];
      return piece;
    });
    this->blobs_[2]->mutable_cpu_data()[c] = static_cast<Dtype>(sum / plane);
  }
}

template <typename Dtype>
void DataAugmentationLayer<Dtype>::SubtractMean(Blob<Dtype>* top) const {
  const AugmentationParameter& param = this->layer_param_.augmentation_param();
  const int channels = top->channels();
  const std::int64_t plane = top->count(2), item = channels * plane;
  Dtype* data = top->mutable_cpu_data();
  if (param.recompute_mean() > 0 && param.mean_per_pixel()) {
    const Dtype* mean = this->blobs_[1]->cpu_data();
    for_each_index(top->count(), [=](std::int64_t i) { data[i] -= mean[i % item]; });
    return;
  }
  vector<Dtype> means;
  if (param.recompute_mean() > 0) {
    means.assign(this->blobs_[2]->cpu_data(), this->blobs_[2]->cpu_data() + channels);
  } else if (param.mean_size() == 3 && channels == 3 && !param.mean_per_pixel()) {
    means.assign(param.mean().begin(), param.mean().end());
  } else {
    return;
  }
  parallel_ranges(top->count(0, 2), 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const Dtype mean = means[i % channels];
      for (Dtype* value = data + i * plane; value < data + (i + 1) * plane; ++value)
        *value -= mean;
    }
  });
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
  const AugmentationParameter& param = this->layer_param_.augmentation_param();
  if (param.recompute_mean() == 0 || source.size() < 2) return;
  const string where = "DataAugmentation layer '" + this->layer_param_.name() + "': ";
  Blob<Dtype>&image = *this->blobs_[1], &channels = *this->blobs_[2];
  const auto copy = [](const Blob<float>& from, Blob<Dtype>* to) {
    std::copy_n(from.cpu_data(), from.count(), to->mutable_cpu_data());
  };
  CHECK_VALUE(source[0]->count() == 1)
      << where << "the source's count is " << source[0]->shape_string();
  copy(*source[0], this->blobs_[0].get());
  if (!param.mean_per_pixel()) {
    CHECK_VALUE(source.size() > 2 && source[2]->count() == channels.count())
        << where << "the source holds no means of " << channels.count() << " channels";
    copy(*source[2], &channels);
    return;
  }
  CHECK_VALUE(source[1]->num_axes() == 4 && source[1]->shape(1) == image.shape(1))
      << where << "the source's mean image is " << source[1]->shape_string()
      << ", the net's " << image.shape_string();
  if (source[1]->shape() == image.shape()) {
    copy(*source[1], &image);
    SetChannelMeans();
    return;
  }
  const std::int64_t from_plane = source[1]->count(2), plane = image.count(2);
  for (int c = 0; c < channels.count(); ++c) {
    const float* from = source[1]->cpu_data() + c * from_plane;
    double sum = 0;
    for (std::int64_t i = 0; i < from_plane; ++i) sum += from[i];
    const Dtype mean = static_cast<Dtype>(sum / from_plane);
    channels.mutable_cpu_data()[c] = mean;
    std::fill_n(image.mutable_cpu_data() + c * plane, plane, mean);
  }
}

INSTANTIATE_CLASS(DataAugmentationLayer);
REGISTER_LAYER_CLASS(DataAugmentation);

}  // namespace caffe

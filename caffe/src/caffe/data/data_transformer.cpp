// Mean, scale, crop and mirror of records and blobs.
#include "caffe/data_transformer.hpp"

#include <cstdint>

#include "caffe/util/io.hpp"
#include "caffe/util/math_functions.hpp"
#include "caffe/util/rng.hpp"

namespace caffe {

template <typename Dtype>
DataTransformer<Dtype>::DataTransformer(const TransformationParameter& param, Phase phase)
    : param_(param), phase_(phase) {
  CHECK(!(param_.force_color() && param_.force_gray()))
      << "transform_param: force_color and force_gray exclude each other";
  if (param_.has_mean_file()) {
    CHECK_EQ(param_.mean_value_size(), 0)
        << "Cannot specify mean_file and mean_value at the same time";
    LOG_IF(INFO, Caffe::root_solver())
        << "Loading mean file from: " << param_.mean_file();
    BlobProto mean;
    ReadProtoFromBinaryFileOrDie(param_.mean_file(), &mean);
    data_mean_.FromProto(mean);
  }
  mean_values_.assign(param_.mean_value().begin(), param_.mean_value().end());
}

template <typename Dtype>
void DataTransformer<Dtype>::InitRand() {
  const bool needed = param_.mirror() || (phase_ == TRAIN && param_.crop_size() > 0);
  rng_.reset(needed ? new Caffe::RNG(caffe_rng_rand()) : nullptr);
}

template <typename Dtype>
int DataTransformer<Dtype>::Rand(int n) {
  CHECK(rng_)
      << "DataTransformer: InitRand must be called before random crops or mirroring";
  CHECK_GT(n, 0);
  return static_cast<int>(
      uniform_below(static_cast<uint32_t>(n), static_cast<rng_t*>(rng_->generator())));
}

template <typename Dtype>
typename DataTransformer<Dtype>::Window DataTransformer<Dtype>::ChooseWindow(int channels,
                                                                             int height,
                                                                             int width) {
  CHECK(channels > 0 && height > 0 && width > 0)
      << "the image to transform has size " << channels << "x" << height << "x" << width;
  if (param_.has_mean_file()) {
    CHECK(data_mean_.channels() == channels && data_mean_.height() == height &&
          data_mean_.width() == width)
        << "the mean file " << param_.mean_file() << " has shape "
        << data_mean_.shape_string() << ", the image is " << channels << "x" << height
        << "x" << width;
  }
  if (!mean_values_.empty()) {
    CHECK(mean_values_.size() == 1 || static_cast<int>(mean_values_.size()) == channels)
        << "Specify either 1 mean_value or as many as channels: " << channels << ", not "
        << mean_values_.size();
    mean_values_.resize(channels, mean_values_[0]);
  }
  const int crop = static_cast<int>(param_.crop_size());
  Window window{channels, height, width, crop ? crop : height, crop ? crop : width};
  CHECK(window.crop_height <= height && window.crop_width <= width)
      << "crop_size " << crop << " does not fit into the image of " << height << "x"
      << width;
  window.mirror = param_.mirror() && Rand(2);
  if (crop && phase_ == TRAIN) {
    window.top = Rand(height - crop + 1);
    window.left = Rand(width - crop + 1);
  } else {
    window.top = (height - window.crop_height) / 2;
    window.left = (width - window.crop_width) / 2;
  }
  return window;
}

template <typename Dtype>
Dtype DataTransformer<Dtype>::MeanOf(const Window& window, int channel, int y,
                                     int x) const {
  if (param_.has_mean_file()) {
    return data_mean_.cpu_data()[(channel * window.height + y) * window.width + x];
  }
  return mean_values_.empty() ? Dtype(0) : mean_values_[channel];
}

// source(index) is the image's value at a flat index of C x H x W.
template <typename Dtype>
template <typename Source>
void DataTransformer<Dtype>::Apply(const Window& w, const Source& source,
                                   Dtype* out) const {
  const Dtype scale = param_.scale();
  for (int c = 0; c < w.channels; ++c) {
    for (int h = 0; h < w.crop_height; ++h) {
      const int y = w.top + h;
      for (int x = 0; x < w.crop_width; ++x) {
        const int from = w.left + x, to = w.mirror ? w.crop_width - 1 - x : x;
        const Dtype value =
            static_cast<Dtype>(source((c * w.height + y) * w.width + from));
        out[(c * w.crop_height + h) * w.crop_width + to] =
            (value - MeanOf(w, c, y, from)) * scale;
      }
    }
  }
}

template <typename Dtype>
void DataTransformer<Dtype>::CheckDatum(const Datum& datum) const {
  CHECK(!datum.encoded()) << "an encoded Datum (" << datum.data().size()
                          << " bytes of a compressed image) must be decoded before it is "
                             "transformed: this build reads raw records only";
  if (param_.force_color() || param_.force_gray()) {
    LOG(ERROR) << "force_color and force_gray only for encoded datum";
  }
  const int64_t expected =
      static_cast<int64_t>(datum.channels()) * datum.height() * datum.width();
  const int64_t given = datum.data().empty() ? datum.float_data_size()
                                             : static_cast<int64_t>(datum.data().size());
  CHECK_EQ(given, expected) << "a Datum of " << datum.channels() << "x" << datum.height()
                            << "x" << datum.width() << " holds another number of values";
}

template <typename Dtype>
void DataTransformer<Dtype>::Transform(const Datum& datum, Dtype* transformed_data) {
  CheckDatum(datum);
  const Window window = ChooseWindow(datum.channels(), datum.height(), datum.width());
  const string& bytes = datum.data();
  if (!bytes.empty()) {
    Apply(
        window, [&](int i) { return static_cast<uint8_t>(bytes[i]); }, transformed_data);
  } else {
    Apply(
        window, [&](int i) { return datum.float_data(i); }, transformed_data);
  }
}

template <typename Dtype>
void DataTransformer<Dtype>::CheckTarget(const Blob<Dtype>& target,
                                         const Window& w) const {
  CHECK(target.channels() == w.channels && target.height() == w.crop_height &&
        target.width() == w.crop_width)
      << "the image gives " << w.channels << "x" << w.crop_height << "x" << w.crop_width
      << ", the blob to fill has shape " << target.shape_string();
}

template <typename Dtype>
std::vector<int> DataTransformer<Dtype>::InferBlobShape(const Datum& datum) {
  CheckDatum(datum);
  const int crop = static_cast<int>(param_.crop_size());
  CHECK(crop <= datum.height() && crop <= datum.width())
      << "crop_size " << crop << " does not fit into the image of " << datum.height()
      << "x" << datum.width();
  return {1, datum.channels(), crop ? crop : datum.height(), crop ? crop : datum.width()};
}

template <typename Dtype>
std::vector<int> DataTransformer<Dtype>::InferBlobShape(
    const std::vector<Datum>& datum_vector) {
  CHECK(!datum_vector.empty()) << "There is no datum to infer a shape from";
  std::vector<int> shape = InferBlobShape(datum_vector[0]);
  shape[0] = static_cast<int>(datum_vector.size());
  return shape;
}

template <typename Dtype>
void DataTransformer<Dtype>::Transform(const Datum& datum,
                                       Blob<Dtype>* transformed_blob) {
  CHECK_GE(transformed_blob->num(), 1) << "the blob to fill has no items";
  const std::vector<int> shape = InferBlobShape(datum);
  CheckTarget(*transformed_blob,
              {shape[1], datum.height(), datum.width(), shape[2], shape[3]});
  Transform(datum, transformed_blob->mutable_cpu_data());
}

template <typename Dtype>
void DataTransformer<Dtype>::Transform(const std::vector<Datum>& datum_vector,
                                       Blob<Dtype>* transformed_blob) {
  const int number = static_cast<int>(datum_vector.size());
  CHECK_GT(number, 0) << "There is no datum to add";
  CHECK_LE(number, transformed_blob->num())
      << "there are more records than items in the blob to fill";
  Blob<Dtype> item(vector<int>{1, transformed_blob->channels(),
                               transformed_blob->height(), transformed_blob->width()});
  for (int i = 0; i < number; ++i) {
    item.set_cpu_data(transformed_blob->mutable_cpu_data() + transformed_blob->offset(i));
    Transform(datum_vector[i], &item);
  }
}

template <typename Dtype>
void DataTransformer<Dtype>::Transform(Blob<Dtype>* input_blob,
                                       Blob<Dtype>* transformed_blob) {
  const Window window =
      ChooseWindow(input_blob->channels(), input_blob->height(), input_blob->width());
  if (transformed_blob->count() == 0) {
    transformed_blob->Reshape(input_blob->num(), window.channels, window.crop_height,
                              window.crop_width);
  }
  CHECK_LE(input_blob->num(), transformed_blob->num())
      << "the blob to fill has fewer items than the source";
  CheckTarget(*transformed_blob, window);
  for (int n = 0; n < input_blob->num(); ++n) {
    const Dtype* image = input_blob->cpu_data() + input_blob->offset(n);
    Apply(
        window, [image](int i) { return image[i]; },
        transformed_blob->mutable_cpu_data() + transformed_blob->offset(n));
  }
}

INSTANTIATE_CLASS(DataTransformer);

}  // namespace caffe

// ImgReader, FloatReader.
#include "caffe/layers/reader_layer.hpp"

#include <algorithm>

#include "caffe/data_transformer.hpp"
#include "caffe/layers/idle_setting.hpp"
#include "caffe/util/image_file.hpp"
#include "caffe/util/io.hpp"
#include "caffe/util/map_files.hpp"

namespace caffe {

template <typename Dtype>
void ReaderLayer<Dtype>::LayerSetUp(const vector<Blob<Dtype>*>&,
                                    const vector<Blob<Dtype>*>&) {
  const ReaderParameter& param = this->layer_param_.reader_param();
  const string where =
      string(this->type()) + " layer '" + this->layer_param_.name() + "': ";
  CHECK_VALUE(!param.file().empty()) << where << "reader_param.file is not set";
  CHECK_VALUE(param.num() >= 1) << where << "reader_param.num must be at least 1";
  Read(param.file(), &item_);
}

template <typename Dtype>
void ReaderLayer<Dtype>::Reshape(const vector<Blob<Dtype>*>&,
                                 const vector<Blob<Dtype>*>& top) {
  vector<int> shape = item_.shape();
  shape[0] = static_cast<int>(this->layer_param_.reader_param().num());
  top[0]->Reshape(shape);
}

template <typename Dtype>
void ReaderLayer<Dtype>::Forward_cpu(const vector<Blob<Dtype>*>&,
                                     const vector<Blob<Dtype>*>& top) {
  const Dtype* item = item_.cpu_data();
  Dtype* out = top[0]->mutable_cpu_data();
  for (int n = 0; n < top[0]->num(); ++n) {
    out = std::copy(item, item + item_.count(), out);
  }
}

template <typename Dtype>
void ReaderLayer<Dtype>::Backward_cpu(const vector<Blob<Dtype>*>&, const vector<bool>&,
                                      const vector<Blob<Dtype>*>&) {}

template <typename Dtype>
void ImgReaderLayer<Dtype>::Read(const string& file, Blob<Dtype>* item) {
  const ByteImage image = read_image(file);
  Datum datum;
  datum.set_channels(3);
  datum.set_height(image.height);
  datum.set_width(image.width);
  string* planes = datum.mutable_data();
  planes->resize(image.pixels.size());
  const size_t plane = image.pixels.size() / 3;
  for (size_t i = 0; i < image.pixels.size(); ++i) {
    (*planes)[i % 3 * plane + i / 3] = static_cast<char>(image.pixels[i]);
  }
  DataTransformer<Dtype> transformer(this->layer_param_.transform_param(), this->phase_);
  transformer.InitRand();
  item->Reshape(transformer.InferBlobShape(datum));
  transformer.Transform(datum, item);
}

template <typename Dtype>
void FloatReaderLayer<Dtype>::Read(const string& file, Blob<Dtype>* item) {
  if (this->layer_param_.has_transform_param()) {
    warn_idle("FloatReader layer '" + this->layer_param_.name() + "': ",
              "transform_param", "only ImgReader reads it");
  }
  const FloatMap map = decode_float3(ReadFile(file), file);
  item->Reshape({1, map.channels, map.height, map.width});
  std::copy(map.values.begin(), map.values.end(), item->mutable_cpu_data());
}

INSTANTIATE_CLASS(ReaderLayer);
INSTANTIATE_CLASS(ImgReaderLayer);
INSTANTIATE_CLASS(FloatReaderLayer);
REGISTER_LAYER_CLASS(ImgReader);
REGISTER_LAYER_CLASS(FloatReader);

}  // namespace caffe

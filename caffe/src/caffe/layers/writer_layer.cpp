// FLOWriter, FloatWriter, PFMWriter, ImgWriter.
#include "caffe/layers/writer_layer.hpp"

#include <cstdio>
#include <filesystem>

#include "caffe/layers/idle_setting.hpp"
#include "caffe/layers/net_iteration.hpp"
#include "caffe/util/atomic_file.hpp"

namespace caffe {

namespace {

string with_digits(int number, int digits) {
  char text[16];
  std::snprintf(text, sizeof(text), "%0*d", digits, number);
  return text;
}

template <typename Dtype>
FloatMap item_of(const Blob<Dtype>& blob, int item) {
  FloatMap map{blob.channels(), blob.height(), blob.width(), {}};
  const size_t count = blob.count(1);
  const Dtype* data = blob.cpu_data() + item * count;
  map.values.assign(data, data + count);
  return map;
}

}  // namespace

template <typename Dtype>
void WriterLayer<Dtype>::LayerSetUp(const vector<Blob<Dtype>*>& bottom,
                                    const vector<Blob<Dtype>*>&) {
  const WriterParameter& param = this->layer_param_.writer_param();
  const string where = this->where();
  if (!param.file().empty() &&
      !(param.folder() + param.prefix() + param.suffix()).empty()) {
    warn_idle(where, "what writer_param says in folder, prefix and suffix",
              "file is the whole name");
  }
  if (!param.file().empty() && bottom[0]->num_axes() == 4 && bottom[0]->num() > 1) {
    LOG(WARNING) << where << "writer_param.file is one name for " << bottom[0]->num()
                 << " items, and the last one stays; folder and prefix number them";
  }
  if (!WritesPixels()) {
    const string reason = "only ImgWriter reads it; the values are written as they are";
    if (param.scale() != 1) warn_idle(where, "writer_param.scale", reason);
    if (param.normalize()) warn_idle(where, "writer_param.normalize", reason);
  } else if (param.normalize() && param.scale() != 1) {
    warn_idle(where, "writer_param.scale", "normalize chooses the scale");
  }
}

template <typename Dtype>
void WriterLayer<Dtype>::Reshape(const vector<Blob<Dtype>*>& bottom,
                                 const vector<Blob<Dtype>*>&) {
  const string where = this->where();
  CHECK_VALUE(bottom[0]->num_axes() == 4)
      << where << "takes a bottom (N, C, H, W), not " << bottom[0]->shape_string();
  const string wrong = ChannelsError(bottom[0]->channels());
  CHECK_VALUE(wrong.empty()) << where << wrong << "; the bottom is "
                             << bottom[0]->shape_string();
  const WriterParameter& param = this->layer_param_.writer_param();
  if (!param.file().empty() || param.folder().empty()) return;
  std::error_code error;
  std::filesystem::create_directories(param.folder(), error);
  CHECK(!error) << where << "cannot create the folder " << param.folder() << ": "
                << error.message();
}

template <typename Dtype>
string WriterLayer<Dtype>::FileName(const Blob<Dtype>& bottom, int item) const {
  const WriterParameter& param = this->layer_param_.writer_param();
  if (!param.file().empty()) return param.file();
  string name = param.folder().empty() ? "" : param.folder() + "/";
  name += param.prefix() + with_digits(iteration_of(this->GetNet()), 7);
  if (bottom.num() > 1) name += "(" + with_digits(item, 3) + ")";
  return name + param.suffix() + Extension(bottom.channels());
}

template <typename Dtype>
void WriterLayer<Dtype>::Forward_cpu(const vector<Blob<Dtype>*>& bottom,
                                     const vector<Blob<Dtype>*>&) {
  for (int n = 0; n < bottom[0]->num(); ++n) {
    WriteFileAtomically(FileName(*bottom[0], n), Encode(item_of(*bottom[0], n)));
  }
}

template <typename Dtype>
void WriterLayer<Dtype>::Backward_cpu(const vector<Blob<Dtype>*>&,
                                      const vector<bool>& propagate_down,
                                      const vector<Blob<Dtype>*>& bottom) {
  if (!propagate_down[0]) return;
  caffe_set(bottom[0]->count(), Dtype(0), bottom[0]->mutable_cpu_diff());
}

template <typename Dtype>
string FLOWriterLayer<Dtype>::ChannelsError(int channels) const {
  return channels == 2 ? "" : "FLOWRITER layer input must have two channels";
}

template <typename Dtype>
string PFMWriterLayer<Dtype>::ChannelsError(int channels) const {
  return channels >= 1 && channels <= 3
             ? ""
             : "PFMWRITER layer input must have one, two or three channels";
}

template <typename Dtype>
string ImgWriterLayer<Dtype>::ChannelsError(int channels) const {
  return channels == 1 || channels == 3
             ? ""
             : "IMGWRITER layer input must have one or three channels";
}

template <typename Dtype>
string ImgWriterLayer<Dtype>::Encode(const FloatMap& map) const {
  const WriterParameter& param = this->layer_param_.writer_param();
  return encode_pixels(map, param.scale(), param.normalize());
}

INSTANTIATE_CLASS(WriterLayer);
INSTANTIATE_CLASS(FLOWriterLayer);
INSTANTIATE_CLASS(FloatWriterLayer);
INSTANTIATE_CLASS(PFMWriterLayer);
INSTANTIATE_CLASS(ImgWriterLayer);
REGISTER_LAYER_CLASS(FLOWriter);
REGISTER_LAYER_CLASS(FloatWriter);
REGISTER_LAYER_CLASS(PFMWriter);
REGISTER_LAYER_CLASS(ImgWriter);

}  // namespace caffe

// Mean.
#include "caffe/layers/mean_layer.hpp"

#include "caffe/backend/elementwise.hpp"
#include "caffe/util/io.hpp"

namespace caffe {

template <typename Dtype>
void MeanLayer<Dtype>::LayerSetUp(const vector<Blob<Dtype>*>& bottom,
                                  const vector<Blob<Dtype>*>& top) {
  const MeanParameter& param = this->layer_param_.mean_param();
  const string where = "Mean layer '" + this->layer_param_.name() + "': ";
  CHECK_VALUE(bottom.size() == top.size())
      << where << "MEAN needs as many outputs as inputs; there are " << bottom.size()
      << " bottoms and " << top.size() << " tops";
  CHECK_VALUE(param.has_operation())
      << where << "mean_param.operation must be ADD or SUBTRACT";
  CHECK_VALUE(param.has_file() != (param.value_size() > 0))
      << where << "mean_param needs either a file or values";
  if (param.has_file()) {
    BlobProto proto;
    ReadProtoFromBinaryFileOrDie(param.file(), &proto);
    mean_.FromProto(proto);
    CHECK_VALUE(mean_.num_axes() == 4 && mean_.num() == 1 && mean_.count() > 0)
        << where << param.file() << " must hold one image (1, C, H, W), not "
        << mean_.shape_string();
  } else {
    mean_.Reshape({param.value_size()});
    std::copy(param.value().begin(), param.value().end(), mean_.mutable_cpu_data());
  }
}

template <typename Dtype>
void MeanLayer<Dtype>::Reshape(const vector<Blob<Dtype>*>& bottom,
                               const vector<Blob<Dtype>*>& top) {
  const string where = "Mean layer '" + this->layer_param_.name() + "': ";
  for (size_t i = 0; i < bottom.size(); ++i) {
    const Blob<Dtype>& in = *bottom[i];
    CHECK_VALUE(in.num_axes() == 4)
        << where << "takes bottoms (N, C, H, W), not " << in.shape_string();
    CHECK_VALUE(!IsImage() ||
                (in.height() == mean_.height() && in.width() == mean_.width()))
        << where << "mean size does not match bottom size: " << mean_.shape_string()
        << " and " << in.shape_string();
    CHECK_VALUE(in.channels() % (IsImage() ? mean_.channels() : mean_.count()) == 0)
        << where << "bottom size not divisible by mean size: " << mean_.shape_string()
        << " and " << in.shape_string();
    top[i]->ReshapeLike(in);
  }
}

template <typename Dtype>
Dtype MeanLayer<Dtype>::InScale() const {
  const MeanParameter& param = this->layer_param_.mean_param();
  return static_cast<Dtype>(param.output_scale()) * param.input_scale();
}

template <typename Dtype>
MeanValue<Dtype> MeanLayer<Dtype>::Rule(const Blob<Dtype>& bottom) const {
  const MeanParameter& param = this->layer_param_.mean_param();
  const int sign = param.operation() == MeanParameter::ADD ? 1 : -1;
  MeanValue<Dtype> rule{};
  rule.places = IsImage() ? 1 : bottom.count(2);
  rule.count = mean_.count();
  rule.in_scale = InScale();
  rule.mean_scale = sign * static_cast<Dtype>(param.output_scale()) * param.mean_scale();
  return rule;
}

template <typename Dtype>
void MeanLayer<Dtype>::Forward_cpu(const vector<Blob<Dtype>*>& bottom,
                                   const vector<Blob<Dtype>*>& top) {
  for (size_t k = 0; k < bottom.size(); ++k) {
    MeanValue<Dtype> value = Rule(*bottom[k]);
    value.mean = mean_.cpu_data();
    value.x = bottom[k]->cpu_data();
    value.y = top[k]->mutable_cpu_data();
    for_each_index(bottom[k]->count(), value);
  }
}

template <typename Dtype>
void MeanLayer<Dtype>::Backward_cpu(const vector<Blob<Dtype>*>& top,
                                    const vector<bool>& propagate_down,
                                    const vector<Blob<Dtype>*>& bottom) {
  for (size_t k = 0; k < bottom.size(); ++k) {
    if (!propagate_down[k]) continue;
    scale_memory<Dtype>(top[k]->diff(), bottom[k]->diff(), bottom[k]->blocked_layout(),
                        bottom[k]->count(), InScale());
  }
}

INSTANTIATE_CLASS(MeanLayer);
REGISTER_LAYER_CLASS(Mean);

}  // namespace caffe

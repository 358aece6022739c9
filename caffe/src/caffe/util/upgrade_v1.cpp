// V1 (`layers { type: CONVOLUTION ... }`) to the current format.
#include <google/protobuf/descriptor.h>

#include <algorithm>
#include <string>
#include <vector>

#include "caffe/util/logging.hpp"
#include "caffe/util/upgrade_proto.hpp"

namespace caffe {

bool NetNeedsV1ToV2Upgrade(const NetParameter& net_param) {
  return net_param.layers_size() > 0;
}

const char* UpgradeV1LayerType(const V1LayerParameter_LayerType type) {
  using V1 = V1LayerParameter;
  switch (type) {
    case V1::NONE:
      return "";
    case V1::ABSVAL:
      return "AbsVal";
    case V1::ACCURACY:
      return "Accuracy";
    case V1::ARGMAX:
      return "ArgMax";
    case V1::BNLL:
      return "BNLL";
    case V1::CONCAT:
      return "Concat";
    case V1::CONTRASTIVE_LOSS:
      return "ContrastiveLoss";
    case V1::CONVOLUTION:
      return "Convolution";
    case V1::DATA:
      return "Data";
    case V1::DECONVOLUTION:
      return "Deconvolution";
    case V1::DROPOUT:
      return "Dropout";
    case V1::DUMMY_DATA:
      return "DummyData";
    case V1::EUCLIDEAN_LOSS:
      return "EuclideanLoss";
    case V1::ELTWISE:
      return "Eltwise";
    case V1::EXP:
      return "Exp";
    case V1::FLATTEN:
      return "Flatten";
    case V1::HDF5_DATA:
      return "HDF5Data";
    case V1::HDF5_OUTPUT:
      return "HDF5Output";
    case V1::HINGE_LOSS:
      return "HingeLoss";
    case V1::IM2COL:
      return "Im2col";
    case V1::IMAGE_DATA:
      return "ImageData";
    case V1::INFOGAIN_LOSS:
      return "InfogainLoss";
    case V1::INNER_PRODUCT:
      return "InnerProduct";
    case V1::LRN:
      return "LRN";
    case V1::MEMORY_DATA:
      return "MemoryData";
    case V1::MULTINOMIAL_LOGISTIC_LOSS:
      return "MultinomialLogisticLoss";
    case V1::MVN:
      return "MVN";
    case V1::POOLING:
      return "Pooling";
    case V1::POWER:
      return "Power";
    case V1::RELU:
      return "ReLU";
    case V1::SIGMOID:
      return "Sigmoid";
    case V1::SIGMOID_CROSS_ENTROPY_LOSS:
      return "SigmoidCrossEntropyLoss";
    case V1::SILENCE:
      return "Silence";
    case V1::SOFTMAX:
      return "Softmax";
    case V1::SOFTMAX_LOSS:
      return "SoftmaxWithLoss";
    case V1::SPLIT:
      return "Split";
    case V1::SLICE:
      return "Slice";
    case V1::TANH:
      return "TanH";
    case V1::WINDOW_DATA:
      return "WindowData";
    case V1::THRESHOLD:
      return "Threshold";
  }
  throw Error("unknown V1 layer type " + std::to_string(static_cast<int>(type)),
              Error::kValue);
}

namespace {

/// Message fields that both forms have under one name are taken over whole: all
/// `..._param`.
void CopyTypeMessages(const V1LayerParameter& from, LayerParameter* to) {
  std::vector<const google::protobuf::FieldDescriptor*> fields;
  from.GetReflection()->ListFields(from, &fields);
  for (const auto* field : fields) {
    if (field->message_type() == nullptr || field->is_repeated()) continue;
    const auto* target = to->GetDescriptor()->FindFieldByName(field->name());
    if (target == nullptr || target->message_type() != field->message_type()) continue;
    to->GetReflection()
        ->MutableMessage(to, target)
        ->CopyFrom(from.GetReflection()->GetMessage(from, field));
  }
}

/// Four lists, one value a parameter blob each, become one list of ParamSpec.
void UpgradeParamLists(const V1LayerParameter& from, LayerParameter* to) {
  const int count = std::max({from.param_size(), from.blob_share_mode_size(),
                              from.blobs_lr_size(), from.weight_decay_size()});
  for (int i = 0; i < count; ++i) {
    ParamSpec* spec = to->add_param();
    if (i < from.param_size()) spec->set_name(from.param(i));
    if (i < from.blob_share_mode_size()) {
      spec->set_share_mode(from.blob_share_mode(i) == V1LayerParameter::PERMISSIVE
                               ? ParamSpec::PERMISSIVE
                               : ParamSpec::STRICT);
    }
    if (i < from.blobs_lr_size()) spec->set_lr_mult(from.blobs_lr(i));
    if (i < from.weight_decay_size()) spec->set_decay_mult(from.weight_decay(i));
  }
}

}  // namespace

bool UpgradeV1LayerParameter(const V1LayerParameter& v1_layer_param,
                             LayerParameter* layer_param) {
  layer_param->Clear();
  *layer_param->mutable_bottom() = v1_layer_param.bottom();
  *layer_param->mutable_top() = v1_layer_param.top();
  if (v1_layer_param.has_name()) layer_param->set_name(v1_layer_param.name());
  *layer_param->mutable_include() = v1_layer_param.include();
  *layer_param->mutable_exclude() = v1_layer_param.exclude();
  if (v1_layer_param.has_type()) {
    layer_param->set_type(UpgradeV1LayerType(v1_layer_param.type()));
  }
  *layer_param->mutable_blobs() = v1_layer_param.blobs();
  *layer_param->mutable_loss_weight() = v1_layer_param.loss_weight();
  UpgradeParamLists(v1_layer_param, layer_param);
  CopyTypeMessages(v1_layer_param, layer_param);
  if (!v1_layer_param.has_layer()) return true;
  LOG(ERROR) << "layer '" << v1_layer_param.name()
             << "' has V0 settings in V1 form; not compatible, going on without them";
  return false;
}

bool UpgradeV1Net(const NetParameter& v1_net_param, NetParameter* net_param) {
  if (v1_net_param.layer_size() > 0) {
    throw Error(
        "the net mixes `layer` and `layers` (the current and the V1 form); use one",
        Error::kValue);
  }
  NetParameter upgraded = v1_net_param;
  upgraded.clear_layers();
  bool compatible = true;
  for (const V1LayerParameter& layer : v1_net_param.layers()) {
    compatible &= UpgradeV1LayerParameter(layer, upgraded.add_layer());
  }
  net_param->Swap(&upgraded);
  return compatible;
}

}  // namespace caffe

// The chain of net upgrades, the small ones, and reading files through it.
#include "caffe/util/upgrade_proto.hpp"

#include <algorithm>
#include <string>

#include "caffe/util/io.hpp"

namespace caffe {

namespace {

/// The transformation of a data layer lived in its own message once. `Own` has the four
/// fields.
template <typename Own>
bool HasOwnTransformation(const Own& own) {
  return own.has_scale() || own.has_mean_file() || own.has_crop_size() ||
         own.has_mirror();
}

template <typename Own>
void MoveTransformation(Own* own, TransformationParameter* transform) {
  if (own->has_scale()) transform->set_scale(own->scale());
  if (own->has_mean_file()) transform->set_mean_file(own->mean_file());
  if (own->has_crop_size()) transform->set_crop_size(own->crop_size());
  if (own->has_mirror()) transform->set_mirror(own->mirror());
  own->clear_scale();
  own->clear_mean_file();
  own->clear_crop_size();
  own->clear_mirror();
}

enum class DataKind { kNone, kData, kImages, kWindows };

DataKind KindOf(const V1LayerParameter& layer) {
  switch (layer.type()) {
    case V1LayerParameter::DATA:
      return DataKind::kData;
    case V1LayerParameter::IMAGE_DATA:
      return DataKind::kImages;
    case V1LayerParameter::WINDOW_DATA:
      return DataKind::kWindows;
    default:
      return DataKind::kNone;
  }
}

DataKind KindOf(const LayerParameter& layer) {
  if (layer.type() == "Data") return DataKind::kData;
  if (layer.type() == "ImageData") return DataKind::kImages;
  if (layer.type() == "WindowData") return DataKind::kWindows;
  return DataKind::kNone;
}

template <typename Layer>
bool NeedsDataUpgrade(const Layer& layer) {
  switch (KindOf(layer)) {
    case DataKind::kData:
      return HasOwnTransformation(layer.data_param());
    case DataKind::kImages:
      return HasOwnTransformation(layer.image_data_param());
    case DataKind::kWindows:
      return HasOwnTransformation(layer.window_data_param());
    default:
      return false;
  }
}

template <typename Layer>
void UpgradeData(Layer* layer) {
  if (!NeedsDataUpgrade(*layer)) return;
  TransformationParameter* transform = layer->mutable_transform_param();
  switch (KindOf(*layer)) {
    case DataKind::kData:
      return MoveTransformation(layer->mutable_data_param(), transform);
    case DataKind::kImages:
      return MoveTransformation(layer->mutable_image_data_param(), transform);
    default:
      return MoveTransformation(layer->mutable_window_data_param(), transform);
  }
}

/// Three specs, one a statistic, of which some still has a rate.
bool HasRatesOfStatistics(const LayerParameter& layer) {
  const auto& specs = layer.param();
  return layer.type() == "BatchNorm" && specs.size() == 3 &&
         std::any_of(specs.begin(), specs.end(), [](const ParamSpec& spec) {
           return spec.lr_mult() != 0 || spec.decay_mult() != 0;
         });
}

void Announce(const string& file, const char* what) {
  LOG(INFO) << file << ": upgrading " << what;
}

void WarnOld(const string& file, const char* what) {
  LOG(WARNING)
      << file << ": " << what
      << "; upgraded here, and better done once and for all with the upgrade tools";
}

bool UpgradeLayers(const string& file, NetParameter* param) {
  bool compatible = true;
  if (NetNeedsV0ToV1Upgrade(*param)) {
    Announce(file, "V0 layers");
    const NetParameter original = *param;
    compatible &= UpgradeV0Net(original, param);
    WarnOld(file, "the net has layers of the first format (V0)");
  }
  if (NetNeedsDataUpgrade(*param)) {
    Announce(file, "the transformation of data layers");
    UpgradeNetDataTransformation(param);
    WarnOld(file, "the net has transformation fields outside transform_param");
  }
  if (NetNeedsV1ToV2Upgrade(*param)) {
    Announce(file, "V1 layers");
    const NetParameter original = *param;
    compatible &= UpgradeV1Net(original, param);
  }
  return compatible;
}

}  // namespace

bool NetNeedsUpgrade(const NetParameter& net_param) {
  return NetNeedsV0ToV1Upgrade(net_param) || NetNeedsDataUpgrade(net_param) ||
         NetNeedsV1ToV2Upgrade(net_param) || NetNeedsInputUpgrade(net_param) ||
         NetNeedsBatchNormUpgrade(net_param);
}

bool UpgradeNetAsNeeded(const string& param_file, NetParameter* param) {
  bool compatible = true;
  try {
    compatible = UpgradeLayers(param_file, param);
    if (NetNeedsInputUpgrade(*param)) {
      Announce(param_file, "net-level input fields");
      UpgradeNetInput(param);
      WarnOld(param_file, "the net has net-level input fields");
    }
  } catch (const Error& error) {
    throw Error(param_file + ": " + error.message(), error.kind());
  }
  if (NetNeedsBatchNormUpgrade(*param)) {
    Announce(param_file, "the rates of BatchNorm layers");
    UpgradeNetBatchNorm(param);
  }
  if (!compatible) {
    LOG(ERROR) << param_file << ": not everything could be carried over (see above)";
  }
  return compatible;
}

bool NetNeedsDataUpgrade(const NetParameter& net_param) {
  for (const V1LayerParameter& layer : net_param.layers()) {
    if (NeedsDataUpgrade(layer)) return true;
  }
  for (const LayerParameter& layer : net_param.layer()) {
    if (NeedsDataUpgrade(layer)) return true;
  }
  return false;
}

// differs: layers of the current form are upgraded as well (the original ignores the
// fields).
void UpgradeNetDataTransformation(NetParameter* net_param) {
  for (V1LayerParameter& layer : *net_param->mutable_layers()) UpgradeData(&layer);
  for (LayerParameter& layer : *net_param->mutable_layer()) UpgradeData(&layer);
}

bool NetNeedsInputUpgrade(const NetParameter& net_param) {
  return net_param.input_size() > 0;
}

void UpgradeNetInput(NetParameter* net_param) {
  const int count = net_param->input_size();
  const bool shapes = net_param->input_shape_size() > 0;
  if (shapes || net_param->input_dim_size() > 0) {
    const int given =
        shapes ? net_param->input_shape_size() : net_param->input_dim_size();
    const int needed = shapes ? count : 4 * count;
    if (given < needed) {
      throw Error("the net has " + std::to_string(count) + " input fields and " +
                      std::to_string(given) + (shapes ? " input_shape" : " input_dim") +
                      "; it needs " + std::to_string(needed),
                  Error::kValue);
    }
    LayerParameter input;
    input.set_name("input");
    input.set_type("Input");
    for (int i = 0; i < count; ++i) {
      input.add_top(net_param->input(i));
      BlobShape* shape = input.mutable_input_param()->add_shape();
      if (shapes) {
        *shape = net_param->input_shape(i);
      } else {
        for (int j = 0; j < 4; ++j) shape->add_dim(net_param->input_dim(4 * i + j));
      }
    }
    net_param->add_layer()->Swap(&input);
    for (int i = net_param->layer_size() - 1; i > 0; --i) {
      net_param->mutable_layer()->SwapElements(i, i - 1);
    }
  }
  net_param->clear_input();
  net_param->clear_input_shape();
  net_param->clear_input_dim();
}

bool NetNeedsBatchNormUpgrade(const NetParameter& net_param) {
  for (const LayerParameter& layer : net_param.layer()) {
    if (HasRatesOfStatistics(layer)) return true;
  }
  return false;
}

void UpgradeBatchNormLayer(LayerParameter* layer) {
  if (!HasRatesOfStatistics(*layer)) return;
  for (ParamSpec& spec : *layer->mutable_param()) {
    spec.set_lr_mult(0);
    spec.set_decay_mult(0);
  }
}

void UpgradeNetBatchNorm(NetParameter* net_param) {
  for (LayerParameter& layer : *net_param->mutable_layer()) UpgradeBatchNormLayer(&layer);
}

void ReadNetParamsFromTextFileOrDie(const string& param_file, NetParameter* param) {
  ReadProtoFromTextFileOrDie(param_file, param);
  if (param->ByteSizeLong() == 0) {
    throw Error(param_file + ": defines no net: the file has no content", Error::kValue);
  }
  UpgradeNetAsNeeded(param_file, param);
}

void ReadNetParamsFromBinaryFileOrDie(const string& param_file, NetParameter* param) {
  ReadProtoFromBinaryFileOrDie(param_file, param);
  for (const LayerParameter& layer : param->layer()) {
    const auto& unknown = layer.GetReflection()->GetUnknownFields(layer);
    if (unknown.empty()) continue;
    LOG(WARNING)
        << param_file << ": layer '" << layer.name() << "' (" << layer.type()
        << ") has field number " << unknown.field(0).number()
        << ", which this type does not have here; ignored (further ones silently)";
    break;
  }
  param->DiscardUnknownFields();
  UpgradeNetAsNeeded(param_file, param);
}

}  // namespace caffe

// The first format (`layers { layer { type: "conv" ... } }`) to V1.
#include <functional>
#include <map>
#include <string>

#include "caffe/util/logging.hpp"
#include "caffe/util/upgrade_proto.hpp"

namespace caffe {

bool NetNeedsV0ToV1Upgrade(const NetParameter& net_param) {
  for (const V1LayerParameter& layer : net_param.layers()) {
    if (layer.has_layer()) return true;
  }
  return false;
}

V1LayerParameter_LayerType UpgradeV0LayerType(const string& type) {
  using V1 = V1LayerParameter;
  static const std::map<string, V1LayerParameter_LayerType> types = {
      {"accuracy", V1::ACCURACY},
      {"bnll", V1::BNLL},
      {"concat", V1::CONCAT},
      {"conv", V1::CONVOLUTION},
      {"data", V1::DATA},
      {"dropout", V1::DROPOUT},
      {"euclidean_loss", V1::EUCLIDEAN_LOSS},
      {"flatten", V1::FLATTEN},
      {"hdf5_data", V1::HDF5_DATA},
      {"hdf5_output", V1::HDF5_OUTPUT},
      {"im2col", V1::IM2COL},
      {"images", V1::IMAGE_DATA},
      {"infogain_loss", V1::INFOGAIN_LOSS},
      {"innerproduct", V1::INNER_PRODUCT},
      {"lrn", V1::LRN},
      {"multinomial_logistic_loss", V1::MULTINOMIAL_LOGISTIC_LOSS},
      {"pool", V1::POOLING},
      {"relu", V1::RELU},
      {"sigmoid", V1::SIGMOID},
      {"softmax", V1::SOFTMAX},
      {"softmax_loss", V1::SOFTMAX_LOSS},
      {"split", V1::SPLIT},
      {"tanh", V1::TANH},
      {"window_data", V1::WINDOW_DATA},
  };
  const auto found = types.find(type);
  if (found == types.end()) {
    throw Error("unknown V0 layer type \"" + type + "\"", Error::kValue);
  }
  return found->second;
}

namespace {

/// Where the settings of one V0 layer go, by type. False from a setter: no such setting
/// there.
class V0Settings {
 public:
  V0Settings(const V0LayerParameter& from, V1LayerParameter* to) : from_(from), to_(to) {}

  bool Upgrade() {
    CopyConvolution();
    CopyPooling();
    CopyLrn();
    CopySources();
    CopyTransformation();
    CopyImages();
    CopyWindows();
    return compatible_;
  }

 private:
  using V0 = V0LayerParameter;

  /// Applies the entry of the layer's type, if the field is set; other types cannot have
  /// it.
  void Move(bool is_set, const char* field,
            const std::map<string, std::function<void()>>& by_type) {
    if (!is_set) return;
    const auto found = by_type.find(from_.type());
    if (found != by_type.end()) {
      found->second();
      return;
    }
    LOG(ERROR) << "V0 layer '" << from_.name() << "': " << field
               << " does not belong to type " << from_.type()
               << "; not fully compatible, going on without it";
    compatible_ = false;
  }

  ConvolutionParameter* conv() { return to_->mutable_convolution_param(); }
  InnerProductParameter* inner() { return to_->mutable_inner_product_param(); }
  PoolingParameter* pool() { return to_->mutable_pooling_param(); }
  LRNParameter* lrn() { return to_->mutable_lrn_param(); }
  DataParameter* data() { return to_->mutable_data_param(); }
  ImageDataParameter* images() { return to_->mutable_image_data_param(); }
  WindowDataParameter* windows() { return to_->mutable_window_data_param(); }

  void CopyConvolution() {
    Move(from_.has_num_output(), "num_output",
         {{"conv", [this] { conv()->set_num_output(from_.num_output()); }},
          {"innerproduct", [this] { inner()->set_num_output(from_.num_output()); }}});
    Move(from_.has_biasterm(), "biasterm",
         {{"conv", [this] { conv()->set_bias_term(from_.biasterm()); }},
          {"innerproduct", [this] { inner()->set_bias_term(from_.biasterm()); }}});
    Move(from_.has_weight_filler(), "weight_filler",
         {{"conv", [this] { *conv()->mutable_weight_filler() = from_.weight_filler(); }},
          {"innerproduct",
           [this] { *inner()->mutable_weight_filler() = from_.weight_filler(); }}});
    Move(from_.has_bias_filler(), "bias_filler",
         {{"conv", [this] { *conv()->mutable_bias_filler() = from_.bias_filler(); }},
          {"innerproduct",
           [this] { *inner()->mutable_bias_filler() = from_.bias_filler(); }}});
    Move(from_.has_pad(), "pad",
         {{"conv", [this] { conv()->add_pad(from_.pad()); }},
          {"pool", [this] { pool()->set_pad(from_.pad()); }}});
    Move(from_.has_kernelsize(), "kernelsize",
         {{"conv", [this] { conv()->add_kernel_size(from_.kernelsize()); }},
          {"pool", [this] { pool()->set_kernel_size(from_.kernelsize()); }}});
    Move(from_.has_stride(), "stride",
         {{"conv", [this] { conv()->add_stride(from_.stride()); }},
          {"pool", [this] { pool()->set_stride(from_.stride()); }}});
    Move(from_.has_group(), "group",
         {{"conv", [this] { conv()->set_group(from_.group()); }}});
  }

  void CopyPooling() {
    Move(from_.has_pool(), "pool", {{"pool", [this] {
                                       pool()->set_pool(from_.pool() == V0::AVE
                                                            ? PoolingParameter::AVE
                                                        : from_.pool() == V0::STOCHASTIC
                                                            ? PoolingParameter::STOCHASTIC
                                                            : PoolingParameter::MAX);
                                     }}});
    Move(from_.has_dropout_ratio(), "dropout_ratio",
         {{"dropout", [this] {
             to_->mutable_dropout_param()->set_dropout_ratio(from_.dropout_ratio());
           }}});
    Move(from_.has_concat_dim(), "concat_dim",
         {{"concat",
           [this] { to_->mutable_concat_param()->set_concat_dim(from_.concat_dim()); }}});
  }

  void CopyLrn() {
    Move(from_.has_local_size(), "local_size",
         {{"lrn", [this] { lrn()->set_local_size(from_.local_size()); }}});
    Move(from_.has_alpha(), "alpha",
         {{"lrn", [this] { lrn()->set_alpha(from_.alpha()); }}});
    Move(from_.has_beta(), "beta", {{"lrn", [this] { lrn()->set_beta(from_.beta()); }}});
    Move(from_.has_k(), "k", {{"lrn", [this] { lrn()->set_k(from_.k()); }}});
  }

  void CopySources() {
    Move(from_.has_source(), "source",
         {{"data", [this] { data()->set_source(from_.source()); }},
          {"hdf5_data",
           [this] { to_->mutable_hdf5_data_param()->set_source(from_.source()); }},
          {"images", [this] { images()->set_source(from_.source()); }},
          {"window_data", [this] { windows()->set_source(from_.source()); }},
          {"infogain_loss",
           [this] { to_->mutable_infogain_loss_param()->set_source(from_.source()); }}});
    Move(from_.has_batchsize(), "batchsize",
         {{"data", [this] { data()->set_batch_size(from_.batchsize()); }},
          {"hdf5_data",
           [this] { to_->mutable_hdf5_data_param()->set_batch_size(from_.batchsize()); }},
          {"images", [this] { images()->set_batch_size(from_.batchsize()); }},
          {"window_data", [this] { windows()->set_batch_size(from_.batchsize()); }}});
    Move(from_.has_rand_skip(), "rand_skip",
         {{"data", [this] { data()->set_rand_skip(from_.rand_skip()); }},
          {"images", [this] { images()->set_rand_skip(from_.rand_skip()); }}});
    Move(from_.has_hdf5_output_param(), "hdf5_output_param",
         {{"hdf5_output",
           [this] { *to_->mutable_hdf5_output_param() = from_.hdf5_output_param(); }}});
  }

  void CopyTransformation() {
    if (from_.has_scale()) to_->mutable_transform_param()->set_scale(from_.scale());
    if (from_.has_meanfile())
      to_->mutable_transform_param()->set_mean_file(from_.meanfile());
    if (from_.has_cropsize())
      to_->mutable_transform_param()->set_crop_size(from_.cropsize());
    if (from_.has_mirror()) to_->mutable_transform_param()->set_mirror(from_.mirror());
  }

  void CopyImages() {
    Move(from_.has_shuffle_images(), "shuffle_images",
         {{"images", [this] { images()->set_shuffle(from_.shuffle_images()); }}});
    // The fields are signed in V0 and unsigned since.
    Move(from_.has_new_height(), "new_height",
         {{"images", [this] {
             images()->set_new_height(static_cast<uint32_t>(from_.new_height()));
           }}});
    Move(from_.has_new_width(), "new_width",
         {{"images", [this] {
             images()->set_new_width(static_cast<uint32_t>(from_.new_width()));
           }}});
  }

  void CopyWindows() {
    Move(from_.has_det_fg_threshold(), "det_fg_threshold",
         {{"window_data",
           [this] { windows()->set_fg_threshold(from_.det_fg_threshold()); }}});
    Move(from_.has_det_bg_threshold(), "det_bg_threshold",
         {{"window_data",
           [this] { windows()->set_bg_threshold(from_.det_bg_threshold()); }}});
    Move(from_.has_det_fg_fraction(), "det_fg_fraction",
         {{"window_data",
           [this] { windows()->set_fg_fraction(from_.det_fg_fraction()); }}});
    Move(from_.has_det_context_pad(), "det_context_pad",
         {{"window_data",
           [this] { windows()->set_context_pad(from_.det_context_pad()); }}});
    Move(from_.has_det_crop_mode(), "det_crop_mode",
         {{"window_data", [this] { windows()->set_crop_mode(from_.det_crop_mode()); }}});
  }

  const V0LayerParameter& from_;
  V1LayerParameter* to_;
  bool compatible_ = true;
};

bool IsPadding(const V1LayerParameter& layer) {
  return layer.layer().type() == "padding";
}

/// Gives `layer` the pad and the bottom of the padding layer that it reads.
void TakeOverPadding(const V1LayerParameter& padding, V1LayerParameter* layer) {
  const string place = "padding layer '" + padding.layer().name() + "'";
  const string& type = layer->layer().type();
  if (type != "conv" && type != "pool") {
    throw Error(place + " is read by '" + layer->layer().name() + "' of type " + type +
                    "; only conv and pool can take its pad",
                Error::kValue);
  }
  if (layer->bottom_size() != 1 || padding.bottom_size() != 1 ||
      padding.top_size() != 1) {
    throw Error(
        place + " and the layer that reads it must have one bottom each, and it one top",
        Error::kValue);
  }
  layer->mutable_layer()->set_pad(padding.layer().pad());
  layer->set_bottom(0, padding.bottom(0));
}

}  // namespace

bool UpgradeV0LayerParameter(const V1LayerParameter& v0_layer_connection,
                             V1LayerParameter* layer_param) {
  // differs: an entry in V1 form beside V0 ones stays as it is (the original drops its
  // settings).
  if (!v0_layer_connection.has_layer()) {
    *layer_param = v0_layer_connection;
    return true;
  }
  const V0LayerParameter& v0 = v0_layer_connection.layer();
  layer_param->Clear();
  *layer_param->mutable_bottom() = v0_layer_connection.bottom();
  *layer_param->mutable_top() = v0_layer_connection.top();
  if (v0.has_name()) layer_param->set_name(v0.name());
  if (v0.has_type()) layer_param->set_type(UpgradeV0LayerType(v0.type()));
  *layer_param->mutable_blobs() = v0.blobs();
  *layer_param->mutable_blobs_lr() = v0.blobs_lr();
  *layer_param->mutable_weight_decay() = v0.weight_decay();
  return V0Settings(v0, layer_param).Upgrade();
}

void UpgradeV0PaddingLayers(const NetParameter& param, NetParameter* param_upgraded_pad) {
  *param_upgraded_pad = param;
  param_upgraded_pad->clear_layers();
  std::map<string, const V1LayerParameter*> producer;  // of a blob; null for a net input
  for (const string& input : param.input()) producer[input] = nullptr;
  for (const V1LayerParameter& layer : param.layers()) {
    V1LayerParameter upgraded = layer;
    for (const string& bottom : layer.bottom()) {
      const auto found = producer.find(bottom);
      if (found == producer.end()) {
        throw Error("unknown blob '" + bottom + "' is a bottom of layer '" +
                        (layer.has_layer() ? layer.layer().name() : layer.name()) + "'",
                    Error::kValue);
      }
      if (found->second != nullptr && IsPadding(*found->second)) {
        TakeOverPadding(*found->second, &upgraded);
      }
    }
    for (const string& top : layer.top()) producer[top] = &layer;
    if (!IsPadding(layer)) *param_upgraded_pad->add_layers() = upgraded;
  }
}

bool UpgradeV0Net(const NetParameter& v0_net_param, NetParameter* net_param) {
  NetParameter padded;
  UpgradeV0PaddingLayers(v0_net_param, &padded);
  // differs: state, input_shape and debug_info stay (the original loses them).
  *net_param = padded;
  net_param->clear_layers();
  bool compatible = true;
  for (const V1LayerParameter& layer : padded.layers()) {
    compatible &= UpgradeV0LayerParameter(layer, net_param->add_layers());
  }
  return compatible;
}

}  // namespace caffe

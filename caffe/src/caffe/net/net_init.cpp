// Construction of a net: wiring layers by blob names, parameters, who runs backward.
#include <algorithm>
#include <new>

#include "caffe/net.hpp"
#include "caffe/net_in_place.hpp"
#include "caffe/net_plan.hpp"
#include "caffe/net_recorder.hpp"
#include "caffe/util/insert_splits.hpp"
#include "caffe/util/upgrade_proto.hpp"

namespace caffe {

template <typename Dtype>
Net<Dtype>::Net(const NetParameter& param) {
  Init(param);
}

template <typename Dtype>
Net<Dtype>::Net(const string& param_file, Phase phase, const int level,
                const vector<string>* stages) {
  NetParameter param;
  ReadNetParamsFromTextFileOrDie(param_file, &param);
  param.mutable_state()->set_phase(phase);
  param.mutable_state()->set_level(level);
  if (stages != nullptr) {
    for (const string& stage : *stages) {
      if (!stage.empty()) param.mutable_state()->add_stage(stage);
    }
  }
  Init(param);
}

template <typename Dtype>
Net<Dtype>::~Net() {}

template <typename Dtype>
void Net<Dtype>::Init(const NetParameter& in_param) {
  phase_ = in_param.state().phase();
  NetParameter upgraded = in_param;
  if (NetNeedsUpgrade(upgraded)) UpgradeNetAsNeeded("<in memory>", &upgraded);
  NetParameter filtered;
  FilterNet(upgraded, &filtered);
  LOG_IF(INFO, MinLogLevel() <= 0 && Caffe::root_solver())
      << "Initializing net from parameters: " << std::endl
      << filtered.DebugString();
  InsertSplits(filtered, &definition_);

  name_ = definition_.name();
  const int count = definition_.layer_size();
  bottom_vecs_.resize(count);
  bottom_id_vecs_.resize(count);
  bottom_need_backward_.resize(count);
  top_vecs_.resize(count);
  top_id_vecs_.resize(count);
  param_id_vecs_.resize(count);
  forward_stamps_.assign(count, 0);
  set<string> available;
  map<string, int> blob_index;
  for (int layer_id = 0; layer_id < count; ++layer_id) {
    if (!definition_.layer(layer_id).has_phase()) {
      definition_.mutable_layer(layer_id)->set_phase(phase_);
    }
    try {
      WireLayer(definition_, layer_id, &available, &blob_index);
    } catch (Error& error) {
      error.AddContext("setting up " + DescribeLayer(layer_id));
      throw;
    } catch (const std::bad_alloc&) {
      throw Error("not enough memory while setting up " + DescribeLayer(layer_id),
                  Error::kMemory);
    }
  }
  ResolveBackward(definition_.force_backward());
  in_place_conflict_ = FindInPlaceConflict();
  // A net that only runs forward may overwrite what it will.
  CHECK_VALUE(in_place_conflict_.empty() ||
              (phase_ == TEST && !definition_.force_backward()))
      << in_place_conflict_;

  for (const string& blob_name :
       available) {  // a set: byte-wise alphabetical, as in BVLC
    LOG_IF(INFO, Caffe::root_solver()) << "This network produces output " << blob_name;
    net_output_blobs_.push_back(blobs_[blob_index[blob_name]].get());
    net_output_blob_indices_.push_back(blob_index[blob_name]);
  }
  for (size_t i = 0; i < blob_names_.size(); ++i) blob_names_index_[blob_names_[i]] = i;
  for (size_t i = 0; i < layer_names_.size(); ++i) {
    const bool is_new = layer_names_index_.emplace(layer_names_[i], i).second;
    LOG_IF(WARNING, !is_new) << "two layers are named '" << layer_names_[i]
                             << "': the first one is found by name";
  }
  ShareWeights();
  debug_info_ = definition_.debug_info();
  plan_ = std::make_unique<NetPlan<Dtype>>(this);
  recorder_ = std::make_unique<NetRecorder<Dtype>>(this);
  LOG_IF(INFO, Caffe::root_solver()) << "Network initialization done.";
}

template <typename Dtype>
string Net<Dtype>::DescribeLayer(int layer_id) const {
  const LayerParameter& param = definition_.layer(layer_id);
  std::ostringstream text;
  text << "layer '" << param.name() << "' (" << param.type() << ")";
  for (size_t i = 0; i < bottom_vecs_[layer_id].size(); ++i) {
    text << (i ? ", '" : ", bottom '") << param.bottom(static_cast<int>(i)) << "' "
         << bottom_vecs_[layer_id][i]->shape_string();
  }
  return text.str();
}

template <typename Dtype>
void Net<Dtype>::WireLayer(const NetParameter& net_param, int layer_id,
                           set<string>* available, map<string, int>* blob_index) {
  LayerParameter* param = definition_.mutable_layer(layer_id);
  if (param->propagate_down_size() > 0) {
    CHECK_EQ(param->propagate_down_size(), param->bottom_size())
        << "propagate_down param must be specified either 0 or bottom_size times ";
  }
  layers_.push_back(LayerRegistry<Dtype>::CreateLayer(*param));
  Layer<Dtype>* layer = layers_.back().get();
  layer->SetNet(this);
  layer_names_.push_back(param->name());
  LOG_IF(INFO, Caffe::root_solver()) << "Creating Layer " << param->name();

  bool need_backward = false;
  for (int bottom_id = 0; bottom_id < param->bottom_size(); ++bottom_id) {
    const int blob_id =
        AppendBottom(net_param, layer_id, bottom_id, available, blob_index);
    need_backward |= blob_need_backward_[blob_id];
  }
  for (int top_id = 0; top_id < param->top_size(); ++top_id) {
    AppendTop(net_param, layer_id, top_id, available, blob_index);
    if (param->type() == "Input") {
      const int blob_id = top_id_vecs_[layer_id][top_id];
      net_input_blob_indices_.push_back(blob_id);
      net_input_blobs_.push_back(blobs_[blob_id].get());
    }
  }
  AppendAutomaticTops(layer_id, param);

  layer->SetUp(bottom_vecs_[layer_id], top_vecs_[layer_id]);
  LOG_IF(INFO, Caffe::root_solver()) << "Setting up " << param->name();
  for (size_t top_id = 0; top_id < top_vecs_[layer_id].size(); ++top_id) {
    const int blob_id = top_id_vecs_[layer_id][top_id];
    if (static_cast<int>(blob_loss_weights_.size()) <= blob_id) {
      blob_loss_weights_.resize(blob_id + 1, Dtype(0));
    }
    blob_loss_weights_[blob_id] = layer->loss(static_cast<int>(top_id));
    LOG_IF(INFO, Caffe::root_solver())
        << "Top shape: " << top_vecs_[layer_id][top_id]->shape_string();
    memory_used_ += top_vecs_[layer_id][top_id]->count() * sizeof(Dtype);
  }
  LOG_IF(INFO, Caffe::root_solver()) << "Memory required for data: " << memory_used_;

  const int num_params = static_cast<int>(layer->blobs().size());
  CHECK_LE(param->param_size(), num_params)
      << "Too many params specified for layer " << param->name();
  for (int param_id = 0; param_id < num_params; ++param_id) {
    const bool learns =
        param_id >= param->param_size() || param->param(param_id).lr_mult() != 0;
    need_backward |= learns;
    layer->set_param_propagate_down(param_id, learns);
  }
  for (int param_id = 0; param_id < num_params; ++param_id) {
    AppendParam(net_param, layer_id, param_id);
  }
  layer_need_backward_.push_back(need_backward);
  if (need_backward) {
    for (const int blob_id : top_id_vecs_[layer_id]) blob_need_backward_[blob_id] = true;
  }
}

template <typename Dtype>
int Net<Dtype>::AppendBottom(const NetParameter& net_param, int layer_id, int bottom_id,
                             set<string>* available, map<string, int>* blob_index) {
  const LayerParameter& param = net_param.layer(layer_id);
  const string& blob_name = param.bottom(bottom_id);
  if (available->count(blob_name) == 0) {
    CAFFE_THROW(kValue) << "Unknown bottom blob '" << blob_name << "' (layer '"
                        << param.name() << "', bottom index " << bottom_id
                        << "): no layer before it makes that blob";
  }
  LOG_IF(INFO, Caffe::root_solver()) << layer_names_[layer_id] << " <- " << blob_name;
  const int blob_id = (*blob_index)[blob_name];
  bottom_vecs_[layer_id].push_back(blobs_[blob_id].get());
  bottom_id_vecs_[layer_id].push_back(blob_id);
  available->erase(blob_name);
  bool need_backward = blob_need_backward_[blob_id];
  if (param.propagate_down_size() > 0) need_backward = param.propagate_down(bottom_id);
  bottom_need_backward_[layer_id].push_back(need_backward);
  return blob_id;
}

template <typename Dtype>
void Net<Dtype>::AppendTop(const NetParameter& net_param, int layer_id, int top_id,
                           set<string>* available, map<string, int>* blob_index) {
  const LayerParameter& param = net_param.layer(layer_id);
  const string& blob_name = param.top(top_id);
  const bool in_place = param.bottom_size() > top_id && param.bottom(top_id) == blob_name;
  if (in_place) {
    CHECK_VALUE(!cannot_work_in_place(param))
        << "layer '" << param.name() << "' (" << param.type()
        << ") cannot work in place: give its top another name than '" << blob_name << "'";
    LOG_IF(INFO, Caffe::root_solver())
        << param.name() << " -> " << blob_name << " (in-place)";
    top_vecs_[layer_id].push_back(blobs_[(*blob_index)[blob_name]].get());
    top_id_vecs_[layer_id].push_back((*blob_index)[blob_name]);
  } else if (blob_index->count(blob_name) != 0) {
    CAFFE_THROW(kValue)
        << "Top blob '" << blob_name << "' is produced by multiple sources: layer '"
        << param.name()
        << "' would make it again. (A layer works in place only if no layer "
        << "listed before it reads the blob too and the blob carries no loss weight.)";
  } else {
    LOG_IF(INFO, Caffe::root_solver()) << param.name() << " -> " << blob_name;
    const int blob_id = static_cast<int>(blobs_.size());
    blobs_.push_back(std::make_shared<Blob<Dtype>>());
    blob_names_.push_back(blob_name);
    blob_need_backward_.push_back(false);
    (*blob_index)[blob_name] = blob_id;
    top_id_vecs_[layer_id].push_back(blob_id);
    top_vecs_[layer_id].push_back(blobs_.back().get());
  }
  available->insert(blob_name);
}

template <typename Dtype>
void Net<Dtype>::AppendAutomaticTops(int layer_id, LayerParameter* param) {
  const Layer<Dtype>& layer = *layers_[layer_id];
  if (!layer.AutoTopBlobs()) return;
  const int needed = std::max(layer.MinTopBlobs(), layer.ExactNumTopBlobs());
  while (static_cast<int>(top_vecs_[layer_id].size()) < needed) {
    string blob_name = "(automatic)";
    for (int n = 1; std::count(blob_names_.begin(), blob_names_.end(), blob_name) > 0;
         ++n) {
      blob_name = "(automatic)" + std::to_string(n);
    }
    LOG_IF(INFO, Caffe::root_solver()) << param->name() << " -> " << blob_name;
    top_id_vecs_[layer_id].push_back(static_cast<int>(blobs_.size()));
    blobs_.push_back(std::make_shared<Blob<Dtype>>());
    blob_names_.push_back(blob_name);
    blob_need_backward_.push_back(false);
    top_vecs_[layer_id].push_back(blobs_.back().get());
  }
}

namespace {

/// A multiplier that several users of one parameter may set, but only to one value.
void MergeMultiplier(const char* what, const string& param_name, bool is_given,
                     float given, float* value, vector<bool>::reference has_value) {
  if (!is_given) return;
  if (has_value) {
    CHECK_EQ(given, *value) << "Shared param '" << param_name << "' has mismatched "
                            << what << ".";
  } else {
    has_value = true;
    *value = given;
  }
}

}  // namespace

template <typename Dtype>
void Net<Dtype>::AppendParam(const NetParameter&, int layer_id, int param_id) {
  const LayerParameter& layer_param = layers_[layer_id]->layer_param();
  const int net_param_id = static_cast<int>(params_.size());
  const ParamSpec default_spec;
  const ParamSpec& spec =
      layer_param.param_size() > param_id ? layer_param.param(param_id) : default_spec;
  params_.push_back(layers_[layer_id]->blobs()[param_id]);
  param_id_vecs_[layer_id].push_back(net_param_id);
  param_layer_indices_.emplace_back(layer_id, param_id);
  param_display_names_.push_back(spec.name().empty() ? std::to_string(param_id)
                                                     : spec.name());
  const auto known = param_names_index_.find(spec.name());
  const bool is_owner = spec.name().empty() || known == param_names_index_.end();
  if (is_owner) {
    param_owners_.push_back(-1);
    if (!spec.name().empty()) param_names_index_[spec.name()] = net_param_id;
    learnable_param_ids_.push_back(static_cast<int>(learnable_params_.size()));
    learnable_params_.push_back(params_[net_param_id].get());
    has_params_lr_.push_back(spec.has_lr_mult());
    params_lr_.push_back(spec.lr_mult());
    has_params_decay_.push_back(spec.has_decay_mult());
    params_weight_decay_.push_back(spec.decay_mult());
    return;
  }
  const int owner = known->second;
  param_owners_.push_back(owner);
  const string& owner_layer = layer_names_[param_layer_indices_[owner].first];
  LOG_IF(INFO, Caffe::root_solver()) << "Sharing parameters '" << spec.name()
                                     << "' owned by layer '" << owner_layer << "'";
  const Blob<Dtype>& mine = *params_[net_param_id];
  const Blob<Dtype>& theirs = *params_[owner];
  if (spec.share_mode() == ParamSpec_DimCheckMode_PERMISSIVE) {
    CHECK_EQ(mine.count(), theirs.count())
        << "Cannot share param '" << spec.name() << "' owned by layer '" << owner_layer
        << "' with layer '" << layer_names_[layer_id] << "'; count mismatch: owner "
        << theirs.shape_string() << ", sharer " << mine.shape_string();
  } else {
    CHECK(mine.shape() == theirs.shape())
        << "Cannot share param '" << spec.name() << "' owned by layer '" << owner_layer
        << "' with layer '" << layer_names_[layer_id] << "'; shape mismatch: owner "
        << theirs.shape_string() << ", sharer expects " << mine.shape_string();
  }
  const int learnable = learnable_param_ids_[owner];
  learnable_param_ids_.push_back(learnable);
  MergeMultiplier("lr_mult", spec.name(), spec.has_lr_mult(), spec.lr_mult(),
                  &params_lr_[learnable], has_params_lr_[learnable]);
  MergeMultiplier("decay_mult", spec.name(), spec.has_decay_mult(), spec.decay_mult(),
                  &params_weight_decay_[learnable], has_params_decay_[learnable]);
}

template <typename Dtype>
void Net<Dtype>::ResolveBackward(bool force_backward) {
  const int count = static_cast<int>(layers_.size());
  set<string> under_loss, skip;
  const auto name_of = [this](int blob_id) { return blob_names_[blob_id]; };
  for (int i = count - 1; i >= 0; --i) {
    bool contributes = false;
    bool all_skip = true;
    for (size_t t = 0; t < top_id_vecs_[i].size(); ++t) {
      const string top = name_of(top_id_vecs_[i][t]);
      contributes |=
          layers_[i]->loss(static_cast<int>(t)) != Dtype(0) || under_loss.count(top);
      all_skip &= skip.count(top) > 0;
    }
    if (layer_need_backward_[i] && all_skip) {
      layer_need_backward_[i] = false;
      std::fill(bottom_need_backward_[i].begin(), bottom_need_backward_[i].end(), false);
    }
    if (!contributes) layer_need_backward_[i] = false;
    LOG_IF(INFO, Caffe::root_solver())
        << layer_names_[i]
        << (layer_need_backward_[i] ? " needs backward computation."
                                    : " does not need backward computation.");
    for (size_t b = 0; b < bottom_id_vecs_[i].size(); ++b) {
      const string bottom = name_of(bottom_id_vecs_[i][b]);
      if (contributes) {
        under_loss.insert(bottom);
      } else {
        bottom_need_backward_[i][b] = false;
      }
      if (!bottom_need_backward_[i][b]) skip.insert(bottom);
    }
  }
  if (force_backward) {
    for (int i = 0; i < count; ++i) {
      layer_need_backward_[i] = true;
      for (size_t b = 0; b < bottom_need_backward_[i].size(); ++b) {
        bottom_need_backward_[i][b] = bottom_need_backward_[i][b] ||
                                      layers_[i]->AllowForceBackward(static_cast<int>(b));
        const int blob_id = bottom_id_vecs_[i][b];
        blob_need_backward_[blob_id] =
            blob_need_backward_[blob_id] || bottom_need_backward_[i][b];
      }
      for (size_t p = 0; p < layers_[i]->blobs().size(); ++p) {
        layers_[i]->set_param_propagate_down(static_cast<int>(p), true);
      }
    }
  }
  for (int i = 0; i < count; ++i) {  // which tops get a gradient from a later layer
    vector<bool> flags;
    for (size_t t = 0; t < top_id_vecs_[i].size(); ++t) {
      bool has_gradient = layers_[i]->loss(static_cast<int>(t)) != Dtype(0);
      for (int j = i + 1; j < count && !has_gradient; ++j) {
        for (size_t b = 0; b < bottom_id_vecs_[j].size(); ++b) {
          has_gradient |= bottom_id_vecs_[j][b] == top_id_vecs_[i][t] &&
                          layer_need_backward_[j] && bottom_need_backward_[j][b];
        }
      }
      flags.push_back(has_gradient);
    }
    // A net cut open for inspection has nobody behind its last tops: they count as given.
    const bool any = std::any_of(flags.begin(), flags.end(), [](bool f) { return f; });
    if (any) layers_[i]->set_top_has_gradient(flags);
  }
}

template <typename Dtype>
void Net<Dtype>::ShareWeights() {
  for (size_t i = 0; i < params_.size(); ++i) {
    if (param_owners_[i] < 0) continue;
    params_[i]->ShareData(*params_[param_owners_[i]]);
    params_[i]->ShareDiff(*params_[param_owners_[i]]);
  }
}

#define CAFFE_INSTANTIATE_NET_INIT(Dtype)                                           \
  template Net<Dtype>::Net(const NetParameter&);                                    \
  template Net<Dtype>::Net(const string&, Phase, const int, const vector<string>*); \
  template Net<Dtype>::~Net();                                                      \
  template void Net<Dtype>::Init(const NetParameter&);                              \
  template string Net<Dtype>::DescribeLayer(int) const;                             \
  template void Net<Dtype>::ShareWeights();
CAFFE_INSTANTIATE_NET_INIT(float)
CAFFE_INSTANTIATE_NET_INIT(double)
#undef CAFFE_INSTANTIATE_NET_INIT

}  // namespace caffe

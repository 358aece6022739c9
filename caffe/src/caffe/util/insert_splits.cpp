// Split layers: first the uses of every top are counted, then the net is copied with
// splits.
#include "caffe/util/insert_splits.hpp"

#include <algorithm>
#include <utility>

namespace caffe {

namespace {

using Place = std::pair<int, int>;  // layer, and index of its bottom or top

/// What reads every top, and with which loss weight it counts.
struct TopUse {
  int count = 0;
  float loss_weight = 0;
  int next_split = 0;  // output of the split that the next reader gets
};

class SplitInserter {
 public:
  SplitInserter(const NetParameter& param, const IsLossType& is_loss_type)
      : param_(param), is_loss_type_(is_loss_type) {
    CountReaders();
    CountLossWeights();
  }

  void Write(NetParameter* out) {
    *out = param_;
    out->clear_layer();
    for (int i = 0; i < param_.layer_size(); ++i) {
      LayerParameter* layer = out->add_layer();
      *layer = param_.layer(i);
      RenameBottoms(i, layer);
      std::vector<LayerParameter> splits = MakeSplits(i, layer);
      for (LayerParameter& split : splits) out->add_layer()->Swap(&split);
    }
  }

 private:
  void CountReaders() {
    map<string, Place> producer;
    for (int i = 0; i < param_.layer_size(); ++i) {
      const LayerParameter& layer = param_.layer(i);
      for (int j = 0; j < layer.bottom_size(); ++j) {
        const auto found = producer.find(layer.bottom(j));
        if (found == producer.end()) RefuseUnknownBottom(i, j);
        source_[{i, j}] = found->second;
        ++uses_[found->second].count;
      }
      for (int j = 0; j < layer.top_size(); ++j) producer[layer.top(j)] = {i, j};
    }
  }

  [[noreturn]] void RefuseUnknownBottom(int layer_index, int bottom_index) const {
    const LayerParameter& layer = param_.layer(layer_index);
    const string& blob = layer.bottom(bottom_index);
    string message = "Unknown bottom blob '" + blob + "' (layer '" + layer.name() +
                     "', bottom index " + std::to_string(bottom_index) + ")";
    for (int i = layer_index; i < param_.layer_size(); ++i) {
      const auto& tops = param_.layer(i).top();
      if (std::find(tops.begin(), tops.end(), blob) == tops.end()) continue;
      message +=
          i == layer_index
              ? "; the layer itself makes it, and nothing before it does"
              : "; layer '" + param_.layer(i).name() + "', which makes it, comes later";
      break;
    }
    throw Error(message, Error::kValue);
  }

  void CountLossWeights() {
    for (int i = 0; i < param_.layer_size(); ++i) {
      const LayerParameter& layer = param_.layer(i);
      const int weights = std::min(layer.loss_weight_size(), layer.top_size());
      for (int j = 0; j < weights; ++j) AddLossWeight({i, j}, layer.loss_weight(j));
      // A default weight is a use only where somebody else reads the top: else nothing
      // changes.
      if (layer.loss_weight_size() == 0 && layer.top_size() > 0 &&
          is_loss_type_(layer.type())) {
        AddLossWeight({i, 0}, 1);
      }
    }
  }

  void AddLossWeight(const Place& top, float weight) {
    if (weight == 0) return;
    TopUse& use = uses_[top];
    ++use.count;
    use.loss_weight = weight;
    use.next_split = 1;  // output 0 carries the weight
  }

  bool IsSplit(const Place& top) const {
    const auto found = uses_.find(top);
    return found != uses_.end() && found->second.count > 1;
  }

  void RenameBottoms(int layer_index, LayerParameter* layer) {
    for (int j = 0; j < layer->bottom_size(); ++j) {
      const Place top = source_.at({layer_index, j});
      if (!IsSplit(top)) continue;
      const LayerParameter& producer = param_.layer(top.first);
      layer->set_bottom(j, SplitBlobName(producer.name(), layer->bottom(j), top.second,
                                         uses_[top].next_split++));
    }
  }

  std::vector<LayerParameter> MakeSplits(int layer_index, LayerParameter* layer) {
    std::vector<LayerParameter> splits;
    for (int j = 0; j < layer->top_size(); ++j) {
      if (!IsSplit({layer_index, j})) continue;
      const TopUse& use = uses_.at({layer_index, j});
      splits.emplace_back();
      ConfigureSplitLayer(layer->name(), layer->top(j), j, use.count, use.loss_weight,
                          &splits.back());
      if (use.loss_weight != 0) TakeLossWeight(j, layer);
    }
    return splits;
  }

  /// The weight of top j is the split's now. A loss type keeps the list, so that the
  /// default weight does not come back; another layer loses it once nothing but zeros is
  /// left.
  void TakeLossWeight(int top_index, LayerParameter* layer) const {
    if (layer->loss_weight_size() == 0) {
      for (int j = 0; j < layer->top_size(); ++j) layer->add_loss_weight(0);
    }
    layer->set_loss_weight(top_index, 0);
    const auto& weights = layer->loss_weight();
    const bool all_zero = std::all_of(weights.begin(), weights.end(),
                                      [](float weight) { return weight == 0; });
    if (all_zero && !is_loss_type_(layer->type())) layer->clear_loss_weight();
  }

  const NetParameter& param_;
  const IsLossType& is_loss_type_;
  map<Place, Place> source_;  // bottom -> the top that it reads
  map<Place, TopUse> uses_;   // top -> its uses
};

}  // namespace

void InsertSplits(const NetParameter& param, NetParameter* param_split,
                  const IsLossType& is_loss_type) {
  SplitInserter(param, is_loss_type).Write(param_split);
}

void InsertSplits(const NetParameter& param, NetParameter* param_split) {
  const string ending = "Loss";
  InsertSplits(param, param_split, [&ending](const string& type) {
    return type.size() >= ending.size() &&
           type.compare(type.size() - ending.size(), ending.size(), ending) == 0;
  });
}

void ConfigureSplitLayer(const string& layer_name, const string& blob_name,
                         const int blob_idx, const int split_count,
                         const float loss_weight, LayerParameter* split_layer_param) {
  split_layer_param->Clear();
  split_layer_param->add_bottom(blob_name);
  split_layer_param->set_name(SplitLayerName(layer_name, blob_name, blob_idx));
  split_layer_param->set_type("Split");
  for (int k = 0; k < split_count; ++k) {
    split_layer_param->add_top(SplitBlobName(layer_name, blob_name, blob_idx, k));
    if (loss_weight != 0) split_layer_param->add_loss_weight(k == 0 ? loss_weight : 0);
  }
}

string SplitLayerName(const string& layer_name, const string& blob_name,
                      const int blob_idx) {
  return blob_name + "_" + layer_name + "_" + std::to_string(blob_idx) + "_split";
}

string SplitBlobName(const string& layer_name, const string& blob_name,
                     const int blob_idx, const int split_idx) {
  return SplitLayerName(layer_name, blob_name, blob_idx) + "_" +
         std::to_string(split_idx);
}

}  // namespace caffe

// Layers in place that overwrite what an earlier layer's gradient reads.
#include <algorithm>
#include <set>

#include "caffe/net.hpp"

namespace caffe {

namespace {

/// Types whose gradient reads their own top, in place or not.
bool ReadsTop(const string& type) {
  static const std::set<string> types = {"Sigmoid", "TanH", "Exp",
                                         "Softmax", "LRN",  "MVN"};
  return types.count(type) > 0;
}

/// Types that read their bottom, which in place is the top. (Scale, PReLU, Power and
/// BatchNorm keep a copy of it.)
bool ReadsBottom(const string& type) {
  static const std::set<string> types = {"ReLU", "NegReLU", "ELU",  "Clip",
                                         "Log",  "BNLL",    "Swish"};
  return types.count(type) > 0;
}

/// y > 0 before the layer exactly where y > 0 behind it, or where no gradient comes
/// through.
bool KeepsSign(const LayerParameter& layer) {
  if (layer.type() == "Dropout") return true;
  if (layer.type() == "ReLU") return layer.relu_param().negative_slope() >= 0;
  if (layer.type() == "Power") {
    const PowerParameter& power = layer.power_param();
    return power.power() == 1 && power.scale() > 0 && power.shift() == 0;
  }
  if (layer.type() == "Clip") {
    return layer.clip_param().min() <= 0 && layer.clip_param().max() > 0;
  }
  return false;
}

/// Layers that pass their bottom on as it is.
bool ChangesNothing(const LayerParameter& layer) {
  return layer.type() == "Dropout" && layer.phase() == TEST;
}

}  // namespace

/// What is wrong with the net's gradients, or nothing: the first layer whose gradient
/// reads values that a later layer overwrites in place, and that layer.
template <typename Dtype>
string Net<Dtype>::FindInPlaceConflict() const {
  const int count = static_cast<int>(layers_.size());
  for (int i = 0; i < count; ++i) {
    if (!layer_need_backward_[i]) continue;
    const LayerParameter& first = layers_[i]->layer_param();
    for (size_t t = 0; t < top_id_vecs_[i].size(); ++t) {
      const int blob = top_id_vecs_[i][t];
      const bool in_place =
          t < bottom_id_vecs_[i].size() && bottom_id_vecs_[i][t] == blob;
      if (!ReadsTop(first.type()) && !(in_place && ReadsBottom(first.type()))) continue;
      for (int j = i + 1; j < count; ++j) {
        const LayerParameter& later = layers_[j]->layer_param();
        const auto& tops = top_id_vecs_[j];
        if (std::find(tops.begin(), tops.end(), blob) == tops.end()) continue;
        if (ChangesNothing(later) || (first.type() == "ReLU" && KeepsSign(later)))
          continue;
        return "layer '" + later.name() + "' (" + later.type() +
               ") works in place on blob '" + blob_names_[blob] +
               "' and overwrites what the gradient of layer '" + first.name() + "' (" +
               first.type() + ") reads: give the top of '" + later.name() +
               "' another name";
      }
    }
  }
  return "";
}

template string Net<float>::FindInPlaceConflict() const;
template string Net<double>::FindInPlaceConflict() const;

}  // namespace caffe

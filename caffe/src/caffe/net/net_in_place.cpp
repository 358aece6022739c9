// Layers that cannot work in place, and those in place that overwrite what an earlier
// layer's gradient reads.
#include "caffe/net_in_place.hpp"

#include <algorithm>
#include <numeric>
#include <set>

#include "caffe/net.hpp"

namespace caffe {

namespace {

/// Types whose gradient reads their own top, in place or not.
bool ReadsTop(const LayerParameter& layer) {
  static const std::set<string> types = {"Sigmoid", "TanH",        "Exp",
                                         "Softmax", "LRN",         "MVN",
                                         "ExpMax",  "ChannelNorm", "SoftmaxWithLoss"};
  if (layer.type() == "Eltwise") {
    return layer.eltwise_param().operation() == EltwiseParameter::PROD &&
           !layer.eltwise_param().stable_prod_grad();
  }
  return types.count(layer.type()) > 0;
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

/// Layers whose tops are their bottom's memory.
bool SharesMemory(const LayerParameter& layer) {
  const string& type = layer.type();
  return type == "Reshape" || type == "Flatten" || type == "Split" ||
         (type == "Concat" && layer.bottom_size() == 1) ||
         (type == "Slice" && layer.top_size() == 1);
}

}  // namespace

bool cannot_work_in_place(const LayerParameter& layer) {
  static const std::set<string> types = {"Accum",
                                         "Accuracy",
                                         "ArgMax",
                                         "ChannelNorm",
                                         "Convolution",
                                         "Correlation",
                                         "Correlation1D",
                                         "Deconvolution",
                                         "Downsample",
                                         "EuclideanLoss",
                                         "FlowAugmentation",
                                         "FlowWarp",
                                         "InnerProduct",
                                         "L1Loss",
                                         "LpqLoss",
                                         "Pad",
                                         "Pooling",
                                         "Reduction",
                                         "Resample",
                                         "SigmoidCrossEntropyLoss",
                                         "SoftIoULoss",
                                         "SoftmaxWithLoss",
                                         "Warp"};
  if (layer.type() == "Concat") return layer.bottom_size() > 1;
  if (layer.type() == "DataAugmentation") {
    return layer.augmentation_param().has_crop_width() &&
           layer.augmentation_param().has_crop_height();
  }
  return types.count(layer.type()) > 0;
}

/// What is wrong with the net's gradients, or nothing: the first layer whose gradient
/// reads values that a later layer overwrites in place, and that layer.
template <typename Dtype>
string Net<Dtype>::FindInPlaceConflict() const {
  const int count = static_cast<int>(layers_.size());
  vector<int> memory(blobs_.size());  // the first blob that has the memory of a blob
  std::iota(memory.begin(), memory.end(), 0);
  for (int i = 0; i < count; ++i) {
    if (!SharesMemory(layers_[i]->layer_param())) continue;
    for (const int top : top_id_vecs_[i]) memory[top] = memory[bottom_id_vecs_[i][0]];
  }
  for (int i = 0; i < count; ++i) {
    if (!layer_need_backward_[i]) continue;
    const LayerParameter& first = layers_[i]->layer_param();
    for (size_t t = 0; t < top_id_vecs_[i].size(); ++t) {
      const int blob = top_id_vecs_[i][t];
      const bool in_place =
          t < bottom_id_vecs_[i].size() && bottom_id_vecs_[i][t] == blob;
      if (!ReadsTop(first) && !(in_place && ReadsBottom(first.type()))) continue;
      for (int j = i + 1; j < count; ++j) {
        const LayerParameter& later = layers_[j]->layer_param();
        const auto &tops = top_id_vecs_[j], &bottoms = bottom_id_vecs_[j];
        const auto overwrites = std::find_if(tops.begin(), tops.end(), [&](int top) {
          return memory[top] == memory[blob] &&
                 std::find(bottoms.begin(), bottoms.end(), top) != bottoms.end();
        });
        if (overwrites == tops.end()) continue;
        if (ChangesNothing(later) || (first.type() == "ReLU" && KeepsSign(later)))
          continue;
        return "layer '" + later.name() + "' (" + later.type() +
               ") works in place on blob '" + blob_names_[*overwrites] +
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

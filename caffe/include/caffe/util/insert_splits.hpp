// Split layers for blobs that more than one layer reads.
#ifndef CAFFE_UTIL_INSERT_SPLITS_HPP_
#define CAFFE_UTIL_INSERT_SPLITS_HPP_

#include <functional>
#include <string>

#include "caffe/common.hpp"
#include "caffe/proto/caffe.pb.h"

namespace caffe {

/// True for layer types whose first top counts into the loss when the layer gives no
/// loss_weight.
using IsLossType = std::function<bool(const string& type)>;

/// Copies `param` and puts a Split layer behind every top with more than one use: a
/// bottom that reads it is a use, and so is a loss weight, which moves to output 0 of the
/// split.
///
/// differs: weights of the producer's other tops stay where they are (the original erases
/// them); a loss layer keeps its explicit weight list with 0 in place of the moved
/// weight, so that it does not get its default weight back and the loss counts once; and
/// the default weight of a loss layer counts as a use. Errors: a bottom that no earlier
/// layer makes.
void InsertSplits(const NetParameter& param, NetParameter* param_split);
void InsertSplits(const NetParameter& param, NetParameter* param_split,
                  const IsLossType& is_loss_type);

void ConfigureSplitLayer(const string& layer_name, const string& blob_name,
                         const int blob_idx, const int split_count,
                         const float loss_weight, LayerParameter* split_layer_param);
/// "<blob>_<layer>_<blob_idx>_split"
string SplitLayerName(const string& layer_name, const string& blob_name,
                      const int blob_idx);
/// "<blob>_<layer>_<blob_idx>_split_<split_idx>"
string SplitBlobName(const string& layer_name, const string& blob_name,
                     const int blob_idx, const int split_idx);

}  // namespace caffe

#endif  // CAFFE_UTIL_INSERT_SPLITS_HPP_

// Bringing nets and solvers of older formats to the current one.
#ifndef CAFFE_UTIL_UPGRADE_PROTO_HPP_
#define CAFFE_UTIL_UPGRADE_PROTO_HPP_

#include <string>

#include "caffe/common.hpp"
#include "caffe/proto/caffe.pb.h"

namespace caffe {

bool NetNeedsUpgrade(const NetParameter& net_param);
/// Applies every upgrade that is needed, in the order V0, data transformation, V1, input
/// fields, batch norm; `param_file` names the net in the log. False if something could
/// not be carried over (an error line says what). Errors: a file that mixes `layer` and
/// `layers`, a padding layer in a wrong place, too few input dimensions.
bool UpgradeNetAsNeeded(const string& param_file, NetParameter* param);

/// Read and upgrade. Errors: those of io.hpp; a text file without any content.
void ReadNetParamsFromTextFileOrDie(const string& param_file, NetParameter* param);
/// Drops fields that the schema does not know (with one warning).
void ReadNetParamsFromBinaryFileOrDie(const string& param_file, NetParameter* param);

bool NetNeedsV0ToV1Upgrade(const NetParameter& net_param);
bool UpgradeV0Net(const NetParameter& v0_net_param, NetParameter* net_param);
/// Replaces V0 layers of type `padding` by the `pad` of the layers that read them.
void UpgradeV0PaddingLayers(const NetParameter& param, NetParameter* param_upgraded_pad);
/// One V0 layer (or, unchanged, a V1 layer).
bool UpgradeV0LayerParameter(const V1LayerParameter& v0_layer_connection,
                             V1LayerParameter* layer_param);
V1LayerParameter_LayerType UpgradeV0LayerType(const string& type);

bool NetNeedsDataUpgrade(const NetParameter& net_param);
/// Moves scale, mean_file, crop_size and mirror of data layers into transform_param.
void UpgradeNetDataTransformation(NetParameter* net_param);

bool NetNeedsV1ToV2Upgrade(const NetParameter& net_param);
bool UpgradeV1Net(const NetParameter& v1_net_param, NetParameter* net_param);
bool UpgradeV1LayerParameter(const V1LayerParameter& v1_layer_param,
                             LayerParameter* layer_param);
const char* UpgradeV1LayerType(const V1LayerParameter_LayerType type);

bool NetNeedsInputUpgrade(const NetParameter& net_param);
/// Makes an Input layer of the net-level input fields.
void UpgradeNetInput(NetParameter* net_param);

bool NetNeedsBatchNormUpgrade(const NetParameter& net_param);
/// Rates of BatchNorm's three statistics become 0.
void UpgradeNetBatchNorm(NetParameter* net_param);
/// The same for one layer; layers of other types stay as they are.
void UpgradeBatchNormLayer(LayerParameter* layer);

bool SolverNeedsTypeUpgrade(const SolverParameter& solver_param);
bool UpgradeSolverType(SolverParameter* solver_param);
/// solver_type -> type, and every net that is written inside the solver.
bool UpgradeSolverAsNeeded(const string& param_file, SolverParameter* param);
/// An unset snapshot_prefix becomes the file's path without its extension; one that names
/// a folder gets the file's stem added.
void UpgradeSnapshotPrefixProperty(const string& param_file, SolverParameter* param);
void ReadSolverParamsFromTextFileOrDie(const string& param_file, SolverParameter* param);

}  // namespace caffe

#endif  // CAFFE_UTIL_UPGRADE_PROTO_HPP_

// Nets and solvers of older formats become the current one.
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include "caffe/util/text_format.hpp"
#include "caffe/util/upgrade_proto.hpp"
#include "test_files.hpp"

namespace caffe {
namespace {

NetParameter Net(const std::string& text) {
  NetParameter net;
  ParseTextFormat(text, "test", &net);
  return net;
}

std::string Print(const NetParameter& net) {
  std::string text;
  google::protobuf::TextFormat::PrintToString(net, &text);
  return text;
}

void ExpectUpgrade(const std::string& from, const std::string& to) {
  NetParameter net = Net(from);
  EXPECT_TRUE(NetNeedsUpgrade(net));
  EXPECT_TRUE(UpgradeNetAsNeeded("test", &net));
  EXPECT_EQ(Print(net), Print(Net(to)));
  EXPECT_FALSE(NetNeedsUpgrade(net));
}

TEST(UpgradeTest, CurrentNetsStayAsTheyAre) {
  const std::string text =
      "name: 'n' layer { name: 'a' type: 'Input' top: 'x' input_param { shape { dim: 1 } "
      "} }";
  NetParameter net = Net(text);
  EXPECT_FALSE(NetNeedsUpgrade(net));
  EXPECT_TRUE(UpgradeNetAsNeeded("test", &net));
  EXPECT_EQ(Print(net), Print(Net(text)));
}

TEST(UpgradeV0Test, SettingsGoWhereTheTypeHasThem) {
  ExpectUpgrade(
      "name: 'n' input: 'x' input_dim: 1 input_dim: 3 input_dim: 8 input_dim: 8 "
      "layers { layer { name: 'c' type: 'conv' num_output: 4 biasterm: false pad: 1 "
      "kernelsize: 3"
      " stride: 2 group: 2 weight_filler { type: 'xavier' } bias_filler { value: 1 } "
      "blobs_lr: 1"
      " blobs_lr: 2 weight_decay: 1 weight_decay: 0 } bottom: 'x' top: 'c' }"
      "layers { layer { name: 'p' type: 'pool' pool: STOCHASTIC kernelsize: 3 stride: 2 "
      "pad: 1 }"
      " bottom: 'c' top: 'p' }"
      "layers { layer { name: 'l' type: 'lrn' local_size: 3 alpha: 2 beta: 3 k: 4 }"
      " bottom: 'p' top: 'l' }"
      "layers { layer { name: 'i' type: 'innerproduct' num_output: 2 biasterm: true }"
      " bottom: 'l' top: 'i' }"
      "layers { layer { name: 'd' type: 'dropout' dropout_ratio: 0.2 } bottom: 'i' top: "
      "'i' }"
      "layers { layer { name: 's' type: 'softmax_loss' } bottom: 'i' bottom: 'x' }",
      "name: 'n' layer { name: 'input' type: 'Input' top: 'x'"
      " input_param { shape { dim: 1 dim: 3 dim: 8 dim: 8 } } }"
      "layer { name: 'c' type: 'Convolution' bottom: 'x' top: 'c'"
      " param { lr_mult: 1 decay_mult: 1 } param { lr_mult: 2 decay_mult: 0 }"
      " convolution_param { num_output: 4 bias_term: false pad: 1 kernel_size: 3 stride: "
      "2 group: 2"
      " weight_filler { type: 'xavier' } bias_filler { value: 1 } } }"
      "layer { name: 'p' type: 'Pooling' bottom: 'c' top: 'p' pooling_param { pool: "
      "STOCHASTIC"
      " kernel_size: 3 stride: 2 pad: 1 } }"
      "layer { name: 'l' type: 'LRN' bottom: 'p' top: 'l'"
      " lrn_param { local_size: 3 alpha: 2 beta: 3 k: 4 } }"
      "layer { name: 'i' type: 'InnerProduct' bottom: 'l' top: 'i'"
      " inner_product_param { num_output: 2 bias_term: true } }"
      "layer { name: 'd' type: 'Dropout' bottom: 'i' top: 'i'"
      " dropout_param { dropout_ratio: 0.2 } }"
      "layer { name: 's' type: 'SoftmaxWithLoss' bottom: 'i' bottom: 'x' }");
}

TEST(UpgradeV0Test, DataLayersKeepSourceAndTransformation) {
  ExpectUpgrade(
      "layers { layer { name: 'd' type: 'data' source: 's' scale: 0.5 meanfile: 'm' "
      "batchsize: 8"
      " cropsize: 10 mirror: true rand_skip: 3 } top: 'd' }"
      "layers { layer { name: 'i' type: 'images' source: 'i' batchsize: 2 rand_skip: 1"
      " shuffle_images: true new_height: 5 new_width: 6 } top: 'i' }"
      "layers { layer { name: 'w' type: 'window_data' source: 'w' batchsize: 4"
      " det_fg_threshold: 0.1 det_bg_threshold: 0.2 det_fg_fraction: 0.3 "
      "det_context_pad: 4"
      " det_crop_mode: 'square' } top: 'w' }"
      "layers { layer { name: 'h' type: 'hdf5_data' source: 'h' batchsize: 3 } top: 'h' }"
      "layers { layer { name: 'g' type: 'infogain_loss' source: 'g' } bottom: 'h' "
      "bottom: 'd' }"
      "layers { layer { name: 'c' type: 'concat' concat_dim: 0 } bottom: 'd' bottom: 'i' "
      "top: 'c' }"
      "layers { layer { name: 'o' type: 'hdf5_output' hdf5_output_param { file_name: 'f' "
      "} }"
      " bottom: 'c' bottom: 'h' }",
      "layer { name: 'd' type: 'Data' top: 'd' transform_param { scale: 0.5 mirror: true"
      " crop_size: 10 mean_file: 'm' } data_param { source: 's' batch_size: 8 rand_skip: "
      "3 } }"
      "layer { name: 'i' type: 'ImageData' top: 'i' image_data_param { source: 'i' "
      "batch_size: 2"
      " rand_skip: 1 shuffle: true new_height: 5 new_width: 6 } }"
      "layer { name: 'w' type: 'WindowData' top: 'w' window_data_param { source: 'w' "
      "batch_size: 4"
      " fg_threshold: 0.1 bg_threshold: 0.2 fg_fraction: 0.3 context_pad: 4"
      " crop_mode: 'square' } }"
      "layer { name: 'h' type: 'HDF5Data' top: 'h' hdf5_data_param { source: 'h' "
      "batch_size: 3 } }"
      "layer { name: 'g' type: 'InfogainLoss' bottom: 'h' bottom: 'd'"
      " infogain_loss_param { source: 'g' } }"
      "layer { name: 'c' type: 'Concat' bottom: 'd' bottom: 'i' top: 'c'"
      " concat_param { concat_dim: 0 } }"
      "layer { name: 'o' type: 'HDF5Output' bottom: 'c' bottom: 'h'"
      " hdf5_output_param { file_name: 'f' } }");
}

TEST(UpgradeV0Test, PaddingLayersBecomeThePadOfTheirReaders) {
  ExpectUpgrade(
      "layers { layer { name: 'd' type: 'data' source: 's' } top: 'd' }"
      "layers { layer { name: 'q' type: 'padding' pad: 2 } bottom: 'd' top: 'q' }"
      "layers { layer { name: 'c' type: 'conv' num_output: 1 kernelsize: 5 } bottom: 'q' "
      "top: 'c' }"
      "layers { layer { name: 'p' type: 'pool' kernelsize: 2 } bottom: 'q' top: 'p' }",
      "layer { name: 'd' type: 'Data' top: 'd' data_param { source: 's' } }"
      "layer { name: 'c' type: 'Convolution' bottom: 'd' top: 'c'"
      " convolution_param { num_output: 1 kernel_size: 5 pad: 2 } }"
      "layer { name: 'p' type: 'Pooling' bottom: 'd' top: 'p'"
      " pooling_param { kernel_size: 2 pad: 2 } }");
}

TEST(UpgradeV0Test, PaddingInAWrongPlaceIsAnError) {
  NetParameter net =
      Net("layers { layer { name: 'd' type: 'data' } top: 'd' }"
          "layers { layer { name: 'q' type: 'padding' pad: 2 } bottom: 'd' top: 'q' }"
          "layers { layer { name: 'r' type: 'relu' } bottom: 'q' top: 'r' }");
  const std::string error = ErrorOf([&] { UpgradeNetAsNeeded("f.prototxt", &net); });
  EXPECT_NE(error.find("f.prototxt: padding layer 'q'"), std::string::npos) << error;
}

TEST(UpgradeV0Test, ASettingOfAnotherTypeIsReportedAndTheRestGoesOn) {
  NetParameter net =
      Net("layers { layer { name: 'r' type: 'relu' num_output: 3 } top: 'r' }");
  EXPECT_FALSE(UpgradeNetAsNeeded("f", &net));
  EXPECT_EQ(net.layer(0).type(), "ReLU");
}

TEST(UpgradeV0Test, UnknownTypesAreAnError) {
  NetParameter net = Net("layers { layer { name: 'r' type: 'conf' } top: 'r' }");
  EXPECT_NE(ErrorOf([&] { UpgradeNetAsNeeded("f", &net); }).find("\"conf\""),
            std::string::npos);
}

TEST(UpgradeV0Test, NetFieldsAndV1NeighboursSurvive) {
  ExpectUpgrade(
      "state { level: 2 } debug_info: true force_backward: true "
      "layers { layer { name: 'd' type: 'data' } top: 'd' }"
      "layers { name: 'r' type: RELU bottom: 'd' top: 'r' relu_param { negative_slope: 1 "
      "} }",
      "state { level: 2 } debug_info: true force_backward: true "
      "layer { name: 'd' type: 'Data' top: 'd' }"
      "layer { name: 'r' type: 'ReLU' bottom: 'd' top: 'r' relu_param { negative_slope: "
      "1 } }");
}

TEST(UpgradeV1Test, ParallelListsBecomeParamEntries) {
  ExpectUpgrade(
      "layers { name: 'c' type: CONVOLUTION bottom: 'x' top: 'y' blobs_lr: 1 blobs_lr: 2"
      " weight_decay: 3 param: 'w' param: 'b' param: 'z' blob_share_mode: PERMISSIVE"
      " convolution_param { num_output: 1 } loss_weight: 2 include { phase: TRAIN }"
      " exclude { stage: 's' } }",
      "layer { name: 'c' type: 'Convolution' bottom: 'x' top: 'y' loss_weight: 2"
      " param { name: 'w' share_mode: PERMISSIVE lr_mult: 1 decay_mult: 3 }"
      " param { name: 'b' lr_mult: 2 } param { name: 'z' } include { phase: TRAIN }"
      " exclude { stage: 's' } convolution_param { num_output: 1 } }");
}

TEST(UpgradeV1Test, EveryTypeHasItsName) {
  const std::map<std::string, std::string> irregular = {
      {"NONE", ""},
      {"SOFTMAX_LOSS", "SoftmaxWithLoss"},
      {"IM2COL", "Im2col"},
      {"LRN", "LRN"},
      {"MVN", "MVN"},
      {"BNLL", "BNLL"},
      {"RELU", "ReLU"},
      {"TANH", "TanH"},
      {"ABSVAL", "AbsVal"},
      {"ARGMAX", "ArgMax"},
      {"HDF5_DATA", "HDF5Data"},
      {"HDF5_OUTPUT", "HDF5Output"}};
  const auto* types = V1LayerParameter::LayerType_descriptor();
  EXPECT_EQ(types->value_count(), 40);
  for (int i = 0; i < types->value_count(); ++i) {
    const std::string& name = types->value(i)->name();
    std::string expected;
    if (irregular.count(name) > 0) {
      expected = irregular.at(name);
    } else {  // WINDOW_DATA -> WindowData
      bool upper = true;
      for (const char c : name) {
        if (c != '_') expected += static_cast<char>(upper ? c : std::tolower(c));
        upper = c == '_';
      }
    }
    EXPECT_EQ(UpgradeV1LayerType(
                  static_cast<V1LayerParameter_LayerType>(types->value(i)->number())),
              expected);
  }
}

TEST(UpgradeV1Test, EveryTypeMessageIsCarriedOver) {
  const auto* v1 = V1LayerParameter::descriptor();
  int messages = 0;
  for (int i = 0; i < v1->field_count(); ++i) {
    const auto* field = v1->field(i);
    if (field->message_type() == nullptr || field->is_repeated() ||
        field->name() == "layer") {
      continue;
    }
    V1LayerParameter from;
    from.GetReflection()->MutableMessage(&from, field);
    LayerParameter to;
    EXPECT_TRUE(UpgradeV1LayerParameter(from, &to));
    const auto* target = LayerParameter::descriptor()->FindFieldByName(field->name());
    ASSERT_NE(target, nullptr) << field->name();
    EXPECT_TRUE(to.GetReflection()->HasField(to, target)) << field->name();
    ++messages;
  }
  EXPECT_EQ(messages, 30);
}

TEST(UpgradeV1Test, MixedFormsAreAnError) {
  NetParameter net = Net("layer { name: 'a' } layers { name: 'b' type: RELU }");
  const std::string error = ErrorOf([&] { UpgradeNetAsNeeded("f.prototxt", &net); });
  EXPECT_NE(error.find("f.prototxt"), std::string::npos) << error;
  EXPECT_NE(error.find("mixes"), std::string::npos) << error;
}

TEST(UpgradeDataTest, TransformationMovesInV1AndInCurrentLayers) {
  ExpectUpgrade(
      "layers { name: 'a' type: WINDOW_DATA transform_param { scale: 3 }"
      " window_data_param { source: 's' scale: 2 mirror: true } }",
      "layer { name: 'a' type: 'WindowData' transform_param { scale: 2 mirror: true }"
      " window_data_param { source: 's' } }");
  ExpectUpgrade(
      "layer { name: 'a' type: 'ImageData' image_data_param { mean_file: 'm' crop_size: "
      "3 } }",
      "layer { name: 'a' type: 'ImageData' transform_param { mean_file: 'm' crop_size: 3 "
      "}"
      " image_data_param { } }");
}

TEST(UpgradeDataTest, OtherTypesKeepTheirFields) {
  EXPECT_FALSE(NetNeedsDataUpgrade(Net("layers { type: RELU data_param { scale: 2 } }")));
}

TEST(UpgradeInputTest, ShapesBecomeOneInputLayerInFront) {
  ExpectUpgrade(
      "input: 'a' input_shape { dim: 1 dim: 2 } input: 'b' input_shape { dim: 5 }"
      "layer { name: 'r' type: 'ReLU' bottom: 'a' top: 'a' }",
      "layer { name: 'input' type: 'Input' top: 'a' top: 'b'"
      " input_param { shape { dim: 1 dim: 2 } shape { dim: 5 } } }"
      "layer { name: 'r' type: 'ReLU' bottom: 'a' top: 'a' }");
}

TEST(UpgradeInputTest, NamesAloneAreDropped) {
  ExpectUpgrade("input: 'a' layer { name: 'r' }", "layer { name: 'r' }");
}

TEST(UpgradeInputTest, MissingDimensionsAreAnError) {
  NetParameter net = Net("input: 'a' input: 'b' input_dim: 1 input_dim: 2 input_dim: 3");
  const std::string error = ErrorOf([&] { UpgradeNetAsNeeded("f", &net); });
  EXPECT_NE(error.find("3 input_dim; it needs 8"), std::string::npos) << error;
}

TEST(UpgradeBatchNormTest, ThreeParamsLoseTheirRatesAndKeepTheRest) {
  ExpectUpgrade(
      "layer { type: 'BatchNorm' param { lr_mult: 1 name: 'm' } param { } param { "
      "decay_mult: 2 } }",
      "layer { type: 'BatchNorm' param { lr_mult: 0 decay_mult: 0 name: 'm' }"
      " param { lr_mult: 0 decay_mult: 0 } param { lr_mult: 0 decay_mult: 0 } }");
  EXPECT_FALSE(
      NetNeedsBatchNormUpgrade(Net("layer { type: 'BatchNorm' param { } param { } }")));
}

TEST(UpgradeSolverTest, OldTypesBecomeNames) {
  const std::vector<std::string> names = {"SGD",     "Nesterov", "AdaGrad",
                                          "RMSProp", "AdaDelta", "Adam"};
  for (int i = 0; i < 6; ++i) {
    SolverParameter solver;
    solver.set_solver_type(static_cast<SolverParameter_SolverType>(i));
    EXPECT_TRUE(UpgradeSolverAsNeeded("f", &solver));
    EXPECT_EQ(solver.type(), names[static_cast<size_t>(i)]);
    EXPECT_FALSE(solver.has_solver_type());
  }
}

TEST(UpgradeSolverTest, BothTypesAreAnError) {
  SolverParameter solver;
  solver.set_type("SGD");
  solver.set_solver_type(SolverParameter::ADAM);
  EXPECT_NE(ErrorOf([&] { UpgradeSolverAsNeeded("f", &solver); }).find("f: "),
            std::string::npos);
}

TEST(UpgradeSolverTest, NetsInsideTheSolverAreUpgraded) {
  SolverParameter solver;
  solver.add_test_net_param()->add_layers()->set_type(V1LayerParameter::RELU);
  solver.mutable_net_param()->add_layers()->set_type(V1LayerParameter::TANH);
  EXPECT_TRUE(UpgradeSolverAsNeeded("f", &solver));
  EXPECT_EQ(solver.test_net_param(0).layer(0).type(), "ReLU");
  EXPECT_EQ(solver.net_param().layer(0).type(), "TanH");
}

TEST(UpgradeSolverTest, SnapshotPrefixIsCompletedFromTheFile) {
  const TemporaryFolder folder;
  SolverParameter solver;
  ReadSolverParamsFromTextFileOrDie(folder.Write("a.b.prototxt", "base_lr: 1"), &solver);
  EXPECT_EQ(solver.snapshot_prefix(), folder.File("a.b"));

  const std::string into = "snapshot_prefix: '" + folder.File("") + "'";
  ReadSolverParamsFromTextFileOrDie(folder.Write("s.prototxt", into), &solver);
  EXPECT_EQ(solver.snapshot_prefix(), folder.File("s"));

  ReadSolverParamsFromTextFileOrDie(folder.Write("s.prototxt", "snapshot_prefix: 'p/q'"),
                                    &solver);
  EXPECT_EQ(solver.snapshot_prefix(), "p/q");
}

TEST(ReadNetTest, FilesWithoutContentAreRefused) {
  const TemporaryFolder folder;
  NetParameter net;
  SolverParameter solver;
  const std::string path = folder.Write("n.prototxt", "# nothing\n");
  EXPECT_NE(ErrorOf([&] { ReadNetParamsFromTextFileOrDie(path, &net); }).find(path),
            std::string::npos);
  EXPECT_NE(ErrorOf([&] { ReadSolverParamsFromTextFileOrDie(path, &solver); }).find(path),
            std::string::npos);
}

/// An Input layer's name, and fillers, which a deploy net need not give.
void DropWhatIsFree(LayerParameter* layer) {
  if (layer->type() == "Input") layer->clear_name();
  if (layer->has_convolution_param()) {
    layer->mutable_convolution_param()->clear_weight_filler();
    layer->mutable_convolution_param()->clear_bias_filler();
  }
  if (layer->has_inner_product_param()) {
    layer->mutable_inner_product_param()->clear_weight_filler();
    layer->mutable_inner_product_param()->clear_bias_filler();
  }
}

/// The published old definitions and their rewritten twins.
void ExpectSameNet(const std::string& old_path, const std::string& new_path) {
  NetParameter old_net, new_net;
  ReadNetParamsFromTextFileOrDie(old_path, &old_net);
  ReadNetParamsFromTextFileOrDie(new_path, &new_net);
  ASSERT_EQ(old_net.layer_size(), new_net.layer_size());
  for (int i = 0; i < old_net.layer_size(); ++i) {
    LayerParameter one = old_net.layer(i), other = new_net.layer(i);
    for (LayerParameter* layer : {&one, &other}) DropWhatIsFree(layer);
    EXPECT_EQ(one.DebugString(), other.DebugString());
  }
}

TEST(ReadNetTest, PublishedV1AndV0NetsEqualTheirCurrentForm) {
  for (const std::string name : {"lenet_v1", "cifar10_quick_v1", "cifar10_full_v1"}) {
    CAFFE_NEED_SHARED(path, "models/legacy/" + name + "/deploy.prototxt");
    ExpectSameNet(path, SharedFile("models/legacy/" + name + "/deploy_v2.prototxt"));
  }
  CAFFE_NEED_SHARED(v0, "models/legacy/lenet_v1/deploy_v0.prototxt");
  ExpectSameNet(v0, SharedFile("models/legacy/lenet_v1/deploy_v2.prototxt"));
}

}  // namespace
}  // namespace caffe

// Nets with `keep`: memory goes to later blobs, and reading what was given up says so.
#include <algorithm>
#include <set>

#include "plan_check.hpp"

namespace caffe {

using namespace plan_check;  // NOLINT: test helpers

namespace {

TEST(KeepTest, ReadingABlobThatWasNotKeptNamesItAndKeep) {
  const auto net = Make<float>(kResidual, "c");
  net->Forward();
  const string error = ErrorOf([&] { net->blob_by_name("a")->cpu_data(); });
  EXPECT_TRUE(has_words(error, {"'a'", "keep"}));
  EXPECT_NO_THROW(net->blob_by_name("c")->cpu_data());
  EXPECT_NO_THROW(net->blob_by_name("x")->cpu_data());     // inputs stay
  EXPECT_NO_THROW(net->blob_by_name("head")->cpu_data());  // and outputs
  EXPECT_NO_THROW(net->Forward());
}

TEST(KeepTest, TheSplitOfAKeptBlobAndAKeptSplitTopStay) {
  const auto net = Make<float>(kResidual, "a");
  net->Forward();
  EXPECT_EQ(values_of(*net->blob_by_name("a")),
            values_of(*net->blob_by_name("a_relu_a_0_split_1")));
}

TEST(KeepTest, BlobsThatShareMemoryLiveAsLongAsTheLast) {
  // d is flattened into the output; b is read by a late sum.
  const string text =
      kInput + Block("a", "x", 8, true) + Conv("b", "a", "b", 8) +
      Conv("c", "b", "c", 8) + Sum("d", "c", "b") +
      LayerText("Power", "p", "d", "p", "power_param { scale: 3 }") +
      LayerText("Flatten", "f", "p", "f") +
      LayerText("Reshape", "r", "f", "r", "reshape_param { shape { dim: 0 dim: -1 } }");
  const auto plain = MakeUnfused<float>(text);
  const auto keeping = Make<float>(text, "x");
  for (int pass = 0; pass < 3; ++pass) {
    plain->Forward();
    keeping->Forward();
    EXPECT_LE(relative_difference(values_of(*plain->output_blobs()[0]),
                                  values_of(*keeping->output_blobs()[0])),
              kFolded);
  }
}

TEST(KeepTest, TheTopOfAParameterLayerStaysItIsTheParameter) {
  const string text = Input("x", 1, 4, 8, 8) +
                      "layer { name: 'p' type: 'Parameter' top: 'p' parameter_param { "
                      "shape { dim: 1 dim: 4 dim: 8 dim: 8 } } } " +
                      Sum("s", "x", "p") + Conv("c", "s", "c", 3) +
                      Conv("d", "c", "d", 3);
  const auto net = Make<float>(text, "x");
  const auto wanted = values_of(*net->params()[0]);
  net->Forward();
  const auto first = values_of(*net->output_blobs()[0]);
  net->Forward();
  EXPECT_EQ(values_of(*net->output_blobs()[0]), first);
  EXPECT_EQ(values_of(*net->params()[0]), wanted);
}

/// Sums what all blobs hold after each layer.
class PeakMeter : public Net<float>::Callback {
 public:
  explicit PeakMeter(const Net<float>* net) : net_(net) {}
  size_t peak = 0;

 protected:
  void run(int) override {
    std::set<const SyncedMemory*> memories;
    for (const auto& blob : net_->blobs()) memories.insert(blob->data().get());
    size_t held = 0;
    for (const SyncedMemory* memory : memories) held += memory->held_bytes();
    peak = std::max(peak, held);
  }

 private:
  const Net<float>* net_;
};

TEST(KeepTest, AKeepNetHoldsLessMemory) {
  if (Caffe::mode() == Caffe::GPU) GTEST_SKIP() << "about host memory";
  string text = kInput + Block("c0", "x", 16, true);
  for (int i = 1; i < 12; ++i) {
    text += Block("c" + std::to_string(i), "c" + std::to_string(i - 1), 16, true);
  }
  const auto measured = [&](const string& keep) {
    const auto net = Make<float>(text, keep);
    PeakMeter meter(net.get());
    net->add_after_forward(&meter);
    net->Forward();
    net->Forward();
    return meter.peak;
  };
  EXPECT_LT(measured("x") * 3, measured(""));
}

TEST(KeepTest, BackwardOfAKeepTestNetIsRefusedInWords) {
  const auto net = Make<float>(
      kResidual + LayerText("Power", "loss", "head", "loss", "loss_weight: 1"), "c");
  net->Forward();
  EXPECT_TRUE(has_words(ErrorOf([&] { net->Backward(); }), {"keep"}));
}

TEST(KeepTest, ATrainNetWithKeepHasTheSameGradients) {
  const string text =
      kInput + Conv("a", "x", "a", 8) + ReLU("r", "a") + Conv("b", "a", "b", 4) +
      LayerText("Power", "loss", "b", "loss", "power_param { power: 2 } loss_weight: 1");
  NetParameter param = net_param(text, TRAIN);
  FloatNet plain(param);
  param.add_keep("b");
  FloatNet keeping(param);
  for (FloatNet* net : {&plain, &keeping}) {
    FillParams(net, 5);
    for (int pass = 0; pass < 2; ++pass) {
      fill_random(net->input_blobs()[0], 3);
      net->ClearParamDiffs();
      net->ForwardBackward();
    }
  }
  for (size_t i = 0; i < plain.params().size(); ++i) {
    EXPECT_LE(relative_difference(gradient_of(*plain.params()[i]),
                                  gradient_of(*keeping.params()[i])),
              1e-5);
  }
}

/// Convolution, BatchNorm with fixed statistics, Scale or Bias, activation.
string FoldedBlock(const string& name, const string& bottom, int outputs,
                   const string& activation, const string& conv) {
  return Conv(name, bottom, name, outputs, conv) +
         LayerText("BatchNorm", "bn_" + name, name, name,
                   "batch_norm_param { use_global_stats: true }") +
         Scale("scale_" + name, name) + activation;
}

/// Largest difference of the gradients of a TRAIN net whose chains train folded from
/// those of the same net layer by layer, over some steps that change the parameters.
void ExpectSameTraining(const string& text, const string& keep, int least_groups) {
  NetParameter param = net_param(text, TRAIN);
  FloatNet plain(param);
  param.add_keep(keep);
  FloatNet folding(param);
  EXPECT_GE(folding.num_groups(), least_groups);
  for (FloatNet* net : {&plain, &folding}) FillParams(net, 5);
  for (int step = 0; step < 4; ++step) {
    for (FloatNet* net : {&plain, &folding}) {
      fill_random(net->input_blobs()[0], 3 + step);
      net->ClearParamDiffs();
      net->ForwardBackward();
    }
    for (size_t i = 0; i < plain.params().size(); ++i) {
      EXPECT_LE(relative_difference(gradient_of(*plain.params()[i]),
                                    gradient_of(*folding.params()[i])),
                1e-4)
          << "parameter " << i << " in step " << step;
    }
    for (FloatNet* net : {&plain, &folding}) {
      for (Blob<float>* parameter : net->learnable_params()) {
        float size = 1e-20f;
        for (int k = 0; k < parameter->count(); ++k) {
          size = std::max(size, std::abs(parameter->cpu_diff()[k]));
        }
        for (int k = 0; k < parameter->count(); ++k) {  // the plain net's for both
          parameter->mutable_cpu_data()[k] -= 0.05f / size * parameter->cpu_diff()[k];
        }
      }
    }
  }
}

TEST(KeepTest, TrainingFoldedHasTheGradientsOfTheLayersOneByOne) {
  const string leaky =
      LayerText("ReLU", "rb", "b", "b", "relu_param { negative_slope: 0.1 }");
  const string text =
      kInput + FoldedBlock("a", "x", 10, ReLU("ra", "a"), "kernel_size: 3 pad: 1") +
      FoldedBlock("b", "a", 10, leaky, "kernel_size: 3 pad: 1 bias_term: false") +
      FoldedBlock("d", "b", 10, "", "kernel_size: 3 pad: 1 group: 10") +
      Sum("s", "a", "d") + ReLU("rs", "s") + Conv("e", "s", "e", 6, "kernel_size: 1") +
      LayerText("Bias", "be", "e", "e") + ReLU("re", "e") +
      Conv("head", "e", "head", 2, "kernel_size: 3 pad: 1") +
      LayerText("Power", "loss", "head", "loss",
                "power_param { power: 2 } loss_weight: 1");
  ExpectSameTraining(text, "head", 4);
}

TEST(KeepTest, TrainingFoldedLeavesOutWhatDoesNotLearn) {
  const string frozen = "param { lr_mult: 0 } param { lr_mult: 0 }";
  const string text =
      kInput +
      LayerText("Convolution", "a", "x", "a",
                frozen + " convolution_param { num_output: 10 kernel_size: 3 }") +
      LayerText("BatchNorm", "bn_a", "a", "a",
                "batch_norm_param { use_global_stats: true }") +
      LayerText("Scale", "scale_a", "a", "a",
                frozen + " scale_param { bias_term: true }") +
      ReLU("ra", "a") +  // nothing learns so far
      LayerText("Convolution", "b", "a", "b",
                frozen + " convolution_param { num_output: 9 kernel_size: 3 }") +
      Scale("scale_b", "b") + ReLU("rb", "b") +  // its Scale learns
      Conv("c", "b", "c", 4) +
      LayerText("BatchNorm", "bn_c", "c", "c",
                "batch_norm_param { use_global_stats: true }") +
      ReLU("rc", "c") +
      LayerText("Power", "loss", "c", "loss", "power_param { power: 2 } loss_weight: 1");
  ExpectSameTraining(text, "c", 3);
}

TEST(KeepTest, ABackwardRangeThatCutsAGroupStopsThere) {
  const string text =
      kInput + Conv("a", "x", "a", 10) + ReLU("r", "a") + Conv("b", "a", "b", 4) +
      LayerText("Power", "loss", "b", "loss", "power_param { power: 2 } loss_weight: 1");
  NetParameter param = net_param(text, TRAIN);
  param.add_keep("b");
  FloatNet net(param);
  FillParams(&net, 5);
  fill_random(net.input_blobs()[0], 3);
  const int count = static_cast<int>(net.layers().size());
  for (const int end : {2, 1}) {  // the activation, and the convolution before it
    ASSERT_EQ(net.layer_names()[1], "a");
    net.ClearParamDiffs();
    net.Forward();
    net.BackwardFromTo(count - 1, end);
    EXPECT_EQ(net.params()[0]->asum_diff() > 0, end == 1);
  }
}

TEST(KeepTest, PlanOffReadsEverything) {
  const PlanOff off;
  const auto net = Make<float>(kResidual, "c");
  net->Forward();
  for (const auto& blob : net->blobs()) EXPECT_NO_THROW(blob->cpu_data());
}

/// Convolutions without BatchNorm: padded blocks, a stride, groups, Winograd's shape, a
/// deconvolution, and one whose scale is folded.
const char kGroups[] = "kernel_size: 3 pad: 1 group: 2";
const char kWide[] = "kernel_size: 5 pad: 2 stride: 2";
const string kUnfolded =
    Input("x", 1, 3, 40, 36) + Conv("a", "x", "a", 32) + Conv("b", "a", "b", 33) +
    ReLU("r", "b") + Conv("c", "b", "c", 32, kWide) + Conv("d", "c", "d", 34, kGroups) +
    Conv("e", "d", "e", 64, "kernel_size: 1") +
    LayerText("Deconvolution", "f", "e", "f",
              "convolution_param { num_output: 17 kernel_size: 4 stride: 2 pad: 1 }") +
    Block("g", "f", 12, true);

/// Weights whose row-major form is not in memory.
int PackedOnly(const Net<float>& net) {
  return static_cast<int>(
      std::count_if(net.params().begin(), net.params().end(),
                    [](const auto& param) { return param->data()->held_bytes() == 0; }));
}

vector<vector<float>> ParamValues(const Net<float>& net) {
  vector<vector<float>> values;
  for (const auto& param : net.params()) {
    values.emplace_back(param->cpu_data(), param->cpu_data() + param->count());
  }
  return values;
}

class PackedWeightsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    net_->Forward();
    if (PackedOnly(*net_) == 0) GTEST_SKIP() << "no back-end packs weights here";
  }
  void ExpectSameOutput(const string& what) {
    EXPECT_LE(relative_difference(values_of(*plain_->output_blobs()[0]),
                                  values_of(*net_->output_blobs()[0])),
              kFolded)
        << what;
  }

  std::unique_ptr<FloatNet> net_ = Make<float>(kUnfolded, "g");
  std::unique_ptr<FloatNet> plain_ = MakeUnfused<float>(kUnfolded);
};

TEST_F(PackedWeightsTest, AKeepNetHoldsPackedWeightsOnlyAndGivesEveryBitBack) {
  EXPECT_GE(PackedOnly(*net_), 4);
  EXPECT_EQ(ParamValues(*net_), ParamValues(*plain_));
  EXPECT_EQ(PackedOnly(*net_), 0);
  net_->Forward();
  EXPECT_GE(PackedOnly(*net_), 4);
  NetParameter stored, wanted;
  net_->ToProto(&stored);
  plain_->ToProto(&wanted);
  for (int i = 0; i < wanted.layer_size(); ++i) {
    for (int j = 0; j < wanted.layer(i).blobs_size(); ++j) {
      EXPECT_EQ(stored.layer(i).blobs(j).SerializeAsString(),
                wanted.layer(i).blobs(j).SerializeAsString());
    }
  }
}

TEST_F(PackedWeightsTest, AnyChangeBetweenPassesCounts) {
  for (size_t changed = 0; changed < net_->params().size(); ++changed) {
    for (const auto* net : {&plain_, &net_}) {
      float* data = (*net)->params()[changed]->mutable_cpu_data();
      data[0] = data[0] * 2 + 0.5f;
      (*net)->Forward();
    }
    ExpectSameOutput("parameter " + std::to_string(changed));
  }
  for (const auto* net : {&plain_, &net_}) {
    FillParams(net->get(), 77);
    (*net)->Forward();
  }
  ExpectSameOutput("all parameters");
}

TEST_F(PackedWeightsTest, AViewKeepsItsMemoryThroughPasses) {
  for (const auto& param : net_->params()) {
    float* view = param->mutable_cpu_data();
    param->data()->AddView();
    net_->Forward();
    EXPECT_EQ(param->cpu_data(), view);
    view[0] += 0.25f;
  }
  net_->Forward();
  for (const auto& param : plain_->params()) param->mutable_cpu_data()[0] += 0.25f;
  plain_->Forward();
  ExpectSameOutput("written through views");
  for (const auto& param : net_->params()) param->data()->RemoveView();
  net_->Forward();
  EXPECT_GE(PackedOnly(*net_), 4);
  EXPECT_EQ(ParamValues(*net_), ParamValues(*plain_));
}

TEST_F(PackedWeightsTest, OtherNetsShareAndCopyThem) {
  FillParams(plain_.get(), 99);
  plain_->Forward();
  const auto values = ParamValues(*plain_);
  NetParameter stored;
  plain_->ToProto(&stored);
  net_->CopyTrainedLayersFrom(stored);
  net_->Forward();
  ExpectSameOutput("copied from a message");
  const auto sharing = Make<float>(kUnfolded, "g");
  sharing->Forward();
  sharing->ShareTrainedLayersWith(net_.get());  // packed at this time
  net_->Forward();
  sharing->Forward();
  EXPECT_EQ(values_of(*sharing->output_blobs()[0]), values_of(*net_->output_blobs()[0]));
  EXPECT_EQ(ParamValues(*sharing), values);
}

TEST_F(PackedWeightsTest, TheyOutliveTheNetThatPackedThem) {
  const auto sharing = Make<float>(kUnfolded, "g");
  sharing->ShareTrainedLayersWith(net_.get());
  EXPECT_GE(PackedOnly(*sharing), 4);
  net_.reset();
  EXPECT_EQ(ParamValues(*sharing), ParamValues(*plain_));
}

TEST_F(PackedWeightsTest, ANewShapeTakesThemOver) {
  const vector<int> shape{2, 3, 8, 12};
  const auto values = ParamValues(*plain_);
  for (const auto* net : {&plain_, &net_}) {
    (*net)->input_blobs()[0]->Reshape(shape);
    fill_random((*net)->input_blobs()[0], 3);
    (*net)->Forward();
  }
  ExpectSameOutput("another shape");
  EXPECT_EQ(ParamValues(*net_), values);
}

}  // namespace
}  // namespace caffe

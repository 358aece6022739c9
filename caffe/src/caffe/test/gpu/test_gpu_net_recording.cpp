// Nets whose passes are recorded and replayed, against nets that run layer by layer.
#include "../solver_check.hpp"
#include "caffe/device/graph.hpp"
#include "gpu_matches_cpu.hpp"

namespace caffe {

namespace {

/// y = 3 x, and it counts how often it is asked. With `power_param { shift: 1 }` it looks
/// at a number on the host, so that it cannot be recorded.
template <typename Dtype>
class TestCountedLayer : public Layer<Dtype> {
 public:
  using Layer<Dtype>::Layer;
  void Reshape(const vector<Blob<Dtype>*>& bottom,
               const vector<Blob<Dtype>*>& top) override {
    top[0]->ReshapeLike(*bottom[0]);
  }
  const char* type() const override { return "TestCounted"; }
  bool RepeatsOnDevice() const override { return true; }
  int forwards = 0, backwards = 0;

 protected:
  void Forward_cpu(const vector<Blob<Dtype>*>&, const vector<Blob<Dtype>*>&) override {
    FAIL() << "GPU mode";
  }
  void Backward_cpu(const vector<Blob<Dtype>*>&, const vector<bool>&,
                    const vector<Blob<Dtype>*>&) override {
    FAIL() << "GPU mode";
  }
  void Forward_gpu(const vector<Blob<Dtype>*>& bottom,
                   const vector<Blob<Dtype>*>& top) override {
    ++forwards;
    caffe_gpu_scale(bottom[0]->count(), Dtype(3), bottom[0]->gpu_data(),
                    top[0]->mutable_gpu_data());
    if (this->layer_param_.power_param().shift() != 0) top[0]->cpu_data();
  }
  void Backward_gpu(const vector<Blob<Dtype>*>& top, const vector<bool>& propagate_down,
                    const vector<Blob<Dtype>*>& bottom) override {
    ++backwards;
    if (!propagate_down[0]) return;
    caffe_gpu_scale(bottom[0]->count(), Dtype(3), top[0]->gpu_diff(),
                    bottom[0]->mutable_gpu_diff());
  }
};

void register_test_layers() {
  register_test_stream();
  static const bool done = [] {
    LayerRegistry<float>::AddCreator("TestCounted", [](const LayerParameter& param) {
      return shared_ptr<Layer<float>>(new TestCountedLayer<float>(param));
    });
    return true;
  }();
  (void)done;
}

string counted(const string& bottom, const string& top, const string& more = "") {
  return "layer { name: 'counted' type: 'TestCounted' bottom: '" + bottom + "' top: '" +
         top + "' " + more + " }";
}

string convolution(const string& bottom, const string& top, int outputs) {
  return "layer { name: '" + top + "' type: 'Convolution' bottom: '" + bottom +
         "' top: '" + top +
         "' convolution_param { num_output: " + std::to_string(outputs) +
         " kernel_size: 3 pad: 1 weight_filler { type: 'uniform' min: -0.4 max: 0.4 } "
         "bias_filler { type: 'uniform' min: -0.2 max: 0.2 } } }";
}

/// Folded layers, a pooled one, and a dense one.
string deploy_net() {
  return "layer { name: 'in' type: 'Input' top: 'x' input_param { shape { dim: 2 dim: 3 "
         "dim: 7 dim: 9 } } }" +
         convolution("x", "a", 8) +
         "layer { name: 'bn' type: 'BatchNorm' bottom: 'a' top: 'a' }"
         "layer { name: 'scale' type: 'Scale' bottom: 'a' top: 'a' scale_param { "
         "bias_term: true } }"
         "layer { name: 'relu' type: 'ReLU' bottom: 'a' top: 'a' }" +
         counted("a", "c") + convolution("c", "d", 4) +
         "layer { name: 'relu2' type: 'ReLU' bottom: 'd' top: 'd' relu_param { "
         "negative_slope: 0.1 } }"
         "layer { name: 'pool' type: 'Pooling' bottom: 'd' top: 'p' pooling_param { "
         "pool: "
         "MAX kernel_size: 2 stride: 2 } }"
         "layer { name: 'up' type: 'Deconvolution' bottom: 'p' top: 'u' "
         "convolution_param { num_output: 2 kernel_size: 4 stride: 2 pad: 1 "
         "weight_filler { type: 'uniform' min: -0.4 max: 0.4 } } }"
         "layer { name: 'soft' type: 'Softmax' bottom: 'u' top: 'y' }";
}

/// A regression on the test stream, two layers deep; `between` stands behind the first.
string training_net(const string& between, const string& bottom) {
  const string weights =
      " weight_filler { type: 'uniform' min: -0.6 max: 0.6 } bias_filler { type: "
      "'constant' value: 0.1 } } }";
  return "layer { name: 'data' type: 'TestStream' top: 'x' top: 't' }"
         "layer { name: 'ip1' type: 'InnerProduct' bottom: 'x' top: 'h' "
         "inner_product_param { num_output: 6" +
         weights + "layer { name: 'tanh' type: 'TanH' bottom: 'h' top: 'h' }" + between +
         counted(bottom, "c") +
         "layer { name: 'ip2' type: 'InnerProduct' bottom: 'c' top: 'y' "
         "inner_product_param { num_output: 2" +
         weights +
         "layer { name: 'loss' type: 'EuclideanLoss' bottom: 'y' bottom: 't' top: 'loss' "
         "}";
}

/// Batch statistics, gradients through a pooled blob.
string batch_net() {
  return "layer { name: 'in' type: 'Input' top: 'x' top: 't' input_param { shape { dim: "
         "4 "
         "dim: 3 dim: 6 dim: 5 } shape { dim: 4 dim: 2 } } }" +
         convolution("x", "a", 6) +
         "layer { name: 'bn' type: 'BatchNorm' bottom: 'a' top: 'a' }"
         "layer { name: 'scale' type: 'Scale' bottom: 'a' top: 'a' scale_param { "
         "bias_term: true } }"
         "layer { name: 'relu' type: 'ReLU' bottom: 'a' top: 'a' }"
         "layer { name: 'pool' type: 'Pooling' bottom: 'a' top: 'p' pooling_param { "
         "pool: "
         "MAX kernel_size: 2 stride: 2 } }" +
         counted("p", "c") +
         "layer { name: 'ip' type: 'InnerProduct' bottom: 'c' top: 'y' "
         "inner_product_param { num_output: 2 weight_filler { type: 'uniform' min: -0.1 "
         "max: 0.1 } } }"
         "layer { name: 'loss' type: 'EuclideanLoss' bottom: 'y' bottom: 't' top: 'loss' "
         "loss_weight: 0.02 }";
}

/// Two nets with the same weights: one whose whole passes may be recorded, and one that
/// is run in two stretches, which never are. `keep`: what the first keeps.
struct NetPair {
  NetPtr<float> recorded, plain;

  NetPair(const string& text, Phase phase, const string& keep = "") {
    register_test_layers();
    Caffe::set_random_seed(5);
    NetParameter param = net_param(text, phase);
    plain = std::make_unique<Net<float>>(param);
    if (!keep.empty()) param.add_keep(keep);
    recorded = std::make_unique<Net<float>>(param);
    for (size_t i = 0; i < recorded->layers().size(); ++i) {
      if (recorded->layers()[i]->type() != string("BatchNorm")) continue;
      const auto& blobs = recorded->layers()[i]->blobs();
      fill_uniform(blobs[0].get(), 41, -1, 1);
      fill_uniform(blobs[1].get(), 42, 0.5, 2);
      blobs[2]->mutable_cpu_data()[0] = 1;
    }
    NetParameter weights;
    recorded->ToProto(&weights);
    plain->CopyTrainedLayersFrom(weights);
  }

  float ForwardPlain() const {
    const int last = static_cast<int>(plain->layers().size()) - 1;
    return plain->ForwardFromTo(0, 1) + plain->ForwardFromTo(2, last);
  }
  void SetInput(unsigned int seed) const {
    for (const auto* net : {&recorded, &plain}) {
      for (Blob<float>* blob : (*net)->input_blobs()) fill_uniform(blob, seed);
    }
  }
  void ReshapeInput(const vector<int>& shape) const {
    for (const auto* net : {&recorded, &plain}) {
      (*net)->input_blobs()[0]->Reshape(shape);
      (*net)->Reshape();
    }
  }
  void Compare(const string& what) const {
    for (size_t i = 0; i < plain->output_blobs().size(); ++i) {
      expect_near(data_of(*plain->output_blobs()[i]),
                  data_of(*recorded->output_blobs()[i]), 1e-5, what + ": output");
    }
  }
  void ForwardAndCompare(unsigned int seed, const string& what) const {
    SetInput(seed);
    recorded->Forward();
    ForwardPlain();
    Compare(what + ", input " + std::to_string(seed));
  }

  TestCountedLayer<float>& count() const {
    return dynamic_cast<TestCountedLayer<float>&>(*recorded->layer_by_name("counted"));
  }
};

class GpuNetRecording : public ::testing::Test {
 protected:
  void SetUp() override { SKIP_WITHOUT_DEVICE(); }
  const GpuMode mode_;
};

}  // namespace

TEST_F(GpuNetRecording, ATestPassIsReplayedWithEachInput) {
  const NetPair nets(deploy_net(), TEST);
  for (unsigned int pass = 1; pass <= 5; ++pass) nets.ForwardAndCompare(pass, "pass");
  EXPECT_EQ(2, nets.count().forwards) << "one pass as it is, one recorded";
}

TEST_F(GpuNetRecording, AChangedParameterCountsAtOnce) {
  const NetPair nets(deploy_net(), TEST);
  for (unsigned int pass = 1; pass <= 3; ++pass) nets.ForwardAndCompare(pass, "before");
  for (const char* layer : {"a", "bn", "scale", "d", "up"}) {
    for (const auto* net : {&nets.recorded, &nets.plain}) {
      fill_uniform((*net)->layer_by_name(layer)->blobs()[0].get(), 77, 0.1, 0.4);
    }
    for (unsigned int pass = 4; pass <= 7; ++pass) nets.ForwardAndCompare(pass, layer);
  }
  EXPECT_EQ(2 * 6, nets.count().forwards) << "recorded anew after each change";
}

TEST_F(GpuNetRecording, AnotherShapeAndBackAgain) {
  const NetPair nets(deploy_net(), TEST);
  const vector<vector<int>> shapes = {
      {2, 3, 7, 9}, {1, 3, 5, 6}, {3, 3, 12, 10}, {2, 3, 7, 9}};
  for (const auto& shape : shapes) {
    nets.ReshapeInput(shape);
    for (unsigned int pass = 1; pass <= 4; ++pass) {
      nets.ForwardAndCompare(pass, std::to_string(shape[2]) + " rows");
    }
  }
  EXPECT_EQ(2 * 4, nets.count().forwards);
}

TEST_F(GpuNetRecording, AShapeThatChangesInEveryPass) {
  const NetPair nets(deploy_net(), TEST);
  for (unsigned int pass = 1; pass <= 6; ++pass) {
    nets.ReshapeInput({1, 3, pass % 2 == 0 ? 8 : 6, 8});
    nets.ForwardAndCompare(pass, "alternating");
  }
  EXPECT_EQ(6, nets.count().forwards) << "never twice the same: nothing is recorded";
}

TEST_F(GpuNetRecording, WhatLooksAtANumberOnTheHostRunsAsItIs) {
  string text = deploy_net();
  const string plain = counted("a", "c");
  text.replace(text.find(plain), plain.size(),
               counted("a", "c", "power_param { shift: 1 }"));
  const NetPair nets(text, TEST);
  for (unsigned int pass = 1; pass <= 4; ++pass) nets.ForwardAndCompare(pass, "pass");
  EXPECT_EQ(4 + 1, nets.count().forwards) << "every pass, and one attempt";
}

TEST_F(GpuNetRecording, AViewOfAnInnerBlobStopsReplayingUntilItIsGone) {
  const NetPair nets(deploy_net(), TEST);
  for (unsigned int pass = 1; pass <= 3; ++pass) nets.ForwardAndCompare(pass, "before");
  const auto inner = nets.recorded->blob_by_name("d");
  const float* view = inner->cpu_data();
  inner->data()->AddView();
  for (unsigned int pass = 4; pass <= 6; ++pass) {
    nets.ForwardAndCompare(pass, "viewed");
    const auto expected = nets.plain->blob_by_name("d");
    expect_near(data_of(*expected), vector<float>(view, view + inner->count()), 1e-5,
                "through the view");
  }
  EXPECT_EQ(2 + 3, nets.count().forwards);
  inner->data()->RemoveView();
  for (unsigned int pass = 7; pass <= 10; ++pass) nets.ForwardAndCompare(pass, "after");
  EXPECT_EQ(2 + 3 + 2, nets.count().forwards);
}

TEST_F(GpuNetRecording, ViewsOfInputAndOutputFollowEachReplay) {
  const NetPair nets(deploy_net(), TEST);
  Blob<float>* input = nets.recorded->input_blobs()[0];
  float* written = input->mutable_cpu_data();
  const Blob<float>* output = nets.recorded->output_blobs()[0];
  nets.recorded->Reshape();
  const float* read = output->cpu_data();
  input->data()->AddView();
  output->data()->AddView();
  for (unsigned int pass = 1; pass <= 5; ++pass) {
    fill_uniform(nets.plain->input_blobs()[0], pass);
    const vector<float> values = data_of(*nets.plain->input_blobs()[0]);
    std::copy(values.begin(), values.end(), written);  // nobody is told
    nets.recorded->Forward();
    nets.ForwardPlain();
    expect_near(data_of(*nets.plain->output_blobs()[0]),
                vector<float>(read, read + output->count()), 1e-5, "through the view");
  }
  input->data()->RemoveView();
  output->data()->RemoveView();
}

TEST_F(GpuNetRecording, TwoNetsAndEagerWorkBetweenDoNotDisturbEachOther) {
  const NetPair first(deploy_net(), TEST), second(deploy_net(), TEST);
  for (unsigned int pass = 1; pass <= 5; ++pass) {
    first.ForwardAndCompare(pass, "first");
    Blob<float> other(vector<int>{1, 3, 20, 20});
    caffe_gpu_set(other.count(), 1e30f, other.mutable_gpu_data());
    second.ForwardAndCompare(pass + 20, "second");
    first.Compare("first, after the second has run");
  }
}

TEST_F(GpuNetRecording, ANetThatKeepsItsOutputsAlone) {
  const NetPair nets(deploy_net(), TEST, "y");
  for (unsigned int pass = 1; pass <= 5; ++pass) nets.ForwardAndCompare(pass, "pass");
  EXPECT_EQ(2, nets.count().forwards);
  EXPECT_THROW(nets.recorded->blob_by_name("d")->cpu_data(), Error);
}

TEST_F(GpuNetRecording, ANetThatKeepsItsOutputsAloneBehindADataLayer) {
  for (const char* more : {"", "power_param { shift: 1 }"}) {  // which is not recorded
    string text = training_net("", "h");
    text.replace(text.find(counted("h", "c")), counted("h", "c").size(),
                 counted("h", "c", more));
    const NetPair nets(text, TEST, "y");
    for (int pass = 1; pass <= 5; ++pass) {
      nets.recorded->Forward();
      nets.ForwardPlain();
      nets.Compare("pass " + std::to_string(pass));
      EXPECT_THROW(nets.recorded->blob_by_name("x")->cpu_data(), Error) << pass;
    }
    EXPECT_EQ(*more == 0 ? 2 : 5 + 1, nets.count().forwards);
  }
}

namespace {

/// `passes` passes an update, `updates` updates; all parameters must stay equal.
void train_and_compare(const NetPair& nets, int updates, int passes = 1) {
  for (int update = 0; update < updates; ++update) {
    for (const auto* net : {&nets.recorded, &nets.plain}) (*net)->ClearParamDiffs();
    for (int pass = 0; pass < passes; ++pass) {
      Caffe::set_random_seed(100 + update * passes + pass);
      const float found = nets.recorded->ForwardBackward();
      Caffe::set_random_seed(100 + update * passes + pass);
      const float expected = nets.ForwardPlain();
      nets.plain->Backward();
      EXPECT_NEAR(expected, found, 1e-5 * std::max(1.f, expected)) << update;
    }
    const auto& plain = nets.plain->learnable_params();
    const auto& recorded = nets.recorded->learnable_params();
    for (size_t i = 0; i < plain.size(); ++i) {
      const string what =
          "update " + std::to_string(update) + ", parameter " + std::to_string(i);
      expect_near(diff_of(*plain[i]), diff_of(*recorded[i]), 1e-5, what + ", gradient");
      plain[i]->scale_diff(0.05f);
      recorded[i]->scale_diff(0.05f);
    }
    for (const auto* net : {&nets.recorded, &nets.plain}) (*net)->Update();
    for (size_t i = 0; i < plain.size(); ++i) {
      expect_near(data_of(*plain[i]), data_of(*recorded[i]), 1e-5,
                  "parameter " + std::to_string(i));
    }
  }
}

}  // namespace

TEST_F(GpuNetRecording, TrainingIterationsAreReplayedBehindADataLayer) {
  const NetPair nets(training_net("", "h"), TRAIN);
  train_and_compare(nets, 6);
  EXPECT_EQ(2, nets.count().forwards);
  EXPECT_EQ(2, nets.count().backwards);
}

TEST_F(GpuNetRecording, GradientsOfSeveralPassesAddUp) {
  const NetPair nets(training_net("", "h"), TRAIN);
  train_and_compare(nets, 4, 3);
  EXPECT_EQ(2, nets.count().forwards);
}

TEST_F(GpuNetRecording, TrainingWithKeepIsReplayed) {
  const NetPair nets(training_net("", "h"), TRAIN, "loss");
  train_and_compare(nets, 6);
  EXPECT_EQ(2, nets.count().forwards);
  EXPECT_EQ(2, nets.count().backwards);
}

TEST_F(GpuNetRecording, BatchStatisticsReachTheHostAfterEachReplay) {
  const NetPair nets(batch_net(), TRAIN);
  for (unsigned int update = 0; update < 6; ++update) {
    nets.SetInput(update + 1);
    train_and_compare(nets, 1);
    for (int i = 0; i < 3; ++i) {
      expect_near(
          data_of(*nets.plain->layer_by_name("bn")->blobs()[i]),
          data_of(*nets.recorded->layer_by_name("bn")->blobs()[i]), 1e-5,
          "statistics " + std::to_string(i) + " after update " + std::to_string(update));
    }
  }
  EXPECT_EQ(2, nets.count().forwards);
}

TEST_F(GpuNetRecording, AGradientThatTheHostHasChangedIsAddedTo) {
  const NetPair nets(training_net("", "h"), TRAIN);
  train_and_compare(nets, 3);
  for (const auto* net : {&nets.recorded, &nets.plain}) {
    for (Blob<float>* param : (*net)->learnable_params()) {
      std::fill_n(param->mutable_cpu_diff(), param->count(), 2.f);
    }
  }
  nets.recorded->ForwardBackward();
  nets.ForwardPlain();
  nets.plain->Backward();
  EXPECT_EQ(2, nets.count().forwards);
  for (size_t i = 0; i < nets.plain->learnable_params().size(); ++i) {
    expect_near(diff_of(*nets.plain->learnable_params()[i]),
                diff_of(*nets.recorded->learnable_params()[i]), 1e-5, "gradient");
  }
}

TEST_F(GpuNetRecording, DropoutDrawsAnewInFrontOfWhatIsReplayed) {
  const NetPair nets(
      training_net("layer { name: 'drop' type: 'Dropout' bottom: 'h' top: 'k' }", "k"),
      TRAIN);
  train_and_compare(nets, 6);
  EXPECT_EQ(2, nets.count().forwards);
  EXPECT_EQ(2, nets.count().backwards);
}

TEST_F(GpuNetRecording, WhatStandsInFrontOfDropoutLearnsAsWell) {
  const NetPair nets(
      training_net("", "h") +
          "layer { name: 'drop' type: 'Dropout' bottom: 'c' top: 'k' }"
          "layer { name: 'sum' type: 'Reduction' bottom: 'k' top: 's' loss_weight: 0.01 "
          "}",
      TRAIN);
  train_and_compare(nets, 5);
}

TEST_F(GpuNetRecording, TrainingSeesParametersThatSomebodyElseWrites) {
  const NetPair nets(training_net("", "h"), TRAIN);
  train_and_compare(nets, 4);
  for (const auto* net : {&nets.recorded, &nets.plain}) {
    fill_uniform((*net)->layer_by_name("ip2")->blobs()[0].get(), 9, -0.3, 0.3);
  }
  train_and_compare(nets, 4);
}

TEST_F(GpuNetRecording, ATestNetFollowsTheTrainingThatSharesItsWeights) {
  const NetPair training(training_net("", "h"), TRAIN), test(training_net("", "h"), TEST);
  test.recorded->ShareTrainedLayersWith(training.recorded.get());
  test.plain->ShareTrainedLayersWith(training.plain.get());
  for (int round = 0; round < 4; ++round) {
    train_and_compare(training, 2);
    for (int pass = 0; pass < 3; ++pass) {
      float loss = 0;
      test.recorded->Forward(&loss);
      EXPECT_NEAR(test.ForwardPlain(), loss, 1e-5) << round;
      test.Compare("test net");
    }
  }
}

TEST_F(GpuNetRecording, AFailedPassLeavesTheNetUsable) {
  const NetPair nets(deploy_net(), TEST);
  for (unsigned int pass = 1; pass <= 3; ++pass) nets.ForwardAndCompare(pass, "before");
  nets.recorded->input_blobs()[0]->Reshape(vector<int>{1, 4, 7, 9});
  EXPECT_THROW(nets.recorded->Forward(), Error);
  nets.ReshapeInput({2, 3, 7, 9});
  for (unsigned int pass = 4; pass <= 7; ++pass) nets.ForwardAndCompare(pass, "after");
}

}  // namespace caffe

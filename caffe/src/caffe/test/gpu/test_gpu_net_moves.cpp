// Recorded nets whose memory, forms, thread or fusion change between passes.
#include <cstdlib>
#include <thread>

#include "caffe/device/channels_last.hpp"
#include "caffe/device/scratch.hpp"
#include "recorded_nets.hpp"

namespace caffe {

namespace {

/// An environment variable while it lives.
class Environment {
 public:
  Environment(const char* name, const char* value) : name_(name) {
    setenv(name, value, 1);
  }
  ~Environment() { unsetenv(name_); }

 private:
  const char* name_;
};

/// Another memory of the same size: the blob grows and shrinks again.
void move_memory(Blob<float>* blob, int pass) {
  const vector<int> shape = blob->shape();
  vector<int> larger = shape;
  larger[0] += pass;
  blob->Reshape(larger);
  blob->Reshape(shape);
}

/// y = x, from the third pass on with more buffers, which stay. What it does is not
/// recorded.
class TestHoardingLayer : public Layer<float> {
 public:
  using Layer<float>::Layer;
  void Reshape(const vector<Blob<float>*>& bottom,
               const vector<Blob<float>*>& top) override {
    top[0]->ReshapeLike(*bottom[0]);
  }

 protected:
  void Forward_cpu(const vector<Blob<float>*>&, const vector<Blob<float>*>&) override {}
  void Backward_cpu(const vector<Blob<float>*>&, const vector<bool>&,
                    const vector<Blob<float>*>&) override {}
  void Forward_gpu(const vector<Blob<float>*>& bottom,
                   const vector<Blob<float>*>& top) override {
    for (int i = 0; i < 8 && passes_ > 1; ++i) {
      hoard_.push_back(std::make_unique<device::Scratch>(1 << i << 8));
    }
    top[0]->CopyFrom(*bottom[0]);
    ++passes_;
  }

 private:
  int passes_ = 0;
  vector<std::unique_ptr<device::Scratch>> hoard_;
};

/// The top is the parameter (1, 2, 2, 2) channels-last, plus 0 x; after the first pass
/// it asks for the parameter in that order, and then looks at the top on the host.
class TestOrderedLayer : public Layer<float> {
 public:
  using Layer<float>::Layer;
  void LayerSetUp(const vector<Blob<float>*>&, const vector<Blob<float>*>&) override {
    this->blobs_.push_back(std::make_shared<Blob<float>>(vector<int>{1, 2, 2, 2}));
    fill_uniform(this->blobs_[0].get(), 8);
  }
  void Reshape(const vector<Blob<float>*>&, const vector<Blob<float>*>& top) override {
    top[0]->Reshape({8});
  }
  bool RepeatsOnDevice() const override { return true; }

 protected:
  void Forward_cpu(const vector<Blob<float>*>&, const vector<Blob<float>*>&) override {}
  void Backward_cpu(const vector<Blob<float>*>&, const vector<bool>&,
                    const vector<Blob<float>*>&) override {}
  void Forward_gpu(const vector<Blob<float>*>&,
                   const vector<Blob<float>*>& top) override {
    SyncedMemory* memory = this->blobs_[0]->data().get();
    const float* from = static_cast<const float*>(memory->gpu_data());
    if (++passes_ > 1) from = memory->gpu_channels_last({1, 2, 4});
    device::copy_on_device(top[0]->mutable_gpu_data(), from, 8 * sizeof(float));
    top[0]->cpu_data();
  }

 private:
  int passes_ = 0;
};

void register_moving_layers() {
  static const bool done = [] {
    LayerRegistry<float>::AddCreator("TestHoarding", [](const LayerParameter& param) {
      return shared_ptr<Layer<float>>(new TestHoardingLayer(param));
    });
    LayerRegistry<float>::AddCreator("TestOrdered", [](const LayerParameter& param) {
      return shared_ptr<Layer<float>>(new TestOrderedLayer(param));
    });
    return true;
  }();
  (void)done;
}

string dummy_net(const string& more = "") {
  return "layer { name: 'in' type: 'DummyData' top: 'x' dummy_data_param { shape { dim: "
         "2 "
         "dim: 3 dim: 7 dim: 9 } data_filler { type: 'constant' value: 2 } } }" +
         counted("x", "c") + convolution("c", "d", 4) + convolution("d", "y", 2) + more;
}

int lines_with(const string& words) {
  const auto& lines = CapturedLog::lines();
  return static_cast<int>(std::count_if(
      lines.begin(), lines.end(),
      [&](const string& line) { return line.find(words) != string::npos; }));
}

}  // namespace

TEST_F(GpuNetRecording, WhatMovesInEveryPassIsRecordedNoMoreAfterAWhile) {
  const CapturedLog log;
  const NetPair nets(deploy_net(), TEST);
  for (unsigned int pass = 1; pass <= 9; ++pass) {
    move_memory(nets.recorded->input_blobs()[0], static_cast<int>(pass));
    nets.ForwardAndCompare(pass, "moving");
  }
  EXPECT_EQ(1, lines_with("no recording fitted the next pass"));
  for (unsigned int pass = 10; pass <= 12; ++pass) nets.ForwardAndCompare(pass, "still");
  EXPECT_EQ(12, nets.count().forwards) << "nothing is replayed";
  EXPECT_EQ(1, lines_with("no recording fitted the next pass"));
}

TEST_F(GpuNetRecording, WhatMovesNowAndThenIsRecordedAnew) {
  const NetPair nets(deploy_net(), TEST);
  for (unsigned int pass = 1; pass <= 16; ++pass) {
    if (pass % 2 == 1) move_memory(nets.recorded->input_blobs()[0], pass);
    nets.ForwardAndCompare(pass, "moving");
  }
  EXPECT_EQ(1 + 8, nets.count().forwards) << "the first pass, and one in two";
}

TEST_F(GpuNetRecording, AnotherThreadRecordsForItself) {
  const NetPair nets(deploy_net(), TEST);
  for (unsigned int pass = 1; pass <= 3; ++pass) nets.ForwardAndCompare(pass, "first");
  EXPECT_EQ(2, nets.count().forwards);
  std::thread([&] {
    for (unsigned int pass = 4; pass <= 6; ++pass) nets.ForwardAndCompare(pass, "second");
  }).join();
  EXPECT_EQ(2 + 2, nets.count().forwards);
  for (unsigned int pass = 7; pass <= 9; ++pass) nets.ForwardAndCompare(pass, "first");
  EXPECT_EQ(2 + 2 + 2, nets.count().forwards);
}

TEST_F(GpuNetRecording, WhatALayerInFrontAllocatesIsNotWhatAReplayWrites) {
  register_moving_layers();
  string text = deploy_net();
  const string bottom = "bottom: 'x'";
  text.replace(text.find(bottom), bottom.size(), "bottom: 'h'");
  const string input = text.substr(0, text.find("layer", 5));
  text = input + "layer { name: 'h' type: 'TestHoarding' bottom: 'x' top: 'h' }" +
         text.substr(input.size());
  const NetPair nets(text, TEST);
  for (unsigned int pass = 1; pass <= 5; ++pass) nets.ForwardAndCompare(pass, "pass");
  EXPECT_EQ(2, nets.count().forwards);
}

TEST_F(GpuNetRecording, ADummyBlobThatIsWrittenIsAnInput) {
  for (const bool through_view : {false, true}) {
    const NetPair nets(dummy_net(), TEST);
    Blob<float>* blob = nets.recorded->blob_by_name("x").get();
    float* view = blob->mutable_cpu_data();
    if (through_view) blob->data()->AddView();
    for (unsigned int pass = 1; pass <= 5; ++pass) {
      fill_uniform(nets.plain->blob_by_name("x").get(), pass);
      const vector<float> values = data_of(*nets.plain->blob_by_name("x"));
      if (!through_view) view = blob->mutable_cpu_data();
      std::copy(values.begin(), values.end(), view);
      nets.recorded->Forward();
      nets.ForwardPlain();
      nets.Compare("pass " + std::to_string(pass));
    }
    EXPECT_EQ(2, nets.count().forwards);
    if (through_view) blob->data()->RemoveView();
  }
}

TEST_F(GpuNetRecording, ADummyBlobOfAKeepNetStays) {
  const NetPair nets(dummy_net(), TEST, "y");
  for (unsigned int pass = 1; pass <= 4; ++pass) nets.ForwardAndCompare(pass, "pass");
  EXPECT_EQ(2, nets.count().forwards);
}

TEST_F(GpuNetRecording, BackwardOfATestNetSeesTheBlobsOfEachForward) {
  const string loss =
      "layer { name: 'sum' type: 'Reduction' bottom: 'y' top: 's' loss_weight: 0.01 "
      "reduction_param { operation: SUMSQ } }";
  const NetPair nets(deploy_net() + loss, TEST);
  for (unsigned int pass = 1; pass <= 8; ++pass) {
    nets.ForwardAndCompare(pass, "pass");
    if (pass < 3) continue;  // replayed, and fused, by now
    for (const auto* net : {&nets.recorded, &nets.plain}) {
      (*net)->ClearParamDiffs();
      (*net)->Backward();
    }
    for (size_t i = 0; i < nets.plain->learnable_params().size(); ++i) {
      expect_near(diff_of(*nets.plain->learnable_params()[i]),
                  diff_of(*nets.recorded->learnable_params()[i]), 1e-5,
                  "pass " + std::to_string(pass) + ", gradient " + std::to_string(i));
    }
  }
}

TEST_F(GpuNetRecording, AFailedRecordingLeavesParametersInTheirForms) {
  register_moving_layers();
  const NetPair nets(
      "layer { name: 'in' type: 'Input' top: 'x' input_param { shape { dim: "
      "1 dim: 3 } } }" +
          counted("x", "c") +
          "layer { name: 'o' type: 'TestOrdered' bottom: 'c' top: 'y' }",
      TEST);
  const vector<float> weights = data_of(*nets.recorded->params()[0]);
  for (int pass = 1; pass <= 3; ++pass) {
    nets.SetInput(pass);
    nets.recorded->Forward();
    for (int c = 0; c < 2 && pass > 1; ++c) {
      for (int s = 0; s < 4; ++s) {
        EXPECT_EQ(weights[c * 4 + s],
                  nets.recorded->output_blobs()[0]->cpu_data()[s * 2 + c])
            << "pass " << pass;
      }
    }
  }
}

TEST_F(GpuNetRecording, AViewOfAnOutputThatIsWrittenInPlaceChannelsLast) {
  const Environment layout("CAFFE_LAYOUT", "channels-last");
  string text = deploy_net();
  text = text.substr(0, text.find("layer { name: 'relu2'")) +
         "layer { name: 'tanh' type: 'TanH' bottom: 'd' top: 'd' }";
  const NetPair nets(text, TEST);
  const Blob<float>* output = nets.recorded->output_blobs()[0];
  for (unsigned int pass = 1; pass <= 5; ++pass) {
    nets.ForwardAndCompare(pass, "pass");
    output->cpu_data();
    if (pass == 1) output->data()->AddView();
  }
  output->data()->RemoveView();
  EXPECT_EQ(2, nets.count().forwards);
}

TEST_F(GpuNetRecording, AViewOfAnInnerGradientFollowsEachReplay) {
  const NetPair nets(training_net("", "h"), TRAIN);
  train_and_compare(nets, 1);
  const auto inner = nets.recorded->blob_by_name("c");
  const float* view = inner->cpu_diff();
  inner->diff()->AddView();
  for (int update = 0; update < 4; ++update) {
    train_and_compare(nets, 1);
    expect_near(diff_of(*nets.plain->blob_by_name("c")),
                vector<float>(view, view + inner->count()), 1e-5, "through the view");
  }
  EXPECT_EQ(2, nets.count().backwards);
  inner->diff()->RemoveView();
}

TEST_F(GpuNetRecording, TrainingDoesNotReplayAnOldFormOfItsWeights) {
  const Environment layout("CAFFE_LAYOUT", "channels-last");
  const NetPair nets(recorded_batch_net(), TRAIN);
  const auto& weights = nets.recorded->layer_by_name("a")->blobs()[0];
  for (unsigned int update = 0; update < 5; ++update) {
    nets.SetInput(update + 1);
    // As a TEST net that shares them may leave them, before the pass that is recorded.
    if (update == 1)
      weights->data()->gpu_channels_last(device::channels_last_order(*weights));
    train_and_compare(nets, 1);
  }
}

}  // namespace caffe

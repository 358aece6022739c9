// Nets whose passes are recorded and replayed, against nets that run layer by layer.
#include "recorded_nets.hpp"

namespace caffe {

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
  const NetPair nets(recorded_batch_net(), TRAIN);
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

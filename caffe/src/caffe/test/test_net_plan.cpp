// The plan: fused nets equal unfused ones in every blob that can be named.
#include "plan_check.hpp"

namespace caffe {

using namespace plan_check;  // NOLINT: test helpers

namespace {

struct Case {
  const char* name;
  string text;
  int least_groups;
};

vector<Case> Cases() {
  return {
      {"chain", kInput + Block("a", "x", 10, true) + Block("b", "a", 17, true), 2},
      {"relu only", kInput + Conv("a", "x", "a", 16) + ReLU("r", "a"), 1},
      {"batch norm only", kInput + Conv("a", "x", "a", 5) + BatchNorm("n", "a"), 1},
      {"leaky",
       kInput + Conv("a", "x", "a", 7) +
           LayerText("ReLU", "r", "a", "a", "relu_param { negative_slope: 0.1 }"),
       1},
      {"clip",
       kInput + Block("a", "x", 12, false) +
           LayerText("Clip", "k", "a", "a", "clip_param { min: 0 max: 0.5 }"),
       1},
      {"scale after relu",
       kInput + Conv("a", "x", "a", 9) + ReLU("r", "a") + Scale("s", "a"), 1},
      {"no bias",
       kInput + Conv("a", "x", "a", 6, "kernel_size: 3 bias_term: false") +
           BatchNorm("n", "a") + Scale("s", "a") + ReLU("r", "a"),
       1},
      {"depthwise",
       Input("x", 1, 12, 8, 5) +
           Block("a", "x", 12, true, "kernel_size: 3 pad: 1 group: 12") +
           Block("b", "a", 20, true, "kernel_size: 3 stride: 2 dilation: 2 pad: 2"),
       2},
      {"not in place",
       kInput + Conv("a", "x", "a", 8) + LayerText("ReLU", "r", "a", "b") +
           Conv("c", "b", "c", 8) + ReLU("rc", "c"),
       1},
      {"two readers",
       kInput + Block("a", "x", 10, true) + Conv("b", "a", "b", 4) + ReLU("rb", "b") +
           Conv("c", "a", "c", 4) +
           "layer { name: 'cat' type: 'Concat' bottom: 'b' bottom: 'c' top: 'd' }",
       2},
      {"input normalised in place",
       kInput + BatchNorm("n", "x") + Scale("s", "x") + Block("a", "x", 10, true), 1},
      {"deconvolution",
       kInput + Block("a", "x", 10, true) +
           LayerText("Deconvolution", "up", "a", "up",
                     "convolution_param { num_output: 6 kernel_size: 4 stride: 2"
                     " pad: 1 }") +
           ReLU("ru", "up") + Conv("c", "up", "c", 3),
       1},
      {"other layers behind",
       kInput + Block("a", "x", 10, true) + LayerText("Dropout", "drop", "a", "a") +
           LayerText("Power", "pow", "a", "a", "power_param { scale: 2 }") +
           LayerText("Pooling", "pool", "a", "pool",
                     "pooling_param { kernel_size: 2 stride: 2 }"),
       1},
      {"residual", kResidual, 5},
  };
}

template <typename Dtype>
void ExpectSameBlobs(const Net<Dtype>& expected, const Net<Dtype>& found,
                     const string& what, double tolerance) {
  ASSERT_EQ(expected.blob_names(), found.blob_names());
  for (size_t i = 0; i < expected.blobs().size(); ++i) {
    EXPECT_EQ(expected.blobs()[i]->shape(), found.blobs()[i]->shape());
    EXPECT_LE(relative_difference(values_of(*expected.blobs()[i]),
                                  values_of(*found.blobs()[i])),
              tolerance)
        << what << ", blob " << expected.blob_names()[i];
  }
}

template <typename Dtype>
class NetPlanTest : public ::testing::Test {};
TYPED_TEST_SUITE(NetPlanTest, TestDtypes);

TYPED_TEST(NetPlanTest, EveryNamedBlobHasTheValueOfTheUnfusedNet) {
  for (const Case& item : Cases()) {
    const auto plain = MakeUnfused<TypeParam>(item.text);
    const auto fused = Make<TypeParam>(item.text);
    EXPECT_EQ(plain->num_groups(), 0) << item.name;
    EXPECT_GE(fused->num_groups(), item.least_groups) << item.name;
    plain->Forward();
    fused->Forward();
    ExpectSameBlobs<TypeParam>(*plain, *fused, item.name, kFolded);
  }
}

TYPED_TEST(NetPlanTest, KeptBlobsAndOutputsAreThoseOfTheUnfusedNet) {
  for (const Case& item : Cases()) {
    const auto plain = MakeUnfused<TypeParam>(item.text);
    plain->Forward();
    for (const string& name : plain->blob_names()) {  // each blob kept once
      const auto keeping = Make<TypeParam>(item.text, name);
      for (int pass = 0; pass < 2; ++pass) {
        fill_random(keeping->input_blobs()[0], 3);
        keeping->Forward();
        EXPECT_LE(relative_difference(values_of(*plain->blob_by_name(name)),
                                      values_of(*keeping->blob_by_name(name))),
                  kFolded)
            << item.name << ", kept " << name << ", pass " << pass;
        for (int i = 0; i < plain->num_outputs(); ++i) {
          EXPECT_LE(relative_difference(values_of(*plain->output_blobs()[i]),
                                        values_of(*keeping->output_blobs()[i])),
                    kFolded)
              << item.name << ", kept " << name << ", output " << i;
        }
      }
    }
  }
}

TYPED_TEST(NetPlanTest, ARangeThatCutsAGroupRunsItLayerByLayer) {
  const auto plain = MakeUnfused<TypeParam>(kResidual);
  const int count = static_cast<int>(plain->layers().size());
  for (int cut = 0; cut < count; ++cut) {
    const auto fused = Make<TypeParam>(kResidual);
    fused->ForwardTo(cut);
    plain->ForwardTo(cut);
    for (const int id : plain->top_ids(cut)) {
      EXPECT_LE(relative_difference(values_of(*plain->blobs()[id]),
                                    values_of(*fused->blobs()[id])),
                kFolded)
          << "forward to " << plain->layer_names()[cut];
    }
    if (cut + 1 == count) continue;
    fused->ForwardFrom(cut + 1);
    plain->ForwardFrom(cut + 1);
    ExpectSameBlobs<TypeParam>(*plain, *fused, "cut behind " + plain->layer_names()[cut],
                               kFolded);
  }
}

TYPED_TEST(NetPlanTest, ChangedParametersCountInTheNextPass) {
  const auto plain = MakeUnfused<TypeParam>(kResidual);
  const auto fused = Make<TypeParam>(kResidual);
  fused->Forward();
  for (size_t changed = 0; changed < fused->params().size(); ++changed) {
    for (const auto* net : {&plain, &fused}) {
      TypeParam* data = (*net)->params()[changed]->mutable_cpu_data();
      data[0] = data[0] * 2 + TypeParam(0.5);
      fill_random((*net)->input_blobs()[0], 3);
      (*net)->Forward();
    }
    ExpectSameBlobs<TypeParam>(*plain, *fused, "param " + std::to_string(changed),
                               kFolded);
  }
}

TYPED_TEST(NetPlanTest, WritesThroughALivingViewCount) {
  const auto plain = MakeUnfused<TypeParam>(kResidual);
  const auto fused = Make<TypeParam>(kResidual);
  fused->Forward();
  for (const auto& param : fused->params()) {  // what NumPy views do
    TypeParam* view = param->mutable_cpu_data();
    param->data()->AddView();
    fused->Forward();
    view[0] += TypeParam(0.25);
  }
  const TypeParam* output = fused->output_blobs()[0]->cpu_data();
  fused->output_blobs()[0]->data()->AddView();
  TypeParam* input = fused->input_blobs()[0]->mutable_cpu_data();
  fused->input_blobs()[0]->data()->AddView();
  input[7] = TypeParam(0.125);
  fused->Forward();
  for (const auto& param : plain->params())
    param->mutable_cpu_data()[0] += TypeParam(0.25);
  plain->input_blobs()[0]->mutable_cpu_data()[7] = TypeParam(0.125);
  plain->Forward();
  const vector<TypeParam> seen(output, output + fused->output_blobs()[0]->count());
  EXPECT_LE(relative_difference(values_of(*plain->output_blobs()[0]), seen), kFolded);
  for (const auto& param : fused->params()) param->data()->RemoveView();
}

TYPED_TEST(NetPlanTest, NewShapesRunFusedToo) {
  const auto fused = Make<TypeParam>(kResidual);
  const auto keeping = Make<TypeParam>(kResidual, "c");
  for (const vector<int>& shape :
       vector<vector<int>>{{1, 3, 30, 17}, {3, 3, 4, 5}, {1, 3, 1, 1}, {2, 3, 30, 17}}) {
    const auto plain = MakeUnfused<TypeParam>(kResidual, shape);
    plain->Forward();
    for (const auto* net : {&fused, &keeping}) {
      (*net)->input_blobs()[0]->Reshape(shape);
      fill_random((*net)->input_blobs()[0], 3);
      (*net)->Forward();
      EXPECT_LE(relative_difference(values_of(*plain->output_blobs()[0]),
                                    values_of(*(*net)->output_blobs()[0])),
                kFolded);
    }
    EXPECT_LE(relative_difference(values_of(*plain->blob_by_name("c")),
                                  values_of(*keeping->blob_by_name("c"))),
              kFolded);
  }
}

TYPED_TEST(NetPlanTest, BackwardAfterAFusedForwardGivesTheUnfusedGradients) {
  for (const Case& item : Cases()) {
    // In place behind a ReLU the gradient is refused (test_net_in_place.cpp).
    if (string(item.name) == "scale after relu") continue;
    const auto outputs = MakeUnfused<TypeParam>(item.text);
    const string last = outputs->blob_names()[outputs->output_blob_indices()[0]];
    const string text =
        item.text + LayerText("Power", "loss", last, "loss",
                              "power_param { power: 2 } loss_weight: 0.5");
    const auto plain = MakeUnfused<TypeParam>(text);
    const auto fused = Make<TypeParam>(text);
    for (int pass = 0; pass < 2; ++pass) {
      for (const auto* net : {&plain, &fused}) {
        fill_random((*net)->input_blobs()[0], 3);
        (*net)->ClearParamDiffs();
        (*net)->ForwardBackward();
      }
      for (size_t i = 0; i < plain->params().size(); ++i) {
        EXPECT_LE(relative_difference(gradient_of(*plain->params()[i]),
                                      gradient_of(*fused->params()[i])),
                  1e-4)
            << item.name << ", param " << i << ", pass " << pass;
      }
    }
  }
}

/// Counts how often it ran: backward must not make data move on.
template <typename Dtype>
class CountingDataLayer : public Layer<Dtype> {
 public:
  using Layer<Dtype>::Layer;
  void Reshape(const vector<Blob<Dtype>*>&, const vector<Blob<Dtype>*>& top) override {
    top[0]->Reshape(1, 3, 5, 5);
  }
  const char* type() const override { return "TestCountingData"; }

 protected:
  void Forward_cpu(const vector<Blob<Dtype>*>&,
                   const vector<Blob<Dtype>*>& top) override {
    caffe_set(top[0]->count(), static_cast<Dtype>(++passes_), top[0]->mutable_cpu_data());
  }
  void Backward_cpu(const vector<Blob<Dtype>*>&, const vector<bool>&,
                    const vector<Blob<Dtype>*>&) override {}

 private:
  int passes_ = 0;
};
template <typename Dtype>
shared_ptr<Layer<Dtype>> MakeCountingData(const LayerParameter& param) {
  return std::make_shared<CountingDataLayer<Dtype>>(param);
}
REGISTER_LAYER_CREATOR(TestCountingData, MakeCountingData);

TEST(FusedBackwardTest, DataLayersDoNotMoveOn) {
  const auto net =
      Make<float>(Input("unused", 1, 1, 1, 1) +
                  "layer { name: 'data' type: 'TestCountingData' top: 'x' } " +
                  Block("a", "x", 10, true) +
                  LayerText("Power", "loss", "a", "loss", "loss_weight: 1"));
  EXPECT_EQ(net->num_groups(), 1);
  net->Forward();
  net->Backward();
  EXPECT_EQ(net->blob_by_name("x")->cpu_data()[0], 1);
}

TEST(FusionTest, WhatLooksBetweenLayersTurnsItOff) {
  class Nothing : public Net<float>::Callback {
   protected:
    void run(int) override {}
  };
  Nothing nothing;
  const auto plain = MakeUnfused<float>(kResidual);
  plain->Forward();
  const auto with_callback = Make<float>(kResidual);
  with_callback->add_after_forward(&nothing);
  const auto debugged = Make<float>(kResidual);
  debugged->set_debug_info(true);
  for (const auto* net : {&with_callback, &debugged}) {
    (*net)->Forward();
    ExpectSameBlobs<float>(*plain, **net, "bit for bit", 0);
  }
}

TEST(FusionTest, TrainNetsAndForcedBackwardHaveNoGroups) {
  EXPECT_EQ(Make<float>("force_backward: true " + kResidual)->num_groups(), 0);
  NetParameter param = net_param(kResidual, TRAIN);
  EXPECT_EQ(FloatNet(param).num_groups(), 0);
}

TEST(FusionTest, ALossOfALayerInPlaceCounts) {
  const string text = kInput + Conv("a", "x", "a", 10) +
                      LayerText("ReLU", "r", "a", "a", "loss_weight: 1");
  float plain = 0, fused = 0;
  MakeUnfused<float>(text)->Forward(&plain);
  Make<float>(text)->Forward(&fused);
  EXPECT_GT(plain, 0);
  EXPECT_NEAR(fused, plain, 1e-5 * plain);
}

TEST(FusionTest, TheSamePassTwiceIsBitEqual) {
  const auto net = Make<float>(kResidual);
  const vector<float> first = values_of(*net->Forward()[0]);
  EXPECT_EQ(values_of(*net->Forward()[0]), first);
  const auto again = Make<float>(kResidual, "c");
  const vector<float> kept = values_of(*again->Forward()[0]);
  EXPECT_EQ(values_of(*again->Forward()[0]), kept);
}

}  // namespace
}  // namespace caffe

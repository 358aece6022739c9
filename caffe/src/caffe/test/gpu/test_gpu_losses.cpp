// Losses and scores on the device against the host.
#include <cmath>

#include "../net_check.hpp"
#include "caffe/net_targets.hpp"
#include "gpu_matches_cpu.hpp"

namespace caffe {

namespace {

/// Bottom 1 becomes labels 0, 1, 2, some of them 255.
void label_bottom(int bottom, Blob<float>* blob) {
  if (bottom != 1) return;
  float* data = blob->mutable_cpu_data();
  for (int i = 0; i < blob->count(); ++i) {
    data[i] = i % 7 == 3 ? 255.f : static_cast<float>(i * 5 % 3);
  }
}

/// Bottom 1 becomes labels 0, 1, 2.
void class_bottom(int bottom, Blob<float>* blob) {
  if (bottom != 1) return;
  float* data = blob->mutable_cpu_data();
  for (int i = 0; i < blob->count(); ++i) data[i] = static_cast<float>(i * 5 % 3);
}

/// Bottom 1 becomes masks with some 255, bottom 2 weights.
void mask_bottom(int bottom, Blob<float>* blob) {
  if (bottom == 0) return;
  float* data = blob->mutable_cpu_data();
  for (int i = 0; i < blob->count(); ++i) {
    if (bottom == 1) data[i] = i % 5 == 1 ? 255.f : static_cast<float>(i % 3 == 0);
    if (bottom == 2) data[i] = std::fabs(data[i]);
  }
}

/// Bottom 1 becomes soft masks, bottom 2 weights.
void soft_mask_bottom(int bottom, Blob<float>* blob) {
  if (bottom == 0) return;
  float* data = blob->mutable_cpu_data();
  for (int i = 0; i < blob->count(); ++i) data[i] = std::fabs(data[i]) / 2;
}

/// Some entries of the last bottom become NaN.
void unknown_truth(int bottom, Blob<float>* blob) {
  if (bottom != 1) return;
  float* data = blob->mutable_cpu_data();
  for (int i = 0; i < blob->count(); i += 4) data[i] = NAN;
}

/// Equal values, so that ties matter; labels where bottom 1 is.
void ties(int bottom, Blob<float>* blob) {
  float* data = blob->mutable_cpu_data();
  for (int i = 0; i < blob->count(); ++i) {
    data[i] = static_cast<float>(bottom == 0 ? i * 7 % 5 : i % 3);
  }
}

const char* const kNormalizations[] = {"FULL", "VALID", "BATCH_SIZE", "NONE"};

}  // namespace

TEST(GpuLosses, SoftmaxWithLossUnderEveryNormalization) {
  for (const string mode : kNormalizations) {
    GpuCheck check{
        "type: 'SoftmaxWithLoss' loss_param { ignore_label: 255 "
        "normalization: " +
            mode + " }",
        {{3, 3, 5, 7}, {3, 1, 5, 7}}};
    check.propagate_down = {true, false};
    check.prepare = label_bottom;
    check.Run();
    check.tops = 2;
    check.bottom_shapes = {{2, 3, 5, 1}, {2, 5, 1}, {2, 5, 1}};
    check.propagate_down = {true, false, false};
    check.Run();
    check.bottom_shapes = {{2, 3, 5, 1}, {2, 5, 1}, {2}};
    check.Run();
  }
}

TEST(GpuLosses, SoftmaxWithLossOfManyClasses) {
  GpuCheck check{"type: 'SoftmaxWithLoss'", {{3, 131}, {3}}};
  check.propagate_down = {true, false};
  check.prepare = class_bottom;
  check.Run();
}

TEST(GpuLosses, SoftmaxWithLossWithNothingThatCounts) {
  GpuCheck check{"type: 'SoftmaxWithLoss' loss_param { ignore_label: 255 }",
                 {{1, 3, 2, 2}, {1, 1, 2, 2}}};
  check.propagate_down = {true, false};
  check.prepare = [](int bottom, Blob<float>* blob) {
    if (bottom == 1) std::fill_n(blob->mutable_cpu_data(), blob->count(), 255.f);
  };
  check.Run();
}

TEST(GpuLosses, ALabelThatIsNoClassMakesTheLossNaN) {
  SKIP_WITHOUT_DEVICE();
  for (const float label : {3.f, -1.f, NAN}) {
    LayerUnderTest<float> test("type: 'SoftmaxWithLoss'", {{1, 3}, {1}});
    test.bottom[1]->mutable_cpu_data()[0] = label;
    test.SetUp();
    const GpuMode mode;
    EXPECT_TRUE(std::isnan(test.Forward())) << label;
  }
}

TEST(GpuLosses, ANetNamesALabelThatIsNoClass) {
  SKIP_WITHOUT_DEVICE();
  const GpuMode mode;
  for (const Phase phase : {TRAIN, TEST}) {
    const NetPtr<float> net =
        make_net<float>("force_backward: true " + Input("x", "2 3") + Input("l", "2") +
                            "layer { name: 'loss' type: 'SoftmaxWithLoss' bottom: 'x' "
                            "bottom: 'l' top: 'y' }",
                        phase);
    const auto set_label = [&](float label) {
      net->blob_by_name("l")->mutable_cpu_data()[1] = label;
    };
    for (int pass = 0; pass < 5; ++pass) {  // the later ones recorded
      set_label(2);
      EXPECT_TRUE(std::isfinite(net->ForwardBackward()));
    }
    set_label(3);
    const string error = FullErrorOf([&] { net->ForwardBackward(); });
    EXPECT_NE(string::npos, error.find("'loss'")) << error;
    EXPECT_NE(string::npos, error.find("label 3 at position 1")) << error;
    EXPECT_EQ(error, FullErrorOf([&] { net->Forward(); }));
    set_label(0);
    EXPECT_TRUE(std::isfinite(net->ForwardBackward()));
  }
}

TEST(GpuLosses, SigmoidCrossEntropyUnderEveryNormalization) {
  for (const string mode : kNormalizations) {
    GpuCheck check{
        "type: 'SigmoidCrossEntropyLoss' loss_param { ignore_label: 255 "
        "normalization: " +
            mode + " }",
        {{3, 1, 5, 7}, {3, 1, 5, 7}}};
    check.propagate_down = {true, false};
    check.prepare = mask_bottom;
    check.high = 30;
    check.low = -30;
    check.Run();
    check.bottom_shapes.push_back({3, 1, 5, 7});
    check.propagate_down = {true, false, false};
    check.Run();
    check.bottom_shapes[2] = {3};
    check.Run();
  }
}

TEST(GpuLosses, EuclideanLossTowardsEitherBottom) {
  for (const vector<bool>& down :
       {vector<bool>{true, true}, {true, false}, {false, true}}) {
    GpuCheck check{"type: 'EuclideanLoss'", {{3, 2, 5, 7}, {3, 2, 5, 7}}};
    check.propagate_down = down;
    check.Run();
  }
  GpuCheck{"type: 'EuclideanLoss'", {{1, 5000}, {1, 5000}}}.Run();
}

TEST(GpuLosses, SoftIoULoss) {
  GpuCheck check{"type: 'SoftIoULoss'", {{3, 1, 5, 7}, {3, 1, 5, 7}}};
  check.propagate_down = {true, false};
  check.prepare = soft_mask_bottom;
  check.Run();
  check.bottom_shapes.push_back({3, 1, 5, 7});
  check.propagate_down = {true, false, false};
  check.Run();
  check.text += " soft_iou_loss_param { smooth: 3 }";
  check.bottom_shapes[2] = {3};
  check.Run();
}

TEST(GpuLosses, L1LossInEveryMode) {
  const char* const modes[] = {
      "",
      "plateau: 0.7",
      "normalize_by_num_entries: true",
      "l2_per_location: true",
      "l2_per_location: true l2_prescale_by_channels: true",
      "l2_per_location: true normalize_by_num_entries: true",
      "l2_per_location: true plateau: 1.1 epsilon: 0.01 power: 0.4",
  };
  for (const string mode : modes) {
    const string text = "type: 'L1Loss' l1_loss_param { " + mode + " }";
    for (const vector<bool>& down :
         {vector<bool>{true, true}, {true, false}, {false, true}}) {
      GpuCheck check{text, {{2, 2, 5, 7}, {2, 2, 5, 7}}};
      check.propagate_down = down;
      check.prepare = unknown_truth;
      check.Run();
    }
    GpuCheck{text, {{3, 3, 1, 7}}}.Run();
  }
}

TEST(GpuLosses, L1LossWithoutKnownTruth) {
  GpuCheck check{
      "type: 'L1Loss' l1_loss_param { l2_per_location: true "
      "normalize_by_num_entries: true }",
      {{1, 2, 3, 3}, {1, 2, 3, 3}}};
  check.prepare = [](int bottom, Blob<float>* blob) {
    if (bottom == 1) std::fill_n(blob->mutable_cpu_data(), blob->count(), NAN);
  };
  check.Run();
}

TEST(GpuScores, Accuracy) {
  GpuCheck check{"type: 'Accuracy' accuracy_param { ignore_label: 255 }",
                 {{3, 3, 5, 7}, {3, 1, 5, 7}},
                 2};
  check.backward = false;
  check.prepare = label_bottom;
  check.Run();
  check.tops = 1;
  check.bottom_shapes = {{5, 3}, {5}};
  check.Run();
  check.text = "type: 'Accuracy' accuracy_param { top_k: 2 }";
  check.prepare = ties;
  check.bottom_shapes = {{4, 5}, {4}};
  check.tops = 2;
  check.Run();
  check.text = "type: 'Accuracy' accuracy_param { top_k: 2 axis: 2 }";
  check.bottom_shapes = {{2, 3, 5, 2}, {2, 3, 2}};
  check.Run();
}

TEST(GpuScores, ALabelThatIsNoClassMakesTheAccuracyNaN) {
  SKIP_WITHOUT_DEVICE();
  LayerUnderTest<float> test("type: 'Accuracy'", {{2, 3}, {2}});
  test.bottom[1]->mutable_cpu_data()[0] = 1;
  test.bottom[1]->mutable_cpu_data()[1] = 3;
  test.SetUp();
  const GpuMode mode;
  test.Forward();
  EXPECT_TRUE(std::isnan(test.top[0]->cpu_data()[0]));
}

TEST(GpuScores, WhoReadsANaNAccuracyIsToldTheLabel) {
  SKIP_WITHOUT_DEVICE();
  const GpuMode mode;
  const NetPtr<float> net = make_net<float>(
      Input("x", "2 3") + Input("l", "2") +
          "layer { name: 'score' type: 'Accuracy' bottom: 'x' bottom: 'l' "
          "top: 'y' accuracy_param { ignore_label: 255 } }",
      TEST);
  const auto error_with = [&](float label) {
    net->blob_by_name("l")->mutable_cpu_data()[0] = 255;
    net->blob_by_name("l")->mutable_cpu_data()[1] = label;
    return FullErrorOf([&] { check_results(*net, net->Forward()); });
  };
  for (int pass = 0; pass < 5; ++pass) {  // the later ones recorded
    EXPECT_EQ(error_with(2), "");
    EXPECT_TRUE(has_words(error_with(3),
                          {"label 3 at position 1 is not a class of 0 to 2",
                           "layer 'score' (Accuracy), bottom 'x' 2 3", ", 'l' 2 "}));
    EXPECT_TRUE(has_words(error_with(NAN), {"nan at position 1"}));
  }
  // A score of NaN is not the label's fault: wrong, not an error.
  net->blob_by_name("x")->mutable_cpu_data()[3] = NAN;
  EXPECT_EQ(error_with(0), "");
}

TEST(GpuScores, ArgMax) {
  for (const string param : {"", "top_k: 3", "top_k: 3 out_max_val: true", "axis: 1",
                             "axis: 1 top_k: 2", "axis: -1 top_k: 2 out_max_val: true"}) {
    GpuCheck check{"type: 'ArgMax' argmax_param { " + param + " }", {{3, 4, 3, 5}}};
    check.backward = false;
    check.Run();
    check.prepare = ties;
    check.Run();
    check.bottom_shapes = {{2, 601, 1, 2}};  // long rows are shared out
    check.Run();
  }
}

TEST(GpuScores, ArgMaxPutsNaNLast) {
  GpuCheck check{"type: 'ArgMax' argmax_param { top_k: 4 }", {{2, 6}}};
  check.backward = false;
  check.prepare = [](int, Blob<float>* blob) {
    for (int i = 0; i < blob->count(); i += 4) blob->mutable_cpu_data()[i] = NAN;
  };
  check.Run();
}

}  // namespace caffe

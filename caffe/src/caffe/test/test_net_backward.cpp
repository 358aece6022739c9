// Parameters, sharing, and which layers run backward (facts/engine.md 2.5, 2.6).
#include "net_check.hpp"

namespace caffe {
namespace {

string InnerProduct(const string& name, const string& bottom, const string& top,
                    int outputs, const string& more = "", double weight = 0.5) {
  return "layer { name: '" + name + "' type: 'InnerProduct' bottom: '" + bottom +
         "' top: '" + top +
         "' inner_product_param { num_output: " + std::to_string(outputs) +
         " bias_term: false weight_filler { type: 'constant' value: " +
         std::to_string(weight) + " } } " + more + " } ";
}

string Loss(const string& bottom, const string& target, const string& more = "") {
  return "layer { name: 'loss_" + bottom + "' type: 'EuclideanLoss' bottom: '" + bottom +
         "' bottom: '" + target + "' " + more + " } ";
}

const string kData = Input("x", "2 3") + Input("t", "2 4");

template <typename Dtype>
vector<string> NeedingBackward(const Net<Dtype>& net) {
  vector<string> names;
  for (size_t i = 0; i < net.layers().size(); ++i) {
    if (net.layer_need_backward()[i]) names.push_back(net.layer_names()[i]);
  }
  return names;
}

template <typename Dtype>
vector<bool> BottomNeeds(const Net<Dtype>& net, const string& layer) {
  for (size_t i = 0; i < net.layers().size(); ++i) {
    if (net.layer_names()[i] == layer) return net.bottom_need_backward()[i];
  }
  return {};
}

// --- who runs backward

TEST(NeedBackwardTest, LayersUpToTheFirstLearnedOneAndNotTheData) {
  const auto net = make_net<float>(kData + InnerProduct("a", "x", "h", 5) +
                                   InnerProduct("b", "h", "y", 4) + Loss("y", "t"));
  EXPECT_EQ(NeedingBackward(*net), (vector<string>{"a", "b", "loss_y"}));
  EXPECT_EQ(BottomNeeds(*net, "a"), (vector<bool>{false}));
  EXPECT_EQ(BottomNeeds(*net, "b"), (vector<bool>{true}));
  EXPECT_EQ(BottomNeeds(*net, "loss_y"), (vector<bool>{true, false}));
}

TEST(NeedBackwardTest, ANetWithoutALossNeedsNone) {
  const auto net = make_net<float>(kData + InnerProduct("a", "x", "h", 5));
  EXPECT_EQ(NeedingBackward(*net), vector<string>());
}

TEST(NeedBackwardTest, FrozenLayersBelowTheLearnedOnesAreSkipped) {
  const auto net =
      make_net<float>(kData + InnerProduct("a", "x", "h", 5, "param { lr_mult: 0 }") +
                      InnerProduct("b", "h", "y", 4) + Loss("y", "t"));
  EXPECT_EQ(NeedingBackward(*net), (vector<string>{"b", "loss_y"}));
  EXPECT_EQ(BottomNeeds(*net, "b"), (vector<bool>{false}));
  EXPECT_FALSE(net->layers()[2]->param_propagate_down(0));
}

TEST(NeedBackwardTest, AFrozenLayerAboveALearnedOnePassesTheGradientOn) {
  const auto net = make_net<double>(
      kData + InnerProduct("a", "x", "h", 5) +
      InnerProduct("b", "h", "y", 4, "param { lr_mult: 0 }") + Loss("y", "t"));
  EXPECT_EQ(NeedingBackward(*net), (vector<string>{"a", "b", "loss_y"}));
  fill_random(net->input_blobs()[0], 1);
  net->ForwardBackward();
  EXPECT_GT(net->learnable_params()[0]->asum_diff(), 0);
  EXPECT_EQ(net->learnable_params()[1]->asum_diff(),
            0);  // its own gradient is not needed
}

TEST(NeedBackwardTest, ABranchWithoutALossIsLeftOut) {
  const auto net = make_net<float>(kData + InnerProduct("a", "x", "h", 4) +
                                   InnerProduct("side", "h", "s", 2) + Loss("h", "t"));
  EXPECT_EQ(NeedingBackward(*net), (vector<string>{"a", "h_a_0_split", "loss_h"}));
}

TEST(NeedBackwardTest, StaleDiffsOfTheBranchDoNotLeakIn) {
  const string text = kData + InnerProduct("a", "x", "h", 4) +
                      InnerProduct("side", "h", "s", 2) + Loss("h", "t");
  const auto clean = make_net<double>(text), dirty = make_net<double>(text);
  Blob<double>* branch = dirty->blob_by_name("h_a_0_split_0").get();
  for (int i = 0; i < branch->count(); ++i) branch->mutable_cpu_diff()[i] = 100;
  for (const auto* net : {&clean, &dirty}) {
    fill_random((*net)->input_blobs()[0], 1);
    (*net)->ForwardBackward();
  }
  EXPECT_EQ(gradient_of(*dirty->learnable_params()[0]),
            gradient_of(*clean->learnable_params()[0]));
}

TEST(PropagateDownTest, FalseStopsTheProducersBehind) {
  const auto net = make_net<float>(
      kData + InnerProduct("a", "x", "h", 5) +
      InnerProduct("b", "h", "y", 4, "propagate_down: false") + Loss("y", "t"));
  EXPECT_EQ(NeedingBackward(*net), (vector<string>{"b", "loss_y"}));
  EXPECT_EQ(BottomNeeds(*net, "b"), (vector<bool>{false}));
}

TEST(PropagateDownTest, FalseOnOneOfTwoUsesLeavesTheOther) {
  const string text = kData + InnerProduct("a", "x", "h", 4) +
                      InnerProduct("b", "h", "y", 4, "propagate_down: false") +
                      Loss("y", "t") + Loss("h", "t");
  const auto net = make_net<double>(text);
  EXPECT_TRUE(BottomNeeds(*net, "h_a_0_split")[0]);
  fill_random(net->input_blobs()[0], 1);
  net->ForwardBackward();
  // Only the direct loss reaches `a`.
  const auto direct =
      make_net<double>(kData + InnerProduct("a", "x", "h", 4) + Loss("h", "t"));
  fill_random(direct->input_blobs()[0], 1);
  direct->ForwardBackward();
  EXPECT_LT(relative_difference(gradient_of(*direct->learnable_params()[0]),
                                gradient_of(*net->learnable_params()[0])),
            1e-12);
}

TEST(PropagateDownTest, TrueForcesAGradientIntoTheData) {
  const auto net = make_net<double>(
      kData + InnerProduct("b", "x", "y", 4, "propagate_down: true") + Loss("y", "t"));
  EXPECT_EQ(BottomNeeds(*net, "b"), (vector<bool>{true}));
  net->ForwardBackward();
  for (const double diff : gradient_of(*net->input_blobs()[0]))
    EXPECT_EQ(diff, 0);  // zeros in
  fill_random(net->input_blobs()[0], 2);
  net->ForwardBackward();
  EXPECT_GT(net->input_blobs()[0]->asum_diff(), 0);
}

TEST(ForceBackwardTest, GradientsReachTheDataButNotTheLabels) {
  const auto net = make_net<double>(
      "force_backward: true " + kData + Input("label", "2") +
      InnerProduct("b", "x", "y", 4, "param { lr_mult: 0 }") +
      "layer { name: 'loss' type: 'SoftmaxWithLoss' bottom: 'y' bottom: 'label' }");
  EXPECT_EQ(BottomNeeds(*net, "b"), (vector<bool>{true}));
  EXPECT_EQ(BottomNeeds(*net, "loss"), (vector<bool>{true, false}));
  fill_random(net->input_blobs()[0], 1);
  net->ForwardBackward();
  EXPECT_GT(net->learnable_params()[0]->asum_diff(), 0);  // frozen, and yet
}

TEST(ForceBackwardTest, AccuracyDoesNotEndInAnError) {
  const auto net = make_net<float>(
      "force_backward: true " + Input("x", "2 3") + Input("label", "2") +
      InnerProduct("b", "x", "y", 4) +
      "layer { name: 'acc' type: 'Accuracy' bottom: 'y' bottom: 'label' top: 'acc' }"
      "layer { name: 'loss' type: 'SoftmaxWithLoss' bottom: 'y' bottom: 'label' top: 'l' "
      "}");
  fill_random(net->input_blobs()[0], 1);
  EXPECT_NO_THROW(net->ForwardBackward());
  EXPECT_TRUE(std::isfinite(net->learnable_params()[0]->asum_diff()));
}

// --- parameters

TEST(ParamTest, MultipliersDefaultToOneAndNamesToTheIndex) {
  const auto net = make_net<float>(Input("x", "2 3") +
                                   "layer { name: 'a' type: 'InnerProduct' bottom: 'x' "
                                   "top: 'y' param { lr_mult: 2 name: 'w' }"
                                   " inner_product_param { num_output: 4 } }");
  EXPECT_EQ(net->params_lr(), (vector<float>{2, 1}));
  EXPECT_EQ(net->has_params_lr(), (vector<bool>{true, false}));
  EXPECT_EQ(net->params_weight_decay(), (vector<float>{1, 1}));
  EXPECT_EQ(net->has_params_decay(), (vector<bool>{false, false}));
  EXPECT_EQ(net->param_display_names(), (vector<string>{"w", "1"}));
  EXPECT_EQ(net->param_owners(), (vector<int>{-1, -1}));
}

string Shared(const string& name, const string& bottom, const string& top,
              const string& param = "") {
  return InnerProduct(name, bottom, top, 3, "param { name: 'w' " + param + "}");
}

TEST(SharingTest, OneOwnerOneGradientOneUpdate) {
  const auto net =
      make_net<double>(Input("x", "1 3") + Input("t", "1 3") + Shared("a", "x", "h") +
                       Shared("b", "h", "y") + Loss("y", "t"));
  EXPECT_EQ(net->learnable_params().size(), 1u);
  EXPECT_EQ(net->params().size(), 2u);
  EXPECT_EQ(net->param_owners(), (vector<int>{-1, 0}));
  EXPECT_EQ(net->params()[0]->cpu_data(), net->params()[1]->cpu_data());
  const vector<double> w = {1, 2, 0, -1, 1, 1, 0.5, 0, 1}, x = {1, -2, 3};
  set_values(net->learnable_params()[0], w);
  set_values(net->input_blobs()[0], x);
  net->ClearParamDiffs();
  net->ForwardBackward();
  // L = |W W x|^2 / 2, so dL/dW = y (W x)^T + (W^T y) x^T.
  const auto times = [&](const vector<double>& v) {
    vector<double> result(3);
    for (int i = 0; i < 3; ++i) {
      for (int j = 0; j < 3; ++j) result[i] += w[3 * i + j] * v[j];
    }
    return result;
  };
  const vector<double> h = times(x), y = times(h);
  vector<double> expected(9);
  for (int i = 0; i < 3; ++i) {
    double back = 0;
    for (int k = 0; k < 3; ++k) back += w[3 * k + i] * y[k];
    for (int j = 0; j < 3; ++j) expected[3 * i + j] = y[i] * h[j] + back * x[j];
  }
  EXPECT_LT(relative_difference(expected, gradient_of(*net->learnable_params()[0])),
            1e-12);
  net->Update();
  for (int i = 0; i < 9; ++i) {
    EXPECT_NEAR(net->params()[1]->cpu_data()[i], w[i] - expected[i], 1e-12);
  }
}

TEST(SharingTest, ShapesMustFitAsTheSharerAsks) {
  const string data = Input("x", "1 6") + Input("z", "1 3");
  const string a = InnerProduct("a", "x", "h", 2, "param { name: 'w' }");       // 2 x 6
  const string strict = InnerProduct("b", "z", "y", 4, "param { name: 'w' }");  // 4 x 3
  const string loose =
      InnerProduct("b", "z", "y", 4, "param { name: 'w' share_mode: PERMISSIVE }");
  const string larger =
      InnerProduct("b", "z", "y", 5, "param { name: 'w' share_mode: PERMISSIVE }");
  EXPECT_TRUE(
      has_words(net_error(data + a + strict), {"'w'", "'a'", "'b'", "2 6", "4 3"}));
  EXPECT_TRUE(has_words(net_error(data + a + larger), {"'w'", "count"}));
  const auto net = make_net<float>(data + a + loose);
  EXPECT_EQ(net->params()[1]->shape(), (vector<int>{4, 3}));  // each keeps its own shape
  net->params()[0]->mutable_cpu_data()[11] = 9;
  EXPECT_EQ(net->params()[1]->cpu_data()[11], 9);
}

TEST(SharingTest, MultipliersMustAgreeWhereBothAreGiven) {
  const string data = Input("x", "1 3");
  const auto rates = [&](const string& first, const string& second) {
    return make_net<float>(data + Shared("a", "x", "h", first) +
                           Shared("b", "h", "y", second))
        ->params_lr();
  };
  EXPECT_EQ(rates("lr_mult: 2 ", "lr_mult: 2 "), (vector<float>{2}));
  EXPECT_EQ(rates("lr_mult: 2 ", ""), (vector<float>{2}));
  EXPECT_EQ(rates("", "lr_mult: 3 "), (vector<float>{3}));
  EXPECT_TRUE(has_words(net_error(data + Shared("a", "x", "h", "lr_mult: 2 ") +
                                  Shared("b", "h", "y", "lr_mult: 1 ")),
                        {"'w'", "lr_mult"}));
  EXPECT_TRUE(has_words(net_error(data + Shared("a", "x", "h", "decay_mult: 2 ") +
                                  Shared("b", "h", "y", "decay_mult: 1 ")),
                        {"'w'", "decay_mult"}));
}

TEST(SharingTest, OwnersStandInOrderOfFirstUse) {
  const auto net =
      make_net<float>(Input("x", "1 3") + Shared("a", "x", "h") +
                      InnerProduct("c", "h", "g", 3) + Shared("b", "g", "y"));
  ASSERT_EQ(net->learnable_params().size(), 2u);
  EXPECT_EQ(net->learnable_params()[0], net->params()[0].get());
  EXPECT_EQ(net->learnable_params()[1], net->params()[1].get());
  EXPECT_EQ(net->param_owners(), (vector<int>{-1, -1, 0}));
  EXPECT_EQ(net->param_names_index().at("w"), 0);
}

TEST(ParamDiffTest, GradientsAddUpUntilTheyAreCleared) {
  const auto net =
      make_net<double>(kData + InnerProduct("b", "x", "y", 4) + Loss("y", "t"));
  fill_random(net->input_blobs()[0], 1);
  net->ClearParamDiffs();
  net->ForwardBackward();
  const vector<double> once = gradient_of(*net->learnable_params()[0]);
  net->ForwardBackward();
  const vector<double> twice = gradient_of(*net->learnable_params()[0]);
  for (size_t i = 0; i < once.size(); ++i) EXPECT_DOUBLE_EQ(twice[i], 2 * once[i]);
  net->ClearParamDiffs();
  EXPECT_EQ(net->learnable_params()[0]->asum_diff(), 0);
  net->ForwardBackward();
  EXPECT_EQ(gradient_of(*net->learnable_params()[0]), once);
}

TEST(ParamDiffTest, BlobsInTheDefinitionReplaceTheFiller) {
  NetParameter param = net_param(Input("x", "1 2") + InnerProduct("b", "x", "y", 1));
  BlobProto* blob = param.mutable_layer(1)->add_blobs();
  blob->mutable_shape()->add_dim(1);
  blob->mutable_shape()->add_dim(2);
  blob->add_data(3);
  blob->add_data(4);
  const Net<float> net(param);
  EXPECT_EQ(values_of(*net.params()[0]), (vector<float>{3, 4}));
}

TEST(FrozenUpsamplingTest, TheGradientPassesThroughAFixedDeconvolution) {
  // The report of users 11: conv weight 1, bilinear 4x4 stride 2, target zero.
  const string text =
      Input("x", "1 1 2 2") + Input("t", "1 1 4 4") +
      "layer { name: 'c' type: 'Convolution' bottom: 'x' top: 'y' convolution_param {"
      " num_output: 1 kernel_size: 1 bias_term: false weight_filler { type: 'constant'"
      " value: 1 } } }"
      "layer { name: 'up' type: 'Deconvolution' bottom: 'y' top: 'z' param { lr_mult: 0 }"
      " convolution_param { num_output: 1 kernel_size: 4 stride: 2 pad: 1 bias_term: "
      "false"
      " weight_filler { type: 'bilinear' } } }" +
      Loss("z", "t");
  for (const char* engine : {"DEFAULT", "CAFFE"}) {
    NetParameter param = net_param(text);
    for (auto& layer : *param.mutable_layer()) {
      if (!layer.has_convolution_param()) continue;
      layer.mutable_convolution_param()->set_engine(string(engine) == "CAFFE"
                                                        ? ConvolutionParameter::CAFFE
                                                        : ConvolutionParameter::DEFAULT);
    }
    Net<float> net(param);
    set_values<float>(net.input_blobs()[0], {1, 1, 1, 1});
    net.ForwardBackward();
    EXPECT_NEAR(net.learnable_params()[0]->cpu_diff()[0], 9.765625, 1e-5) << engine;
  }
}

}  // namespace
}  // namespace caffe

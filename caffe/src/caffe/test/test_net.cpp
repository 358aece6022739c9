// Building and running nets: wiring, in place, outputs, loss weights, reshaping, errors
// (facts/engine.md 2.3, 2.4, 2.7, 2.8, 3).
#include "net_check.hpp"

namespace caffe {
namespace {

string Power(const string& name, const string& bottom, const string& top, double scale,
             const string& more = "") {
  return "layer { name: '" + name + "' type: 'Power' bottom: '" + bottom + "' top: '" +
         top + "' power_param { scale: " + std::to_string(scale) + " } " + more + " } ";
}

// --- wiring

TEST(NetWiringTest, InPlaceLayersShareOneBlob) {
  const auto net = make_net<float>(Input("x", "2 3") + Power("a", "x", "y", 2) +
                                   Power("b", "y", "y", 3) + Power("c", "y", "z", 5));
  EXPECT_EQ(net->blob_names(), (vector<string>{"x", "y", "z"}));
  EXPECT_EQ(net->top_vecs()[1][0], net->top_vecs()[2][0]);
  EXPECT_EQ(net->bottom_ids(2), net->top_ids(2));
  net->input_blobs()[0]->mutable_cpu_data()[5] = 1;
  net->Forward();
  EXPECT_EQ(net->blob_by_name("y")->cpu_data()[5], 6);  // the last in-place value
  EXPECT_EQ(net->output_blobs()[0]->cpu_data()[5], 30);
}

TEST(NetWiringTest, SeveralReadersGetASplit) {
  const auto net = make_net<float>(Input("x", "2") + Power("a", "x", "y", 2) +
                                   Power("b", "x", "z", 3));
  EXPECT_EQ(net->layer_names(), (vector<string>{"x", "x_x_0_split", "a", "b"}));
  EXPECT_TRUE(net->has_blob("x_x_0_split_1"));
}

TEST(NetWiringTest, OutputsAreInByteOrderAndInputsInNetOrder) {
  const auto net =
      make_net<float>(Input("loss", "1") + Input("accuracy", "1") + Input("Zeta", "1"));
  vector<string> outputs, inputs;
  for (const int id : net->output_blob_indices())
    outputs.push_back(net->blob_names()[id]);
  for (const int id : net->input_blob_indices()) inputs.push_back(net->blob_names()[id]);
  EXPECT_EQ(outputs, (vector<string>{"Zeta", "accuracy", "loss"}));
  EXPECT_EQ(inputs, (vector<string>{"loss", "accuracy", "Zeta"}));
  EXPECT_EQ(net->num_inputs(), 3);
  EXPECT_EQ(net->output_blobs()[2], net->input_blobs()[0]);
}

TEST(NetWiringTest, AnInPlaceTopMustStandAtItsBottomsIndex) {
  const string text =
      Input("x", "2") + Input("y", "2") +
      "layer { name: 'e' type: 'Eltwise' bottom: 'x' bottom: 'y' top: 'y' }";
  EXPECT_TRUE(has_words(net_error(text), {"'y'", "multiple sources", "'e'"}));
}

TEST(NetWiringTest, InPlaceBehindAnotherReaderIsAnErrorThatSaysWhy) {
  const string text = Input("x", "2") + Power("a", "x", "y", 2) + Power("b", "x", "x", 2);
  EXPECT_TRUE(has_words(net_error(text), {"'x'", "in place", "'b'"}));
  // A reader listed after the in-place layer does no harm.
  EXPECT_EQ(
      net_error(Input("x", "2") + Power("b", "x", "x", 2) + Power("a", "x", "y", 2)), "");
}

TEST(NetWiringTest, InPlaceOnABlobWithALossWeightIsAnError) {
  EXPECT_NE(net_error(Input("x", "2") + Power("a", "x", "y", 2, "loss_weight: 1") +
                      Power("b", "y", "y", 2)),
            "");
}

TEST(NetWiringTest, ALayerlessNetIsLegal) {
  const auto net = make_net<float>("name: 'empty'");
  EXPECT_EQ(net->name(), "empty");
  EXPECT_EQ(net->num_outputs(), 0);
  EXPECT_EQ(net->Forward().size(), 0u);
  net->Backward();
  net->Reshape();
}

TEST(NetWiringTest, LookUpsOfUnknownNamesGiveNull) {
  const auto net = make_net<float>(Input("x", "2"));
  EXPECT_EQ(net->blob_by_name("nothing"), nullptr);
  EXPECT_EQ(net->layer_by_name("nothing"), nullptr);
  EXPECT_FALSE(net->has_layer("nothing"));
  EXPECT_NE(net->layer_by_name("x"), nullptr);
}

TEST(NetWiringTest, LegacyInputFieldsInMemoryBecomeAnInputLayer) {
  const auto net = make_net<float>(
      "input: 'a' input: 'b' input_dim: 1 input_dim: 2 input_dim: 3 input_dim: 4"
      " input_dim: 5 input_dim: 6 input_dim: 7 input_dim: 8");
  EXPECT_EQ(net->blob_by_name("b")->shape(), (vector<int>{5, 6, 7, 8}));
  EXPECT_EQ(net->num_inputs(), 2);
  EXPECT_EQ(net->layer_names()[0], "input");
  EXPECT_NE(net_error("input: 'a' input_dim: 1 input_dim: 2"), "");  // too few numbers
}

TEST(NetWiringTest, V1LayersInMemoryAreUpgraded) {
  const auto net = make_net<float>(
      "input: 'x' input_shape { dim: 1 dim: 2 }"
      "layers { name: 'r' type: RELU bottom: 'x' top: 'y' }");
  EXPECT_EQ(net->layer_names(), (vector<string>{"input", "r"}));
}

// --- errors while building

struct BadNet {
  const char* what;
  string text;
  vector<string> words;
};

TEST(NetErrorTest, EachMistakeIsNamedAndTheNextNetWorks) {
  const vector<BadNet> bad_nets = {
      {"unknown type",
       "layer { name: 'p' type: 'Poling' }",
       {"'p'", "Poling", "Pooling"}},
      {"unknown bottom", Input("x", "1") + Power("a", "z", "y", 1), {"'z'", "'a'"}},
      {"made later", Power("a", "x", "y", 1) + Input("x", "1"), {"'x'", "'a'", "later"}},
      {"made twice",
       Input("x", "1") + "layer { name: 'again' type: 'Input' top: 'x' }",
       {"'x'", "'again'"}},
      {"propagate_down",
       Input("x", "1") +
           Power("a", "x", "y", 1, "propagate_down: true propagate_down: true"),
       {"propagate_down", "'a'"}},
      {"loss_weight count",
       Input("x", "1") + Power("a", "x", "y", 1, "loss_weight: 1 loss_weight: 2"),
       {"loss_weight", "'a'"}},
      {"too many bottoms",
       Input("x", "1") + Input("z", "1") +
           "layer { name: 'r' type: 'ReLU' bottom: 'x' bottom: 'z' top: 'y' }",
       {"'r'", "1 bottom"}},
      {"too many params",
       Input("x", "1") + Power("a", "x", "y", 1, "param {}"),
       {"param", "'a'"}},
      {"kernel",
       Input("x", "1 1 5 5") +
           "layer { name: 'c' type: 'Convolution' bottom: 'x' top: 'y'"
           " convolution_param { num_output: 1 kernel_size: 9 } }",
       {"'c'", "1 1 5 5 (25)"}},
      {"group",
       Input("x", "1 4 5 5") +
           "layer { name: 'c' type: 'Convolution' bottom: 'x' top: 'y'"
           " convolution_param { num_output: 3 group: 2 kernel_size: 1 } }",
       {"'c'"}},
      {"shapes of a sum",
       Input("x", "1 2 3") + Input("z", "1 2 4") +
           "layer { name: 'e' type: 'Eltwise' bottom: 'x' bottom: 'z'"
           " top: 'y' }",
       {"'e'", "1 2 3", "1 2 4"}},
      {"negative dim", Input("x", "-1"), {"'x'", "-1"}},
      {"layer and layers",
       Input("x", "1") + "layers { name: 'r' type: RELU bottom: 'x' top: 'y' }",
       {"layers"}},
      {"keep", Input("x", "1") + "keep: 'nothing'", {"'nothing'", "keep"}},
  };
  for (const BadNet& bad : bad_nets) {
    EXPECT_TRUE(has_words(net_error(bad.text), bad.words)) << bad.what;
    const auto net = make_net<float>(Input("x", "1") + Power("a", "x", "y", 2));
    net->input_blobs()[0]->mutable_cpu_data()[0] = 4;
    EXPECT_EQ(net->Forward()[0]->cpu_data()[0], 8) << "after: " << bad.what;
  }
}

TEST(NetErrorTest, RangesOfForwardAndBackwardAreChecked) {
  const auto net = make_net<float>(Input("x", "1") + Power("a", "x", "y", 2));
  EXPECT_THROW(net->ForwardFromTo(-1, 1), Error);
  EXPECT_THROW(net->ForwardFromTo(0, 2), Error);
  EXPECT_THROW(net->BackwardFromTo(2, 0), Error);
  EXPECT_THROW(net->BackwardFromTo(1, -1), Error);
  EXPECT_THROW(net->top_ids(2), Error);
  EXPECT_NO_THROW(net->ForwardFromTo(0, 1));
}

// --- loss

TEST(NetLossTest, ForwardGivesTheWeightedSumOfAllElements) {
  const auto net =
      make_net<double>(Input("x", "2") + Power("a", "x", "y", 2, "loss_weight: 3") +
                       Power("b", "x", "z", 5, "loss_weight: 0.5"));
  set_values<double>(net->input_blobs()[0], {1, 2});
  double loss = 0;
  net->Forward(&loss);
  EXPECT_DOUBLE_EQ(loss, 3 * 2 * 3 + 0.5 * 5 * 3);
  EXPECT_DOUBLE_EQ(net->ForwardFrom(3), 0.5 * 15);  // layers: x, split, a, b
  EXPECT_DOUBLE_EQ(net->ForwardTo(2), 18);
}

TEST(NetLossTest, WeightsAreReportedByBlob) {
  const auto net =
      make_net<float>(Input("x", "2") + Power("a", "x", "y", 2, "loss_weight: 3") +
                      Power("b", "y", "z", 2));
  // The weight of a top that is read moves to the split's first output.
  EXPECT_EQ(net->blob_names(),
            (vector<string>{"x", "y", "y_a_0_split_0", "y_a_0_split_1", "z"}));
  EXPECT_EQ(net->blob_loss_weights(), (vector<float>{0, 0, 3, 0, 0}));
}

TEST(NetLossTest, AWeightSurvivesGrowthOfTheBlobAndItsConsumers) {
  const string text = "force_backward: true " + Input("x", "2") +
                      Power("a", "x", "y", 2, "loss_weight: 3") + Power("b", "y", "z", 7);
  const auto net = make_net<double>(text);
  net->ForwardBackward();
  EXPECT_EQ(gradient_of(*net->input_blobs()[0]), (vector<double>{6, 6}));
  net->input_blobs()[0]->Reshape(vector<int>{5});
  for (int pass = 0; pass < 2; ++pass) {
    net->ForwardBackward();
    EXPECT_EQ(gradient_of(*net->input_blobs()[0]), (vector<double>{6, 6, 6, 6, 6}));
  }
  net->blob_by_name("y_a_0_split_0")->mutable_cpu_diff()[0] = 99;  // a user's write
  net->ForwardBackward();
  EXPECT_EQ(gradient_of(*net->input_blobs()[0]), (vector<double>{6, 6, 6, 6, 6}));
}

TEST(NetLossTest, AConsumedLossWithDefaultWeightCountsOnce) {
  const auto net = make_net<double>(
      "force_backward: true " + Input("x", "2 1") + Input("t", "2 1") +
      "layer { name: 'l' type: 'EuclideanLoss' bottom: 'x' bottom: 't' top: 'loss' }" +
      Power("b", "loss", "twice", 2));
  set_values<double>(net->input_blobs()[0], {3, 1});
  set_values<double>(net->input_blobs()[1], {1, 1});
  EXPECT_DOUBLE_EQ(net->ForwardBackward(), 1);  // 2^2 / (2 * 2)
  EXPECT_EQ(gradient_of(*net->input_blobs()[0]), (vector<double>{1, 0}));
  EXPECT_EQ(net->blob_by_name("twice")->cpu_data()[0], 2);
}

TEST(NetLossTest, AutomaticTopsHaveNamesOfTheirOwnAndAreNoOutputs) {
  const string loss = "' type: 'EuclideanLoss' bottom: 'x' bottom: 't' }";
  const auto net =
      make_net<double>(Input("x", "1 1") + Input("t", "1 1") + "layer { name: 'l1" +
                       loss + "layer { name: 'l2" + loss);
  EXPECT_EQ(net->num_outputs(), 0);
  vector<string> names;
  for (const string& name : net->blob_names()) {
    if (name.find("(automatic)") == 0) names.push_back(name);
  }
  ASSERT_EQ(names.size(), 2u);
  EXPECT_NE(names[0], names[1]);
  net->input_blobs()[0]->mutable_cpu_data()[0] = 2;
  double total = 0;
  net->Forward(&total);
  EXPECT_DOUBLE_EQ(total, 4);  // twice 2^2 / 2: each has the default weight
}

// --- reshaping

string ConvNet(const string& dims) {
  const string filler = " weight_filler { type: 'constant' value: 0.1 } ";
  return Input("x", dims) +
         "layer { name: 'c1' type: 'Convolution' bottom: 'x' top: 'y' convolution_param {"
         " num_output: 4 kernel_size: 3 pad: 1" +
         filler +
         "} }"
         "layer { name: 'r' type: 'ReLU' bottom: 'y' top: 'y' }"
         "layer { name: 'p' type: 'Pooling' bottom: 'y' top: 'p' pooling_param {"
         " kernel_size: 2 stride: 2 } }"
         "layer { name: 'c2' type: 'Convolution' bottom: 'p' top: 'z' convolution_param {"
         " num_output: 2 kernel_size: 1" +
         filler + "} }";
}

TEST(NetReshapeTest, EachSizeGivesWhatAFreshNetOfThatSizeGives) {
  for (const Phase phase : {TRAIN, TEST}) {
    for (const bool explicitly : {false, true}) {
      const auto net = make_net<float>(ConvNet("1 3 4 4"), phase);
      for (const vector<int>& shape : vector<vector<int>>{
               {1, 3, 32, 100}, {1, 3, 32, 200}, {3, 3, 7, 5}, {1, 3, 32, 100}}) {
        string dims;
        for (const int dim : shape) dims += std::to_string(dim) + " ";
        const auto fresh = make_net<float>(ConvNet(dims), phase);
        fill_random(fresh->input_blobs()[0], 1);
        fresh->Forward();
        net->input_blobs()[0]->Reshape(shape);
        if (explicitly) {
          net->Reshape();
          EXPECT_EQ(net->output_blobs()[0]->shape(), fresh->output_blobs()[0]->shape());
        }
        fill_random(net->input_blobs()[0], 1);
        net->Forward();
        EXPECT_EQ(values_of(*net->output_blobs()[0]),
                  values_of(*fresh->output_blobs()[0]))
            << dims;
      }
    }
  }
}

TEST(NetReshapeTest, AFailedReshapeLeavesTheNetUsable) {
  const auto net = make_net<float>(
      Input("x", "1 1 6 6") +
      "layer { name: 'c' type: 'Convolution' bottom: 'x' top: 'y'"
      " convolution_param { num_output: 1 kernel_size: 3 stride: 2 pad: 1 } }"
      "layer { name: 'd' type: 'Deconvolution' bottom: 'y' top: 'z'"
      " convolution_param { num_output: 1 kernel_size: 4 stride: 2 pad: 1 } }"
      "layer { name: 'e' type: 'Eltwise' bottom: 'x' bottom: 'z' top: 'sum' }");
  net->input_blobs()[0]->Reshape(1, 1, 5, 6);
  try {
    net->Reshape();
    ADD_FAILURE() << "5 x 6 and 6 x 6 were added";
  } catch (const Error& error) {
    EXPECT_TRUE(has_words(error.what(), {"'e'", "1 1 5 6", "1 1 6 6"}));
  }
  EXPECT_THROW(net->Forward(), Error);
  net->input_blobs()[0]->Reshape(1, 1, 6, 6);
  net->Reshape();
  EXPECT_NO_THROW(net->Forward());
}

TEST(NetReshapeTest, BackwardAfterAReshapeWithoutAForwardDoesNotCrash) {
  const auto net = make_net<float>("force_backward: true " + ConvNet("1 3 4 4") +
                                   Power("l", "z", "s", 1, "loss_weight: 1"));
  net->ForwardBackward();
  net->input_blobs()[0]->Reshape(2, 3, 33, 17);
  net->Reshape();
  try {
    net->Backward();
  } catch (const Error&) {  // refusing is as right
  }
  fill_random(net->input_blobs()[0], 3);
  EXPECT_TRUE(std::isfinite(net->ForwardBackward()));
}

TEST(NetRunTest, ForwardOfGivenBlobsCopiesThemIn) {
  const auto net = make_net<float>(Input("x", "2") + Power("a", "x", "y", 2));
  Blob<float> given(vector<int>{2});
  given.mutable_cpu_data()[1] = 3;
  EXPECT_EQ(net->Forward({&given})[0]->cpu_data()[1], 6);
  EXPECT_THROW(net->Forward(vector<Blob<float>*>()), Error);
}

TEST(NetRunTest, AnErrorWhileRunningNamesLayerAndShapes) {
  if (Caffe::mode() == Caffe::GPU) {
    GTEST_SKIP() << "kernels do not throw: the loss of such a label is NaN";
  }
  const auto net = make_net<float>(
      Input("x", "2 3") + Input("label", "2") +
      "layer { name: 'loss' type: 'SoftmaxWithLoss' bottom: 'x' bottom: 'label' }");
  net->input_blobs()[1]->mutable_cpu_data()[0] = 7;  // of 3 classes
  try {
    net->Forward();
    ADD_FAILURE() << "label 7 of 3 classes was taken";
  } catch (const Error& error) {
    EXPECT_TRUE(
        has_words(error.what(), {"layer 'loss' (SoftmaxWithLoss)", "2 3 (6)", "7"}));
  }
}

class Recorder : public Net<float>::Callback {
 public:
  vector<int> layers;

 protected:
  void run(int layer) override { layers.push_back(layer); }
};

TEST(NetRunTest, CallbacksRunAroundEveryLayer) {
  const auto net = make_net<float>(Input("x", "2") + Power("a", "x", "y", 2));
  Recorder before, after, before_back, after_back;
  net->add_before_forward(&before);
  net->add_after_forward(&after);
  net->add_before_backward(&before_back);
  net->add_after_backward(&after_back);
  net->Forward();
  net->Backward();  // also for layers that need none
  EXPECT_EQ(before.layers, (vector<int>{0, 1}));
  EXPECT_EQ(after.layers, (vector<int>{0, 1}));
  EXPECT_EQ(before_back.layers, (vector<int>{1, 0}));
  EXPECT_EQ(after_back.layers, (vector<int>{1, 0}));
}

// --- debug text (3.1)

vector<string>* g_log = nullptr;

TEST(NetDebugTest, DebugInfoPrintsMeansOfBlobsAndParameters) {
  const auto net = make_net<float>(
      "debug_info: true " + Input("x", "1 2") +
      "layer { name: 'ip' type: 'InnerProduct' bottom: 'x' top: 'y' loss_weight: 1"
      " inner_product_param { num_output: 1 weight_filler { type: 'constant' value: 2 } "
      "} }");
  set_values<float>(net->input_blobs()[0], {1, -3});
  vector<string> lines;
  g_log = &lines;
  const int level = MinLogLevel();
  SetLogSink(
      [](LogSeverity, const char*, int, const string& text) { g_log->push_back(text); });
  SetMinLogLevel(LOG_INFO);
  net->ForwardBackward();
  SetLogSink(nullptr);
  SetMinLogLevel(level);
  EXPECT_EQ(lines, (vector<string>{
                       "    [Forward] Layer x, top blob x data: 2",
                       "    [Forward] Layer ip, top blob y data: 4",
                       "    [Forward] Layer ip, param blob 0 data: 2",
                       "    [Forward] Layer ip, param blob 1 data: 0",
                       "    [Backward] Layer ip, param blob 0 diff: 2",
                       "    [Backward] Layer ip, param blob 1 diff: 1",
                       "    [Backward] All net params (data, diff): L1 norm = (4, 5); "
                       "L2 norm = (2.82843, 3.31662)",
                   }));
}

}  // namespace
}  // namespace caffe

// Layers in place one behind the other: the gradient of the net that uses separate blobs,
// or an error that names both layers (user_reports.md 12).
#include "net_check.hpp"

namespace caffe {
namespace {

struct Kind {
  string type, params;
};

vector<Kind> Kinds() {
  const vector<Kind> all = {
      {"Sigmoid", ""},
      {"TanH", ""},
      {"ReLU", ""},
      {"ReLU", "relu_param { negative_slope: 0.2 }"},
      {"ELU", ""},
      {"PReLU", ""},
      {"Power", "power_param { scale: 2 }"},
      {"Power", "power_param { scale: -2 shift: 1 }"},
      {"Power", "power_param { power: 2 shift: 3 }"},
      {"Exp", ""},
      {"Log", "log_param { shift: 9 }"},
      {"AbsVal", ""},
      {"BNLL", ""},
      {"Swish", ""},
      {"Clip", "clip_param { min: -0.5 max: 0.5 }"},
      {"Scale", "scale_param { bias_term: true filler { type: 'constant' value: -3 } }"},
      {"Bias", "bias_param { filler { type: 'constant' value: 0.3 } }"},
      {"BatchNorm", ""},
      {"BatchNorm", "batch_norm_param { use_global_stats: true eps: 1 }"},
      {"Softmax", ""},
      {"LRN", "lrn_param { alpha: 1 }"},
      {"MVN", ""},
      {"Dropout", "dropout_param { dropout_ratio: 0.3 }"},
      {"NegReLU", "relu_param { negative_slope: 0.2 }"},
      {"Mean", "mean_param { operation: SUBTRACT value: 1 output_scale: 0.5 }"},
  };
  vector<Kind> known;
  for (const Kind& kind : all) {
    if (LayerRegistry<double>::Registry().count(kind.type)) known.push_back(kind);
  }
  return known;
}

/// Layers that cannot work in place.
vector<Kind> Others() {
  return {
      {"NegSquare", ""},
      {"ExpMax", ""},
      {"ChannelNorm", ""},
      {"Normalize", ""},
      {"Resample", "resample_param { width: 4 height: 5 }"},
      {"Downsample", "downsample_param { top_width: 3 top_height: 3 }"},
      {"Accum", "accum_param { top_width: 4 top_height: 5 }"},
      {"Pad", "pad_param { multiple_of: 4 }"},
      {"Pooling", "pooling_param { kernel_size: 2 }"},
      {"Permute", "permute_param { order: 0 order: 1 order: 3 order: 2 }"},
      {"Convolution",
       "convolution_param { num_output: 3 kernel_size: 1 weight_filler { type: "
       "'gaussian' "
       "std: 0.3 } }"},
      {"Deconvolution",
       "convolution_param { num_output: 3 kernel_size: 2 weight_filler { type: "
       "'gaussian' "
       "std: 0.3 } }"},
      {"Eltwise", "eltwise_param { coeff: 2 }"},
  };
}

vector<Kind> All() {
  vector<Kind> all = Kinds();
  const vector<Kind> others = Others();
  all.insert(all.end(), others.begin(), others.end());
  return all;
}

string LayerText(const string& name, const Kind& kind, const string& bottom,
                 const string& top) {
  return "layer { name: '" + name + "' type: '" + kind.type + "' bottom: '" + bottom +
         "' top: '" + top + "' " + kind.params + " } ";
}

const char kHead[] =
    "layer { name: 'x' type: 'Input' top: 'x' input_param { shape { dim: 2 dim: 3 dim: 4 "
    "dim: 3 }"
    " } } layer { name: 'c' type: 'Convolution' bottom: 'x' top: 'c' convolution_param {"
    " num_output: 3 kernel_size: 1 weight_filler { type: 'gaussian' std: 1 } } } ";
const char kTail[] =
    "layer { name: 'w' type: 'Convolution' bottom: '@' top: 'w' convolution_param {"
    " num_output: 2 kernel_size: 2 weight_filler { type: 'gaussian' std: 1 } } }"
    "layer { name: 'l' type: 'Power' bottom: 'w' top: 'l' power_param { power: 2 }"
    " loss_weight: 0.5 } ";

string Tail(const string& blob) {
  string tail = kTail;
  return tail.replace(tail.find('@'), 1, blob);
}

/// The gradients of all parameters after one pass.
vector<double> Gradients(const string& text) {
  Caffe::set_random_seed(5);  // fillers, then dropout
  const auto net = make_net<double>(text);
  fill_random(net->input_blobs()[0], 2);
  Caffe::set_random_seed(6);
  net->ForwardBackward();
  vector<double> all;
  for (const auto& param : net->params()) {
    if (!param->has_diff()) continue;
    const vector<double> gradient = gradient_of(*param);
    all.insert(all.end(), gradient.begin(), gradient.end());
  }
  return all;
}

/// Right, or refused with the names of the layers.
void ExpectRightOrRefused(const string& separate, const string& in_place,
                          const string& what, int* right, int* refused) {
  const vector<double> expected = Gradients(separate);
  vector<double> found;
  try {
    found = Gradients(in_place);
  } catch (const Error& error) {
    EXPECT_TRUE(has_words(error.what(), {"'b'", "place"})) << what;
    ++*refused;
    return;
  }
  EXPECT_LT(relative_difference(expected, found), 1e-9) << what;
  ++*right;
}

TEST(InPlaceTest, OneLayerInPlaceGivesTheRightGradientOrIsRefused) {
  int right = 0, refused = 0;
  for (const Kind& b : All()) {
    ExpectRightOrRefused(kHead + LayerText("b", b, "c", "d") + Tail("d"),
                         kHead + LayerText("b", b, "c", "c") + Tail("c"),
                         b.type + " " + b.params + " in place", &right, &refused);
  }
  EXPECT_GT(right, 5);
}

TEST(InPlaceTest, TwoLayersOfWhichTheSecondIsInPlace) {
  int right = 0, refused = 0;
  for (const Kind& a : All()) {
    for (const Kind& b : Kinds()) {
      const string first = kHead + LayerText("a", a, "c", "d");
      ExpectRightOrRefused(
          first + LayerText("b", b, "d", "e") + Tail("e"),
          first + LayerText("b", b, "d", "d") + Tail("d"),
          a.type + " " + a.params + ", then in place " + b.type + " " + b.params, &right,
          &refused);
    }
  }
  EXPECT_GT(right, 50);
}

TEST(InPlaceTest, TwoLayersInPlace) {
  int right = 0, refused = 0;
  for (const Kind& a : Kinds()) {
    if (net_error(kHead + LayerText("a", a, "c", "c") + Tail("c")) != "") continue;
    for (const Kind& b : Kinds()) {
      ExpectRightOrRefused(
          kHead + LayerText("a", a, "c", "d") + LayerText("b", b, "d", "e") + Tail("e"),
          kHead + LayerText("a", a, "c", "c") + LayerText("b", b, "c", "c") + Tail("c"),
          a.type + " " + a.params + " and " + b.type + " " + b.params + " in place",
          &right, &refused);
    }
  }
  EXPECT_GT(right, 50);
}

/// A layer that passes its bottom's memory on, between the layer that reads its top and
/// the one in place.
TEST(InPlaceTest, BehindALayerThatSharesItsMemory) {
  const Kind power = {"Power", "power_param { scale: 2 shift: 0.5 }"};
  int right = 0, refused = 0;
  for (const Kind& between :
       {Kind{"Reshape", "reshape_param { shape { dim: 0 dim: 0 dim: 4 dim: 3 } }"},
        Kind{"Concat", ""}}) {
    for (const Kind& a : {Kind{"Sigmoid", ""}, Kind{"Bias", ""}, Kind{"ReLU", ""}}) {
      const string head = kHead + LayerText("a", a, "c", "d");
      ExpectRightOrRefused(head + LayerText("m", between, "d", "m") +
                               LayerText("b", power, "m", "e") + Tail("e"),
                           head + LayerText("m", between, "d", "m") +
                               LayerText("b", power, "m", "m") + Tail("m"),
                           a.type + ", " + between.type + ", Power in place", &right,
                           &refused);
    }
  }
  EXPECT_EQ(right, 4);
  EXPECT_EQ(refused, 2);
}

TEST(InPlaceTest, AfterAProductThatDividesByItsInputs) {
  for (const bool stable : {true, false}) {
    const string head = kHead +
                        LayerText("p",
                                  {"Bias",
                                   "bias_param { filler { type: 'constant' "
                                   "value: 3 } }"},
                                  "c", "q") +
                        "layer { name: 'a' type: 'Eltwise' bottom: 'c' bottom: 'q' top: "
                        "'d' eltwise_param "
                        "{ operation: PROD stable_prod_grad: " +
                        (stable ? "true" : "false") + " } } ";
    const Kind power = {"Power", "power_param { scale: 2 shift: 0.5 }"};
    int right = 0, refused = 0;
    ExpectRightOrRefused(head + LayerText("b", power, "d", "e") + Tail("e"),
                         head + LayerText("b", power, "d", "d") + Tail("d"), "Eltwise",
                         &right, &refused);
    EXPECT_EQ(right, stable);
  }
}

TEST(InPlaceTest, LayersThatCannotAreRefusedInEveryPhase) {
  for (const Kind& kind : Others()) {
    const string text = kHead + LayerText("b", kind, "c", "c");
    const string error = FullErrorOf([&] { make_net<float>(text, TEST)->Forward(); });
    EXPECT_TRUE(has_words(error, {"'b'", kind.type, "in place"})) << kind.type;
  }
  const string crop = "augmentation_param { crop_width: 2 crop_height: 2 }";
  EXPECT_TRUE(
      has_words(net_error(kHead + LayerText("b", {"DataAugmentation", crop}, "c", "c")),
                {"'b' (DataAugmentation) cannot work in place"}));
  EXPECT_EQ(net_error(kHead + LayerText("b", {"DataAugmentation", ""}, "c", "c")), "");
}

TEST(InPlaceTest, CommonChainsTrain) {
  const Kind batch_norm = {"BatchNorm", ""}, relu = {"ReLU", ""},
             scale = {"Scale", "scale_param { bias_term: true }"},
             dropout = {"Dropout", ""};
  for (const vector<Kind>& chain :
       vector<vector<Kind>>{{batch_norm, scale, relu},
                            {relu, dropout},
                            {batch_norm, relu},
                            {scale, relu},
                            {batch_norm, scale, relu, dropout}}) {
    string separate = kHead, in_place = kHead, blob = "c";
    for (size_t i = 0; i < chain.size(); ++i) {
      const string name = string(1, static_cast<char>('p' + i));
      separate += LayerText(name, chain[i], blob, name);
      in_place += LayerText(name, chain[i], "c", "c");
      blob = name;
    }
    EXPECT_LT(relative_difference(Gradients(separate + Tail(blob)),
                                  Gradients(in_place + Tail("c"))),
              1e-9)
        << chain[0].type << " and so on";
  }
}

TEST(InPlaceTest, TheReportedCaseIsRightOrRefused) {
  const string text =
      "layer { name: 'x' type: 'Input' top: 'x' input_param { shape { dim: 1 dim: 1 } } }"
      "layer { name: 'sig' type: 'Sigmoid' bottom: 'x' top: 's' propagate_down: true }"
      "layer { name: 'pow' type: 'Power' bottom: 's' top: 's' power_param { scale: 2 } }"
      "layer { name: 'sum' type: 'Reduction' bottom: 's' top: 'l' loss_weight: 1 }";
  const string error = net_error("force_backward: true " + text);
  if (error != "") {
    EXPECT_TRUE(has_words(error, {"'sig'", "'pow'", "place"}));
    return;
  }
  const auto net = make_net<double>("force_backward: true " + text);
  net->ForwardBackward();
  EXPECT_DOUBLE_EQ(net->input_blobs()[0]->cpu_diff()[0], 0.5);
}

TEST(InPlaceTest, ATestNetMayOverwriteWhatItWill) {
  const string text = kHead + LayerText("a", {"Sigmoid", ""}, "c", "d") +
                      LayerText("b", {"Power", "power_param { scale: 2 }"}, "d", "d");
  const auto net = make_net<float>(text, TEST);
  EXPECT_NO_THROW(net->Forward());
}

}  // namespace
}  // namespace caffe

// Weights between nets, out to messages and files and in again
// (facts/engine.md 3.2, 3.3).
#include "caffe/util/io.hpp"
#include "net_check.hpp"

namespace caffe {
namespace {

string InnerProduct(const string& name, const string& bottom, const string& top,
                    int outputs) {
  return "layer { name: '" + name + "' type: 'InnerProduct' bottom: '" + bottom +
         "' top: '" + top +
         "' inner_product_param { num_output: " + std::to_string(outputs) +
         " weight_filler { type: 'uniform' min: -1 max: 1 }"
         " bias_filler { type: 'uniform' min: -1 max: 1 } } } ";
}

const string kInput =
    "layer { name: 'x' type: 'Input' top: 'x' input_param { shape { dim: 1 dim: 3 } } } ";
const string kNet =
    kInput + InnerProduct("a", "x", "h", 4) + InnerProduct("b/c", "h", "y", 2);

template <typename Dtype>
vector<vector<Dtype>> AllParams(const Net<Dtype>& net) {
  vector<vector<Dtype>> values;
  for (const auto& param : net.params()) values.push_back(values_of(*param));
  return values;
}

// --- between nets and messages

TEST(NetToProtoTest, AMessageHoldsEachLayersDefinitionAndBlobs) {
  const auto net = make_net<float>(kNet, TEST);
  NetParameter out;
  net->ToProto(&out);
  ASSERT_EQ(out.layer_size(), 3);
  EXPECT_EQ(out.layer(1).name(), "a");
  EXPECT_EQ(out.layer(1).phase(), TEST);
  EXPECT_EQ(out.layer(1).inner_product_param().num_output(), 4);
  ASSERT_EQ(out.layer(1).blobs_size(), 2);
  EXPECT_EQ(out.layer(1).blobs(0).shape().dim(1), 3);
  EXPECT_EQ(out.layer(1).blobs(0).diff_size(), 0);
  EXPECT_FALSE(out.has_state());
  net->ToProto(&out, true);
  EXPECT_EQ(out.layer(1).blobs(0).diff_size(), 12);
  // What comes out builds the same net.
  const Net<float> again(out);
  EXPECT_EQ(AllParams(again), AllParams(*net));
}

TEST(NetToProtoTest, SharedParametersAreWrittenInFullInEveryLayer) {
  const auto net = make_net<float>(
      kInput +
      "layer { name: 'a' type: 'InnerProduct' bottom: 'x' top: 'h' param { name: 'w' }"
      " inner_product_param { num_output: 3 bias_term: false } }"
      "layer { name: 'b' type: 'InnerProduct' bottom: 'h' top: 'y' param { name: 'w' }"
      " inner_product_param { num_output: 3 bias_term: false } }");
  NetParameter out;
  net->ToProto(&out);
  EXPECT_EQ(out.layer(1).blobs(0).data_size(), 9);
  EXPECT_EQ(out.layer(2).blobs(0).data_size(), 9);
}

TEST(CopyWeightsTest, GoesByNameAndReportsWhatItDid) {
  const auto source = make_net<float>(kNet + InnerProduct("extra", "y", "z", 1));
  const auto target = make_net<float>(kInput + InnerProduct("a", "x", "h", 4) +
                                      InnerProduct("new", "h", "y", 2));
  const vector<float> before = values_of(*target->params()[2]);
  NetParameter message;
  source->ToProto(&message);
  target->CopyTrainedLayersFrom(message);
  EXPECT_EQ(values_of(*target->params()[0]), values_of(*source->params()[0]));
  EXPECT_EQ(values_of(*target->params()[1]), values_of(*source->params()[1]));
  EXPECT_EQ(values_of(*target->params()[2]), before);
  EXPECT_EQ(target->weight_report().loaded, (vector<string>{"a"}));
  EXPECT_EQ(target->weight_report().skipped, (vector<string>{"b/c", "extra"}));
  EXPECT_EQ(target->weight_report().untouched, (vector<string>{"new"}));
}

TEST(CopyWeightsTest, LegacyShapesFit) {
  const auto net = make_net<float>(kInput + InnerProduct("a", "x", "h", 2));
  NetParameter message;
  ParseTextFormat(
      "layer { name: 'a'"
      " blobs { num: 1 channels: 1 height: 2 width: 3 data: [1, 2, 3, 4, 5, 6] }"
      " blobs { num: 1 channels: 1 height: 1 width: 2 data: [7, 8] } }",
      "test", &message);
  net->CopyTrainedLayersFrom(message);
  EXPECT_EQ(values_of(*net->params()[0]), (vector<float>{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(values_of(*net->params()[1]), (vector<float>{7, 8}));
}

TEST(CopyWeightsTest, ADoubleFileFillsAFloatNetAndTheReverse) {
  const auto wide = make_net<double>(kNet);
  const auto narrow = make_net<float>(kNet);
  NetParameter message;
  wide->ToProto(&message);
  narrow->CopyTrainedLayersFrom(message);
  EXPECT_EQ(narrow->params()[0]->cpu_data()[5],
            static_cast<float>(wide->params()[0]->cpu_data()[5]));
  narrow->ToProto(&message);
  wide->CopyTrainedLayersFrom(message);
  EXPECT_EQ(wide->params()[0]->cpu_data()[5],
            static_cast<double>(narrow->params()[0]->cpu_data()[5]));
}

TEST(CopyWeightsTest, DiffsComeAlongWhereTheyAreGiven) {
  const auto source = make_net<float>(kNet), target = make_net<float>(kNet);
  source->params()[0]->mutable_cpu_diff()[2] = 8;
  NetParameter message;
  source->ToProto(&message, true);
  target->CopyTrainedLayersFrom(message);
  EXPECT_EQ(target->params()[0]->cpu_diff()[2], 8);
}

TEST(CopyWeightsTest, MismatchesNameBothShapesAndAdviseToRename) {
  const auto source = make_net<float>(kNet);
  const auto target = make_net<float>(kInput + InnerProduct("a", "x", "h", 5));
  TemporaryFolder folder;
  NetParameter message;
  source->ToProto(&message);
  WriteProtoToBinaryFile(message, folder.File("w.caffemodel"));
  const auto before = AllParams(*target);
  for (const string& error :
       {FullErrorOf([&] { target->CopyTrainedLayersFrom(message); }), FullErrorOf([&] {
          target->CopyTrainedLayersFrom(folder.File("w.caffemodel"));
        })}) {
    EXPECT_TRUE(has_words(error, {"'a'", "4 3", "5 3", "rename"}));
  }
  EXPECT_EQ(AllParams(*target), before);
}

TEST(CopyWeightsTest, AnotherNumberOfBlobsIsAnError) {
  const auto target = make_net<float>(kNet);
  NetParameter message;
  ParseTextFormat("layer { name: 'a' blobs { shape { dim: 4 dim: 3 } } }", "test",
                  &message);
  EXPECT_TRUE(has_words(FullErrorOf([&] { target->CopyTrainedLayersFrom(message); }),
                        {"'a'", "1 in the", "2 in the net"}));
  message.mutable_layer(0)->clear_blobs();  // none at all is no "ignored" either
  EXPECT_NE(FullErrorOf([&] { target->CopyTrainedLayersFrom(message); }), "");
}

TEST(ShareTrainedLayersTest, SharesDataByName) {
  const auto train = make_net<float>(kNet);
  const auto test = make_net<float>(kNet, TEST);
  test->ShareTrainedLayersWith(train.get());
  train->params()[0]->mutable_cpu_data()[3] = 42;
  EXPECT_EQ(test->params()[0]->cpu_data()[3], 42);
  EXPECT_NE(test->params()[0]->cpu_diff(), train->params()[0]->cpu_diff());
  const auto other = make_net<float>(kInput + InnerProduct("a", "x", "h", 5));
  EXPECT_TRUE(has_words(FullErrorOf([&] { other->ShareTrainedLayersWith(train.get()); }),
                        {"'a'", "4 3", "5 3"}));
}

// --- files

class WeightFileTest : public ::testing::Test {
 protected:
  string File(const string& name) { return folder_.File(name); }
  TemporaryFolder folder_;
};

TEST_F(WeightFileTest, AMissingFileIsNamed) {
  const auto net = make_net<float>(kNet);
  const string path = File("absent.caffemodel");
  EXPECT_TRUE(
      ThrowsKind([&] { net->CopyTrainedLayersFrom(path); }, Error::kFileNotFound));
  EXPECT_TRUE(has_words(FullErrorOf([&] { net->CopyTrainedLayersFrom(path); }), {path}));
}

TEST_F(WeightFileTest, AFileCutInHalfIsAnErrorAndTheNetGoesOn) {
  const auto net = make_net<float>(kNet);
  NetParameter message;
  net->ToProto(&message);
  const string bytes = message.SerializeAsString();
  const string path = folder_.Write("half.caffemodel", bytes.substr(0, bytes.size() / 2));
  EXPECT_TRUE(has_words(FullErrorOf([&] { net->CopyTrainedLayersFrom(path); }), {path}));
  EXPECT_NO_THROW(net->Forward());
}

#ifdef USE_HDF5

TEST_F(WeightFileTest, HDF5GoesOutAndInWithSlashesInNames) {
  const auto source = make_net<float>(kNet + InnerProduct("b", "y", "z", 2));
  const auto target = make_net<double>(kNet + InnerProduct("b", "y", "z", 2));
  source->ToHDF5(File("w.caffemodel.h5"));
  target->CopyTrainedLayersFrom(File("w.caffemodel.h5"));
  for (size_t i = 0; i < source->params().size(); ++i) {
    const auto from = values_of(*source->params()[i]);
    EXPECT_EQ(values_of(*target->params()[i]), vector<double>(from.begin(), from.end()))
        << i;
  }
  EXPECT_EQ(target->weight_report().loaded, (vector<string>{"a", "b/c", "b"}));
}

TEST_F(WeightFileTest, HDF5IsKnownByItsSignatureNotItsName) {
  const auto source = make_net<float>(kNet), target = make_net<float>(kNet);
  source->ToHDF5(File("w.caffemodel"));
  target->CopyTrainedLayersFrom(File("w.caffemodel"));
  EXPECT_EQ(AllParams(*target), AllParams(*source));
}

TEST_F(WeightFileTest, HDF5HoldsOwnersOnlyAndSharersFollow) {
  const string text =
      kInput +
      "layer { name: 'a' type: 'InnerProduct' bottom: 'x' top: 'h' param { name: 'w' }"
      " inner_product_param { num_output: 3 bias_term: false weight_filler { type: "
      "'uniform' } } }"
      "layer { name: 'b' type: 'InnerProduct' bottom: 'h' top: 'y' param { name: 'w' }"
      " inner_product_param { num_output: 3 bias_term: false } }";
  const auto source = make_net<float>(text), target = make_net<float>(text);
  source->ToHDF5(File("w.h5"));
  target->CopyTrainedLayersFrom(File("w.h5"));
  EXPECT_EQ(values_of(*target->params()[1]), values_of(*source->params()[0]));
  // Without the sharing the second layer's dataset is missing.
  const auto unshared =
      make_net<float>(kInput +
                      "layer { name: 'b' type: 'InnerProduct' bottom: 'x' top: 'y'"
                      " inner_product_param { num_output: 3 bias_term: false } }");
  EXPECT_TRUE(
      has_words(FullErrorOf([&] { unshared->CopyTrainedLayersFrom(File("w.h5")); }),
                {"'b'", "w.h5"}));
}

TEST_F(WeightFileTest, HDF5ShapesMustBeTheSame) {
  const auto source = make_net<float>(kNet);
  source->ToHDF5(File("w.h5"));
  const auto other = make_net<float>(kInput + InnerProduct("a", "x", "h", 5));
  EXPECT_TRUE(has_words(FullErrorOf([&] { other->CopyTrainedLayersFrom(File("w.h5")); }),
                        {"w.h5", "a", "5 3"}));
  const auto fewer =
      make_net<float>(kInput +
                      "layer { name: 'a' type: 'InnerProduct' bottom: 'x' top: 'h'"
                      " inner_product_param { num_output: 4 bias_term: false } }");
  EXPECT_TRUE(has_words(FullErrorOf([&] { fewer->CopyTrainedLayersFrom(File("w.h5")); }),
                        {"'a'", "more blobs"}));
}

TEST_F(WeightFileTest, HDF5WithDiffsHoldsThemBeside) {
  const auto net = make_net<float>(kNet);
  net->ToHDF5(File("with.h5"), true);
  net->ToHDF5(File("without.h5"), false);
  EXPECT_GT(std::filesystem::file_size(File("with.h5")),
            std::filesystem::file_size(File("without.h5")));
  EXPECT_EQ(folder_.FileCount(), 2u);  // no temporary file stays
}

TEST_F(WeightFileTest, TwoLayersOfOneNameCannotGoToHDF5) {
  const auto net = make_net<float>(kInput + InnerProduct("a", "x", "h", 4) +
                                   InnerProduct("a", "h", "y", 2));
  EXPECT_TRUE(
      has_words(FullErrorOf([&] { net->ToHDF5(File("w.h5")); }), {"'a'", "two layers"}));
  EXPECT_EQ(folder_.FileCount(), 0u);
}

#endif  // USE_HDF5

TEST_F(WeightFileTest, OfTwoLayersOfOneNameTheFirstIsFilled) {
  const auto net = make_net<float>(kInput + InnerProduct("a", "x", "h", 3) +
                                   InnerProduct("a", "h", "y", 3));
  NetParameter message;
  ParseTextFormat(
      "layer { name: 'a' blobs { shape { dim: 3 dim: 3 } data: [1, 2, 3, 4, 5, 6, 7, 8, "
      "9] }"
      " blobs { shape { dim: 3 } data: [1, 1, 1] } }",
      "test", &message);
  net->CopyTrainedLayersFrom(message);
  EXPECT_EQ(net->params()[0]->cpu_data()[8], 9);
  EXPECT_NE(net->params()[2]->cpu_data()[8], 9);
  EXPECT_EQ(net->layer_by_name("a"), net->layers()[1]);
}

// --- the three generations of one net (the report of users 3)

TEST(GenerationsTest, OneNetWrittenThreeWaysIsOneNet) {
  const string v1 =
      "layers { name: 'c' type: CONVOLUTION bottom: 'data' top: 'y' blobs_lr: 1 "
      "blobs_lr: 2"
      " weight_decay: 1 weight_decay: 0 convolution_param { num_output: 2 kernel_size: 3"
      " weight_filler { type: 'constant' value: 0.1 } } }"
      "layers { name: 'r' type: RELU bottom: 'y' top: 'y' }";
  const string v2 =
      "layer { name: 'c' type: 'Convolution' bottom: 'data' top: 'y'"
      " param { lr_mult: 1 decay_mult: 1 } param { lr_mult: 2 decay_mult: 0 }"
      " convolution_param { num_output: 2 kernel_size: 3"
      " weight_filler { type: 'constant' value: 0.1 } } }"
      "layer { name: 'r' type: 'ReLU' bottom: 'y' top: 'y' }";
  const vector<string> texts = {
      "input: 'data' input_dim: 1 input_dim: 3 input_dim: 5 input_dim: 5 " + v1,
      "input: 'data' input_shape { dim: 1 dim: 3 dim: 5 dim: 5 } " + v2,
      "layer { name: 'input' type: 'Input' top: 'data' input_param { shape { dim: 1 dim: "
      "3"
      " dim: 5 dim: 5 } } } " +
          v2,
  };
  NetParameter old_weights;
  ParseTextFormat(
      "layers { name: 'c' type: CONVOLUTION"
      " blobs { num: 2 channels: 3 height: 3 width: 3 }"
      " blobs { num: 1 channels: 1 height: 1 width: 2 data: [0.5, -1] } }",
      "test", &old_weights);
  for (int i = 0; i < 54; ++i) {
    old_weights.mutable_layers(0)->mutable_blobs(0)->add_data(0.01f * (i - 20));
  }
  TemporaryFolder folder;
  WriteProtoToBinaryFile(old_weights, folder.File("old.caffemodel"));
  vector<vector<float>> outputs;
  for (const string& text : texts) {
    const auto net = make_net<float>(text, TEST);
    EXPECT_EQ(net->layer_names(), (vector<string>{"input", "c", "r"}));
    EXPECT_EQ(net->blob_names(), (vector<string>{"data", "y"}));
    EXPECT_EQ(net->params_lr(), (vector<float>{1, 2}));
    EXPECT_EQ(net->params_weight_decay(), (vector<float>{1, 0}));
    net->CopyTrainedLayersFrom(folder.File("old.caffemodel"));
    EXPECT_EQ(net->weight_report().loaded, (vector<string>{"c"}));
    fill_random(net->input_blobs()[0], 4);
    outputs.push_back(values_of(*net->Forward()[0]));
  }
  EXPECT_EQ(outputs[0], outputs[1]);
  EXPECT_EQ(outputs[0], outputs[2]);
  EXPECT_GT(*std::max_element(outputs[0].begin(), outputs[0].end()), 0.f);
}

}  // namespace
}  // namespace caffe

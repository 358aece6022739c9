// Caffemodels: reading layer by layer, clashing numbers, old formats, wrong files,
// writing.
#include <gtest/gtest.h>

#include <cstring>
#include <limits>
#include <random>

#include "caffe/util/caffemodel_reader.hpp"
#include "caffe/util/caffemodel_writer.hpp"
#include "caffe/util/raw_blob.hpp"
#include "caffe/util/text_format.hpp"
#include "caffe/util/upgrade_proto.hpp"
#include "caffe/util/wire_format.hpp"
#include "test_files.hpp"

namespace caffe {
namespace {

NetParameter Net(const std::string& text) {
  NetParameter net;
  ParseTextFormat(text, "test", &net);
  return net;
}

std::vector<LayerParameter> ReadLayers(const std::string& path) {
  CaffemodelReader reader(path);
  std::vector<LayerParameter> layers;
  LayerParameter layer;
  while (reader.Next(&layer)) layers.push_back(layer);
  return layers;
}

/// A layer in wire form as a fork would write it: type, and one message under a number.
std::string ForeignLayer(const std::string& type, uint32_t number,
                         const std::string& payload) {
  std::string layer;
  AppendBytesField(number, payload, &layer);  // before the type, which may come anywhere
  AppendBytesField(LayerParameter::kTypeFieldNumber, type, &layer);
  std::string net;
  AppendBytesField(NetParameter::kLayerFieldNumber, layer, &net);
  return net;
}

std::string FloatField(uint32_t number, float value) {
  std::string field;
  AppendTag(number, WireField::kFixed32, &field);
  field.append(reinterpret_cast<const char*>(&value), sizeof(value));
  return field;
}

std::string VarintField(uint32_t number, uint64_t value) {
  std::string field;
  AppendTag(number, WireField::kVarint, &field);
  AppendVarint(value, &field);
  return field;
}

LayerParameter ReadForeign(const std::string& type, uint32_t number,
                           const std::string& payload) {
  const TemporaryFolder folder;
  NetParameter net;
  ReadProtoFromBinaryFileOrDie(folder.Write("w", ForeignLayer(type, number, payload)),
                               &net);
  return net.layer(0);
}

TEST(ClashTest, Number148IsReadByType) {
  const std::string payload = FloatField(1, 50000) + FloatField(2, 0.5f);
  const LayerParameter augmentation = ReadForeign("DataAugmentation", 148, payload);
  EXPECT_EQ(augmentation.coeff_schedule_param().half_life(), 50000.f);
  EXPECT_EQ(augmentation.coeff_schedule_param().initial_coeff(), 0.5f);
  EXPECT_FALSE(augmentation.has_clip_param());

  const LayerParameter clip = ReadForeign("Clip", 148, payload);
  EXPECT_EQ(clip.clip_param().max(), 0.5f);
  EXPECT_FALSE(clip.has_coeff_schedule_param());
}

TEST(ClashTest, OnAnyOtherTypeTheFieldIsUnknownAndKept) {
  const LayerParameter layer = ReadForeign("Convolution", 148, FloatField(1, 3));
  EXPECT_FALSE(layer.has_clip_param());
  EXPECT_FALSE(layer.has_coeff_schedule_param());
  const auto& unknown = layer.GetReflection()->GetUnknownFields(layer);
  ASSERT_EQ(unknown.field_count(), 1);
  EXPECT_EQ(unknown.field(0).number(), 148);
}

TEST(ClashTest, ExpMaxNegSquareAndTheirRivals) {
  EXPECT_EQ(ReadForeign("ExpMax", 158, FloatField(2, 3)).expmax_param().scale(), 3.f);
  EXPECT_TRUE(ReadForeign("NegSquare", 159, "").has_negsquare_param());
  EXPECT_TRUE(ReadForeign("FlowWarp", 159, VarintField(1, 2)).has_flow_warp_param());
  EXPECT_EQ(ReadForeign("LpqLoss", 158, FloatField(4013, 2)).lpq_loss_param().p_epsilon(),
            2.f);
}

TEST(ClashTest, InterpAndBnAreFoundUnderEveryNumber) {
  for (const uint32_t number : {143u, 153u, 163u}) {
    EXPECT_EQ(ReadForeign("Interp", number, VarintField(1, 7)).interp_param().height(),
              7);
  }
  for (const uint32_t number : {41u, 45u, 137u}) {
    EXPECT_TRUE(ReadForeign("BN", number, VarintField(9, 1)).bn_param().frozen())
        << number;
  }
}

TEST(ClashTest, BnModeOfSegNetAndVarEpsOfPspNetShareANumber) {
  const LayerParameter segnet = ReadForeign("BN", 45, VarintField(3, 1));
  EXPECT_EQ(segnet.bn_param().bn_mode(), BNParameter::INFERENCE);
  EXPECT_FALSE(segnet.bn_param().has_var_eps());
  const LayerParameter pspnet = ReadForeign("BN", 137, FloatField(3, 0.25f));
  EXPECT_EQ(pspnet.bn_param().var_eps(), 0.25f);
}

TEST(ClashTest, PspNetScaleBiasHoleAndNvidiaRecurrent) {
  EXPECT_EQ(ReadForeign("Scale", 160, VarintField(1, 2)).scale_param().axis(), 2);
  EXPECT_EQ(ReadForeign("Bias", 161, VarintField(1, 2)).bias_param().axis(), 2);
  const LayerParameter hole = ReadForeign("Convolution", 106, VarintField(17, 4));
  ASSERT_EQ(hole.convolution_param().dilation_size(), 1);
  EXPECT_EQ(hole.convolution_param().dilation(0), 4u);
  EXPECT_FALSE(hole.convolution_param().has_force_nd_im2col());
  EXPECT_TRUE(ReadForeign("Convolution", 106, VarintField(17, 1))
                  .convolution_param()
                  .force_nd_im2col());
  EXPECT_EQ(ReadForeign("LSTM", 151, VarintField(1, 9)).recurrent_param().num_output(),
            9u);
}

TEST(ClashTest, NvidiaVarintsUnderMessageNumbersDoNoHarm) {
  const TemporaryFolder folder;
  std::string layer = VarintField(145, 1) + VarintField(150, 3);
  AppendBytesField(LayerParameter::kTypeFieldNumber, "Convolution", &layer);
  std::string net;
  AppendBytesField(NetParameter::kLayerFieldNumber, layer, &net);
  const std::vector<LayerParameter> layers = ReadLayers(folder.Write("w", net));
  ASSERT_EQ(layers.size(), 1u);
  EXPECT_FALSE(layers[0].has_correlation_param());
  EXPECT_TRUE(layers[0].GetReflection()->GetUnknownFields(layers[0]).empty());
}

/// Numbers of the fields of a layer in wire form.
std::vector<uint32_t> NumbersOf(const std::string& layer) {
  std::vector<uint32_t> numbers;
  WireWalker walker(layer, "layer");
  WireField field;
  while (walker.Next(&field)) numbers.push_back(field.number);
  return numbers;
}

TEST(ClashTest, WritingUsesTheNumberOfTheFork) {
  NetParameter net =
      Net("layer { type: 'DataAugmentation' coeff_schedule_param { half_life: 7 } }"
          "layer { type: 'ExpMax' expmax_param { } } layer { type: 'NegSquare' "
          "negsquare_param { } }"
          "layer { type: 'BN' bn_param { bn_mode: INFERENCE } }"
          "layer { type: 'Interp' interp_param { zoom_factor: 2 } }");
  const std::vector<uint32_t> expected = {148, 158, 159, 137, 163};
  for (int i = 0; i < net.layer_size(); ++i) {
    const std::vector<uint32_t> numbers = NumbersOf(SerializeLayer(net.layer(i)));
    EXPECT_EQ(numbers, (std::vector<uint32_t>{2, expected[i]})) << net.layer(i).type();
  }
  const TemporaryFolder folder;
  WriteProtoToBinaryFile(net, folder.File("w"));
  NetParameter again;
  ReadProtoFromBinaryFileOrDie(folder.File("w"), &again);
  EXPECT_EQ(net.SerializeAsString(), again.SerializeAsString());
}

TEST(ClashTest, NothingOfOursLeavesInACaffemodel) {
  const TemporaryFolder folder;
  WriteProtoToBinaryFile(
      Net("name: 'n' keep: 'a' keep: 'b'"
          "layer { type: 'SoftIoULoss' soft_iou_loss_param { smooth: 1 } }"
          "layer { type: 'Warp' warp_param { coordinates: ABSOLUTE } }"),
      folder.File("w"));
  const std::string bytes = ReadFile(folder.File("w"));
  WireWalker walker(bytes, "w");
  WireField field;
  while (walker.Next(&field)) {
    EXPECT_LT(field.number, 10000u);
    if (field.number != 100) continue;
    for (const uint32_t number : NumbersOf(std::string(field.payload)))
      EXPECT_LT(number, 10000u);
  }
}

TEST(HalfFloatTest, EveryHalfHasItsValue) {
  for (int bits = 0; bits < 0x10000; ++bits) {
    const int exponent = bits >> 10 & 0x1f, fraction = bits & 0x3ff;
    const float sign = bits & 0x8000 ? -1.f : 1.f;
    const float value = HalfToFloat(static_cast<uint16_t>(bits));
    if (exponent == 31 && fraction != 0) {
      EXPECT_TRUE(std::isnan(value)) << bits;
    } else if (exponent == 31) {
      EXPECT_EQ(value, sign * std::numeric_limits<float>::infinity()) << bits;
    } else if (exponent == 0) {
      ASSERT_EQ(value, sign * std::ldexp(static_cast<float>(fraction), -24)) << bits;
    } else {
      ASSERT_EQ(value,
                sign * std::ldexp(static_cast<float>(1024 + fraction), exponent - 25));
    }
  }
}

TEST(CaffemodelReaderTest, YieldsLayersInOrderWithBlobsOfEveryKind) {
  const TemporaryFolder folder;
  NetParameter net = Net(
      "name: 'net' layer { name: 'a' type: 'Convolution' blobs { shape { dim: 1 dim: 2 }"
      " data: 1.5 data: -2 diff: 3 diff: 4 } blobs { num: 1 channels: 1 height: 1 width: "
      "3"
      " double_data: 1 double_data: 2 double_data: 0.1 } }"
      "layer { name: 'b' type: 'ReLU' }");
  BlobProto* half = net.mutable_layer(1)->add_blobs();
  half->mutable_shape()->add_dim(2);
  half->set_raw_data_type(BlobProto::FLOAT16);
  half->set_raw_data(std::string("\x00\x3c\x00\xbc", 4));
  const std::string path = folder.Write("w", net.SerializeAsString());

  CaffemodelReader reader(path);
  EXPECT_EQ(reader.header().name(), "net");
  EXPECT_EQ(reader.layer_count(), 2u);
  LayerParameter layer;
  std::vector<StoredBlob> blobs;
  ASSERT_TRUE(reader.Next(&layer, &blobs));
  EXPECT_EQ(layer.name(), "a");
  EXPECT_EQ(layer.blobs_size(), 0);
  ASSERT_EQ(blobs.size(), 2u);
  EXPECT_EQ(blobs[0].shape, (std::vector<int64_t>{1, 2}));
  EXPECT_FALSE(blobs[0].legacy_shape);
  std::vector<float> floats(blobs[0].data_count), diffs(blobs[0].diff_count);
  blobs[0].CopyData(floats.data());
  blobs[0].CopyDiff(diffs.data());
  EXPECT_EQ(floats, (std::vector<float>{1.5f, -2.f}));
  EXPECT_EQ(diffs, (std::vector<float>{3.f, 4.f}));
  EXPECT_TRUE(blobs[1].legacy_shape);
  EXPECT_EQ(blobs[1].shape, (std::vector<int64_t>{1, 1, 1, 3}));
  std::vector<double> doubles(blobs[1].data_count);
  blobs[1].CopyData(doubles.data());
  EXPECT_EQ(doubles, (std::vector<double>{1, 2, 0.1}));
  ASSERT_TRUE(reader.Next(&layer, &blobs));
  EXPECT_EQ(layer.name(), "b");
  blobs[0].CopyData(floats.data());
  EXPECT_EQ(floats, (std::vector<float>{1.f, -1.f}));
  EXPECT_FALSE(reader.Next(&layer, &blobs));

  reader.Rewind();
  ASSERT_TRUE(reader.Next(&layer));
  ASSERT_EQ(layer.blobs_size(), 2);
  EXPECT_EQ(layer.blobs(0).SerializeAsString(),
            net.layer(0).blobs(0).SerializeAsString());
  EXPECT_EQ(layer.blobs(1).SerializeAsString(),
            net.layer(0).blobs(1).SerializeAsString());
}

TEST(CaffemodelReaderTest, UnpackedFloatsAreReadLikePackedOnes) {
  const TemporaryFolder folder;
  const std::string blob = FloatField(5, 1) + FloatField(5, 2) + FloatField(5, 3);
  const std::string net = ForeignLayer("Scale", LayerParameter::kBlobsFieldNumber, blob);
  const std::vector<LayerParameter> layers = ReadLayers(folder.Write("w", net));
  ASSERT_EQ(layers[0].blobs(0).data_size(), 3);
  EXPECT_EQ(layers[0].blobs(0).data(2), 3.f);
}

TEST(CaffemodelReaderTest, IntegerRawBlobsAreRefused) {
  const TemporaryFolder folder;
  const std::string blob =
      VarintField(10, BlobProto::INT) + std::string("\x62\x01\x00", 3);
  const std::string net = ForeignLayer("Scale", LayerParameter::kBlobsFieldNumber, blob);
  const std::string path = folder.Write("w", net);
  EXPECT_NE(ErrorOf([&] { ReadLayers(path); }).find("raw blob"), std::string::npos);
  NetParameter whole;
  EXPECT_NE(ErrorOf([&] { ReadProtoFromBinaryFileOrDie(path, &whole); }).find("INT"),
            std::string::npos);
}

TEST(CaffemodelReaderTest, OldLayersComeUpgraded) {
  const TemporaryFolder folder;
  const NetParameter net = Net(
      "layers { layer { name: 'c' type: 'conv' num_output: 3 kernelsize: 5 blobs_lr: 1"
      " blobs { num: 1 channels: 1 height: 1 width: 1 data: 4 } } bottom: 'x' top: 'y' }"
      "layers { layer { name: 'p' type: 'padding' pad: 1 } bottom: 'y' top: 'z' }"
      "layers { name: 'd' type: SOFTMAX_LOSS blobs_lr: 2 bottom: 'z' blobs { data: 5 } "
      "}");
  const std::vector<LayerParameter> layers =
      ReadLayers(folder.Write("w", net.SerializeAsString()));
  ASSERT_EQ(layers.size(), 2u);
  EXPECT_EQ(layers[0].name(), "c");
  EXPECT_EQ(layers[0].type(), "Convolution");
  EXPECT_EQ(layers[0].convolution_param().kernel_size(0), 5u);
  EXPECT_EQ(layers[0].blobs(0).data(0), 4.f);
  EXPECT_EQ(layers[1].type(), "SoftmaxWithLoss");
  EXPECT_EQ(layers[1].param(0).lr_mult(), 2.f);
  EXPECT_EQ(layers[1].blobs(0).data(0), 5.f);
}

TEST(CaffemodelReaderTest, MixedFormsAreRefused) {
  const TemporaryFolder folder;
  const std::string path = folder.Write(
      "w", Net("layer { name: 'a' } layers { name: 'b' }").SerializeAsString());
  EXPECT_NE(ErrorOf([&] { CaffemodelReader reader(path); }).find("mixes"),
            std::string::npos);
}

TEST(CaffemodelReaderTest, WrongFilesAreNamedAndExplained) {
  const TemporaryFolder folder;
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", "empty"},
      {std::string("\x89HDF\r\n\x1a\n", 8), "HDF5"},
      {"name: \"a\"\nlayer {\n}\n", "looks like text"},
      {std::string("\xa0\xf6\x01\x01", 4), "no caffemodel"},
      {std::string(100, '\xff'), "corrupt"},
  };
  for (const auto& [bytes, word] : cases) {
    const std::string path = folder.Write("weights", bytes);
    const std::string error = ErrorOf([&p = path] { CaffemodelReader reader(p); });
    EXPECT_NE(error.find(path), std::string::npos) << error;
    EXPECT_NE(error.find(word), std::string::npos) << error;
  }
  EXPECT_TRUE(ThrowsKind([] { CaffemodelReader reader("no/such.caffemodel"); },
                         Error::kFileNotFound));
  EXPECT_NE(ErrorOf([&] { CaffemodelReader reader(folder.File("")); }).find("folder"),
            std::string::npos);
}

TEST(CaffemodelReaderTest, EveryCutIsFoundBeforeALayerIsGivenOut) {
  const TemporaryFolder folder;
  const std::string bytes =
      Net("name: 'n' layer { name: 'a' type: 'Convolution' blobs { shape { dim: 4 }"
          " data: 1 data: 2 data: 3 data: 4 } }")
          .SerializeAsString();
  for (size_t size = 1; size < bytes.size(); ++size) {
    if (size == 3) continue;  // behind the name: a whole net without layers
    const std::string path = folder.Write("w", bytes.substr(0, size));
    EXPECT_NE(ErrorOf([&] { CaffemodelReader reader(path); }), "") << size;
  }
  CaffemodelReader whole(folder.Write("w", bytes));
  EXPECT_EQ(whole.layer_count(), 1u);
}

TEST(CaffemodelReaderTest, RandomBytesAndFlippedBitsNeverCrash) {
  const TemporaryFolder folder;
  std::mt19937 random(3);
  const std::string good =
      Net("name: 'n' layers { layer { name: 'c' type: 'conv' blobs { data: 1 data: 2 } } "
          "}"
          "layers { name: 'd' type: RELU blobs { shape { dim: 2 } data: 1 data: 2 } }")
          .SerializeAsString();
  int refused = 0;
  for (int i = 0; i < 400; ++i) {
    std::string bytes = good;
    for (int flips = 1 + i % 3; flips > 0; --flips) {
      bytes[random() % bytes.size()] ^= static_cast<char>(1 << random() % 8);
    }
    const std::string path = folder.Write("w", bytes);
    refused += ErrorOf([&] { ReadLayers(path); }).empty() ? 0 : 1;
    NetParameter net;
    ErrorOf([&] { ReadNetParamsFromBinaryFileOrDie(path, &net); });
  }
  EXPECT_GT(refused, 100);
}

TEST(CaffemodelWriterTest, LayerByLayerEqualsTheWholeNet) {
  const TemporaryFolder folder;
  const NetParameter net =
      Net("name: 'n' layer { name: 'a' blobs { shape { dim: 1 } data: 1 } } layer { "
          "name: 'b' }");
  CaffemodelWriter writer(folder.File("w"), net.name());
  for (const LayerParameter& layer : net.layer()) writer.Write(layer);
  EXPECT_FALSE(std::filesystem::exists(folder.File("w")));
  writer.Commit();
  EXPECT_EQ(ReadFile(folder.File("w")), net.SerializeAsString());
}

TEST(CaffemodelReaderTest, RealFilesAgreeWithTheWholeMessage) {
  for (const std::string name :
       {"legacy/lenet_v1", "legacy/cifar10_full_v1", "legacy/lenet_small_v2"}) {
    CAFFE_NEED_SHARED(path, "models/" + name + "/weights.caffemodel");
    NetParameter net;
    ReadNetParamsFromBinaryFileOrDie(path, &net);
    const std::vector<LayerParameter> layers = ReadLayers(path);
    ASSERT_EQ(static_cast<size_t>(net.layer_size()), layers.size()) << path;
    for (size_t i = 0; i < layers.size(); ++i) {
      EXPECT_EQ(net.layer(static_cast<int>(i)).SerializeAsString(),
                layers[i].SerializeAsString())
          << path << " " << layers[i].name();
    }
  }
}

TEST(CaffemodelReaderTest, HalfFloatModelEqualsItsFloatTwinAfterRounding) {
  CAFFE_NEED_SHARED(half_path, "models/legacy/lpr_finemap_fp16/weights_fp16.caffemodel");
  CAFFE_NEED_SHARED(float_path, "models/legacy/lpr_finemap_fp16/weights_fp32.caffemodel");
  const std::vector<LayerParameter> half = ReadLayers(half_path),
                                    full = ReadLayers(float_path);
  int values = 0;
  std::map<std::string, const LayerParameter*> by_name;
  for (const LayerParameter& layer : full) by_name[layer.name()] = &layer;
  for (const LayerParameter& layer : half) {
    for (int b = 0; b < layer.blobs_size(); ++b) {
      const BlobProto& one = layer.blobs(b);
      const BlobProto& other = by_name.at(layer.name())->blobs(b);
      ASSERT_EQ(one.data_size(), other.data_size()) << layer.name();
      for (int i = 0; i < one.data_size(); ++i, ++values) {
        ASSERT_NEAR(one.data(i), other.data(i), 1e-3 * std::abs(other.data(i)) + 1e-7);
      }
    }
  }
  EXPECT_EQ(values, 11754);
}

}  // namespace
}  // namespace caffe

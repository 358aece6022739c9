// Readers and writers: names, every format byte by byte, what comes back, messages.
#include <cstring>
#include <limits>

#include "caffe/layers/writer_layer.hpp"
#include "caffe/util/image_file.hpp"
#include "layer_check.hpp"
#include "net_check.hpp"

namespace caffe {
namespace {

const float kNan = std::numeric_limits<float>::quiet_NaN();

std::vector<string> NamesIn(const string& folder) {
  std::vector<string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

// A writer of one item of the given values; returns the file's bytes.
template <typename Dtype>
string Written(const string& type, const vector<int>& shape, const vector<double>& values,
               const string& fields = "") {
  TemporaryFolder folder;
  LayerUnderTest<Dtype> test("type: '" + type + "' writer_param { file: '" +
                                 folder.File("out") + "' " + fields + " }",
                             {shape}, 0);
  test.SetUp();
  EXPECT_EQ(values.size(), static_cast<size_t>(test.bottom[0]->count()));
  std::copy(values.begin(), values.end(), test.bottom[0]->mutable_cpu_data());
  test.Forward();
  return ReadFile(folder.File("out"));
}

// The four bytes of a float, the lowest first (or last).
string Bytes(float value, bool big_endian = false) {
  std::uint32_t word;
  std::memcpy(&word, &value, 4);
  string bytes;
  for (int i = 0; i < 4; ++i) bytes += static_cast<char>(word >> 8 * i & 255);
  if (big_endian) std::reverse(bytes.begin(), bytes.end());
  return bytes;
}

template <typename Dtype>
class FileLayersTest : public ::testing::Test {};
TYPED_TEST_SUITE(FileLayersTest, TestDtypes);

TYPED_TEST(FileLayersTest, FloHoldsUAndVInterleavedBehindItsMagic) {
  // u = 1 2 3 / 4 5 6, v = -1 -2 -3 / NaN 0.5 0
  const string found = Written<TypeParam>("FLOWriter", {1, 2, 2, 3},
                                          {1, 2, 3, 4, 5, 6, -1, -2, -3, kNan, 0.5, 0});
  string expected = "PIEH";
  expected += string("\3\0\0\0", 4) + string("\2\0\0\0", 4);
  for (const float v :
       {1.f, -1.f, 2.f, -2.f, 3.f, -3.f, 4.f, kNan, 5.f, 0.5f, 6.f, 0.f}) {
    expected += Bytes(v);
  }
  EXPECT_EQ(found, expected);
  float magic;
  std::memcpy(&magic, found.data(), 4);
  EXPECT_EQ(magic, 202021.25f);
}

TYPED_TEST(FileLayersTest, Float3HoldsSizesAsTextAndTheValuesAsTheyLie) {
  const string found =
      Written<TypeParam>("FloatWriter", {1, 2, 1, 3}, {1, 2, 3, -4, kNan, 1e-30});
  string expected = "float\n3\n3\n1\n2\n";
  for (const float v : {1.f, 2.f, 3.f, -4.f, kNan, 1e-30f}) expected += Bytes(v);
  EXPECT_EQ(found, expected);
}

TYPED_TEST(FileLayersTest, PfmIsNegatedBigEndianAndUpsideDown) {
  string expected = "Pf\n2 2\n1.0\n";
  for (const float v : {-3.f, 4.f, -1.f, -2.f}) expected += Bytes(v, true);
  EXPECT_EQ(Written<TypeParam>("PFMWriter", {1, 1, 2, 2}, {1, 2, 3, -4}), expected);
  expected = "PF\n1 2\n1.0\n";
  for (const float v : {-2.f, -4.f, -6.f, -1.f, -3.f, -5.f}) expected += Bytes(v, true);
  EXPECT_EQ(Written<TypeParam>("PFMWriter", {1, 3, 2, 1}, {1, 2, 3, 4, 5, 6}), expected);
  expected = "PF\n2 1\n1.0\n";
  for (const float v : {-1.f, -3.f, 0.f, -2.f, -4.f, 0.f}) expected += Bytes(v, true);
  EXPECT_EQ(Written<TypeParam>("PFMWriter", {1, 2, 1, 2}, {1, 2, 3, 4}), expected);
}

TYPED_TEST(FileLayersTest, PixelsAreScaledCutOffAndInTheOrderOfTheFile) {
  EXPECT_EQ(
      Written<TypeParam>("ImgWriter", {1, 3, 1, 2}, {10, 255.9, 20.99, 300, 30, -5}),
      string("P6 \n2 1 \n255\n") + "\x1e\x14\x0a" + string("\0\xff\xff", 3));
  EXPECT_EQ(Written<TypeParam>("ImgWriter", {1, 1, 2, 3}, {0, 0.5, 1, -1, 2, kNan},
                               "scale: 200"),
            string("P5\n3 2 \n255\n") + string("\0\x64\xc8\0\xff\0", 6));
}

TYPED_TEST(FileLayersTest, NormalizedPixelsFillTheRangeOfTheWholeItem) {
  EXPECT_EQ(Written<TypeParam>("ImgWriter", {1, 3, 1, 2}, {-7, -6, -5, -4, -3, -2},
                               "normalize: true scale: 9"),
            string("P6\n2 1 \n255\n") + string("\xcc\x66\0\xff\x99\x33", 6));
  EXPECT_EQ(
      Written<TypeParam>("ImgWriter", {1, 1, 1, 4}, {kNan, 1, 3, 2}, "normalize: true"),
      string("P5\n4 1 \n255\n") + string("\0\0\xff\x7f", 4));
  EXPECT_EQ(Written<TypeParam>("ImgWriter", {1, 1, 1, 2}, {5, 5}, "normalize: true"),
            string("P5\n2 1 \n255\n") + string("\0\0", 2));
}

string WriterNet(const string& type, const vector<int>& shape, const string& fields) {
  string dims;
  for (const int dim : shape) dims += " dim: " + std::to_string(dim);
  return "layer { name: 'in' type: 'Input' top: 'x' input_param { shape {" + dims +
         " } } } layer { name: 'w' type: '" + type + "' bottom: 'x' writer_param { " +
         fields + " } }";
}

TEST(WriterLayerTest, NamesNumberThePassesAndTheItems) {
  TemporaryFolder folder;
  const string where = "folder: '" + folder.File("a/b") + "' ";
  const auto one = make_net<float>(
      WriterNet("FLOWriter", {1, 2, 2, 2}, where + "prefix: 'pwc-net-pred-'"), TEST);
  EXPECT_TRUE(std::filesystem::is_directory(folder.File("a/b")));  // at set-up
  for (int pass = 0; pass < 3; ++pass) one->Forward();
  EXPECT_EQ(NamesIn(folder.File("a/b")),
            std::vector<string>({"pwc-net-pred-0000000.flo", "pwc-net-pred-0000001.flo",
                                 "pwc-net-pred-0000002.flo"}));
  const auto two = make_net<float>(
      WriterNet("ImgWriter", {2, 3, 2, 2},
                "folder: '" + folder.File("c") + "' prefix: 'p' suffix: '-s'"),
      TEST);
  two->set_iter(1234567);
  two->Forward();
  two->Forward();
  EXPECT_EQ(NamesIn(folder.File("c")),
            std::vector<string>({"p1234567(000)-s.ppm", "p1234567(001)-s.ppm"}));
}

TEST(WriterLayerTest, EachItemHasItsOwnFileAndAFileIsOverwrittenByEvery) {
  TemporaryFolder folder;
  LayerUnderTest<double> test(
      "type: 'FloatWriter' writer_param { folder: '" + folder.File("d") + "' }",
      {{2, 1, 1, 1}}, 0);
  test.bottom[0]->mutable_cpu_data()[0] = 3;
  test.bottom[0]->mutable_cpu_data()[1] = 4;
  test.SetUp();
  test.Forward();
  const string header = "float\n3\n1\n1\n1\n";
  EXPECT_EQ(ReadFile(folder.File("d/0000000(000).float3")), header + Bytes(3));
  EXPECT_EQ(ReadFile(folder.File("d/0000000(001).float3")), header + Bytes(4));
  LayerUnderTest<double> single("type: 'FloatWriter' writer_param { folder: '" +
                                    folder.File("e") + "' file: '" + folder.File("same") +
                                    "' }",
                                {{2, 1, 1, 1}}, 0);
  single.bottom[0]->mutable_cpu_data()[1] = 5;
  single.SetUp();
  single.Forward();
  EXPECT_EQ(ReadFile(folder.File("same")), header + Bytes(5));
  EXPECT_FALSE(std::filesystem::exists(folder.File("e")));
}

TEST(WriterLayerTest, ItsBottomGetsNoGradientUnderForceBackward) {
  TemporaryFolder folder;
  const auto net = make_net<float>(
      "force_backward: true " +
      WriterNet("FloatWriter", {1, 1, 1, 2}, "file: '" + folder.File("f") + "'") +
      "layer { name: 's' type: 'Reduction' bottom: 'x' top: 'l' loss_weight: 1 }");
  net->ForwardBackward();
  EXPECT_EQ(gradient_of(*net->blob_by_name("x")), vector<float>({1, 1}));
}

TEST(WriterLayerTest, RefusesWhatItCannotWrite) {
  const auto error = [](const string& type, const vector<int>& shape,
                        const string& fields = "file: 'never'") {
    LayerUnderTest<float> test("type: '" + type + "' writer_param { " + fields + " }",
                               {shape}, 0);
    return test.SetUpError();
  };
  EXPECT_TRUE(has_words(error("FLOWriter", {1, 3, 2, 2}),
                        {"FLOWRITER layer input must have two channels", "1 3 2 2"}));
  EXPECT_TRUE(has_words(error("ImgWriter", {1, 2, 2, 2}),
                        {"IMGWRITER layer input must have one or three channels"}));
  EXPECT_TRUE(has_words(error("PFMWriter", {1, 4, 2, 2}), {"one, two or three"}));
  EXPECT_TRUE(has_words(error("FloatWriter", {4, 2}), {"(N, C, H, W)"}));
  TemporaryFolder folder;
  folder.Write("taken", "");
  EXPECT_TRUE(has_words(
      error("FLOWriter", {1, 2, 2, 2}, "folder: '" + folder.File("taken/below") + "'"),
      {"cannot create the folder", "taken"}));
  LayerUnderTest<float> test(
      "type: 'FloatWriter' writer_param { file: '" + folder.File("missing/x") + "' }",
      {{1, 1, 1, 1}}, 0);
  test.SetUp();
  EXPECT_TRUE(has_words(ErrorOf([&] { test.Forward(); }), {"missing"}));
}

TYPED_TEST(FileLayersTest, FloatReaderGivesBackWhatFloatWriterWrote) {
  TemporaryFolder folder;
  const vector<int> shape = {1, 3, 4, 5};
  vector<double> values;
  for (int i = 0; i < 60; ++i) values.push_back(i * 0.25f - 7);
  values[7] = kNan;
  const string file =
      folder.Write("m.float3", Written<TypeParam>("FloatWriter", shape, values));
  LayerUnderTest<TypeParam> test(
      "type: 'FloatReader' reader_param { file: '" + file + "' num: 2 }", {});
  test.SetUp();
  ASSERT_EQ(test.top[0]->shape(), vector<int>({2, 3, 4, 5}));
  for (int pass = 0; pass < 2; ++pass) {
    std::fill_n(test.top[0]->mutable_cpu_data(), 120, TypeParam(99));
    test.Forward();
    for (int i = 0; i < 120; ++i) {
      const TypeParam found = test.top[0]->cpu_data()[i];
      if (i % 60 == 7) {
        EXPECT_TRUE(std::isnan(found));
      } else {
        EXPECT_EQ(found, static_cast<float>(values[i % 60])) << i;
      }
    }
  }
}

TEST(FloatReaderLayerTest, TakesTwoDimensionsAndRefusesBrokenFiles) {
  TemporaryFolder folder;
  const auto make = [&](const string& bytes) {
    return "type: 'FloatReader' reader_param { file: '" +
           folder.Write("f.float3", bytes) + "' }";
  };
  LayerUnderTest<float> flat(make("float\n2\n3\n1\n" + Bytes(1) + Bytes(2) + Bytes(3)),
                             {});
  flat.SetUp();
  flat.Forward();
  EXPECT_EQ(flat.top[0]->shape(), vector<int>({1, 1, 1, 3}));
  EXPECT_EQ(data_of(*flat.top[0]), vector<float>({1, 2, 3}));
  const auto error = [&](const string& bytes) {
    return LayerUnderTest<float>(make(bytes), {}).SetUpError();
  };
  EXPECT_TRUE(has_words(error("flaot\n3\n1\n1\n1\n" + Bytes(1)),
                        {"f.float3", "File has invalid format"}));
  EXPECT_TRUE(has_words(error(""), {"File has invalid format"}));
  EXPECT_TRUE(has_words(error("float\n4\n1\n1\n1\n1\n" + Bytes(1)),
                        {"File not 3-dimensional", "4"}));
  EXPECT_TRUE(has_words(error("float\n3\n1\n-1\n1\n" + Bytes(1)), {"\"-1\" is no size"}));
  EXPECT_TRUE(has_words(error("float\n3\n2\n1\n1\n" + Bytes(1)),
                        {"File corrupted", "8 bytes", "there are 4"}));
  EXPECT_TRUE(has_words(error("float\n3\n99999\n99999\n9\n"), {"File corrupted"}));
  EXPECT_TRUE(has_words(
      LayerUnderTest<float>("type: 'FloatReader' reader_param { file: 'nowhere' }", {})
          .SetUpError(),
      {"nowhere"}));
  EXPECT_TRUE(has_words(LayerUnderTest<float>("type: 'FloatReader'", {}).SetUpError(),
                        {"reader_param.file is not set"}));
  EXPECT_TRUE(has_words(
      LayerUnderTest<float>("type: 'FloatReader' reader_param { file: 'f' num: 0 }", {})
          .SetUpError(),
      {"num must be at least 1"}));
}

// 3 x 2: every byte is another one, RGB.
const char kPixels[] =
    "\x01\x02\x03\x11\x12\x13\x21\x22\x23"
    "\x31\x32\x33\x41\x42\x43\xf1\xf2\xf3";

TYPED_TEST(FileLayersTest, ImgReaderGivesBgrPlanesThroughTheTransformer) {
  TemporaryFolder folder;
  const string file =
      folder.Write("i.ppm", string("P6 # made here\n3 2\n255\n") + kPixels);
  LayerUnderTest<TypeParam> test(
      "type: 'ImgReader' phase: TEST reader_param { file: '" + file +
          "' num: 2 } transform_param { scale: 0.5 mean_value: 1 mean_value: 2 "
          "mean_value: 4 }",
      {});
  test.SetUp();
  test.Forward();
  ASSERT_EQ(test.top[0]->shape(), vector<int>({2, 3, 2, 3}));
  for (int n = 0; n < 2; ++n) {
    for (int c = 0; c < 3; ++c) {
      for (int i = 0; i < 6; ++i) {
        const int pixel = static_cast<unsigned char>(kPixels[3 * i + 2 - c]);
        EXPECT_EQ(test.top[0]->data_at(n, c, i / 3, i % 3), 0.5 * (pixel - (1 << c)));
      }
    }
  }
  LayerUnderTest<TypeParam> crop("type: 'ImgReader' phase: TEST reader_param { file: '" +
                                     file + "' } transform_param { crop_size: 1 }",
                                 {});
  crop.SetUp();
  crop.Forward();
  EXPECT_EQ(crop.top[0]->shape(), vector<int>({1, 3, 1, 1}));
}

TEST(ReadImageTest, RepeatsGreyAndStretchesOtherRanges) {
  TemporaryFolder folder;
  const ByteImage grey =
      read_image(folder.Write("g.pgm", string("P5\n2 1\n100\n") + "\x64\x32"));
  EXPECT_EQ(grey.height, 1);
  EXPECT_EQ(grey.width, 2);
  EXPECT_EQ(grey.pixels, vector<unsigned char>({255, 255, 255, 128, 128, 128}));
}

TEST(ReadImageTest, NamesTheFileAndWhatIsWrongWithIt) {
  TemporaryFolder folder;
  const auto error = [&](const string& bytes) {
    const string file = folder.Write("broken", bytes);
    return ErrorOf([&] { read_image(file); });
  };
  EXPECT_TRUE(has_words(error("hello"), {"broken", "neither PNG, JPEG"}));
  EXPECT_TRUE(has_words(error("P6\n3 2\n255\n123"), {"cut off"}));
  EXPECT_TRUE(has_words(error("P6\n3\n"), {"header is broken"}));
  EXPECT_TRUE(has_words(error("P5\n99999999999 2\n255\n"), {"header is broken"}));
  EXPECT_TRUE(has_words(error("P5\n1 1\n65535\nab"), {"8 bits"}));
  EXPECT_TRUE(has_words(error("\x89PNG\r\n\x1a\nhello"), {"broken", "cannot be read"}));
  EXPECT_TRUE(has_words(error("\xff\xd8\xff\xe0hello"), {"broken", "cannot be read"}));
  EXPECT_TRUE(ThrowsKind([] { read_image("nowhere.png"); }, Error::kFileNotFound));
}

}  // namespace
}  // namespace caffe

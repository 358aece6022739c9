// .flo, .float3, .ppm and .pgm: the bytes on disk, the way back, and broken files.
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <memory>
#include <vector>

#include "caffe/test/test_caffe_main.hpp"
#include "caffe/util/output.hpp"

namespace caffe {
namespace {

class OutputTest : public ::testing::Test {
 protected:
  ~OutputTest() override { std::remove(path_.c_str()); }
  string Bytes() const {
    std::ifstream file(path_, std::ios::binary);
    return string(std::istreambuf_iterator<char>(file), {});
  }
  void SetBytes(const string& bytes) { std::ofstream(path_, std::ios::binary) << bytes; }

  string path_ = ::testing::TempDir() + "caffe_test_output";
  int x_ = 0, y_ = 0, z_ = 0;
  float* values_ = nullptr;
};

TEST_F(OutputTest, FloIsInterleavedOnDiskAndPlanarInMemory) {
  const float flow[] = {1, 2, 3, 4, 5, 6, -1, -2, -3, -4, -5, -6};
  ASSERT_TRUE(writeFloFile(path_, flow, 3, 2));
  const string bytes = Bytes();
  ASSERT_EQ(bytes.size(), 12u + 48u);
  EXPECT_EQ(bytes.substr(0, 4), "PIEH");
  EXPECT_EQ(bytes[4], 3);
  EXPECT_EQ(bytes[8], 2);
  float second[2];
  std::memcpy(second, &bytes[12 + 8], 8);
  EXPECT_EQ(second[0], 2);
  EXPECT_EQ(second[1], -2);
  ASSERT_TRUE(readFloFile(path_, values_, x_, y_));
  const std::unique_ptr<float[]> owner(values_);
  EXPECT_EQ(x_, 3);
  EXPECT_EQ(y_, 2);
  for (int i = 0; i < 12; ++i) EXPECT_EQ(owner[i], flow[i]);
}

TEST_F(OutputTest, BrokenFloFilesAreErrorsAndMissingOnesFalse) {
  EXPECT_FALSE(readFloFile(path_ + "missing", values_, x_, y_));
  const float flow[] = {1, 2};
  ASSERT_TRUE(writeFloFile(path_, flow, 1, 1));
  const string good = Bytes();
  for (const string& bad : {string(), string("PIEX") + good.substr(4), good.substr(0, 10),
                            good.substr(0, 15), good.substr(0, 4) + string(8, '\xff')}) {
    SetBytes(bad);
    EXPECT_THROW(readFloFile(path_, values_, x_, y_), Error) << bad.size();
  }
  EXPECT_FALSE(writeFloFile("no/such/folder/x.flo", flow, 1, 1));
}

TEST_F(OutputTest, Float3ComesBack) {
  std::vector<float> values(24);
  for (int i = 0; i < 24; ++i) values[i] = 0.5f * i;
  ASSERT_TRUE(writeFloatFile(path_, values.data(), 4, 3, 2));
  EXPECT_EQ(Bytes().substr(0, 14), "float\n3\n4\n3\n2\n");
  ASSERT_TRUE(readFloatFile(path_, values_, x_, y_, z_));
  std::unique_ptr<float[]> owner(values_);
  EXPECT_EQ(x_ * 100 + y_ * 10 + z_, 432);
  for (int i = 0; i < 24; ++i) EXPECT_EQ(owner[i], values[i]);
  SetBytes(string("float\n2\n1\n1\n") + string(4, '\0'));
  ASSERT_TRUE(readFloatFile(path_, values_, x_, y_, z_));
  owner.reset(values_);
  EXPECT_EQ(z_, 1);
  for (const char* bad : {"", "double\n3\n", "float\n4\n1\n1\n1\n1\n",
                          "float\n3\n1\n-1\n1\n", "float\n3\n2\n2\n1\nabc"}) {
    SetBytes(bad);
    EXPECT_THROW(readFloatFile(path_, values_, x_, y_, z_), Error) << bad;
  }
}

TEST_F(OutputTest, PpmIsClampedTruncatedAndFlipped) {
  const float bgr[] = {1.9f, 300, -5, 10, 100, 200};  // two pixels, planes B, G, R
  ASSERT_TRUE(writePPM(path_, bgr, 2, 1));
  EXPECT_EQ(Bytes(),
            string("P6 \n2 1\n255\n") + "\x64" + string(1, '\0') + "\x01\xc8\x0a\xff");
  ASSERT_TRUE(writePPM(path_, bgr, 2, 1, false, 0.5));
  EXPECT_EQ(Bytes().substr(12), string(1, '\0') + string(1, '\0') + "\x32\x96\x05\x64");
}

TEST_F(OutputTest, NormalizedImagesSpanTheBytes) {
  const float values[] = {-4, -2, -3};
  ASSERT_TRUE(writePGMNorm(path_, values, 3, 1));
  EXPECT_EQ(Bytes(), string("P5\n3 1\n255\n") + string(1, '\0') + "\xff\x7f");
  ASSERT_TRUE(writePPMNorm(path_, values, 1, 1));
  EXPECT_EQ(Bytes(), string("P6\n1 1\n255\n") + "\x7f\xff" + string(1, '\0'));
  const float constant[] = {7, 7};
  ASSERT_TRUE(writePGMNorm(path_, constant, 2, 1));
  EXPECT_EQ(Bytes().substr(11), string(2, '\0'));
  const float wide[] = {-1, 260, 3.7f};
  ASSERT_TRUE(writePGM(path_, wide, 3, 1));
  EXPECT_EQ(Bytes().substr(11), string(1, '\0') + "\xff\x03");
}

}  // namespace
}  // namespace caffe

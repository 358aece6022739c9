// DataTransformer against the formula (x - mean) * scale at cropped and mirrored places.
#include <cstdio>

#include "caffe/data_transformer.hpp"
#include "caffe/test/test_caffe_main.hpp"
#include "caffe/util/io.hpp"

namespace caffe {
namespace {

// Draws what the test says.
template <typename Dtype>
class ScriptedTransformer : public DataTransformer<Dtype> {
 public:
  using DataTransformer<Dtype>::DataTransformer;
  vector<int> draws, ranges;

 protected:
  int Rand(int n) override {
    ranges.push_back(n);
    return draws.at(ranges.size() - 1);
  }
};

template <typename Dtype>
class DataTransformerTest : public ::testing::Test {
 protected:
  static constexpr int kChannels = 3, kHeight = 4, kWidth = 5;

  static int Pixel(int c, int y, int x) { return (c * kHeight + y) * kWidth + x + 190; }
  static Datum MakeDatum() {
    Datum datum;
    datum.set_channels(kChannels);
    datum.set_height(kHeight);
    datum.set_width(kWidth);
    for (int i = 0; i < kChannels * kHeight * kWidth; ++i) {
      datum.mutable_data()->push_back(static_cast<char>(190 + i));  // up to 249: unsigned
    }
    return datum;
  }
  // The item's values must be (pixel(c, y + top, x + left) - mean) * scale.
  template <typename Mean>
  static void Expect(const Blob<Dtype>& blob, int item, int top, int left, bool mirror,
                     Mean mean, double scale) {
    for (int c = 0; c < blob.channels(); ++c) {
      for (int y = 0; y < blob.height(); ++y) {
        for (int x = 0; x < blob.width(); ++x) {
          const int from = left + (mirror ? blob.width() - 1 - x : x);
          const double expected =
              (Pixel(c, y + top, from) - mean(c, y + top, from)) * scale;
          ASSERT_NEAR(blob.data_at(item, c, y, x), expected, 1e-3)
              << c << " " << y << " " << x;
        }
      }
    }
  }
  static double NoMean(int, int, int) { return 0; }

  TransformationParameter param_;
};

TYPED_TEST_SUITE(DataTransformerTest, TestDtypes);

TYPED_TEST(DataTransformerTest, BytesAreUnsignedAndScaledAfterTheMean) {
  this->param_.set_scale(0.5);
  this->param_.add_mean_value(10);
  DataTransformer<TypeParam> transformer(this->param_, TEST);
  Blob<TypeParam> blob(transformer.InferBlobShape(this->MakeDatum()));
  EXPECT_EQ(blob.shape(), (vector<int>{1, 3, 4, 5}));
  transformer.Transform(this->MakeDatum(), &blob);
  this->Expect(
      blob, 0, 0, 0, false, [](int, int, int) { return 10; }, 0.5);
}

TYPED_TEST(DataTransformerTest, FloatRecordsAndChannelMeans) {
  Datum datum = this->MakeDatum();
  for (unsigned char byte : datum.data()) datum.add_float_data(byte);
  datum.clear_data();
  for (float mean : {1.5f, 2.5f, 3.5f}) this->param_.add_mean_value(mean);
  DataTransformer<TypeParam> transformer(this->param_, TEST);
  Blob<TypeParam> blob(1, 3, 4, 5);
  transformer.Transform(datum, &blob);
  this->Expect(
      blob, 0, 0, 0, false, [](int c, int, int) { return c + 1.5; }, 1);
}

TYPED_TEST(DataTransformerTest, TestCropIsTheMiddleRoundedDown) {
  this->param_.set_crop_size(2);
  DataTransformer<TypeParam> transformer(this->param_, TEST);
  transformer.InitRand();
  Blob<TypeParam> blob(transformer.InferBlobShape(this->MakeDatum()));
  transformer.Transform(this->MakeDatum(), &blob);
  this->Expect(blob, 0, 1, 1, false, this->NoMean, 1);
}

TYPED_TEST(DataTransformerTest, DrawsAreMirrorThenRowThenColumn) {
  this->param_.set_crop_size(3);
  this->param_.set_mirror(true);
  ScriptedTransformer<TypeParam> transformer(this->param_, TRAIN);
  transformer.draws = {1, 1, 2, 0, 0, 1};
  Blob<TypeParam> blob(2, 3, 3, 3);
  transformer.Transform({this->MakeDatum(), this->MakeDatum()}, &blob);
  EXPECT_EQ(transformer.ranges, (vector<int>{2, 2, 3, 2, 2, 3}));
  this->Expect(blob, 0, 1, 2, true, this->NoMean, 1);
  this->Expect(blob, 1, 0, 1, false, this->NoMean, 1);
}

TYPED_TEST(DataTransformerTest, MirrorIsRandomInTestToo) {
  this->param_.set_mirror(true);
  ScriptedTransformer<TypeParam> transformer(this->param_, TEST);
  transformer.draws = {1};
  Blob<TypeParam> blob(1, 3, 4, 5);
  transformer.Transform(this->MakeDatum(), &blob);
  EXPECT_EQ(transformer.ranges, vector<int>{2});
  this->Expect(blob, 0, 0, 0, true, this->NoMean, 1);
}

TYPED_TEST(DataTransformerTest, MeanFileIsReadAtTheSourcePosition) {
  const string path = ::testing::TempDir() + "caffe_test_mean.binaryproto";
  Blob<TypeParam> mean(1, 3, 4, 5);
  for (int i = 0; i < 60; ++i) mean.mutable_cpu_data()[i] = 0.25 * i * i;
  BlobProto proto;
  mean.ToProto(&proto);
  WriteProtoToBinaryFile(proto, path);
  this->param_.set_mean_file(path);
  this->param_.set_crop_size(2);
  this->param_.set_mirror(true);
  ScriptedTransformer<TypeParam> transformer(this->param_, TRAIN);
  transformer.draws = {1, 2, 3};
  Blob<TypeParam> blob(1, 3, 2, 2);
  transformer.Transform(this->MakeDatum(), &blob);
  this->Expect(
      blob, 0, 2, 3, true, [&](int c, int y, int x) { return mean.data_at(0, c, y, x); },
      1);
  Datum wide = this->MakeDatum();
  wide.set_height(5);
  wide.set_width(4);
  EXPECT_THROW(transformer.Transform(wide, &blob), Error);
  std::remove(path.c_str());
}

TYPED_TEST(DataTransformerTest, BlobSourceIsLeftAsItWas) {
  this->param_.add_mean_value(7);
  this->param_.set_crop_size(2);
  ScriptedTransformer<TypeParam> transformer(this->param_, TRAIN);
  transformer.draws = {1, 3};
  Blob<TypeParam> source(2, 3, 4, 5), target;
  for (int n = 0; n < 2; ++n) {
    for (int i = 0; i < 60; ++i) source.mutable_cpu_data()[n * 60 + i] = 190 + i;
  }
  transformer.Transform(&source, &target);
  EXPECT_EQ(target.shape(), (vector<int>{2, 3, 2, 2}));
  for (int n = 0; n < 2; ++n) {
    this->Expect(
        target, n, 1, 3, false, [](int, int, int) { return 7; }, 1);
  }
  EXPECT_EQ(source.cpu_data()[61], 191);
}

TYPED_TEST(DataTransformerTest, SameSeedSameCrops) {
  this->param_.set_crop_size(1);
  this->param_.set_mirror(true);
  vector<TypeParam> values[2];
  for (auto& run : values) {
    Caffe::set_random_seed(9);
    DataTransformer<TypeParam> transformer(this->param_, TRAIN);
    transformer.InitRand();
    Blob<TypeParam> blob(1, 3, 1, 1);
    for (int i = 0; i < 30; ++i) {
      transformer.Transform(this->MakeDatum(), &blob);
      run.push_back(blob.cpu_data()[0]);
    }
  }
  EXPECT_EQ(values[0], values[1]);
  EXPECT_GT(std::set<TypeParam>(values[0].begin(), values[0].end()).size(), 5u);
}

TYPED_TEST(DataTransformerTest, RefusesWhatDoesNotFit) {
  const Datum good = this->MakeDatum();
  Blob<TypeParam> blob(1, 3, 4, 5);
  const auto refuses = [&](const TransformationParameter& param, const Datum& datum) {
    DataTransformer<TypeParam> transformer(param, TRAIN);
    EXPECT_THROW(transformer.Transform(datum, &blob), Error);
  };
  Datum shorter = good;
  shorter.mutable_data()->pop_back();
  refuses(TransformationParameter(), shorter);
  Datum encoded = good;
  encoded.set_encoded(true);
  refuses(TransformationParameter(), encoded);
  Datum thin = good;
  thin.set_channels(1);
  thin.mutable_data()->resize(20);
  refuses(TransformationParameter(), thin);
  TransformationParameter param;
  param.set_crop_size(5);
  refuses(param, good);
  param.set_crop_size(3);
  refuses(param, good);  // InitRand was not called, and the blob has another size
  param.Clear();
  param.add_mean_value(1);
  param.add_mean_value(2);
  refuses(param, good);
  param.set_mean_file("mean.binaryproto");
  EXPECT_THROW(DataTransformer<TypeParam>(param, TRAIN), Error);
  param.clear_mean_value();
  EXPECT_THROW(DataTransformer<TypeParam>(param, TRAIN), Error);  // no such file
  param.Clear();
  param.set_force_color(true);
  param.set_force_gray(true);
  EXPECT_THROW(DataTransformer<TypeParam>(param, TRAIN), Error);
}

}  // namespace
}  // namespace caffe

// Blob: shapes, axes, sharing, copying, sums, messages (facts/engine.md 1).
#include <gtest/gtest.h>

#include <climits>
#include <cmath>
#include <numeric>
#include <vector>

#include "caffe/blob.hpp"
#include "caffe/test/test_caffe_main.hpp"
#include "test_files.hpp"

namespace caffe {
namespace {

template <typename Dtype>
class BlobTest : public ::testing::Test {};
TYPED_TEST_SUITE(BlobTest, TestDtypes);

template <typename Dtype>
void FillIota(Blob<Dtype>* blob) {
  std::iota(blob->mutable_cpu_data(), blob->mutable_cpu_data() + blob->count(), Dtype(0));
}

TEST(BlobShapeTest, ANewBlobHasNoAxesAndNoMemory) {
  Blob<float> blob;
  EXPECT_EQ(blob.num_axes(), 0);
  EXPECT_EQ(blob.count(), 0);
  EXPECT_NE(ErrorOf([&] { blob.cpu_data(); }), "");
  EXPECT_NE(ErrorOf([&] { blob.mutable_cpu_diff(); }), "");
  EXPECT_EQ(blob.asum_data(), 0);
  EXPECT_EQ(blob.sumsq_diff(), 0);
}

TEST(BlobShapeTest, AScalarHasNoAxesAndCountOne) {
  Blob<float> blob{vector<int>()};
  EXPECT_EQ(blob.count(), 1);
  EXPECT_EQ(blob.shape_string(), "(1)");
  EXPECT_EQ(blob.cpu_data()[0], 0.f);
}

TEST(BlobShapeTest, ShapesAreWrittenWithTheirCount) {
  EXPECT_EQ(Blob<float>(64, 3, 28, 28).shape_string(), "64 3 28 28 (150528)");
}

TEST(BlobShapeTest, AnEmptyBlobGivesAnEmptyRange) {
  Blob<float> blob(0, 3, 4, 5);
  EXPECT_EQ(blob.count(), 0);
  EXPECT_NE(blob.cpu_data(), nullptr);
  EXPECT_NE(blob.mutable_cpu_diff(), nullptr);
  EXPECT_EQ(blob.asum_data(), 0);
}

TEST(BlobShapeTest, BadShapesAreRefusedAndTheOldOneStays) {
  Blob<float> blob(vector<int>{2, 3});
  EXPECT_NE(ErrorOf([&] { blob.Reshape(vector<int>{2, -1}); }).find("-1"), string::npos);
  EXPECT_NE(ErrorOf([&] { blob.Reshape(vector<int>(33, 1)); }), "");
  EXPECT_NE(ErrorOf([&] { blob.Reshape(vector<int>{1 << 16, 1 << 15}); }), "");
  EXPECT_EQ(blob.shape(), (vector<int>{2, 3}));
  EXPECT_EQ(blob.count(), 6);
  blob.Reshape(vector<int>(32, 1));
  EXPECT_EQ(blob.num_axes(), 32);
  // A dim of 0 makes the product small, whatever follows.
  blob.Reshape(vector<int>{0, INT_MAX, INT_MAX});
  EXPECT_EQ(blob.count(), 0);
}

TEST(BlobShapeTest, AxesCountFromBothEnds) {
  const Blob<float> blob(vector<int>{2, 3, 5});
  EXPECT_EQ(blob.shape(0), 2);
  EXPECT_EQ(blob.shape(-1), 5);
  EXPECT_EQ(blob.shape(-3), 2);
  EXPECT_EQ(blob.CanonicalAxisIndex(-2), 1);
  EXPECT_TRUE(ThrowsKind([&] { blob.shape(3); }, Error::kIndex));
  EXPECT_TRUE(ThrowsKind([&] { blob.shape(-4); }, Error::kIndex));
  EXPECT_EQ(blob.count(1, 3), 15);
  EXPECT_EQ(blob.count(1), 15);
  EXPECT_EQ(blob.count(3), 1);
  EXPECT_EQ(blob.count(2, 2), 1);
  EXPECT_NE(ErrorOf([&] { blob.count(2, 1); }), "");
  EXPECT_NE(ErrorOf([&] { blob.count(-1, 2); }), "");
  EXPECT_NE(ErrorOf([&] { blob.count(0, 4); }), "");
}

TEST(BlobShapeTest, LegacyNamesReadFewerThanFourAxesFromBothEnds) {
  const Blob<float> matrix(vector<int>{4, 7});
  EXPECT_EQ(matrix.num(), 4);
  EXPECT_EQ(matrix.channels(), 7);
  EXPECT_EQ(matrix.height(), 1);
  EXPECT_EQ(matrix.width(), 1);
  EXPECT_EQ(matrix.LegacyShape(-4), 1);
  EXPECT_EQ(matrix.LegacyShape(-3), 1);
  EXPECT_EQ(matrix.LegacyShape(-2), 4);
  EXPECT_EQ(matrix.LegacyShape(-1), 7);
  EXPECT_NE(ErrorOf([&] { matrix.LegacyShape(4); }), "");
  EXPECT_NE(ErrorOf([&] { matrix.LegacyShape(-5); }), "");
  const Blob<float> five(vector<int>{1, 2, 3, 4, 5});
  EXPECT_NE(ErrorOf([&] { five.num(); }).find("1 2 3 4 5 (120)"), string::npos);
}

TEST(BlobShapeTest, OffsetsAreRowMajorAndStrict) {
  const Blob<float> blob(2, 3, 4, 5);
  EXPECT_EQ(blob.offset(1, 2, 3, 4), 119);
  EXPECT_EQ(blob.offset(1), 60);
  EXPECT_EQ(blob.offset({1, 2}), 100);  // missing indices are 0
  EXPECT_EQ(blob.offset({0, 1, 2, 3}), 33);
  EXPECT_NE(ErrorOf([&] { blob.offset(vector<int>{2}); }), "");
  EXPECT_NE(ErrorOf([&] { blob.offset({0, -1}); }), "");
  EXPECT_NE(ErrorOf([&] { blob.offset({0, 0, 0, 0, 0}); }), "");
  EXPECT_NE(ErrorOf([&] { blob.offset(2, 0, 0, 0); }), "");
  EXPECT_NE(ErrorOf([&] { blob.offset(0, 0, 0, 5); }), "");
  EXPECT_NE(ErrorOf([&] { blob.offset(0, 0, -1, 0); }), "");
}

TYPED_TEST(BlobTest, AReshapeWithinTheCapacityKeepsTheFlatContents) {
  Blob<TypeParam> blob(2, 3, 4, 5);
  FillIota(&blob);
  const TypeParam* place = blob.cpu_data();
  blob.Reshape(vector<int>{3, 7});
  EXPECT_EQ(blob.cpu_data(), place);
  EXPECT_EQ(blob.data_at(vector<int>{2, 6}), 20);
  blob.Reshape(2, 3, 4, 5);
  EXPECT_EQ(blob.cpu_data(), place);
  EXPECT_EQ(blob.data_at(1, 2, 3, 4), 119);
  blob.Reshape(vector<int>{121});  // grows: new memory, zero
  EXPECT_EQ(blob.cpu_data()[5], 0);
  EXPECT_EQ(blob.cpu_diff()[120], 0);
}

TYPED_TEST(BlobTest, SharingTakesTheOthersMemory) {
  Blob<TypeParam> a(vector<int>{2, 6}), b(vector<int>{3, 4}), c(vector<int>{5});
  FillIota(&a);
  b.ShareData(a);
  EXPECT_EQ(b.cpu_data(), a.cpu_data());
  EXPECT_EQ(b.shape(), (vector<int>{3, 4}));
  b.ShareDiff(a);
  b.mutable_cpu_diff()[3] = 8;
  EXPECT_EQ(a.cpu_diff()[3], 8);
  EXPECT_NE(ErrorOf([&] { c.ShareData(a); }), "");
  EXPECT_NE(ErrorOf([&] { c.ShareDiff(a); }), "");
  b.Reshape(vector<int>{2, 2});  // shrinking keeps the sharing
  EXPECT_EQ(b.cpu_data(), a.cpu_data());
  b.Reshape(vector<int>{100});  // growing ends it, within its own bounds
  b.mutable_cpu_data()[99] = 1;
  b.mutable_cpu_diff()[99] = 1;
  EXPECT_EQ(a.cpu_data()[5], 5);
}

TYPED_TEST(BlobTest, SharingALargerMemoryDoesNotWidenTheOwnDiff) {
  Blob<TypeParam> large(vector<int>{1000}), small(vector<int>{10});
  large.mutable_cpu_data();
  large.Reshape(vector<int>{10});
  small.ShareData(large);
  small.Reshape(vector<int>{1000});
  EXPECT_GE(small.data()->size(), 1000 * sizeof(TypeParam));
  EXPECT_GE(small.diff()->size(), 1000 * sizeof(TypeParam));
}

TYPED_TEST(BlobTest, ForeignMemoryBoundsLaterReshapes) {
  vector<TypeParam> mine(4, TypeParam(3));
  Blob<TypeParam> blob(vector<int>{100});
  blob.mutable_cpu_diff()[0] = 5;
  blob.Reshape(vector<int>{4});
  blob.set_cpu_data(mine.data());
  EXPECT_EQ(blob.cpu_data(), mine.data());
  blob.mutable_cpu_data()[2] = 9;
  EXPECT_EQ(mine[2], 9);
  blob.Reshape(vector<int>{50});  // must not run past the four numbers
  EXPECT_NE(blob.cpu_data(), mine.data());
  EXPECT_GE(blob.data()->size(), 50 * sizeof(TypeParam));
  EXPECT_NE(ErrorOf([&] { blob.set_cpu_data(nullptr); }), "");
}

TYPED_TEST(BlobTest, CopyFromCopiesDataOrDiff) {
  Blob<TypeParam> source(vector<int>{2, 3}), target(vector<int>{2, 3});
  FillIota(&source);
  source.mutable_cpu_diff()[4] = -1;
  target.CopyFrom(source);
  EXPECT_EQ(target.cpu_data()[5], 5);
  EXPECT_EQ(target.cpu_diff()[4], 0);
  target.CopyFrom(source, true);
  EXPECT_EQ(target.cpu_diff()[4], -1);
  Blob<TypeParam> other(vector<int>{3, 2});
  const string error = ErrorOf([&] { other.CopyFrom(source); });
  EXPECT_NE(error.find("2 3 (6)"), string::npos) << error;
  EXPECT_NE(error.find("3 2 (6)"), string::npos) << error;
  other.CopyFrom(source, false, true);
  EXPECT_EQ(other.shape(), (vector<int>{2, 3}));
  EXPECT_EQ(other.cpu_data()[5], 5);
}

TYPED_TEST(BlobTest, UpdateSubtractsTheDiff) {
  Blob<TypeParam> blob(vector<int>{3});
  EXPECT_NE(ErrorOf([&] { blob.Update(); }), "");  // no data yet
  FillIota(&blob);
  for (int i = 0; i < 3; ++i) blob.mutable_cpu_diff()[i] = TypeParam(0.5);
  blob.Update();
  EXPECT_EQ(blob.cpu_data()[0], TypeParam(-0.5));
  EXPECT_EQ(blob.cpu_data()[2], TypeParam(1.5));
}

TYPED_TEST(BlobTest, SumsAndScales) {
  Blob<TypeParam> blob(vector<int>{2, 2});
  EXPECT_EQ(blob.asum_data(), 0);  // never touched
  blob.scale_data(3);
  EXPECT_EQ(blob.data()->head(), SyncedMemory::UNINITIALIZED);
  const TypeParam values[] = {1, -2, 3, -4};
  for (int i = 0; i < 4; ++i) {
    blob.mutable_cpu_data()[i] = values[i];
    blob.mutable_cpu_diff()[i] = 10 * values[i];
  }
  EXPECT_EQ(blob.asum_data(), 10);
  EXPECT_EQ(blob.sumsq_data(), 30);
  EXPECT_EQ(blob.asum_diff(), 100);
  EXPECT_EQ(blob.sumsq_diff(), 3000);
  blob.scale_data(-2);
  blob.scale_diff(TypeParam(0.5));
  EXPECT_EQ(blob.cpu_data()[3], 8);
  EXPECT_EQ(blob.cpu_diff()[3], -20);
  blob.Reshape(vector<int>{2});  // sums reach as far as the shape, not the capacity
  EXPECT_EQ(blob.asum_data(), 6);
}

TEST(BlobIntegerTest, ArithmeticOnIndicesIsAnError) {
  Blob<int> blob(vector<int>{3});
  blob.mutable_cpu_data()[1] = 5;
  EXPECT_THROW(blob.Update(), Error);
  EXPECT_THROW(blob.asum_data(), Error);
  EXPECT_THROW(blob.sumsq_diff(), Error);
  EXPECT_THROW(blob.scale_data(2), Error);
  EXPECT_EQ(blob.cpu_data()[1], 5);
}

// --- BlobProto (1.3)

BlobProto Legacy(int num, int channels, int height, int width) {
  BlobProto proto;
  proto.set_num(num);
  proto.set_channels(channels);
  proto.set_height(height);
  proto.set_width(width);
  return proto;
}

TEST(BlobProtoTest, AMessageGoesOutAndInAgain) {
  Blob<double> blob(vector<int>{2, 3});
  FillIota(&blob);
  blob.mutable_cpu_diff()[1] = 0.1;
  BlobProto proto;
  blob.ToProto(&proto, true);
  EXPECT_FALSE(proto.has_num());
  EXPECT_EQ(proto.shape().dim_size(), 2);
  EXPECT_EQ(proto.double_data_size(), 6);
  EXPECT_EQ(proto.data_size(), 0);
  Blob<double> again;
  again.FromProto(proto);
  EXPECT_EQ(again.shape(), blob.shape());
  EXPECT_EQ(again.cpu_data()[5], 5);
  EXPECT_EQ(again.cpu_diff()[1], 0.1);
  Blob<float> narrow;  // across types the values are cast
  narrow.FromProto(proto);
  EXPECT_EQ(narrow.cpu_diff()[1], 0.1f);
  narrow.ToProto(&proto, false);
  EXPECT_EQ(proto.double_data_size(), 0);
  EXPECT_EQ(proto.data_size(), 6);
  EXPECT_EQ(proto.diff_size(), 0);
  again.FromProto(proto);
  EXPECT_EQ(again.cpu_data()[5], 5);
}

TEST(BlobProtoTest, AScalarHasNoShapeMessage) {
  Blob<float> blob{vector<int>()};
  blob.mutable_cpu_data()[0] = 3;
  BlobProto proto;
  blob.ToProto(&proto);
  EXPECT_FALSE(proto.has_shape());
  Blob<float> again(vector<int>{4});
  again.FromProto(proto);
  EXPECT_EQ(again.num_axes(), 0);
  EXPECT_EQ(again.cpu_data()[0], 3);
}

TEST(BlobProtoTest, LegacyShapesFitWithOnesInFront) {
  Blob<float> bias(vector<int>{5}), matrix(vector<int>{4, 7}), image(2, 3, 4, 5);
  EXPECT_TRUE(bias.ShapeEquals(Legacy(1, 1, 1, 5)));
  EXPECT_FALSE(bias.ShapeEquals(Legacy(5, 1, 1, 1)));
  EXPECT_TRUE(matrix.ShapeEquals(Legacy(1, 1, 4, 7)));
  EXPECT_FALSE(matrix.ShapeEquals(Legacy(4, 7, 1, 1)));
  EXPECT_TRUE(image.ShapeEquals(Legacy(2, 3, 4, 5)));
  EXPECT_FALSE(Blob<float>(vector<int>{1, 1, 1, 4, 7}).ShapeEquals(Legacy(1, 1, 4, 7)));
  BlobProto shape;
  shape.mutable_shape()->add_dim(1);
  shape.mutable_shape()->add_dim(5);
  EXPECT_FALSE(bias.ShapeEquals(shape));  // the new form is exact
}

TEST(BlobProtoTest, ALegacyFieldThatIsPresentAsZeroCounts) {
  BlobProto proto;
  proto.set_num(0);
  proto.mutable_shape()->add_dim(5);  // ignored
  Blob<float> blob;
  blob.FromProto(proto);
  EXPECT_EQ(blob.shape(), (vector<int>{0, 0, 0, 0}));
}

TEST(BlobProtoTest, MessagesThatDoNotFitAreErrors) {
  Blob<float> blob(vector<int>{2, 3});
  BlobProto proto;
  proto.mutable_shape()->add_dim(6);
  for (int i = 0; i < 6; ++i) proto.add_data(i);
  EXPECT_NE(ErrorOf([&] { blob.FromProto(proto, false); }).find("2 3 (6)"), string::npos);
  proto.clear_data();
  EXPECT_NE(ErrorOf([&] { blob.FromProto(proto, true); }).find("0 values"), string::npos);
  for (int i = 0; i < 6; ++i) proto.add_data(i);
  proto.add_diff(1);
  EXPECT_NE(ErrorOf([&] { blob.FromProto(proto, true); }), "");
  proto.clear_diff();
  proto.mutable_shape()->set_dim(0, int64_t{1} << 40);
  EXPECT_NE(ErrorOf([&] { blob.FromProto(proto, true); }), "");
  proto.mutable_shape()->set_dim(0, -6);
  EXPECT_NE(ErrorOf([&] { blob.FromProto(proto, true); }), "");
}

}  // namespace
}  // namespace caffe

// Fillers: values, fans and what they refuse. Numbers from facts (closed formulas).
#include <cmath>
#include <cstdio>

#include "caffe/filler.hpp"
#include "caffe/test/test_caffe_main.hpp"

namespace caffe {
namespace {

template <typename Dtype>
class FillerTest : public ::testing::Test {
 protected:
  void SetUp() override { Caffe::set_random_seed(7); }

  void Fill(const string& type, const vector<int>& shape) {
    param_.set_type(type);
    blob_.Reshape(shape);
    shared_ptr<Filler<Dtype>> filler(GetFiller<Dtype>(param_));
    filler->Fill(&blob_);
  }
  Dtype at(int i) const { return blob_.cpu_data()[i]; }
  double Mean() const {
    double sum = 0;
    for (int i = 0; i < blob_.count(); ++i) sum += at(i);
    return sum / blob_.count();
  }
  double Deviation() const {
    const double mean = Mean();
    double sum = 0;
    for (int i = 0; i < blob_.count(); ++i) sum += (at(i) - mean) * (at(i) - mean);
    return std::sqrt(sum / blob_.count());
  }
  double Largest() const {
    double largest = 0;
    for (int i = 0; i < blob_.count(); ++i)
      largest = std::max<double>(largest, std::fabs(at(i)));
    return largest;
  }

  FillerParameter param_;
  Blob<Dtype> blob_;
};

TYPED_TEST_SUITE(FillerTest, TestDtypes);

TYPED_TEST(FillerTest, ConstantIsZeroByDefault) {
  this->Fill("constant", {2, 3});
  for (int i = 0; i < 6; ++i) EXPECT_EQ(this->at(i), 0);
  this->param_.set_value(2.5);
  this->Fill("constant", {2, 3});
  for (int i = 0; i < 6; ++i) EXPECT_EQ(this->at(i), TypeParam(2.5));
}

TYPED_TEST(FillerTest, UniformStaysInItsInterval) {
  this->param_.set_min(-1);
  this->param_.set_max(3);
  this->Fill("uniform", {20000});
  for (int i = 0; i < 20000; ++i) ASSERT_TRUE(this->at(i) >= -1 && this->at(i) <= 3);
  EXPECT_NEAR(this->Mean(), 1, 0.05);
  EXPECT_NEAR(this->Deviation(), 4 / std::sqrt(12.), 0.03);
}

TYPED_TEST(FillerTest, GaussianHasItsMeanAndDeviation) {
  this->param_.set_mean(2);
  this->param_.set_std(0.5);
  this->Fill("gaussian", {19999});
  EXPECT_NEAR(this->Mean(), 2, 0.02);
  EXPECT_NEAR(this->Deviation(), 0.5, 0.02);
}

TYPED_TEST(FillerTest, SparseGaussianKeepsTheAskedShare) {
  this->param_.set_sparse(5);
  this->Fill("gaussian", {20, 1000});
  int kept = 0;
  for (int i = 0; i < 20000; ++i) kept += this->at(i) != 0;
  EXPECT_NEAR(kept, 5000, 200);
}

TYPED_TEST(FillerTest, PositiveUnitballRowsSumToOne) {
  this->Fill("positive_unitball", {4, 3, 5});
  for (int row = 0; row < 4; ++row) {
    double sum = 0;
    for (int i = 0; i < 15; ++i) {
      EXPECT_GE(this->at(row * 15 + i), 0);
      sum += this->at(row * 15 + i);
    }
    EXPECT_NEAR(sum, 1, 1e-5);
  }
}

TYPED_TEST(FillerTest, XavierBoundFollowsTheFan) {
  const double bounds[] = {0.14285714, 0.03092948, 0.0427504};
  for (int norm = 0; norm < 3; ++norm) {
    this->param_.set_variance_norm(static_cast<FillerParameter_VarianceNorm>(norm));
    this->Fill("xavier", {64, 3, 7, 7});
    EXPECT_LE(this->Largest(), bounds[norm] * 1.000001);
    EXPECT_GT(this->Largest(), bounds[norm] * 0.99);
    EXPECT_NEAR(this->Deviation(), bounds[norm] / std::sqrt(3.), bounds[norm] * 0.02);
  }
}

TYPED_TEST(FillerTest, MsraDeviationFollowsTheFan) {
  const double deviations[] = {0.11664237, 0.02525381, 0.03490556};
  for (int norm = 0; norm < 3; ++norm) {
    this->param_.set_variance_norm(static_cast<FillerParameter_VarianceNorm>(norm));
    this->Fill("msra", {64, 3, 7, 7});
    EXPECT_NEAR(this->Deviation(), deviations[norm], deviations[norm] * 0.03);
    EXPECT_NEAR(this->Mean(), 0, deviations[norm] * 0.05);
  }
}

TYPED_TEST(FillerTest, FanOutOfOneAxisIsTheCount) {
  this->param_.set_variance_norm(FillerParameter_VarianceNorm_FAN_OUT);
  this->Fill("xavier", {3000});
  EXPECT_LE(this->Largest(), std::sqrt(3. / 3000) * 1.00001);
}

TYPED_TEST(FillerTest, BilinearFillsEveryPlane) {
  this->Fill("bilinear", {2, 3, 4, 4});
  const double row[] = {0.25, 0.75, 0.75, 0.25};
  for (int i = 0; i < this->blob_.count(); ++i) {
    EXPECT_NEAR(this->at(i), row[i % 4] * row[i / 4 % 4], 1e-6);
  }
  this->Fill("bilinear", {1, 1, 5, 5});
  const double five[] = {1 / 3., 2 / 3., 1, 2 / 3., 1 / 3.};
  for (int i = 0; i < 25; ++i) EXPECT_NEAR(this->at(i), five[i % 5] * five[i / 5], 1e-6);
}

TYPED_TEST(FillerTest, DiagonalScalesChannelsAndDefaultsToOne) {
  this->param_.add_diag_val(6);
  this->Fill("diagonal", {3, 2, 1, 2});
  const double expected[] = {3, 3, 0, 0, 0, 0, 0.5, 0.5, 0, 0, 0, 0};
  for (int i = 0; i < 12; ++i) EXPECT_EQ(this->at(i), TypeParam(expected[i])) << i;
}

TYPED_TEST(FillerTest, FileGivesItsNumbersAndRefusesToRunShort) {
  const string path = ::testing::TempDir() + "filler_numbers.txt";
  std::ofstream(path) << "1 2.5\n-3 4";
  this->param_.set_file(path);
  this->Fill("file", {2, 2});
  EXPECT_EQ(this->at(1), TypeParam(2.5));
  EXPECT_EQ(this->at(3), TypeParam(4));
  EXPECT_THROW(this->Fill("file", {5}), Error);
  std::remove(path.c_str());
}

TYPED_TEST(FillerTest, SameSeedSameValues) {
  this->Fill("msra", {5, 7});
  const vector<TypeParam> first(this->blob_.cpu_data(), this->blob_.cpu_data() + 35);
  Caffe::set_random_seed(7);
  this->Fill("msra", {5, 7});
  for (int i = 0; i < 35; ++i) EXPECT_EQ(this->at(i), first[i]);
}

TYPED_TEST(FillerTest, RefusesWhatItCannotFill) {
  for (const char* type :
       {"constant", "uniform", "gaussian", "xavier", "msra", "diagonal"}) {
    EXPECT_THROW(this->Fill(type, {0, 3}), Error) << type;
  }
  EXPECT_THROW(this->Fill("no_such_filler", {1}), Error);
  EXPECT_THROW(this->Fill("bilinear", {2, 2}), Error);
  EXPECT_THROW(this->Fill("bilinear", {1, 1, 3, 4}), Error);
  EXPECT_THROW(this->Fill("xavier", {}), Error);
  this->param_.set_std(0);
  EXPECT_THROW(this->Fill("gaussian", {3}), Error);
  this->param_.set_std(1);
  this->param_.set_sparse(4);
  EXPECT_THROW(this->Fill("gaussian", {3, 3}), Error);
  EXPECT_THROW(this->Fill("uniform", {3, 3}), Error);
  this->param_.set_sparse(-1);
  this->param_.set_min(2);
  EXPECT_THROW(this->Fill("uniform", {3}), Error);
}

}  // namespace
}  // namespace caffe

// HDF5 in and out: values, shapes, nested groups, and errors that name file and dataset.
#ifdef USE_HDF5
#include <cstdio>
#include <functional>

#include "caffe/test/test_caffe_main.hpp"
#include "caffe/util/hdf5.hpp"
#include "error_check.hpp"

namespace caffe {
namespace {

template <typename Dtype>
class HDF5Test : public ::testing::Test {
 protected:
  HDF5Test()
      : path_(::testing::TempDir() + "caffe_test_hdf5_" + std::to_string(sizeof(Dtype)) +
              ".h5") {}
  ~HDF5Test() override { std::remove(path_.c_str()); }

  static void FillCounting(Blob<Dtype>* blob) {
    for (int i = 0; i < blob->count(); ++i) {
      blob->mutable_cpu_data()[i] = i + 0.5;
      blob->mutable_cpu_diff()[i] = -i;
    }
  }

  string path_;
};

TYPED_TEST_SUITE(HDF5Test, TestDtypes);

TYPED_TEST(HDF5Test, BlobsComeBackWithShapeDataAndDiff) {
  for (const vector<int>& shape :
       {vector<int>{2, 3, 4, 5}, vector<int>{7}, vector<int>{}, vector<int>{3, 0, 2}}) {
    Blob<TypeParam> blob(shape), read;
    this->FillCounting(&blob);
    {
      const Hdf5Handle file = hdf5_create_file(this->path_);
      hdf5_save_nd_dataset(file, "data", blob);
      hdf5_save_nd_dataset(file, "diff", blob, true);
    }
    const Hdf5Handle file = hdf5_open_file(this->path_);
    hdf5_load_nd_dataset(file, "data", 0, 4, &read, true);
    EXPECT_EQ(read.shape(), shape);
    for (int i = 0; i < blob.count(); ++i) EXPECT_EQ(read.cpu_data()[i], i + 0.5);
    hdf5_load_nd_dataset(file, "diff", 0, 4, &read);
    for (int i = 0; i < blob.count(); ++i) EXPECT_EQ(read.cpu_data()[i], -i);
  }
}

TYPED_TEST(HDF5Test, NumbersStringsAndNestedGroups) {
  Blob<TypeParam> blob(vector<int>{2}), read(vector<int>{2});
  this->FillCounting(&blob);
  {
    const Hdf5Handle file = hdf5_create_file(this->path_);
    const Hdf5Handle outer(
        H5Gcreate2(file, "inception", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT), H5Gclose,
        "group");
    const Hdf5Handle inner(
        H5Gcreate2(outer, "conv", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT), H5Gclose,
        "group");
    hdf5_save_nd_dataset(inner, "0", blob);
    hdf5_save_int(file, "iter", 1234567);
    hdf5_save_string(file, "learned_net", "a b.caffemodel");
    hdf5_save_string(file, "empty", "");
  }
  const Hdf5Handle file = hdf5_open_file(this->path_);
  EXPECT_EQ(hdf5_load_int(file, "iter"), 1234567);
  EXPECT_EQ(hdf5_load_string(file, "learned_net"), "a b.caffemodel");
  EXPECT_EQ(hdf5_load_string(file, "empty"), "");
  hdf5_load_nd_dataset(file, "inception/conv/0", 1, 1, &read);
  EXPECT_EQ(read.cpu_data()[1], 1.5);
  ASSERT_EQ(hdf5_get_num_links(file), 4);
  EXPECT_EQ(hdf5_get_name_by_idx(file, 0), "empty");
  EXPECT_EQ(hdf5_get_name_by_idx(file, 1), "inception");
}

TYPED_TEST(HDF5Test, IntegersAndTheOtherPrecisionAreConverted) {
  const int integers[] = {1, -2, 3};
  const double doubles[] = {0.25, 1e10, -3};
  const float floats[] = {0.5f, 2, 4};
  const hsize_t three = 3;
  {
    const Hdf5Handle file = hdf5_create_file(this->path_);
    H5LTmake_dataset_int(file, "i", 1, &three, integers);
    H5LTmake_dataset_double(file, "d", 1, &three, doubles);
    H5LTmake_dataset_float(file, "f", 1, &three, floats);
  }
  const Hdf5Handle file = hdf5_open_file(this->path_);
  Blob<TypeParam> blob;
  hdf5_load_nd_dataset(file, "i", 1, 1, &blob, true);
  EXPECT_EQ(blob.cpu_data()[1], -2);
  hdf5_load_nd_dataset(file, "d", 1, 1, &blob, true);
  EXPECT_EQ(blob.cpu_data()[1], TypeParam(1e10));
  hdf5_load_nd_dataset(file, "f", 1, 1, &blob, true);
  EXPECT_EQ(blob.cpu_data()[0], 0.5);
}

TYPED_TEST(HDF5Test, ErrorsNameFileAndDataset) {
  Blob<TypeParam> blob(vector<int>{2, 3});
  this->FillCounting(&blob);
  const Hdf5Handle file = hdf5_create_file(this->path_);
  hdf5_save_nd_dataset(file, "w", blob);
  hdf5_save_string(file, "text", "x");
  const Hdf5Handle group(H5Gcreate2(file, "g", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT),
                         H5Gclose, "group");
  struct Case {
    std::function<void()> action;
    string words;
  };
  Blob<TypeParam> other(vector<int>{3, 2});
  const vector<Case> cases = {
      {[&] { hdf5_load_nd_dataset(file, "missing", 0, 4, &blob); },
       ":/missing: there is no"},
      {[&] { hdf5_load_nd_dataset(group, "0", 0, 4, &blob); }, ":/g/0: there is no"},
      {[&] { hdf5_load_nd_dataset(file, "no/such/way", 0, 4, &blob); }, ":/no/such/way"},
      {[&] { hdf5_load_nd_dataset(file, "w", 0, 4, &other); }, "has shape 2 3 (2 axes)"},
      {[&] { hdf5_load_nd_dataset(file, "w", 3, 4, &blob); }, "3 to 4 axes"},
      {[&] { hdf5_load_nd_dataset(file, "text", 0, 4, &blob); }, "class string"},
      {[&] { hdf5_load_nd_dataset(file, "g", 0, 4, &blob); }, ":/g"},
      {[&] { hdf5_save_nd_dataset(file, "w", blob); }, ":/w: cannot be created"},
      {[&] { hdf5_load_int(file, "w"); }, "one integer is wanted"},
      {[&] { hdf5_load_int(file, "text"); }, ":/text: cannot be read as an integer"},
      {[&] { hdf5_load_string(file, "w"); }, "a string is wanted"},
      {[&] { hdf5_get_name_by_idx(file, 99); }, "no member number 99"},
      {[&] { hdf5_open_file("no/such/file.h5"); }, "no/such/file.h5: No such file"},
      {[&] { hdf5_create_file("no/such/folder/x.h5"); }, "no/such/folder/x.h5"},
  };
  for (const Case& c : cases) {
    const string message = FullErrorOf(c.action);
    EXPECT_NE(message.find(c.words), string::npos)
        << c.words << " is not in: " << message;
  }
  EXPECT_NE(FullErrorOf(cases[0].action).find(this->path_), string::npos);
  // A refused load leaves the rest working.
  hdf5_load_nd_dataset(file, "w", 0, 4, &blob);
}

TYPED_TEST(HDF5Test, AFileThatIsNoHdf5IsRefused) {
  std::ofstream(this->path_) << "certainly not HDF5";
  const string message = FullErrorOf([&] { hdf5_open_file(this->path_); });
  EXPECT_NE(message.find("is not an HDF5 file"), string::npos) << message;
}

TYPED_TEST(HDF5Test, ATruncatedFileIsRefused) {
  {
    Blob<TypeParam> blob(vector<int>{5000});
    const Hdf5Handle file = hdf5_create_file(this->path_);
    hdf5_save_nd_dataset(file, "w", blob);
  }
  string bytes(4000, '\0');
  std::ifstream(this->path_, std::ios::binary).read(&bytes[0], bytes.size());
  std::ofstream(this->path_, std::ios::binary) << bytes;
  const string message = FullErrorOf([&] { hdf5_open_file(this->path_); });
  EXPECT_NE(message.find(this->path_), string::npos) << message;
}

}  // namespace
}  // namespace caffe
#endif  // USE_HDF5

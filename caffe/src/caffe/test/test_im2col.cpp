// im2col and col2im against the formula, over awkward shapes; strips and N-d against the
// whole.
#include <cmath>
#include <random>

#include "caffe/test/test_caffe_main.hpp"
#include "caffe/util/im2col.hpp"

namespace caffe {
namespace {

std::vector<Im2colShape> shapes() {
  // channels, h, w, kernel, pad, stride, dilation (each h then w)
  return {{1, 1, 1, 1, 1, 0, 0, 1, 1, 1, 1},  {3, 5, 7, 3, 3, 1, 1, 1, 1, 1, 1},
          {2, 6, 5, 3, 2, 0, 1, 2, 3, 1, 1},  {2, 9, 8, 3, 3, 2, 2, 1, 1, 2, 2},
          {1, 4, 1, 2, 1, 3, 0, 5, 1, 1, 1},  {2, 7, 9, 3, 2, 4, 3, 2, 1, 3, 2},
          {3, 1, 6, 1, 4, 0, 2, 1, 4, 1, 1},  {2, 3, 3, 5, 5, 3, 3, 1, 2, 1, 1},
          {4, 40, 50, 3, 3, 1, 1, 1, 1, 1, 1}};
}

template <typename Dtype>
vector<Dtype> random_values(int64_t n) {
  std::mt19937 generator(static_cast<unsigned>(n));
  std::uniform_int_distribution<int> uniform(-50, 50);
  vector<Dtype> values(n);
  for (Dtype& value : values) value = static_cast<Dtype>(uniform(generator));
  return values;
}

// x[c, y s - p + i d, x s - p + j d], or 0 outside.
template <typename Dtype>
vector<Dtype> reference_columns(const vector<Dtype>& image, const Im2colShape& s) {
  vector<Dtype> columns;
  for (int c = 0; c < s.channels; ++c) {
    for (int i = 0; i < s.kernel_h; ++i) {
      for (int j = 0; j < s.kernel_w; ++j) {
        for (int y = 0; y < s.output_h(); ++y) {
          for (int x = 0; x < s.output_w(); ++x) {
            const int iy = y * s.stride_h - s.pad_h + i * s.dilation_h;
            const int ix = x * s.stride_w - s.pad_w + j * s.dilation_w;
            const bool inside = iy >= 0 && iy < s.height && ix >= 0 && ix < s.width;
            columns.push_back(inside ? image[(c * s.height + iy) * s.width + ix] : 0);
          }
        }
      }
    }
  }
  return columns;
}

template <typename Dtype>
class Im2colTest : public ::testing::Test {
 protected:
  static vector<Dtype> Columns(const vector<Dtype>& image, const Im2colShape& s) {
    vector<Dtype> columns(s.column_rows() * s.output_h() * s.output_w(), 99);
    im2col_cpu(image.data(), s.channels, s.height, s.width, s.kernel_h, s.kernel_w,
               s.pad_h, s.pad_w, s.stride_h, s.stride_w, s.dilation_h, s.dilation_w,
               columns.data());
    return columns;
  }
  static vector<Dtype> Image(const vector<Dtype>& columns, const Im2colShape& s) {
    vector<Dtype> image(s.channels * s.height * s.width, 99);
    col2im_cpu(columns.data(), s.channels, s.height, s.width, s.kernel_h, s.kernel_w,
               s.pad_h, s.pad_w, s.stride_h, s.stride_w, s.dilation_h, s.dilation_w,
               image.data());
    return image;
  }
};

TYPED_TEST_SUITE(Im2colTest, TestDtypes);

TYPED_TEST(Im2colTest, ColumnsHoldTheInputUnderEachTap) {
  for (const Im2colShape& s : shapes()) {
    const auto image = random_values<TypeParam>(s.channels * s.height * s.width);
    EXPECT_EQ(this->Columns(image, s), reference_columns(image, s));
  }
}

TYPED_TEST(Im2colTest, FoldingIsTheAdjoint) {
  for (const Im2colShape& s : shapes()) {
    const int size = s.channels * s.height * s.width;
    if (size > 1000) continue;  // the loop below is quadratic
    const auto weights =
        random_values<TypeParam>(s.column_rows() * s.output_h() * s.output_w());
    const auto folded = this->Image(weights, s);
    // <im2col(x), w> = <x, col2im(w)> for every x: here for the unit images.
    vector<TypeParam> expected(size, 0), unit(size, 0);
    for (int i = 0; i < size; ++i) {
      unit[i] = 1;
      const auto taps = reference_columns(unit, s);
      unit[i] = 0;
      for (size_t k = 0; k < taps.size(); ++k) expected[i] += taps[k] * weights[k];
    }
    EXPECT_EQ(folded, expected);
  }
}

TYPED_TEST(Im2colTest, StripsMakeUpTheWhole) {
  for (const Im2colShape& s : shapes()) {
    const auto image = random_values<TypeParam>(s.channels * s.height * s.width);
    const auto whole = reference_columns(image, s);
    vector<TypeParam> folded(image.size(), 0);
    const int64_t positions = static_cast<int64_t>(s.output_h()) * s.output_w();
    for (int begin = 0; begin < s.output_h(); begin += 2) {
      const int end = std::min(begin + 2, s.output_h());
      const int64_t columns = (end - begin) * s.output_w();
      vector<TypeParam> strip(s.column_rows() * columns, 99);
      im2col_strip(image.data(), s, begin, end, strip.data());
      for (int64_t row = 0; row < s.column_rows(); ++row) {
        for (int64_t k = 0; k < columns; ++k) {
          ASSERT_EQ(strip[row * columns + k],
                    whole[row * positions + begin * s.output_w() + k]);
        }
      }
      col2im_strip(strip.data(), s, begin, end, folded.data());
    }
    EXPECT_EQ(folded, this->Image(whole, s));
  }
}

TYPED_TEST(Im2colTest, GeneralFormAgreesInTwoDimensions) {
  for (const Im2colShape& s : shapes()) {
    const auto image = random_values<TypeParam>(s.channels * s.height * s.width);
    const auto expected = reference_columns(image, s);
    const int im[] = {s.channels, s.height, s.width};
    const int col[] = {static_cast<int>(s.column_rows()), s.output_h(), s.output_w()};
    const int kernel[] = {s.kernel_h, s.kernel_w}, pad[] = {s.pad_h, s.pad_w};
    const int stride[] = {s.stride_h, s.stride_w},
              dilation[] = {s.dilation_h, s.dilation_w};
    vector<TypeParam> columns(expected.size(), 99), folded(image.size(), 99);
    im2col_nd_cpu(image.data(), 2, im, col, kernel, pad, stride, dilation,
                  columns.data());
    EXPECT_EQ(columns, expected);
    col2im_nd_cpu(expected.data(), 2, im, col, kernel, pad, stride, dilation,
                  folded.data());
    EXPECT_EQ(folded, this->Image(expected, s));
  }
}

TYPED_TEST(Im2colTest, ThreeDimensions) {
  const int im[] = {2, 3, 4, 5}, kernel[] = {2, 1, 3}, pad[] = {1, 0, 1};
  const int stride[] = {1, 2, 2}, dilation[] = {2, 1, 1}, col[] = {12, 3, 2, 3};
  const auto image = random_values<TypeParam>(120);
  vector<TypeParam> columns(12 * 18), folded(120);
  im2col_nd_cpu(image.data(), 3, im, col, kernel, pad, stride, dilation, columns.data());
  double dot = 0;
  for (int row = 0, k = 0; row < 12; ++row) {
    const int c = row / 6, a = row / 3 % 2, b = row % 3;
    for (int z = 0; z < 3; ++z) {
      for (int y = 0; y < 2; ++y) {
        for (int x = 0; x < 3; ++x, ++k) {
          const int iz = z - 1 + 2 * a, iy = 2 * y, ix = 2 * x - 1 + b;
          const bool inside = iz >= 0 && iz < 3 && ix >= 0 && ix < 5;
          const TypeParam value = inside ? image[((c * 3 + iz) * 4 + iy) * 5 + ix] : 0;
          ASSERT_EQ(columns[k], value);
          dot += double(value) * value;
        }
      }
    }
  }
  // <col, col> = <x, col2im(im2col(x))>
  col2im_nd_cpu(columns.data(), 3, im, col, kernel, pad, stride, dilation, folded.data());
  double adjoint = 0;
  for (int i = 0; i < 120; ++i) adjoint += double(folded[i]) * image[i];
  EXPECT_EQ(dot, adjoint);
}

}  // namespace
}  // namespace caffe

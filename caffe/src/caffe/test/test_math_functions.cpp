// math_functions.hpp against loops written from the formulas.
#include <cmath>
#include <limits>
#include <random>

#include "caffe/test/test_caffe_main.hpp"
#include "caffe/util/math_functions.hpp"

namespace caffe {
namespace {

template <typename Dtype>
vector<Dtype> random_vector(int n, unsigned seed, Dtype low = -2, Dtype high = 2) {
  std::mt19937 generator(seed);
  std::uniform_real_distribution<double> uniform(low, high);
  vector<Dtype> values(n);
  for (Dtype& value : values) value = static_cast<Dtype>(uniform(generator));
  return values;
}

template <typename Dtype>
class MathFunctionsTest : public ::testing::Test {
 protected:
  static constexpr Dtype kTolerance = sizeof(Dtype) == 4 ? 1e-5 : 1e-13;
  static constexpr Dtype kNaN = std::numeric_limits<Dtype>::quiet_NaN();

  // Applies `function` to lengths below and above the threading threshold and compares.
  template <typename Function, typename Formula>
  void CheckUnary(Function function, Formula formula, Dtype low = -2, Dtype high = 2) {
    for (int n : {0, 1, 7, 70000}) {
      const vector<Dtype> x = random_vector<Dtype>(n, n + 1, low, high);
      vector<Dtype> y(n + 1, 77);
      function(n, x.data(), y.data());
      for (int i = 0; i < n; ++i) {
        const double expected = formula(static_cast<double>(x[i]));
        ASSERT_NEAR(y[i], expected, kTolerance * std::max(1., std::fabs(expected)))
            << x[i];
      }
      ASSERT_EQ(y[n], 77) << "wrote past the end";
    }
  }
  template <typename Function, typename Formula>
  void CheckBinary(Function function, Formula formula) {
    for (int n : {0, 1, 7, 70000}) {
      const vector<Dtype> a = random_vector<Dtype>(n, 1);
      const vector<Dtype> b = random_vector<Dtype>(n, 2, 0.5, 2);
      vector<Dtype> y(n), in_place = a;
      function(n, a.data(), b.data(), y.data());
      function(n, in_place.data(), b.data(), in_place.data());
      for (int i = 0; i < n; ++i) {
        ASSERT_NEAR(y[i], formula(a[i], b[i]), kTolerance * 10);
        ASSERT_EQ(y[i], in_place[i]);
      }
    }
  }
};
template <typename Dtype>
constexpr Dtype MathFunctionsTest<Dtype>::kTolerance;
template <typename Dtype>
constexpr Dtype MathFunctionsTest<Dtype>::kNaN;

TYPED_TEST_SUITE(MathFunctionsTest, TestDtypes);

TYPED_TEST(MathFunctionsTest, GemmMultipliesAllTransposes) {
  typedef TypeParam D;
  const int M = 3, N = 5, K = 4;
  const vector<D> a = random_vector<D>(M * K, 1), b = random_vector<D>(K * N, 2);
  for (bool ta : {false, true}) {
    for (bool tb : {false, true}) {
      for (D beta : {D(0), D(1), D(-0.5)}) {
        // A result that is overwritten may hold anything.
        const vector<D> start =
            beta == 0 ? vector<D>(M * N, this->kNaN) : random_vector<D>(M * N, 3);
        vector<D> c = start;
        caffe_cpu_gemm<D>(ta ? CblasTrans : CblasNoTrans, tb ? CblasTrans : CblasNoTrans,
                          M, N, K, D(1.5), a.data(), b.data(), beta, c.data());
        for (int m = 0; m < M; ++m) {
          for (int n = 0; n < N; ++n) {
            double sum = 0;
            for (int k = 0; k < K; ++k) {
              sum += double(ta ? a[k * M + m] : a[m * K + k]) *
                     (tb ? b[n * K + k] : b[k * N + n]);
            }
            const double old = beta == 0 ? 0 : double(beta) * start[m * N + n];
            EXPECT_NEAR(c[m * N + n], 1.5 * sum + old, this->kTolerance * 10);
          }
        }
      }
    }
  }
}

TYPED_TEST(MathFunctionsTest, GemmOfAnEmptySumScalesTheResult) {
  typedef TypeParam D;
  vector<D> c{1, 2, 3, 4};
  caffe_cpu_gemm<D>(CblasNoTrans, CblasNoTrans, 2, 2, 0, 1, nullptr, nullptr, 2,
                    c.data());
  EXPECT_EQ(c, (vector<D>{2, 4, 6, 8}));
  caffe_cpu_gemm<D>(CblasTrans, CblasTrans, 2, 2, 0, 1, nullptr, nullptr, 0, c.data());
  EXPECT_EQ(c, (vector<D>(4, 0)));
  caffe_cpu_gemm<D>(CblasNoTrans, CblasNoTrans, 0, 2, 3, 1, nullptr, nullptr, 0, nullptr);
}

TYPED_TEST(MathFunctionsTest, GemvTakesTheMatrixAsStored) {
  typedef TypeParam D;
  const int M = 3, N = 5;
  const vector<D> a = random_vector<D>(M * N, 1), x = random_vector<D>(N, 2);
  for (bool transposed : {false, true}) {
    for (D beta : {D(0), D(2)}) {
      const int rows = transposed ? N : M, columns = transposed ? M : N;
      vector<D> y(rows, beta == 0 ? this->kNaN : D(0.25));
      caffe_cpu_gemv<D>(transposed ? CblasTrans : CblasNoTrans, M, N, D(0.5), a.data(),
                        x.data(), beta, y.data());
      for (int r = 0; r < rows; ++r) {
        double sum = 0;
        for (int c = 0; c < columns; ++c) {
          sum += double(transposed ? a[c * N + r] : a[r * N + c]) * x[c];
        }
        EXPECT_NEAR(y[r], 0.5 * sum + double(beta) * 0.25, this->kTolerance * 10);
      }
    }
  }
  vector<D> y{1, 2};
  caffe_cpu_gemv<D>(CblasNoTrans, 2, 0, 1, nullptr, nullptr, D(3), y.data());
  EXPECT_EQ(y, (vector<D>{3, 6}));
}

TYPED_TEST(MathFunctionsTest, AxpyAndAxpby) {
  typedef TypeParam D;
  for (int n : {0, 3, 70000}) {
    const vector<D> x = random_vector<D>(n, 1), start = random_vector<D>(n, 2);
    vector<D> sum = start, mixed = start, replaced(n, this->kNaN);
    caffe_axpy<D>(n, D(0.5), x.data(), sum.data());
    caffe_cpu_axpby<D>(n, D(0.5), x.data(), D(-2), mixed.data());
    caffe_cpu_axpby<D>(n, D(0.5), x.data(), D(0), replaced.data());
    for (int i = 0; i < n; ++i) {
      ASSERT_NEAR(sum[i], 0.5 * x[i] + start[i], this->kTolerance);
      ASSERT_NEAR(mixed[i], 0.5 * x[i] - 2 * start[i], this->kTolerance);
      ASSERT_EQ(replaced[i], D(0.5) * x[i]);
    }
  }
}

TYPED_TEST(MathFunctionsTest, SetCopyScaleAndShift) {
  typedef TypeParam D;
  for (int n : {0, 5, 600000}) {
    vector<D> x(n + 1, 9), y(n + 1, 9);
    caffe_set<D>(n, D(-1.5), x.data());
    caffe_copy<D>(n, x.data(), y.data());
    caffe_scal<D>(n, D(2), y.data());
    caffe_add_scalar<D>(n, D(0.5), y.data());
    caffe_cpu_scale<D>(n, D(3), x.data(), x.data());
    for (int i = 0; i < n; ++i) {
      ASSERT_EQ(y[i], D(-2.5));
      ASSERT_EQ(x[i], D(-4.5));
    }
    EXPECT_EQ(x[n], 9);
    EXPECT_EQ(y[n], 9);
  }
  D nan = this->kNaN;
  caffe_scal<D>(1, D(0), &nan);
  EXPECT_EQ(nan, 0);
  int integers[3] = {1, 2, 3}, copied[3];
  caffe_copy<int>(3, integers, copied);
  EXPECT_EQ(copied[2], 3);
  caffe_set<int>(3, 7, integers);
  EXPECT_EQ(integers[1], 7);
}

TYPED_TEST(MathFunctionsTest, ElementwiseBinary) {
  typedef TypeParam D;
  this->CheckBinary(caffe_add<D>, [](double a, double b) { return a + b; });
  this->CheckBinary(caffe_sub<D>, [](double a, double b) { return a - b; });
  this->CheckBinary(caffe_mul<D>, [](double a, double b) { return a * b; });
  this->CheckBinary(caffe_div<D>, [](double a, double b) { return a / b; });
}

TYPED_TEST(MathFunctionsTest, ElementwiseUnary) {
  typedef TypeParam D;
  this->CheckUnary(caffe_sqr<D>, [](double x) { return x * x; });
  this->CheckUnary(
      caffe_sqrt<D>, [](double x) { return std::sqrt(x); }, 0, 9);
  this->CheckUnary(caffe_exp<D>, [](double x) { return std::exp(x); });
  this->CheckUnary(
      caffe_log<D>, [](double x) { return std::log(x); }, 1e-3, 9);
  this->CheckUnary(caffe_abs<D>, [](double x) { return std::fabs(x); });
  this->CheckUnary(caffe_cpu_fabs<D>, [](double x) { return std::fabs(x); });
  this->CheckUnary(caffe_cpu_sign<D>, [](double x) {
    return x > 0 ? 1. : x < 0 ? -1. : 0.;
  });
  for (D exponent : {D(2), D(1), D(-0.75), D(3)}) {
    this->CheckUnary([=](int n, const D* x, D* y) { caffe_powx<D>(n, x, exponent, y); },
                     [=](double x) { return std::pow(x, exponent); }, 0.1, 3);
  }
}

TEST(MathFunctionsDoubleTest, PowxKeepsTheExponentInDouble) {
  const double x = 3, exponent = 0.1;
  double y = 0;
  caffe_powx<double>(1, &x, exponent, &y);
  EXPECT_DOUBLE_EQ(y, std::pow(3., 0.1));
  vdPowx(1, &x, exponent, &y);
  EXPECT_DOUBLE_EQ(y, std::pow(3., 0.1));
}

TYPED_TEST(MathFunctionsTest, SignsOfZeroAndNegativeZero) {
  typedef TypeParam D;
  const D x[] = {D(0), D(-0.), D(2), D(-3)};
  D sign[4], bit[4];
  caffe_cpu_sign<D>(4, x, sign);
  caffe_cpu_sgnbit<D>(4, x, bit);
  const D signs[] = {0, 0, 1, -1}, bits[] = {0, 1, 0, 1};
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(sign[i], signs[i]);
    EXPECT_EQ(bit[i], bits[i]);
  }
}

TYPED_TEST(MathFunctionsTest, DotAndAbsoluteSum) {
  typedef TypeParam D;
  for (int n : {0, 1, 9, 50000}) {
    const vector<D> x = random_vector<D>(2 * n, 1), y = random_vector<D>(3 * n, 2);
    double dot = 0, strided = 0, sum = 0;
    for (int i = 0; i < n; ++i) {
      dot += double(x[i]) * y[i];
      strided += double(x[2 * i]) * y[3 * i];
      sum += std::fabs(x[i]);
    }
    const double tolerance = this->kTolerance * (n + 1);
    EXPECT_NEAR(caffe_cpu_dot<D>(n, x.data(), y.data()), dot, tolerance);
    EXPECT_NEAR(caffe_cpu_strided_dot<D>(n, x.data(), 2, y.data(), 3), strided,
                tolerance);
    EXPECT_NEAR(caffe_cpu_asum<D>(n, x.data()), sum, tolerance);
  }
}

TYPED_TEST(MathFunctionsTest, NextafterIsTheNextLarger) {
  typedef TypeParam D;
  EXPECT_EQ(caffe_nextafter<D>(D(1)), D(1) + std::numeric_limits<D>::epsilon());
  EXPECT_GT(caffe_nextafter<D>(D(-1)), D(-1));
}

}  // namespace
}  // namespace caffe

// exp, log, sigmoid and tanh in float: error in units of the last place, and the special
// values.
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "caffe/test/test_caffe_main.hpp"
#include "caffe/util/vector_math.hpp"

namespace caffe {
namespace {

const float kInf = std::numeric_limits<float>::infinity();
const float kNaN = std::numeric_limits<float>::quiet_NaN();

// |got - expected| in units of the last place of a float near `expected`.
double ulps(float got, double expected) {
  int exponent;
  std::frexp(expected, &exponent);
  return std::fabs(got - expected) / std::ldexp(1.0, std::max(exponent - 24, -149));
}

// The largest error over floats of all magnitudes, both signs; results below FLT_MIN and
// beyond FLT_MAX are left to the special values.
double worst_ulps(void (*function)(int64_t, const float*, float*),
                  double (*formula)(double)) {
  std::vector<float> x;
  for (uint64_t bits = 0; bits < (1ull << 32); bits += 9973) {
    float value;
    const uint32_t word = static_cast<uint32_t>(bits);
    std::memcpy(&value, &word, sizeof value);
    const double magnitude = std::fabs(formula(value));
    if (magnitude >= std::numeric_limits<float>::min() &&
        magnitude <= std::numeric_limits<float>::max()) {
      x.push_back(value);
    }
  }
  std::vector<float> y(x.size());
  function(x.size(), x.data(), y.data());
  double worst = 0;
  for (size_t i = 0; i < x.size(); ++i)
    worst = std::max(worst, ulps(y[i], formula(x[i])));
  return worst;
}

TEST(VectorMathTest, ErrorsStayWithinTheStatedUlps) {
  EXPECT_LE(worst_ulps(vector_exp<float>, [](double x) { return std::exp(x); }), 1.05);
  EXPECT_LE(worst_ulps(vector_log<float>, [](double x) { return std::log(x); }), 0.85);
  EXPECT_LE(
      worst_ulps(vector_sigmoid<float>, [](double x) { return 1 / (1 + std::exp(-x)); }),
      2.4);
  EXPECT_LE(worst_ulps(vector_tanh<float>, [](double x) { return std::tanh(x); }), 2.6);
}

// Compares bit for bit but for NaN, which only has to be one.
void expect_values(const float* got, const std::vector<float>& expected) {
  for (size_t i = 0; i < expected.size(); ++i) {
    EXPECT_TRUE(std::isnan(expected[i]) ? std::isnan(got[i]) : got[i] == expected[i])
        << "value " << i << " is " << got[i] << ", not " << expected[i];
  }
}

TEST(VectorMathTest, SpecialValues) {
  const float x[] = {0.0f, -0.0f, kInf, -kInf, kNaN, 1e30f, -1e30f, 89.0f};
  float y[8];
  vector_exp(8, x, y);
  expect_values(y, {1, 1, kInf, 0, kNaN, kInf, 0, kInf});
  vector_sigmoid(8, x, y);
  expect_values(y, {0.5, 0.5, 1, 0, kNaN, 1, 0, 1});
  vector_tanh(8, x, y);
  expect_values(y, {0, 0, 1, -1, kNaN, 1, -1, 1});
  EXPECT_TRUE(std::signbit(y[1])) << "tanh(-0) is -0";
  const float logs_of[] = {0.0f, -0.0f, kInf, -kInf, kNaN, -1.0f, 1.0f};
  vector_log(7, logs_of, y);
  expect_values(y, {-kInf, -kInf, kInf, kNaN, kNaN, kNaN, 0});
}

TEST(VectorMathTest, DenormalNumbers) {
  const float x = 1e-40f;
  float y;
  vector_log(1, &x, &y);
  EXPECT_NEAR(y, std::log(1e-40), 1e-4);
  vector_tanh(1, &x, &y);
  EXPECT_EQ(y, x);
  const float low = -100.0f;
  vector_exp(1, &low, &y);
  EXPECT_NEAR(y, std::exp(-100.0), 3e-45);
}

TEST(VectorMathTest, DoubleIsTheLibrarysAndLengthsDoNotMatter) {
  for (int n : {0, 1, 33, 40000}) {
    std::vector<double> x(n), y(n);
    std::vector<float> xf(n), yf(n), one(1);
    for (int i = 0; i < n; ++i) xf[i] = x[i] = 0.001 * i - 5;
    vector_sigmoid(n, x.data(), y.data());
    vector_tanh(n, xf.data(), yf.data());
    for (int i = 0; i < n; ++i) {
      ASSERT_DOUBLE_EQ(y[i], 1 / (1 + std::exp(-x[i])));
      vector_tanh(1, &xf[i], one.data());
      ASSERT_FLOAT_EQ(yf[i], one[0]);
    }
  }
}

}  // namespace
}  // namespace caffe

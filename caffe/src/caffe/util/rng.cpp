// Random arrays of math_functions.hpp and the draws of rng.hpp.
#include "caffe/util/rng.hpp"

#include "caffe/util/math_functions.hpp"

namespace caffe {
namespace {

constexpr double kPi = 3.14159265358979323846;

// Uniform in [0, 1], both ends possible: 32 random bits for float, 53 for double.
template <typename Dtype>
double unit_uniform(rng_t& generator);

template <>
double unit_uniform<float>(rng_t& generator) {
  return generator() / 4294967295.0;
}

template <>
double unit_uniform<double>(rng_t& generator) {
  const double high = generator() >> 5;
  const double low = generator() >> 6;
  return (high * 67108864.0 + low) / 9007199254740991.0;
}

struct GaussianPair {
  double first, second;
};

// Two independent standard normal numbers (Box and Muller 1958).
template <typename Dtype>
GaussianPair gaussian_pair(rng_t& generator) {
  // Never 0: its logarithm would be infinite.
  constexpr double kSmallest = sizeof(Dtype) == 4 ? 0x1p-33 : 0x1p-54;
  const double u = std::max(unit_uniform<Dtype>(generator), kSmallest);
  const double angle = 2 * kPi * unit_uniform<Dtype>(generator);
  const double radius = std::sqrt(-2 * std::log(u));
  return {radius * std::cos(angle), radius * std::sin(angle)};
}

template <typename Dtype, typename Integer>
void bernoulli(const int n, const Dtype p, Integer* r) {
  CHECK_GE(n, 0);
  CHECK(p >= Dtype(0) && p <= Dtype(1)) << "a probability must be in [0, 1], not " << p;
  const uint64_t limit =
      static_cast<uint64_t>(std::llround(static_cast<double>(p) * 0x1p32));
  rng_t& generator = *caffe_rng();
  for (int i = 0; i < n; ++i) {
    r[i] = generator() < limit ? 1 : 0;
  }
}

double draw_uniform(double mean, double spread) {
  double value = mean;
  if (spread > 0) caffe_rng_uniform<double>(1, mean - spread, mean + spread, &value);
  return value;
}

double draw_gaussian(double mean, double spread) {
  double value = mean;
  if (spread > 0) caffe_rng_gaussian<double>(1, mean, spread, &value);
  return value;
}

bool draw_bernoulli(double probability) {
  if (probability <= 0) return false;  // without a draw, as in the forks
  int value = 0;
  caffe_rng_bernoulli<double>(1, probability, &value);
  return value != 0;
}

}  // namespace

unsigned int caffe_rng_rand() { return static_cast<unsigned int>((*caffe_rng())()); }

template <typename Dtype>
Dtype caffe_nextafter(const Dtype b) {
  return std::nextafter(b, std::numeric_limits<Dtype>::max());
}

template <typename Dtype>
void caffe_rng_uniform(const int n, const Dtype a, const Dtype b, Dtype* r) {
  CHECK_GE(n, 0);
  CHECK_LE(a, b) << "a uniform distribution needs min <= max";
  rng_t& generator = *caffe_rng();
  const double width = static_cast<double>(b) - a;
  for (int i = 0; i < n; ++i) {
    // Rounding may pass b by one bit; the interval is closed.
    r[i] = std::min(b, static_cast<Dtype>(a + width * unit_uniform<Dtype>(generator)));
  }
}

template <typename Dtype>
void caffe_rng_gaussian(const int n, const Dtype mu, const Dtype sigma, Dtype* r) {
  CHECK_GE(n, 0);
  CHECK_GT(sigma, Dtype(0)) << "a gaussian distribution needs a deviation above 0";
  rng_t& generator = *caffe_rng();
  for (int i = 0; i < n; i += 2) {
    const GaussianPair pair = gaussian_pair<Dtype>(generator);
    r[i] = static_cast<Dtype>(mu + sigma * pair.first);
    if (i + 1 < n) r[i + 1] = static_cast<Dtype>(mu + sigma * pair.second);
  }
}

template <typename Dtype>
void caffe_rng_bernoulli(const int n, const Dtype p, int* r) {
  bernoulli(n, p, r);
}

template <typename Dtype>
void caffe_rng_bernoulli(const int n, const Dtype p, unsigned int* r) {
  bernoulli(n, p, r);
}

RandomDraw draw_random(const RandomGeneratorParameter& param, double discount,
                       double prob0) {
  const string& type = param.rand_type();
  const double spread = param.spread() * (param.apply_schedule() ? discount : 1.0);
  if (type == "bernoulli") return {draw_bernoulli(param.prob()) ? 1.0 : 0.0, false};

  const bool uniform = type == "uniform" || type == "uniform_bernoulli";
  const bool gaussian = type == "gaussian" || type == "gaussian_bernoulli";
  CHECK_VALUE(uniform || gaussian)
      << "unknown rand_type \"" << type << "\": it is uniform, gaussian, bernoulli, "
      << "uniform_bernoulli or gaussian_bernoulli";

  double value = 0;
  const bool gated = type == "uniform_bernoulli" || type == "gaussian_bernoulli";
  if (gated && !draw_bernoulli(param.prob())) {
    if (!std::isnan(prob0)) return {prob0, true};
  } else {
    value = uniform ? draw_uniform(param.mean(), spread)
                    : draw_gaussian(param.mean(), spread);
  }
  return {param.exp() ? std::exp(value) : value, false};
}

#define INSTANTIATE_RANDOM(Dtype)                                                       \
  template Dtype caffe_nextafter<Dtype>(const Dtype);                                   \
  template void caffe_rng_uniform<Dtype>(const int, const Dtype, const Dtype, Dtype*);  \
  template void caffe_rng_gaussian<Dtype>(const int, const Dtype, const Dtype, Dtype*); \
  template void caffe_rng_bernoulli<Dtype>(const int, const Dtype, int*);               \
  template void caffe_rng_bernoulli<Dtype>(const int, const Dtype, unsigned int*)

INSTANTIATE_RANDOM(float);
INSTANTIATE_RANDOM(double);
#undef INSTANTIATE_RANDOM

}  // namespace caffe

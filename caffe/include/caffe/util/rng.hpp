// The random generator, shuffling, and draws described by a RandomGeneratorParameter.
//
// rng_t gives the same raw numbers as boost's mt19937; the distributions are our own (and
// the same on every platform), so seeded results differ from BVLC's.
#ifndef CAFFE_RNG_CPP_HPP_
#define CAFFE_RNG_CPP_HPP_

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <iterator>
#include <limits>
#include <random>

#include "caffe/common.hpp"
#include "caffe/proto/caffe.pb.h"

namespace caffe {

typedef std::mt19937 rng_t;

/// The calling thread's generator.
inline rng_t* caffe_rng() { return static_cast<rng_t*>(Caffe::rng_stream().generator()); }

/// Uniform in [0, bound), without bias; bound > 0. The generator gives 32 bits a call.
template <typename Generator>
uint32_t uniform_below(uint32_t bound, Generator* generator) {
  static_assert(Generator::min() == 0 && Generator::max() == 0xffffffffu,
                "a generator of 32 random bits is needed");
  // Rejects the few lowest products that would favour some results (Lemire 2019).
  const uint32_t threshold = (0u - bound) % bound;
  while (true) {
    const uint64_t product = static_cast<uint64_t>((*generator)()) * bound;
    if (static_cast<uint32_t>(product) >= threshold) {
      return static_cast<uint32_t>(product >> 32);
    }
  }
}

/// Fisher-Yates from the end: every order is equally likely.
template <class RandomAccessIterator, class RandomGenerator>
void shuffle(RandomAccessIterator begin, RandomAccessIterator end, RandomGenerator* gen) {
  for (auto left = std::distance(begin, end); left > 1; --left) {
    const auto pick = uniform_below(static_cast<uint32_t>(left), gen);
    std::iter_swap(begin + (left - 1), begin + pick);
  }
}

template <class RandomAccessIterator>
void shuffle(RandomAccessIterator begin, RandomAccessIterator end) {
  shuffle(begin, end, caffe_rng());
}

/// One draw before conversion: the value, and whether it is `prob0` and so final already.
struct RandomDraw {
  double value;
  bool is_prob0;
};

/// Draws from the thread's generator; spread is scaled by `discount` if apply_schedule.
/// prob0 (NaN: none) replaces the draw where the Bernoulli part of uniform_bernoulli or
/// gaussian_bernoulli gives 0. An unknown rand_type is an Error.
RandomDraw draw_random(const RandomGeneratorParameter& param, double discount,
                       double prob0);

/// A random number as the flow forks describe it: drawn, converted to Randtype, then
/// rounded if `discretize`, then times `multiplier`.
template <typename Dtype, typename Randtype = Dtype>
Randtype caffe_rng_generate(const RandomGeneratorParameter& param,
                            Dtype discount_coeff = 1,
                            Dtype prob0_value = std::numeric_limits<Dtype>::quiet_NaN()) {
  const RandomDraw draw = draw_random(param, discount_coeff, prob0_value);
  Randtype value = static_cast<Randtype>(draw.value);
  if (draw.is_prob0) return value;
  if (param.discretize()) value = static_cast<Randtype>(std::round(value));
  return static_cast<Randtype>(value * param.multiplier());
}

}  // namespace caffe

#endif  // CAFFE_RNG_CPP_HPP_

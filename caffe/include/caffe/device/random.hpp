// Counter-based random numbers (Philox 4x32-10), the same on host and device.
//
// Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3"
// (2011).
#ifndef CAFFE_DEVICE_RANDOM_HPP_
#define CAFFE_DEVICE_RANDOM_HPP_

#include <cstdint>

#include "caffe/device/body.hpp"

namespace caffe {
namespace device {

struct RandomWords {
  std::uint32_t word[4];
};

/// The four words that belong to a counter; another seed or counter, other words.
CAFFE_HD inline RandomWords random_words(std::uint64_t seed, std::uint64_t counter) {
  std::uint32_t x0 = static_cast<std::uint32_t>(counter);
  std::uint32_t x1 = static_cast<std::uint32_t>(counter >> 32);
  std::uint32_t x2 = 0, x3 = 0;
  std::uint32_t k0 = static_cast<std::uint32_t>(seed);
  std::uint32_t k1 = static_cast<std::uint32_t>(seed >> 32);
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t a = std::uint64_t{0xD2511F53u} * x0;
    const std::uint64_t b = std::uint64_t{0xCD9E8D57u} * x2;
    const std::uint32_t y0 = static_cast<std::uint32_t>(b >> 32) ^ x1 ^ k0;
    const std::uint32_t y2 = static_cast<std::uint32_t>(a >> 32) ^ x3 ^ k1;
    x1 = static_cast<std::uint32_t>(b);
    x3 = static_cast<std::uint32_t>(a);
    x0 = y0;
    x2 = y2;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return {{x0, x1, x2, x3}};
}

/// The i-th word of a stream.
CAFFE_HD inline std::uint32_t random_word(std::uint64_t seed, std::uint64_t i) {
  return random_words(seed, i / 4).word[i % 4];
}

/// In (0, 1], 24 bits for float and 53 for double.
template <typename Dtype>
CAFFE_HD Dtype random_uniform(std::uint64_t seed, std::uint64_t i) {
  if (sizeof(Dtype) == 4) {
    return static_cast<Dtype>((random_word(seed, i) >> 8) + 1u) / Dtype(1 << 24);
  }
  const RandomWords words = random_words(seed, i / 2);
  const std::uint64_t bits =
      std::uint64_t{words.word[i % 2 * 2]} << 32 | words.word[i % 2 * 2 + 1];
  return static_cast<Dtype>((bits >> 11) + 1u) / Dtype(std::uint64_t{1} << 53);
}

/// A seed for one call, from the thread's generator (Caffe::rng_stream).
std::uint64_t next_seed();

}  // namespace device
}  // namespace caffe

#endif  // CAFFE_DEVICE_RANDOM_HPP_

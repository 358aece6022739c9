// Division by a number that a kernel's threads share: a product and a shift.
//
// Source: Granlund, Montgomery, "Division by invariant integers using multiplication"
// (1994).
#ifndef CAFFE_DEVICE_DIVISOR_HPP_
#define CAFFE_DEVICE_DIVISOR_HPP_

#include <cstdint>

#include "caffe/device/body.hpp"

namespace caffe {
namespace device {

/// Computed once on the host, then `quotient(n)` = n / divisor for 0 <= n < 2^31. A
/// divisor below 1 (an empty axis: nothing is divided) counts as 1.
class Divisor {
 public:
  Divisor() : Divisor(1) {}
  explicit Divisor(int divisor) : divisor_(divisor > 1 ? divisor : 1) {
    const std::uint64_t d = static_cast<std::uint64_t>(divisor_);
    while ((std::uint64_t{1} << shift_) < d) ++shift_;
    multiplier_ =
        static_cast<std::uint32_t>((((std::uint64_t{1} << shift_) - d) << 32) / d + 1);
  }

  CAFFE_HD int quotient(int n) const {
    const std::uint32_t u = static_cast<std::uint32_t>(n);
    const std::uint32_t high =
        static_cast<std::uint32_t>((std::uint64_t{multiplier_} * u) >> 32);
    return static_cast<int>((high + u) >> shift_);
  }
  CAFFE_HD int remainder(int n) const { return n - quotient(n) * divisor_; }
  CAFFE_HD int divisor() const { return divisor_; }

 private:
  int divisor_;
  std::uint32_t multiplier_ = 0, shift_ = 0;
};

}  // namespace device
}  // namespace caffe

#endif  // CAFFE_DEVICE_DIVISOR_HPP_

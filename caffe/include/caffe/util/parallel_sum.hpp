// Sums over threads whose result does not depend on how many there are.
#ifndef CAFFE_UTIL_PARALLEL_SUM_HPP_
#define CAFFE_UTIL_PARALLEL_SUM_HPP_

#include <algorithm>
#include <cstdint>
#include <vector>

#include "caffe/util/parallel_for.hpp"

namespace caffe {

/// The sum of `body(begin, end)` over pieces of [0, n): `T` needs += and a default value
/// of zero. Pieces have a fixed size and are added in their order.
template <typename T = double, typename Body>
T parallel_sum(std::int64_t n, const Body& body, std::int64_t piece = 4096) {
  const std::int64_t pieces = (n + piece - 1) / piece;
  std::vector<T> partial(static_cast<std::size_t>(std::max<std::int64_t>(pieces, 0)));
  parallel_ranges(pieces, 2, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t i = first; i < last; ++i) {
      partial[i] = body(i * piece, std::min(n, (i + 1) * piece));
    }
  });
  T sum{};
  for (const T& value : partial) sum += value;
  return sum;
}

/// The sum of `term(i)` over [0, n), in double.
template <typename Term>
double parallel_sum_of(std::int64_t n, const Term& term) {
  return parallel_sum(n, [&term](std::int64_t begin, std::int64_t end) {
    const Term local(term);  // nobody can write to it: its numbers stay in registers
    double sum = 0;
    for (std::int64_t i = begin; i < end; ++i) sum += local(i);
    return sum;
  });
}

}  // namespace caffe

#endif  // CAFFE_UTIL_PARALLEL_SUM_HPP_

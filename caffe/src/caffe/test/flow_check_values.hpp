// What the tests of the flow family share: the generator of the check values, sums,
// layouts.
#ifndef CAFFE_TEST_FLOW_CHECK_VALUES_HPP_
#define CAFFE_TEST_FLOW_CHECK_VALUES_HPP_

#include <gtest/gtest.h>

#include <cmath>
#include <type_traits>
#include <vector>

#include "caffe/blob.hpp"

namespace caffe {

/// a v_s(i) + b, v_s(i) = ((7919 (i + 1) + 104729 (s + 1)) mod 2003 - 1001) / 1001 in
/// float32 (layers_flow.md, section G). s = 1 first bottom, 2 second bottom, 3 top diff.
inline double check_value(int s, int i, double a = 1, double b = 0) {
  const long long mixed = (7919LL * (i + 1) + 104729LL * (s + 1)) % 2003 - 1001;
  return a * static_cast<float>(mixed / 1001.0) + b;
}

template <typename Dtype>
void fill_check_values(int s, double a, double b, int count, Dtype* to) {
  for (int i = 0; i < count; ++i) to[i] = static_cast<Dtype>(check_value(s, i, a, b));
}

template <typename Dtype>
void fill_data(Blob<Dtype>* blob, int s, double a = 1, double b = 0) {
  fill_check_values(s, a, b, blob->count(), blob->mutable_cpu_data());
}

/// The top diff that the check values were computed with.
template <typename Dtype>
void fill_diff(Blob<Dtype>* blob, int s = 3) {
  fill_check_values(s, 1, 0, blob->count(), blob->mutable_cpu_diff());
}

struct CheckSums {
  double sum, sum_of_squares;
  std::vector<double> first;
};

/// Sum and sum of squares without NaN, and the first values (NaN equals NaN).
template <typename Dtype>
void expect_sums(const Dtype* values, int count, const CheckSums& expected) {
  double sum = 0, squares = 0;
  for (int i = 0; i < count; ++i) {
    const double v = values[i];
    if (std::isnan(v)) continue;
    sum += v;
    squares += v * v;
  }
  EXPECT_NEAR(sum, expected.sum, 2e-5 * std::max(1.0, std::fabs(expected.sum)));
  EXPECT_NEAR(squares, expected.sum_of_squares,
              2e-5 * std::max(1.0, expected.sum_of_squares));
  for (size_t i = 0; i < expected.first.size(); ++i) {
    if (std::isnan(expected.first[i])) {
      EXPECT_TRUE(std::isnan(values[i])) << "value " << i << " is " << values[i];
    } else {
      EXPECT_NEAR(values[i], expected.first[i], 2e-6) << "value " << i;
    }
  }
}

template <typename Dtype>
std::vector<Dtype> copy_of(const Dtype* values, int count) {
  return std::vector<Dtype>(values, values + count);
}

/// Equal to a share of the larger of 1 and the value; NaN equals NaN.
template <typename A, typename B>
void expect_all_near(const std::vector<A>& got, const std::vector<B>& expected,
                     double tolerance) {
  ASSERT_EQ(got.size(), expected.size());
  int failures = 0;
  for (size_t i = 0; i < got.size() && failures < 10; ++i) {
    if (std::isnan(got[i]) && std::isnan(expected[i])) continue;
    if (std::fabs(got[i] - expected[i]) <=
        tolerance * std::max(1.0, std::fabs(static_cast<double>(expected[i])))) {
      continue;
    }
    ++failures;
    ADD_FAILURE() << "element " << i << ": got " << got[i] << ", expected "
                  << expected[i];
  }
}

/// Leaves data (or diff) in the processor's blocked layout, as a convolution would; false
/// where there is none.
template <typename Dtype>
bool make_blocked(Blob<Dtype>* blob, bool diff = false) {
  if constexpr (std::is_same<Dtype, float>::value) {
    const BlockedLayout layout = blob->blocked_layout();
    if (!layout.valid()) return false;
    (diff ? blob->diff() : blob->data())->update_blocked_data(layout);
    return true;
  }
  return false;
}

/// Lanes beyond the last channel must be zero wherever the memory is blocked.
template <typename Dtype>
void expect_zero_tail(const Blob<Dtype>& blob, SyncedMemory* memory) {
  if constexpr (std::is_same<Dtype, float>::value) {
    const BlockedLayout layout = blob.blocked_layout();
    if (!layout.valid() || !memory->head_is_blocked()) return;
    const float* data = memory->blocked_data(layout);
    for (int n = 0; n < layout.num; ++n) {
      for (int s = 0; s < layout.spatial; ++s) {
        for (int lane = layout.block - layout.tail_lanes(); lane < layout.block; ++lane) {
          const size_t row =
              (static_cast<size_t>(n) * layout.blocks() + layout.blocks() - 1) *
                  layout.spatial +
              s;
          ASSERT_EQ(data[row * layout.block + lane], 0.f)
              << "position " << s << ", lane " << lane;
        }
      }
    }
  }
}

}  // namespace caffe

#endif  // CAFFE_TEST_FLOW_CHECK_VALUES_HPP_

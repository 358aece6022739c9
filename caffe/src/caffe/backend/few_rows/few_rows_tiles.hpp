// The body of the few-rows kernel; included once for each instruction set.
#ifndef CAFFE_BACKEND_FEW_ROWS_FEW_ROWS_TILES_HPP_
#define CAFFE_BACKEND_FEW_ROWS_FEW_ROWS_TILES_HPP_

#include "../lane_vectors.hpp"
#include "few_rows_kernel.hpp"

namespace caffe {
namespace {

// kBytes: the size of a vector register.
template <int kBytes>
struct FewRowsTiles : LaneVectors<float, kBytes> {
  typedef LaneVectors<float, kBytes> Base;
  typedef typename Base::Vec Vec;
  using Base::kLanes;

  template <int kItems, int kOutputs>
  static void Add(const FewRowsTile& t) {
    constexpr int kSums = kItems * kOutputs;
    const std::int64_t inputs = t.inputs;
    Vec sum[kSums];
#pragma GCC unroll 32
    for (int i = 0; i < kSums; ++i) sum[i] = Vec{};
    std::int64_t k = 0;
    for (; k + kLanes <= inputs; k += kLanes) {
      Vec weight[kOutputs];
#pragma GCC unroll 8
      for (int j = 0; j < kOutputs; ++j) {
        Base::LoadOnce(t.weights + j * inputs + k, &weight[j]);
      }
#pragma GCC unroll 8
      for (int i = 0; i < kItems; ++i) {
        Vec value;
        Base::LoadOnce(t.x + i * inputs + k, &value);
#pragma GCC unroll 8
        for (int j = 0; j < kOutputs; ++j) sum[i * kOutputs + j] += value * weight[j];
      }
    }
    for (int first = 0; first < kSums; first += kLanes) {
      Vec rows[kLanes];
      for (int l = 0; l < kLanes; ++l) {
        rows[l] = first + l < kSums ? sum[first + l] : Vec{};
      }
      const Vec sums = Base::SumRows(rows);
      for (int l = 0; l < kLanes && first + l < kSums; ++l) {
        const int i = (first + l) / kOutputs, j = (first + l) % kOutputs;
        float rest = 0;
        for (std::int64_t last = k; last < inputs; ++last) {
          rest += t.x[i * inputs + last] * t.weights[j * inputs + last];
        }
        t.y[i * t.y_row + j] += sums[l] + rest;
      }
    }
  }

  // Picks the body for a tile's items and outputs.
  template <int kItems, int kOutputs>
  static void PickOutputs(const FewRowsTile& t) {
    if constexpr (kOutputs > 1) {
      if (t.outputs < kOutputs) return PickOutputs<kItems, kOutputs - 1>(t);
    }
    Add<kItems, kOutputs>(t);
  }
  template <int kItems, int kOutputs>
  static void Pick(const FewRowsTile& t) {
    if constexpr (kItems > 1) {
      if (t.items < kItems) return Pick<kItems - 1, kOutputs>(t);
    }
    PickOutputs<kItems, kOutputs>(t);
  }

  /// The sums of a tile and its operands should fit the registers.
  template <int kItems, int kOutputs>
  static FewRowsKernel Kernel() {
    return {kItems, kOutputs, &Pick<kItems, kOutputs>};
  }
};

}  // namespace
}  // namespace caffe

#endif  // CAFFE_BACKEND_FEW_ROWS_FEW_ROWS_TILES_HPP_

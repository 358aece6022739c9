// Pooling windows under Caffe's rules, and the loops over them for every layout.
#ifndef CAFFE_BACKEND_POOLING_HPP_
#define CAFFE_BACKEND_POOLING_HPP_

#include <algorithm>
#include <cstdint>

#include "caffe/device/body.hpp"

namespace caffe {

/// Sizes of one pooling over planes.
struct PoolShape {
  int height = 0, width = 0, pooled_height = 0, pooled_width = 0;
  int kernel_h = 0, kernel_w = 0, stride_h = 1, stride_w = 1, pad_h = 0, pad_w = 0;

  /// One axis of a window: the part inside the image, and the length that counts for
  /// averages (padding counts, but only up to size + pad).
  struct Span {
    int begin, end, counted;
    CAFFE_HD bool empty() const { return begin >= end; }
  };
  CAFFE_HD static Span span(int output, int size, int kernel, int stride, int pad) {
    const int start = output * stride - pad;
    const int counted = std::min(start + kernel, size + pad) - start;
    return {std::max(start, 0), std::min(start + kernel, size), counted};
  }
  CAFFE_HD Span rows(int y) const { return span(y, height, kernel_h, stride_h, pad_h); }
  CAFFE_HD Span columns(int x) const { return span(x, width, kernel_w, stride_w, pad_w); }

  /// Along one axis: the outputs [begin, end) whose windows hold an input.
  struct Outputs {
    int begin, end;
  };
  CAFFE_HD static Outputs outputs(int input, int pooled, int kernel, int stride,
                                  int pad) {
    const int before = input + pad - kernel;
    return {before < 0 ? 0 : before / stride + 1,
            std::min((input + pad) / stride + 1, pooled)};
  }
  CAFFE_HD Outputs row_outputs(int h) const {
    return outputs(h, pooled_height, kernel_h, stride_h, pad_h);
  }
  CAFFE_HD Outputs column_outputs(int w) const {
    return outputs(w, pooled_width, kernel_w, stride_w, pad_w);
  }

  std::int64_t plane() const { return std::int64_t{height} * width; }
  std::int64_t pooled_plane() const { return std::int64_t{pooled_height} * pooled_width; }
};

/// visit(row, column) for each element of a window, or each output of two ranges, in
/// row-major order. `Range` has begin and end.
template <typename Range, typename Visit>
CAFFE_HD void for_each_in_window(const Range& rows, const Range& columns,
                                 const Visit& visit) {
  for (int row = rows.begin; row < rows.end; ++row) {
    for (int column = columns.begin; column < columns.end; ++column) visit(row, column);
  }
}

/// `planes` planes of `lanes` interleaved channels each (1: row-major; the block of a
/// blocked layout otherwise, in float). `mask` gets y * width + x of the first maximum in
/// row-major order, -1 where the window holds none; it may be null.
template <typename Dtype>
void max_pool_forward(const PoolShape& shape, std::int64_t planes, int lanes,
                      const Dtype* in, Dtype* out, int* mask);
/// Overwrites in_diff.
template <typename Dtype>
void max_pool_backward(const PoolShape& shape, std::int64_t planes, int lanes,
                       const Dtype* out_diff, const int* mask, Dtype* in_diff);
template <typename Dtype>
void average_pool_forward(const PoolShape& shape, std::int64_t planes, int lanes,
                          const Dtype* in, Dtype* out);
template <typename Dtype>
void average_pool_backward(const PoolShape& shape, std::int64_t planes, int lanes,
                           const Dtype* out_diff, Dtype* in_diff);

}  // namespace caffe

#endif  // CAFFE_BACKEND_POOLING_HPP_

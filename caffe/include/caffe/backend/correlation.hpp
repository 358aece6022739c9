// Correlation of two feature maps over a grid of displacements (FlowNetC's cost volume).
#ifndef CAFFE_BACKEND_CORRELATION_HPP_
#define CAFFE_BACKEND_CORRELATION_HPP_

#include "caffe/blob.hpp"
#include "caffe/device/body.hpp"

namespace caffe {

/// Sizes and index maps of one correlation. Positions are those of the unpadded bottoms,
/// which count as 0 outside.
///
/// out[q, y, x] = 1 / (kernel^2 channels) sum over j, i < kernel and all channels c of
///   a[c, window_y(y) + j, window_x(x) + i] *
///   b[c, window_y(y) + j + displacement_y(q), window_x(x) + i + displacement_x(q)],
/// or of the absolute difference in place of the product. x runs fastest in q.
struct CorrelationShape {
  int channels = 0, height = 0, width = 0;
  int kernel = 1, stride_1 = 1, stride_2 = 1;
  int origin_y = 0, origin_x = 0;  ///< the upper left corner of output (0, 0)'s window
  int out_height = 0, out_width = 0;
  int rows_first = 0,
      rows = 1;  ///< displacements in y: (rows_first + j) stride_2, j < rows
  int columns_first = 0, columns = 1;  ///< displacements in x
  bool subtract = false;

  CAFFE_HD int window_y(int y) const { return y * stride_1 + origin_y; }
  CAFFE_HD int window_x(int x) const { return x * stride_1 + origin_x; }
  CAFFE_HD int displacements() const { return rows * columns; }
  CAFFE_HD int row_displacement(int j) const { return (rows_first + j) * stride_2; }
  CAFFE_HD int column_displacement(int i) const { return (columns_first + i) * stride_2; }
  CAFFE_HD int displacement_y(int q) const { return row_displacement(q / columns); }
  CAFFE_HD int displacement_x(int q) const { return column_displacement(q % columns); }
  CAFFE_HD double scale() const {
    return 1.0 / (static_cast<double>(kernel) * kernel * channels);
  }

  /// First and one past the last output of an axis whose window covers position p;
  /// `origin` and `outputs` are that axis'.
  CAFFE_HD int first_output(int p, int origin) const {
    const int least = p - (kernel - 1) - origin;
    return least <= 0 ? 0 : (least + stride_1 - 1) / stride_1;
  }
  CAFFE_HD int end_output(int p, int origin, int outputs) const {
    if (p < origin) return 0;
    const int end = (p - origin) / stride_1 + 1;
    return end < outputs ? end : outputs;
  }
};

/// top (N, displacements, out_height, out_width), row-major, from bottoms a and b (N, C,
/// H, W) in whichever layout they are.
template <typename Dtype>
void correlation_forward(const CorrelationShape& shape, const Blob<Dtype>& a,
                         const Blob<Dtype>& b, Blob<Dtype>* top);

/// The diffs of a and b from top's; each only if asked for, overwritten. The sign of
/// equal values counts as 0 in the absolute difference.
template <typename Dtype>
void correlation_backward(const CorrelationShape& shape, const Blob<Dtype>& top,
                          bool a_wants_diff, bool b_wants_diff, Blob<Dtype>* a,
                          Blob<Dtype>* b);

}  // namespace caffe

#endif  // CAFFE_BACKEND_CORRELATION_HPP_

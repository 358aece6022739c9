// The inner loops of correlation, one table for each instruction set.
//
// This header and the *_avx*.cpp files that include it use nothing of the standard
// library: a template compiled there for AVX must not reach the rest of the program.
#ifndef CAFFE_BACKEND_CORRELATION_KERNELS_HPP_
#define CAFFE_BACKEND_CORRELATION_KERNELS_HPP_

#include <cstdint>

namespace caffe {

constexpr int kCorrelationRows = 4;     // image rows that share a row of the other image
constexpr int kCorrelationColumns = 6;  // displacements, or channels, side by side

/// out[k][i * out_stride + x] (+)= scale sum_c f(a[k][c a_stride + x], b[i][c b_stride +
/// x]) for k < rows, i < columns, x < valid, c < channels; f is the product or |a - b|.
template <typename Dtype>
struct CorrelationForwardTile {
  int rows, columns, channels, valid;
  bool subtract, accumulate;
  std::int64_t a_stride, b_stride, out_stride;
  Dtype scale;
  const Dtype *a[kCorrelationRows], *b[kCorrelationColumns];
  Dtype* out[kCorrelationRows];
};

/// sum[k][c sum_stride + x] += sum_i d[k][i d_stride + x] g(s[c s_stride + i s_step + x])
/// for k < rows, c < channels, x < lanes, i < count;
/// g(v) is v, or the slope of the absolute difference,
/// sign(self[k][c self_stride + x] - v).
template <typename Dtype>
struct CorrelationBackwardTile {
  int rows, channels, count;
  bool subtract;
  std::int64_t d_stride, s_stride, s_step, self_stride, sum_stride;
  const Dtype *d[kCorrelationRows], *self[kCorrelationRows], *s;
  Dtype* sum[kCorrelationRows];
};

template <typename Dtype>
struct CorrelationKernels {
  int lanes;    ///< positions x of a tile
  int columns;  ///< most columns, or channels, of a tile
  void (*forward)(const CorrelationForwardTile<Dtype>&);
  void (*backward)(const CorrelationBackwardTile<Dtype>&);
  /// Vector i of `count` goes to to + i stride; zeros where `from` is null.
  void (*spread)(const Dtype* from, int count, Dtype* to, std::int64_t stride);
  /// to[j * lanes + i] = from[i * lanes + j] for j < to_rows; rows i >= from_rows count
  /// as 0.
  void (*transpose)(const Dtype* from, int from_rows, Dtype* to, int to_rows);
};

template <typename Dtype>
CorrelationKernels<Dtype> correlation_kernels_base();
template <typename Dtype>
CorrelationKernels<Dtype> correlation_kernels_avx2();
template <typename Dtype>
CorrelationKernels<Dtype> correlation_kernels_avx512();

}  // namespace caffe

#endif  // CAFFE_BACKEND_CORRELATION_KERNELS_HPP_

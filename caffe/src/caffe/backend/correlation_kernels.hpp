// The inner loops of correlation, one table for each instruction set.
//
// This header and the *_avx*.cpp files that include it use nothing of the standard
// library: a template compiled there for AVX must not reach the rest of the program.
#ifndef CAFFE_BACKEND_CORRELATION_KERNELS_HPP_
#define CAFFE_BACKEND_CORRELATION_KERNELS_HPP_

#include <cstdint>

namespace caffe {

// Forward: rows of an image that share a row of the other one, and the most
// displacements side by side.
constexpr int kCorrelationRows = 4;
constexpr int kCorrelationColumns = 6;

/// out[k out_row + i out_column + x] = before[k before_row + i lanes + x] + scale sum_c
/// f(a[c kRows lanes + k lanes + x], b[i][c b_channel + x]) for k < rows, i < columns, x
/// < valid, c < channels, where kRows is kCorrelationRows; f is the product or |a - b|.
template <typename Dtype>
struct CorrelationForwardTile {
  int rows, columns, channels, valid;
  bool subtract;
  bool stream;  ///< past the caches: `out` is aligned, `valid` all; then finish_stream()
  std::int64_t b_channel, before_row, out_row, out_column;
  Dtype scale;
  const Dtype *a, *b[kCorrelationColumns];
  const Dtype* before;  ///< null: zeros
  Dtype* out;
};

/// The diff of the absolute difference: sum[x] += sum_i d[i kRows lanes + x] sign(self[x]
/// - s[i s_step + x]) for i < count, x < lanes, where kRows is the table's sum_rows.
template <typename Dtype>
struct CorrelationSignTile {
  int count;
  std::int64_t s_step;
  const Dtype *d, *self, *s;
  Dtype* sum;
};

/// All displacement rows of a tile at once: out[k out_row + c out_channel + x] = before[k
/// before_row + c lanes + x] + sum_r,i d[(r + k) d_row + i kRows lanes + k lanes + x] s[r
/// + k][s_offset + c s_channel + i s_step + x] for k < rows, c < channels, r <
/// displacement_rows (at least `rows`), i < count; a null s counts as 0.
template <typename Dtype>
struct CorrelationSumTile {
  int rows, channels, displacement_rows, count;
  bool stream;  ///< as in CorrelationForwardTile
  std::int64_t d_row, s_channel, s_step, s_offset, before_row, out_row, out_channel;
  const Dtype* d;
  const Dtype* const* s;
  const Dtype* before;  ///< null: zeros
  Dtype* out;
};

template <typename Dtype>
struct CorrelationKernels {
  int lanes;                   ///< positions x of a tile
  int columns;                 ///< most displacements of a forward tile
  int sum_rows, sum_channels;  ///< most rows and channels of a sum
  void (*forward)(const CorrelationForwardTile<Dtype>&);
  void (*sum)(const CorrelationSumTile<Dtype>&);
  void (*sign)(const CorrelationSignTile<Dtype>&);
  /// Vector i of `count` goes from `from` + i from_stride to `to` + i to_stride; the
  /// former need not be aligned.
  void (*spread)(const Dtype* from, std::int64_t from_stride, int count, Dtype* to,
                 std::int64_t to_stride);
  /// The same of neighbours, times `scale`.
  void (*spread_scaled)(const Dtype* from, int count, Dtype scale, Dtype* to,
                        std::int64_t stride);
  /// to[j * lanes + i] = from[i * lanes + j] for j < to_rows; rows i >= from_rows count
  /// as 0.
  void (*transpose)(const Dtype* from, int from_rows, Dtype* to, int to_rows);
  /// What was streamed is seen by other threads that this one wakes.
  void (*finish_stream)();
};

template <typename Dtype>
CorrelationKernels<Dtype> correlation_kernels_base();
template <typename Dtype>
CorrelationKernels<Dtype> correlation_kernels_avx2();
template <typename Dtype>
CorrelationKernels<Dtype> correlation_kernels_avx512();

}  // namespace caffe

#endif  // CAFFE_BACKEND_CORRELATION_KERNELS_HPP_

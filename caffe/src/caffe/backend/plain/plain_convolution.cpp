// The reference convolution by products of matrices.
#include "caffe/backend/plain_convolution.hpp"

#include <algorithm>

#include "caffe/backend/scratch.hpp"
#include "caffe/util/im2col.hpp"
#include "caffe/util/math_functions.hpp"

namespace caffe {

namespace {

constexpr std::int64_t kColumnBytes = 8 << 20;

// A row-major matrix within wider rows.
template <typename Dtype>
struct Matrix {
  Dtype* data;
  std::int64_t row_length;
};

void gemm(CBLAS_TRANSPOSE ta, CBLAS_TRANSPOSE tb, int m, int n, int k,
          Matrix<const float> a, Matrix<const float> b, float beta, Matrix<float> c) {
  cblas_sgemm(CblasRowMajor, ta, tb, m, n, k, 1.f, a.data, static_cast<int>(a.row_length),
              b.data, static_cast<int>(b.row_length), beta, c.data,
              static_cast<int>(c.row_length));
}

void gemm(CBLAS_TRANSPOSE ta, CBLAS_TRANSPOSE tb, int m, int n, int k,
          Matrix<const double> a, Matrix<const double> b, double beta, Matrix<double> c) {
  cblas_dgemm(CblasRowMajor, ta, tb, m, n, k, 1., a.data, static_cast<int>(a.row_length),
              b.data, static_cast<int>(b.row_length), beta, c.data,
              static_cast<int>(c.row_length));
}

Im2colShape im2col_shape(const ConvShape& s) {
  return {s.image_channels(), s.image()[0],  s.image()[1], s.kernel[0],
          s.kernel[1],        s.pad[0],      s.pad[1],     s.stride[0],
          s.stride[1],        s.dilation[0], s.dilation[1]};
}

std::vector<int> with_front(int front, const std::vector<int>& rest) {
  std::vector<int> all(1, front);
  all.insert(all.end(), rest.begin(), rest.end());
  return all;
}

}  // namespace

/// Map positions [begin, end) and, in two dimensions, the map rows that they are.
template <typename Dtype>
struct PlainConvolution<Dtype>::Strip {
  std::int64_t begin, end;
  int row_begin, row_end;
  std::int64_t length() const { return end - begin; }
};

template <typename Dtype>
PlainConvolution<Dtype>::PlainConvolution(const ConvShape& shape, bool force_nd)
    : shape_(shape),
      general_(force_nd || shape.spatial_axes() != 2),
      pointwise_(shape.pointwise()),
      direct_(!general_ && shape.depthwise()),
      column_rows_(shape.image_channels() * shape.taps()),
      map_positions_(ConvShape::volume(shape.map())),
      image_positions_(ConvShape::volume(shape.image())) {}

template <typename Dtype>
template <typename Body>
void PlainConvolution<Dtype>::ForEachStrip(const Body& body) const {
  if (map_positions_ == 0) return;
  if (general_ || pointwise_) {
    body(Strip{0, map_positions_, 0, 0});
    return;
  }
  const int rows = shape_.map()[0];
  const std::int64_t width = shape_.map()[1];
  const std::int64_t row_bytes = column_rows_ * width * static_cast<int>(sizeof(Dtype));
  const int strips = static_cast<int>(
      std::min<std::int64_t>(rows, (row_bytes * rows + kColumnBytes - 1) / kColumnBytes));
  for (int i = 0; i < strips; ++i) {
    const int begin = static_cast<int>(std::int64_t{rows} * i / strips);
    const int end = static_cast<int>(std::int64_t{rows} * (i + 1) / strips);
    body(Strip{begin * width, end * width, begin, end});
  }
}

template <typename Dtype>
void PlainConvolution<Dtype>::Unfold(const Dtype* image, const Strip& strip,
                                     Dtype* columns) const {
  if (!general_) {
    im2col_strip(image, im2col_shape(shape_), strip.row_begin, strip.row_end, columns);
    return;
  }
  im2col_nd_cpu(image, shape_.spatial_axes(),
                with_front(shape_.image_channels(), shape_.image()).data(),
                with_front(static_cast<int>(column_rows_), shape_.map()).data(),
                shape_.kernel.data(), shape_.pad.data(), shape_.stride.data(),
                shape_.dilation.data(), columns);
}

template <typename Dtype>
void PlainConvolution<Dtype>::Fold(const Dtype* columns, const Strip& strip,
                                   Dtype* image) const {
  if (!general_) {
    col2im_strip(columns, im2col_shape(shape_), strip.row_begin, strip.row_end, image);
    return;
  }
  col2im_nd_cpu(columns, shape_.spatial_axes(),
                with_front(shape_.image_channels(), shape_.image()).data(),
                with_front(static_cast<int>(column_rows_), shape_.map()).data(),
                shape_.kernel.data(), shape_.pad.data(), shape_.stride.data(),
                shape_.dilation.data(), image);
}

template <typename Dtype>
void PlainConvolution<Dtype>::Correlate(const Dtype* image, const Dtype* weights,
                                        Dtype* map) const {
  if (direct_) return depthwise_correlate(shape_, image, weights, map);
  const int rows = shape_.map_channels() / shape_.group;
  const int depth = static_cast<int>(column_rows_ / shape_.group);
  ForEachStrip([&](const Strip& strip) {
    const int length = static_cast<int>(strip.length());
    const Dtype* columns = image;
    if (!pointwise_) {
      auto* buffer =
          static_cast<Dtype*>(scratch_memory(column_rows_ * length * sizeof(Dtype)));
      Unfold(image, strip, buffer);
      columns = buffer;
    }
    for (int g = 0; g < shape_.group; ++g) {
      gemm(CblasNoTrans, CblasNoTrans, rows, length, depth,
           Matrix<const Dtype>{weights + std::int64_t{g} * rows * depth, depth},
           Matrix<const Dtype>{columns + std::int64_t{g} * depth * length, length},
           Dtype(0),
           Matrix<Dtype>{map + std::int64_t{g} * rows * map_positions_ + strip.begin,
                         map_positions_});
    }
  });
}

template <typename Dtype>
void PlainConvolution<Dtype>::Adjoint(const Dtype* map, const Dtype* weights,
                                      Dtype* image) const {
  if (direct_) return depthwise_adjoint(shape_, map, weights, image);
  const int rows = shape_.map_channels() / shape_.group;
  const int depth = static_cast<int>(column_rows_ / shape_.group);
  if (!pointwise_) {
    std::fill(image, image + shape_.image_channels() * image_positions_, Dtype(0));
  }
  ForEachStrip([&](const Strip& strip) {
    const int length = static_cast<int>(strip.length());
    Dtype* columns = image;
    if (!pointwise_) {
      columns =
          static_cast<Dtype*>(scratch_memory(column_rows_ * length * sizeof(Dtype)));
    }
    for (int g = 0; g < shape_.group; ++g) {
      gemm(
          CblasTrans, CblasNoTrans, depth, length, rows,
          Matrix<const Dtype>{weights + std::int64_t{g} * rows * depth, depth},
          Matrix<const Dtype>{map + std::int64_t{g} * rows * map_positions_ + strip.begin,
                              map_positions_},
          Dtype(0), Matrix<Dtype>{columns + std::int64_t{g} * depth * length, length});
    }
    if (!pointwise_) Fold(columns, strip, image);
  });
}

template <typename Dtype>
void PlainConvolution<Dtype>::AddWeightGradient(const Dtype* image, const Dtype* map,
                                                Dtype* weights_diff) const {
  if (direct_) return depthwise_weight_gradient(shape_, image, map, weights_diff);
  const int rows = shape_.map_channels() / shape_.group;
  const int depth = static_cast<int>(column_rows_ / shape_.group);
  ForEachStrip([&](const Strip& strip) {
    const int length = static_cast<int>(strip.length());
    const Dtype* columns = image;
    if (!pointwise_) {
      auto* buffer =
          static_cast<Dtype*>(scratch_memory(column_rows_ * length * sizeof(Dtype)));
      Unfold(image, strip, buffer);
      columns = buffer;
    }
    for (int g = 0; g < shape_.group; ++g) {
      gemm(
          CblasNoTrans, CblasTrans, rows, depth, length,
          Matrix<const Dtype>{map + std::int64_t{g} * rows * map_positions_ + strip.begin,
                              map_positions_},
          Matrix<const Dtype>{columns + std::int64_t{g} * depth * length, length},
          Dtype(1), Matrix<Dtype>{weights_diff + std::int64_t{g} * rows * depth, depth});
    }
  });
}

template class PlainConvolution<float>;
template class PlainConvolution<double>;

}  // namespace caffe

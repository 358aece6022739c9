// Unfolding and folding on the CPU: 2-d by whole rows, N-d by an odometer over positions.
#include "caffe/util/im2col.hpp"

#include <algorithm>
#include <cstring>
#include <vector>

#include "caffe/util/logging.hpp"
#include "caffe/util/parallel_for.hpp"

namespace caffe {
namespace {

// The output positions o in [begin, end) whose input o * stride + offset is in [0, size).
struct ValidRange {
  int begin, end;
};

ValidRange valid_outputs(int outputs, int size, int stride, int offset) {
  const int begin = offset >= 0 ? 0 : (-offset + stride - 1) / stride;
  const int end = size <= offset ? 0 : (size - offset - 1) / stride + 1;
  return {std::min(begin, outputs),
          std::max(std::min(begin, outputs), std::min(end, outputs))};
}

// One kernel tap: where it reads relative to o * stride.
struct Tap {
  int channel, offset_h, offset_w;
};

Tap tap_of_row(const Im2colShape& s, int64_t row) {
  const int j = static_cast<int>(row % s.kernel_w);
  const int i = static_cast<int>(row / s.kernel_w % s.kernel_h);
  const int channel = static_cast<int>(row / s.kernel_w / s.kernel_h);
  return {channel, i * s.dilation_h - s.pad_h, j * s.dilation_w - s.pad_w};
}

template <typename Dtype>
void unfold_row(const Dtype* in, int stride, int outputs, ValidRange valid, Dtype* out) {
  std::fill(out, out + valid.begin, Dtype(0));
  if (stride == 1) {
    std::memcpy(out + valid.begin, in + valid.begin,
                sizeof(Dtype) * (valid.end - valid.begin));
  } else {
    for (int x = valid.begin; x < valid.end; ++x)
      out[x] = in[static_cast<int64_t>(x) * stride];
  }
  std::fill(out + valid.end, out + outputs, Dtype(0));
}

template <typename Dtype>
void fold_row(const Dtype* columns, int stride, ValidRange valid, Dtype* image) {
  if (stride == 1) {
#pragma omp simd
    for (int x = valid.begin; x < valid.end; ++x) image[x] += columns[x];
  } else {
    for (int x = valid.begin; x < valid.end; ++x) {
      image[static_cast<int64_t>(x) * stride] += columns[x];
    }
  }
}

}  // namespace

template <typename Dtype>
void im2col_strip(const Dtype* data_im, const Im2colShape& shape, int row_begin,
                  int row_end, Dtype* data_col) {
  const int output_w = shape.output_w();
  const int64_t plane = static_cast<int64_t>(shape.height) * shape.width;
  const int64_t columns = static_cast<int64_t>(row_end - row_begin) * output_w;
  const int64_t rows = shape.column_rows();
  const int64_t grain = std::max<int64_t>(1, (1 << 14) / std::max<int64_t>(1, columns));
  parallel_ranges(rows, grain, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const Tap tap = tap_of_row(shape, row);
      const ValidRange valid =
          valid_outputs(output_w, shape.width, shape.stride_w, tap.offset_w);
      Dtype* out = data_col + row * columns;
      for (int y = row_begin; y < row_end; ++y, out += output_w) {
        const int64_t in_y = static_cast<int64_t>(y) * shape.stride_h + tap.offset_h;
        if (in_y < 0 || in_y >= shape.height) {
          std::fill(out, out + output_w, Dtype(0));
          continue;
        }
        const Dtype* in =
            data_im + tap.channel * plane + in_y * shape.width + tap.offset_w;
        unfold_row(in, shape.stride_w, output_w, valid, out);
      }
    }
  });
}

template <typename Dtype>
void col2im_strip(const Dtype* data_col, const Im2colShape& shape, int row_begin,
                  int row_end, Dtype* data_im) {
  const int output_w = shape.output_w();
  const int64_t plane = static_cast<int64_t>(shape.height) * shape.width;
  const int64_t columns = static_cast<int64_t>(row_end - row_begin) * output_w;
  const int taps = shape.kernel_h * shape.kernel_w;
  const int64_t work = std::max<int64_t>(1, columns * taps);
  // A channel's taps add into the same plane, so a channel stays with one thread.
  parallel_ranges(
      shape.channels, std::max<int64_t>(1, (1 << 14) / work),
      [&](int64_t begin, int64_t end) {
        for (int64_t row = begin * taps; row < end * taps; ++row) {
          const Tap tap = tap_of_row(shape, row);
          const ValidRange valid =
              valid_outputs(output_w, shape.width, shape.stride_w, tap.offset_w);
          const Dtype* column = data_col + row * columns;
          for (int y = row_begin; y < row_end; ++y, column += output_w) {
            const int64_t in_y = static_cast<int64_t>(y) * shape.stride_h + tap.offset_h;
            if (in_y < 0 || in_y >= shape.height) continue;
            Dtype* image =
                data_im + tap.channel * plane + in_y * shape.width + tap.offset_w;
            fold_row(column, shape.stride_w, valid, image);
          }
        }
      });
}

template <typename Dtype>
void im2col_cpu(const Dtype* data_im, const int channels, const int height,
                const int width, const int kernel_h, const int kernel_w, const int pad_h,
                const int pad_w, const int stride_h, const int stride_w,
                const int dilation_h, const int dilation_w, Dtype* data_col) {
  const Im2colShape shape{channels, height,   width,    kernel_h,   kernel_w,  pad_h,
                          pad_w,    stride_h, stride_w, dilation_h, dilation_w};
  im2col_strip(data_im, shape, 0, shape.output_h(), data_col);
}

template <typename Dtype>
void col2im_cpu(const Dtype* data_col, const int channels, const int height,
                const int width, const int kernel_h, const int kernel_w, const int pad_h,
                const int pad_w, const int stride_h, const int stride_w,
                const int dilation_h, const int dilation_w, Dtype* data_im) {
  const Im2colShape shape{channels, height,   width,    kernel_h,   kernel_w,  pad_h,
                          pad_w,    stride_h, stride_w, dilation_h, dilation_w};
  std::fill(data_im, data_im + static_cast<int64_t>(channels) * height * width, Dtype(0));
  col2im_strip(data_col, shape, 0, shape.output_h(), data_im);
}

namespace {

// The N-d sizes as the functions take them.
struct NdShape {
  int axes;
  const int *image, *columns, *kernel, *pad, *stride, *dilation;
};

// Advances a position through an array of the given sizes, last axis fastest.
void advance(int axes, const int* sizes, std::vector<int>* position) {
  for (int axis = axes - 1; axis >= 0; --axis) {
    if (++(*position)[axis] < sizes[axis]) return;
    (*position)[axis] = 0;
  }
}

int64_t volume(int axes, const int* sizes) {
  int64_t product = 1;
  for (int axis = 0; axis < axes; ++axis) product *= sizes[axis];
  return product;
}

// Calls visit(row, column, image index, or -1 outside) for every column entry of the
// channels [begin, end).
template <typename Visit>
void visit_columns(const NdShape& s, int64_t begin, int64_t end, Visit&& visit) {
  const int64_t taps = volume(s.axes, s.kernel);
  const int64_t positions = volume(s.axes, s.columns + 1);
  const int64_t plane = volume(s.axes, s.image + 1);
  std::vector<int> tap(s.axes, 0), position(s.axes, 0);
  for (int64_t row = begin * taps; row < end * taps; ++row) {
    for (int64_t column = 0; column < positions; ++column) {
      int64_t index = row / taps;
      bool inside = true;
      for (int axis = 0; axis < s.axes; ++axis) {
        const int at =
            position[axis] * s.stride[axis] - s.pad[axis] + tap[axis] * s.dilation[axis];
        inside = inside && at >= 0 && at < s.image[axis + 1];
        index = index * s.image[axis + 1] + at;
      }
      visit(row, column, inside && plane > 0 ? index : -1);
      advance(s.axes, s.columns + 1, &position);
    }
    advance(s.axes, s.kernel, &tap);
  }
}

}  // namespace

template <typename Dtype>
void im2col_nd_cpu(const Dtype* data_im, const int num_spatial_axes, const int* im_shape,
                   const int* col_shape, const int* kernel_shape, const int* pad,
                   const int* stride, const int* dilation, Dtype* data_col) {
  const NdShape shape{num_spatial_axes, im_shape, col_shape, kernel_shape, pad,
                      stride,           dilation};
  const int64_t positions = volume(num_spatial_axes, col_shape + 1);
  parallel_ranges(im_shape[0], 1, [&](int64_t begin, int64_t end) {
    visit_columns(shape, begin, end, [=](int64_t row, int64_t column, int64_t index) {
      data_col[row * positions + column] = index < 0 ? Dtype(0) : data_im[index];
    });
  });
}

template <typename Dtype>
void col2im_nd_cpu(const Dtype* data_col, const int num_spatial_axes, const int* im_shape,
                   const int* col_shape, const int* kernel_shape, const int* pad,
                   const int* stride, const int* dilation, Dtype* data_im) {
  const NdShape shape{num_spatial_axes, im_shape, col_shape, kernel_shape, pad,
                      stride,           dilation};
  const int64_t positions = volume(num_spatial_axes, col_shape + 1);
  std::fill(data_im, data_im + volume(num_spatial_axes + 1, im_shape), Dtype(0));
  parallel_ranges(im_shape[0], 1, [&](int64_t begin, int64_t end) {
    visit_columns(shape, begin, end, [=](int64_t row, int64_t column, int64_t index) {
      if (index >= 0) data_im[index] += data_col[row * positions + column];
    });
  });
}

#define INSTANTIATE_IM2COL(Dtype)                                                        \
  template void im2col_strip<Dtype>(const Dtype*, const Im2colShape&, int, int, Dtype*); \
  template void col2im_strip<Dtype>(const Dtype*, const Im2colShape&, int, int, Dtype*); \
  template void im2col_cpu<Dtype>(const Dtype*, const int, const int, const int,         \
                                  const int, const int, const int, const int, const int, \
                                  const int, const int, const int, Dtype*);              \
  template void col2im_cpu<Dtype>(const Dtype*, const int, const int, const int,         \
                                  const int, const int, const int, const int, const int, \
                                  const int, const int, const int, Dtype*);              \
  template void im2col_nd_cpu<Dtype>(const Dtype*, const int, const int*, const int*,    \
                                     const int*, const int*, const int*, const int*,     \
                                     Dtype*);                                            \
  template void col2im_nd_cpu<Dtype>(const Dtype*, const int, const int*, const int*,    \
                                     const int*, const int*, const int*, const int*,     \
                                     Dtype*)

INSTANTIATE_IM2COL(float);
INSTANTIATE_IM2COL(double);
#undef INSTANTIATE_IM2COL

}  // namespace caffe

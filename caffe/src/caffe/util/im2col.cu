// im2col and its adjoint on the device: gathers in both directions.
#include "caffe/device/divisor.hpp"
#include "caffe/device/launch.hpp"
#include "caffe/util/im2col.hpp"
#include "caffe/util/logging.hpp"

namespace caffe {

namespace {

using device::Divisor;

/// One thread a channel and output position: it writes the values under all taps.
template <typename Dtype>
void unfold(const Im2colShape& im2col_shape, const Dtype* image, Dtype* columns) {
  const Im2colShape s = im2col_shape;
  const int out_h = s.output_h(), out_w = s.output_w(), positions = out_h * out_w;
  const Divisor by_width(out_w), by_height(out_h);
  launch(
      s.channels * positions, CAFFE_LAMBDA(int i) {
        const int row = by_width.quotient(i), out_x = i - row * out_w;
        const int channel = by_height.quotient(row), out_y = row - channel * out_h;
        const int first_y = out_y * s.stride_h - s.pad_h;
        const int first_x = out_x * s.stride_w - s.pad_w;
        const int taps = s.kernel_h * s.kernel_w;
        const Dtype* plane =
            image + static_cast<std::int64_t>(channel) * s.height * s.width;
        Dtype* to = columns + static_cast<std::int64_t>(channel) * taps * positions +
                    out_y * out_w + out_x;
        for (int tap_y = 0; tap_y < s.kernel_h; ++tap_y) {
          const int y = first_y + tap_y * s.dilation_h;
          for (int tap_x = 0; tap_x < s.kernel_w; ++tap_x) {
            const int x = first_x + tap_x * s.dilation_w;
            const bool inside = y >= 0 && y < s.height && x >= 0 && x < s.width;
            *to = inside ? plane[y * s.width + x] : Dtype(0);
            to += positions;
          }
        }
      });
}

/// One thread a pixel: it sums the column entries that were read from it.
template <typename Dtype>
void fold(const Im2colShape& im2col_shape, const Dtype* columns, Dtype* image) {
  const Im2colShape s = im2col_shape;
  const int out_h = s.output_h(), out_w = s.output_w(), positions = out_h * out_w;
  const Divisor by_width(s.width), by_height(s.height);
  const Divisor stride_h(s.stride_h), stride_w(s.stride_w);
  launch(
      s.channels * s.height * s.width, CAFFE_LAMBDA(int i) {
        const int row = by_width.quotient(i), x = i - row * s.width + s.pad_w;
        const int channel = by_height.quotient(row);
        const int y = row - channel * s.height + s.pad_h;
        const int taps = s.kernel_h * s.kernel_w;
        const Dtype* from =
            columns + static_cast<std::int64_t>(channel) * taps * positions;
        Dtype sum = 0;
        for (int tap_y = 0; tap_y < s.kernel_h; ++tap_y) {
          const int at_y = y - tap_y * s.dilation_h;
          if (at_y < 0) break;
          const int out_y = stride_h.quotient(at_y);
          if (out_y >= out_h || out_y * s.stride_h != at_y) continue;
          for (int tap_x = 0; tap_x < s.kernel_w; ++tap_x) {
            const int at_x = x - tap_x * s.dilation_w;
            if (at_x < 0) break;
            const int out_x = stride_w.quotient(at_x);
            if (out_x >= out_w || out_x * s.stride_w != at_x) continue;
            const std::int64_t tap = tap_y * s.kernel_w + tap_x;
            sum += from[tap * positions + out_y * out_w + out_x];
          }
        }
        image[i] = sum;
      });
}

constexpr int kMostAxes = 32;

/// The N-d sizes: pointers to device memory.
struct NdShape {
  int axes;
  const int *image, *columns, *kernel, *pad, *stride, *dilation;

  CAFFE_HD static std::int64_t Volume(int axes, const int* sizes) {
    std::int64_t product = 1;
    for (int axis = 0; axis < axes; ++axis) product *= sizes[axis];
    return product;
  }
  /// Splits an index into the last axis first; returns what is left of it.
  CAFFE_HD static int Split(int index, int axes, const int* sizes, int* position) {
    for (int axis = axes - 1; axis >= 0; --axis) {
      position[axis] = index % sizes[axis];
      index /= sizes[axis];
    }
    return index;
  }
};

template <typename Dtype>
void unfold_nd(int n, const NdShape& nd_shape, const Dtype* image, Dtype* columns) {
  const NdShape s = nd_shape;
  launch(
      n, CAFFE_LAMBDA(int i) {
        int out[kMostAxes], tap[kMostAxes];
        const int channel = NdShape::Split(i, s.axes, s.columns + 1, out);
        if (channel >= s.image[0]) return;
        const std::int64_t positions = NdShape::Volume(s.axes, s.columns + 1);
        const int taps = static_cast<int>(NdShape::Volume(s.axes, s.kernel));
        std::int64_t at = channel * taps * positions + (i - channel * positions);
        for (int k = 0; k < taps; ++k, at += positions) {
          NdShape::Split(k, s.axes, s.kernel, tap);
          std::int64_t index = channel;
          bool inside = true;
          for (int axis = 0; axis < s.axes; ++axis) {
            const int x =
                out[axis] * s.stride[axis] - s.pad[axis] + tap[axis] * s.dilation[axis];
            inside = inside && x >= 0 && x < s.image[axis + 1];
            index = index * s.image[axis + 1] + x;
          }
          columns[at] = inside ? image[index] : Dtype(0);
        }
      });
}

template <typename Dtype>
void fold_nd(int n, const NdShape& nd_shape, const Dtype* columns, Dtype* image) {
  const NdShape s = nd_shape;
  launch(
      n, CAFFE_LAMBDA(int i) {
        int pixel[kMostAxes], tap[kMostAxes];
        const int channel = NdShape::Split(i, s.axes, s.image + 1, pixel);
        const int taps = static_cast<int>(NdShape::Volume(s.axes, s.kernel));
        Dtype sum = 0;
        for (int k = 0; k < taps; ++k) {
          NdShape::Split(k, s.axes, s.kernel, tap);
          std::int64_t index = static_cast<std::int64_t>(channel) * taps + k;
          bool read = true;
          for (int axis = 0; axis < s.axes; ++axis) {
            const int at = pixel[axis] + s.pad[axis] - tap[axis] * s.dilation[axis];
            const int out = at / s.stride[axis];
            read = read && at >= 0 && out * s.stride[axis] == at &&
                   out < s.columns[axis + 1];
            index = index * s.columns[axis + 1] + out;
          }
          if (read) sum += columns[index];
        }
        image[i] = sum;
      });
}

}  // namespace

template <typename Dtype>
void im2col_gpu(const Dtype* data_im, const int channels, const int height,
                const int width, const int kernel_h, const int kernel_w, const int pad_h,
                const int pad_w, const int stride_h, const int stride_w,
                const int dilation_h, const int dilation_w, Dtype* data_col) {
  const Im2colShape shape{channels, height,   width,    kernel_h,   kernel_w,  pad_h,
                          pad_w,    stride_h, stride_w, dilation_h, dilation_w};
  unfold(shape, data_im, data_col);
}

template <typename Dtype>
void col2im_gpu(const Dtype* data_col, const int channels, const int height,
                const int width, const int kernel_h, const int kernel_w, const int pad_h,
                const int pad_w, const int stride_h, const int stride_w,
                const int dilation_h, const int dilation_w, Dtype* data_im) {
  const Im2colShape shape{channels, height,   width,    kernel_h,   kernel_w,  pad_h,
                          pad_w,    stride_h, stride_w, dilation_h, dilation_w};
  fold(shape, data_col, data_im);
}

template <typename Dtype>
void im2col_nd_gpu(const Dtype* data_im, const int num_spatial_axes, const int col_size,
                   const int* im_shape, const int* col_shape, const int* kernel_shape,
                   const int* pad, const int* stride, const int* dilation,
                   Dtype* data_col) {
  CHECK_LE(num_spatial_axes, kMostAxes) << "spatial axes of im2col";
  const NdShape shape{num_spatial_axes, im_shape, col_shape, kernel_shape, pad,
                      stride,           dilation};
  unfold_nd(col_size, shape, data_im, data_col);
}

template <typename Dtype>
void col2im_nd_gpu(const Dtype* data_col, const int num_spatial_axes, const int im_size,
                   const int* im_shape, const int* col_shape, const int* kernel_shape,
                   const int* pad, const int* stride, const int* dilation,
                   Dtype* data_im) {
  CHECK_LE(num_spatial_axes, kMostAxes) << "spatial axes of col2im";
  const NdShape shape{num_spatial_axes, im_shape, col_shape, kernel_shape, pad,
                      stride,           dilation};
  fold_nd(im_size, shape, data_col, data_im);
}

#define CAFFE_INSTANTIATE_IM2COL_GPU(Dtype)                                          \
  template void im2col_gpu(const Dtype*, const int, const int, const int, const int, \
                           const int, const int, const int, const int, const int,    \
                           const int, const int, Dtype*);                            \
  template void col2im_gpu(const Dtype*, const int, const int, const int, const int, \
                           const int, const int, const int, const int, const int,    \
                           const int, const int, Dtype*);                            \
  template void im2col_nd_gpu(const Dtype*, const int, const int, const int*,        \
                              const int*, const int*, const int*, const int*,        \
                              const int*, Dtype*);                                   \
  template void col2im_nd_gpu(const Dtype*, const int, const int, const int*,        \
                              const int*, const int*, const int*, const int*,        \
                              const int*, Dtype*)
CAFFE_INSTANTIATE_IM2COL_GPU(float);
CAFFE_INSTANTIATE_IM2COL_GPU(double);
#undef CAFFE_INSTANTIATE_IM2COL_GPU

}  // namespace caffe

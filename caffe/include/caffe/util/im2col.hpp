// Unfolding images into columns, so that a convolution becomes a matrix product, and
// back.
//
// Column layout: row c * kh * kw + i * kw + j holds, for every output position
// (row-major), the input value under kernel tap (i, j) of channel c; 0 outside the image.
#ifndef _CAFFE_UTIL_IM2COL_HPP_
#define _CAFFE_UTIL_IM2COL_HPP_

#include <cstdint>

namespace caffe {

/// The sizes of a 2-d unfolding.
struct Im2colShape {
  int channels, height, width;
  int kernel_h, kernel_w;
  int pad_h = 0, pad_w = 0;
  int stride_h = 1, stride_w = 1;
  int dilation_h = 1, dilation_w = 1;

  /// 0 where the padded image is smaller than the kernel.
  int output_h() const {
    return output_size(height, kernel_h, pad_h, stride_h, dilation_h);
  }
  int output_w() const {
    return output_size(width, kernel_w, pad_w, stride_w, dilation_w);
  }
  int64_t column_rows() const {
    return static_cast<int64_t>(channels) * kernel_h * kernel_w;
  }

 private:
  static int output_size(int size, int kernel, int pad, int stride, int dilation) {
    const int room = size + 2 * pad - (dilation * (kernel - 1) + 1);
    return room < 0 ? 0 : room / stride + 1;
  }
};

/// Columns of the output rows [row_begin, row_end) alone: column_rows() x (rows *
/// output_w). A large frame is convolved strip by strip, without the memory of all its
/// columns.
template <typename Dtype>
void im2col_strip(const Dtype* data_im, const Im2colShape& shape, int row_begin,
                  int row_end, Dtype* data_col);

/// The adjoint of im2col_strip: ADDS the columns into data_im, which the caller has
/// zeroed.
template <typename Dtype>
void col2im_strip(const Dtype* data_col, const Im2colShape& shape, int row_begin,
                  int row_end, Dtype* data_im);

template <typename Dtype>
void im2col_cpu(const Dtype* data_im, const int channels, const int height,
                const int width, const int kernel_h, const int kernel_w, const int pad_h,
                const int pad_w, const int stride_h, const int stride_w,
                const int dilation_h, const int dilation_w, Dtype* data_col);

/// Overwrites data_im with the sums of the columns.
template <typename Dtype>
void col2im_cpu(const Dtype* data_col, const int channels, const int height,
                const int width, const int kernel_h, const int kernel_w, const int pad_h,
                const int pad_w, const int stride_h, const int stride_w,
                const int dilation_h, const int dilation_w, Dtype* data_im);

/// Any number of spatial axes (up to 32). im_shape: channels, then the image's sizes;
/// col_shape: channels * kernel volume, then the output's sizes.
template <typename Dtype>
void im2col_nd_cpu(const Dtype* data_im, const int num_spatial_axes, const int* im_shape,
                   const int* col_shape, const int* kernel_shape, const int* pad,
                   const int* stride, const int* dilation, Dtype* data_col);

template <typename Dtype>
void col2im_nd_cpu(const Dtype* data_col, const int num_spatial_axes, const int* im_shape,
                   const int* col_shape, const int* kernel_shape, const int* pad,
                   const int* stride, const int* dilation, Dtype* data_im);

/// The same on the device (GPU mode).
template <typename Dtype>
void im2col_gpu(const Dtype* data_im, const int channels, const int height,
                const int width, const int kernel_h, const int kernel_w, const int pad_h,
                const int pad_w, const int stride_h, const int stride_w,
                const int dilation_h, const int dilation_w, Dtype* data_col);
template <typename Dtype>
void col2im_gpu(const Dtype* data_col, const int channels, const int height,
                const int width, const int kernel_h, const int kernel_w, const int pad_h,
                const int pad_w, const int stride_h, const int stride_w,
                const int dilation_h, const int dilation_w, Dtype* data_im);
/// The shape pointers are device pointers. col_size: channels * output positions;
/// im_size: channels * the image's positions.
template <typename Dtype>
void im2col_nd_gpu(const Dtype* data_im, const int num_spatial_axes, const int col_size,
                   const int* im_shape, const int* col_shape, const int* kernel_shape,
                   const int* pad, const int* stride, const int* dilation,
                   Dtype* data_col);
template <typename Dtype>
void col2im_nd_gpu(const Dtype* data_col, const int num_spatial_axes, const int im_size,
                   const int* im_shape, const int* col_shape, const int* kernel_shape,
                   const int* pad, const int* stride, const int* dilation,
                   Dtype* data_im);

}  // namespace caffe

#endif  // _CAFFE_UTIL_IM2COL_HPP_

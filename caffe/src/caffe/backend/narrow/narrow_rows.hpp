// Inner loops over channel-blocked sources: few outputs, and depthwise weight gradients.
#ifndef CAFFE_BACKEND_NARROW_NARROW_ROWS_HPP_
#define CAFFE_BACKEND_NARROW_NARROW_ROWS_HPP_

namespace caffe {

/// Sizes of one item. The source is blocks x height x width x lanes, the map outputs x
/// map_height x map_width (row-major); packed weights are blocks x taps x outputs x
/// lanes.
struct NarrowShape {
  int blocks, outputs;
  int height, width, map_height, map_width;
  int kernel_h, kernel_w, stride_h, stride_w, pad_h, pad_w, dilation_h, dilation_w;
};

/// The loops, compiled for one instruction set; pointers are those of one item.
struct NarrowCode {
  int lanes;
  /// Row y of every output. `bias` may be null.
  void (*forward_row)(const NarrowShape& shape, int y, const float* source,
                      const float* weights, const float* bias, float* map);
  /// Row y of the source's gradient in one channel block. Stride 1 only.
  void (*backward_data_row)(const NarrowShape& shape, int block, int y,
                            const float* map_diff, const float* weights,
                            float* source_diff);
  /// Adds one block's weight gradient (taps x outputs x lanes).
  void (*add_weight_gradient)(const NarrowShape& shape, int block, const float* source,
                              const float* map_diff, float* weights_diff);
  /// Depthwise, both sides channel-blocked: adds one block's weight gradient (taps x
  /// lanes).
  void (*add_depthwise_gradient)(const NarrowShape& shape, int block, const float* source,
                                 const float* map_diff, float* weights_diff);
};

NarrowCode narrow_code_avx512();
NarrowCode narrow_code_avx2();

}  // namespace caffe

#endif  // CAFFE_BACKEND_NARROW_NARROW_ROWS_HPP_

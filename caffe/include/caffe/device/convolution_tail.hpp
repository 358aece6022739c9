// What runs around a convolution on the device: bias, sum, activation, folded parameters.
#ifndef CAFFE_DEVICE_CONVOLUTION_TAIL_HPP_
#define CAFFE_DEVICE_CONVOLUTION_TAIL_HPP_

#include "caffe/backend/epilogue.hpp"

namespace caffe {
namespace device {

/// map = activation(map + bias[channel] + addend), with `positions` numbers a channel;
/// bias and addend may be null. `slope` multiplies negative values: 1 for no activation.
template <typename Dtype>
struct MapTail {
  int num = 0, channels = 0, positions = 0;
  const Dtype* bias = nullptr;
  const Dtype* addend = nullptr;
  Dtype slope = 1;
  bool clip = false;
  Dtype lower = 0, upper = 0;
};
template <typename Dtype>
void apply_map_tail(const MapTail<Dtype>& tail, Dtype* map);

/// diff *= the activation's derivative, read from what it left in `data`.
template <typename Dtype>
void activation_backward(const Activation& activation, int count, const Dtype* data,
                         Dtype* diff);

/// sums[channel] += sum over items and positions (channels-last: one position).
template <typename Dtype>
void add_channel_sums(int num, int channels, int positions, const Dtype* map,
                      Dtype* sums);

/// Weights (outputs x row) and bias (outputs) of a convolution, or their gradients.
template <typename T>
struct ParameterPointers {
  T* weights = nullptr;
  T* bias = nullptr;
};

/// weights'[o, i] = scale[o] weights[o, i], bias'[o] = scale[o] bias[o] + shift[o]; a
/// null bias is 0.
template <typename Dtype>
void fold_rows(int outputs, int row, const AffineRows& map,
               const ParameterPointers<const Dtype>& parameters,
               const ParameterPointers<Dtype>& folded);

/// From G, g, the gradients of weights' and bias': diffs += scale G, scale g (null: not
/// wanted), and unless `affine` is null its scale = sum of G weights over the row +
/// g bias, its shift = g.
template <typename Dtype>
void unfold_gradients(int outputs, int row, const AffineRows& map,
                      const ParameterPointers<const Dtype>& parameters,
                      const ParameterPointers<Dtype>& gradients,
                      const ParameterPointers<Dtype>& diffs, const AffineRows& affine);

}  // namespace device
}  // namespace caffe

#endif  // CAFFE_DEVICE_CONVOLUTION_TAIL_HPP_

// What runs around a convolution: bias, sum, activation, folded parameters.
#include "caffe/device/channelwise.hpp"
#include "caffe/device/convolution_tail.hpp"

namespace caffe {
namespace device {

namespace {

/// weights_diff[o, i] += scale[o] G[o, i].
template <typename Dtype>
void add_scaled_rows(int outputs, int row, const double* scale, const Dtype* gradient,
                     Dtype* diff) {
  const Divisor length(row);
  launch(
      outputs * row, CAFFE_LAMBDA(int i) {
        diff[i] += static_cast<Dtype>(scale[length.quotient(i)]) * gradient[i];
      });
}

}  // namespace

template <typename Dtype>
void apply_map_tail(const MapTail<Dtype>& tail, Dtype* map) {
  const ChannelSpan span{tail.num, tail.channels, tail.positions};
  const ChannelOf channel(span);
  launch(
      span.count(), CAFFE_LAMBDA(int i) {
        Dtype value = map[i];
        if (tail.bias != nullptr) value += tail.bias[channel(i)];
        if (tail.addend != nullptr) value += tail.addend[i];
        if (value < 0) value *= tail.slope;
        if (tail.clip) {
          value = value < tail.lower   ? tail.lower
                  : value > tail.upper ? tail.upper
                                       : value;
        }
        map[i] = value;
      });
}

template <typename Dtype>
void activation_backward(const Activation& activation, int count, const Dtype* data,
                         Dtype* diff) {
  const bool clips = activation.kind == Activation::kClip;
  const Dtype slope = static_cast<Dtype>(activation.slope);
  const Dtype lower = static_cast<Dtype>(activation.lower);
  const Dtype upper = static_cast<Dtype>(activation.upper);
  launch(
      count, CAFFE_LAMBDA(int i) {
        const Dtype y = data[i];
        if (clips) {
          if (!(y > lower && y < upper)) diff[i] = 0;
        } else if (!(y > 0)) {
          diff[i] *= slope;
        }
      });
}

template <typename Dtype>
void add_channel_sums(int num, int channels, int positions, const Dtype* map,
                      Dtype* sums) {
  launch_channel_sums<Dtype>(
      ChannelSpan{num, channels, positions}, CAFFE_LAMBDA(int i, int) { return map[i]; },
      CAFFE_LAMBDA(int channel, Dtype sum) { sums[channel] += sum; });
}

template <typename Dtype>
void fold_rows(int outputs, int row, const AffineRows& map,
               const ParameterPointers<const Dtype>& parameters,
               const ParameterPointers<Dtype>& folded) {
  const Divisor length(row);
  const AffineRows of = map;
  const ParameterPointers<const Dtype> from = parameters;
  const ParameterPointers<Dtype> to = folded;
  launch(
      outputs * row, CAFFE_LAMBDA(int i) {
        const int o = length.quotient(i);
        to.weights[i] = static_cast<Dtype>(of.scale[o] * from.weights[i]);
        if (i != o * length.divisor()) return;
        const double bias = from.bias == nullptr ? 0 : from.bias[o];
        to.bias[o] = static_cast<Dtype>(of.scale[o] * bias + of.shift[o]);
      });
}

template <typename Dtype>
void unfold_gradients(int outputs, int row, const AffineRows& map,
                      const ParameterPointers<const Dtype>& parameters,
                      const ParameterPointers<Dtype>& gradients,
                      const ParameterPointers<Dtype>& diffs, const AffineRows& affine) {
  const Dtype *weights = parameters.weights, *bias = parameters.bias;
  const Dtype *of_weights = gradients.weights, *of_bias = gradients.bias;
  const AffineRows to = affine;
  if (affine.scale != nullptr) {
    launch_row_sums<double>(
        outputs, row,
        CAFFE_LAMBDA(int o, int i) {
          const int at = o * row + i;
          return static_cast<double>(of_weights[at]) * weights[at];
        },
        CAFFE_LAMBDA(int o, double dot) {
          to.scale[o] =
              dot + (bias == nullptr ? 0 : static_cast<double>(of_bias[o]) * bias[o]);
          to.shift[o] = of_bias[o];
        });
  }
  if (diffs.weights != nullptr) {
    add_scaled_rows(outputs, row, map.scale, of_weights, diffs.weights);
  }
  if (diffs.bias != nullptr) add_scaled_rows(outputs, 1, map.scale, of_bias, diffs.bias);
}

#define CAFFE_INSTANTIATE_TAIL(T)                                          \
  template void apply_map_tail(const MapTail<T>&, T*);                     \
  template void activation_backward(const Activation&, int, const T*, T*); \
  template void add_channel_sums(int, int, int, const T*, T*);             \
  template void fold_rows(int, int, const AffineRows&,                     \
                          const ParameterPointers<const T>&,               \
                          const ParameterPointers<T>&);                    \
  template void unfold_gradients(                                          \
      int, int, const AffineRows&, const ParameterPointers<const T>&,      \
      const ParameterPointers<T>&, const ParameterPointers<T>&, const AffineRows&)
CAFFE_INSTANTIATE_TAIL(float);
CAFFE_INSTANTIATE_TAIL(double);
#undef CAFFE_INSTANTIATE_TAIL

}  // namespace device
}  // namespace caffe

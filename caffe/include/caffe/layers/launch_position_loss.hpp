// The device's half of losses over positions: weighted sum, divisor, quotient.
#ifndef CAFFE_LAYERS_LAUNCH_POSITION_LOSS_HPP_
#define CAFFE_LAYERS_LAUNCH_POSITION_LOSS_HPP_

#include "caffe/device/launch.hpp"
#include "caffe/device/scratch.hpp"
#include "caffe/layers/loss_layer.hpp"

namespace caffe {

/// Row 0: the weighted losses of the positions; row 1: what they count.
template <typename Dtype, typename Value>
struct LoadPositionLoss {
  Value value;  ///< double operator()(int position) const, CAFFE_HD
  const Dtype* targets;
  typename PositionLoss<Dtype>::Weights weights;
  typename PositionLoss<Dtype>::Ignored ignored;

  CAFFE_HD double operator()(int row, int position) const {
    if (ignored(targets[position])) return 0;
    const double weight = weights(position);
    return row == 0 ? weight * value(position) : weight;
  }
};

/// Keeps the two rows' sums.
struct StorePositionSums {
  double* sums;
  CAFFE_HD void operator()(int row, double sum) const { sums[row] = sum; }
};

/// The quotient where the divisor is known beforehand.
template <typename Dtype>
struct StorePositionLoss {
  typename PositionLoss<Dtype>::Divisor divisor;
  Dtype* loss;
  Dtype* normalizer;

  CAFFE_HD void store(double sum, double valid) const {
    const Dtype z = divisor(valid);
    *normalizer = z;
    *loss = static_cast<Dtype>(sum / z);
  }
  CAFFE_HD void operator()(int, double sum) const { store(sum, 0); }
};

/// The quotient of the two sums.
template <typename Dtype>
struct DividePositionSums {
  StorePositionLoss<Dtype> result;
  const double* sums;
  CAFFE_HD void operator()(int) const { result.store(sums[0], sums[1]); }
};

/// *loss = sum of weight * value(position) / Z over the positions that count, and
/// *normalizer = Z; both are on the device.
template <typename Dtype, typename Value>
void launch_position_loss(int positions, const PositionLoss<Dtype>& rule,
                          const LoadPositionLoss<Dtype, Value>& load, Dtype* loss,
                          Dtype* normalizer) {
  const StorePositionLoss<Dtype> result{rule.divisor(), loss, normalizer};
  if (!result.divisor.counts_valid) {
    launch_row_sums<double>(1, positions, load, result);
    return;
  }
  const device::Scratch scratch(2 * sizeof(double));
  launch_row_sums<double>(2, positions, load,
                          StorePositionSums{scratch.template as<double>()});
  launch(1, DividePositionSums<Dtype>{result, scratch.template as<double>()});
}

}  // namespace caffe

#endif  // CAFFE_LAYERS_LAUNCH_POSITION_LOSS_HPP_

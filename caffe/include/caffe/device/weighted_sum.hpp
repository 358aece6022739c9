// Weighted sums of arrays on the device.
#ifndef CAFFE_DEVICE_WEIGHTED_SUM_HPP_
#define CAFFE_DEVICE_WEIGHTED_SUM_HPP_

#include <vector>

namespace caffe {
namespace device {

/// out[i] = sum of coeffs[k] * inputs[k][i] (no coeffs: plain sum), added in order; one
/// pass for up to four inputs. `out` may be inputs[0]. At least one input.
template <typename Dtype>
void weighted_sum(int n, const std::vector<const Dtype*>& inputs,
                  const std::vector<Dtype>& coeffs, Dtype* out);

}  // namespace device
}  // namespace caffe

#endif  // CAFFE_DEVICE_WEIGHTED_SUM_HPP_

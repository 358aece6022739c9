// Reorders on the device between (num, channels, spatial) and (num, spatial, channels).
#ifndef CAFFE_DEVICE_CHANNELS_LAST_HPP_
#define CAFFE_DEVICE_CHANNELS_LAST_HPP_

#include "caffe/syncedmem.hpp"

namespace caffe {
namespace device {

void to_channels_last(const ChannelsLast& order, const float* row_major, float* last);
void to_row_major(const ChannelsLast& order, const float* last, float* row_major);

}  // namespace device
}  // namespace caffe

#endif  // CAFFE_DEVICE_CHANNELS_LAST_HPP_

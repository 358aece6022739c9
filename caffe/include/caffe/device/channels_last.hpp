// Memory on the device as (num, spatial, channels): reorders, and passes in either order.
#ifndef CAFFE_DEVICE_CHANNELS_LAST_HPP_
#define CAFFE_DEVICE_CHANNELS_LAST_HPP_

#include <type_traits>
#include <vector>

#include "caffe/blob.hpp"
#include "caffe/syncedmem.hpp"

namespace caffe {
namespace device {

void to_channels_last(const ChannelsLast& order, const float* row_major, float* last);
void to_row_major(const ChannelsLast& order, const float* last, float* row_major);
/// row_major += last, number by number.
void add_to_row_major(const ChannelsLast& order, const float* last, float* row_major);

/// That of a blob with two spatial axes; all 0 for others and for double.
template <typename Dtype>
ChannelsLast channels_last_order(const Blob<Dtype>& blob) {
  if (!std::is_same<Dtype, float>::value || blob.num_axes() != 4) return ChannelsLast();
  return {blob.shape(0), blob.shape(1), blob.count(2)};
}

/// The order in which a pass goes that treats all numbers alike: channels-last (of blobs
/// shaped `like`) if an input is in no other form, else row-major (all 0).
template <typename Dtype>
ChannelsLast common_order(const Blob<Dtype>& like,
                          const std::vector<SyncedMemory*>& inputs) {
  const ChannelsLast order = channels_last_order(like);
  for (const SyncedMemory* input : inputs) {
    if (order.channels > 0 && input->head_is_channels_last() &&
        input->channels_last_is_current(order)) {
      return order;
    }
  }
  return ChannelsLast();
}

/// The contents in that order; reordered if need be.
template <typename Dtype>
const Dtype* read_in_order(SyncedMemory* memory, const ChannelsLast& order) {
  if constexpr (std::is_same<Dtype, float>::value) {
    if (order.channels > 0) return memory->gpu_channels_last(order);
  }
  return static_cast<const Dtype*>(memory->gpu_data());
}

/// Memory to be overwritten completely in that order. What was read in the same order is
/// still there: a pass may run in place.
template <typename Dtype>
Dtype* write_in_order(SyncedMemory* memory, const ChannelsLast& order) {
  if constexpr (std::is_same<Dtype, float>::value) {
    if (order.channels > 0) return memory->mutable_gpu_channels_last(order);
  }
  return static_cast<Dtype*>(memory->mutable_gpu_data());
}

}  // namespace device
}  // namespace caffe

#endif  // CAFFE_DEVICE_CHANNELS_LAST_HPP_

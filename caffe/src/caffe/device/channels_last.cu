// Reorders between row-major and channels-last on the device.
#include "caffe/device/channels_last.hpp"
#include "caffe/device/launch.hpp"

namespace caffe {
namespace device {

namespace {

/// to (num, columns, rows) = from (num, rows, columns).
void transpose(int num, int rows, int columns, const float* from, float* to) {
  const int plane = rows * columns;
  launch(
      num * plane, CAFFE_LAMBDA(int i) {
        const int within = i % plane;
        to[i] = from[i - within + within % rows * columns + within / rows];
      });
}

}  // namespace

void to_channels_last(const ChannelsLast& order, const float* row_major, float* last) {
  transpose(order.num, order.channels, order.spatial, row_major, last);
}

void to_row_major(const ChannelsLast& order, const float* last, float* row_major) {
  transpose(order.num, order.spatial, order.channels, last, row_major);
}

}  // namespace device
}  // namespace caffe

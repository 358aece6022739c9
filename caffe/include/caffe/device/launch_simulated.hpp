// Kernels on the simulated device: loops over the index.
#ifndef CAFFE_DEVICE_LAUNCH_SIMULATED_HPP_
#define CAFFE_DEVICE_LAUNCH_SIMULATED_HPP_

#include <type_traits>

#include "caffe/device/simulated/recording.hpp"

namespace caffe {

namespace device {

/// Kernels' bodies are copied as bytes.
template <typename Body>
void check_body(const Body& body) {
  static_assert(std::is_trivially_copyable_v<Body>, "a kernel's body is plain values");
  static_assert(sizeof(Body) <= 4096, "a kernel's body holds at most 4 kB");
  check_body(&body, sizeof(body));
}

}  // namespace device

/// body(i) for i in [0, n), in any order.
template <typename Body>
void launch(int n, const Body& body) {
  if (n <= 0) return;
  device::check_body(body);
  device::submit([n, body] {
    for (int i = 0; i < n; ++i) body(i);
  });
}

/// store(row, sum of load(row, i) for i in [0, length)) for row in [0, rows).
template <typename Sum, typename Load, typename Store>
void launch_row_sums(int rows, int length, const Load& load, const Store& store) {
  if (rows <= 0) return;
  device::check_body(load);
  device::check_body(store);
  device::submit([rows, length, load, store] {
    for (int row = 0; row < rows; ++row) {
      Sum sum(0);
      for (int i = 0; i < length; ++i) sum += load(row, i);
      store(row, sum);
    }
  });
}

}  // namespace caffe

#endif  // CAFFE_DEVICE_LAUNCH_SIMULATED_HPP_

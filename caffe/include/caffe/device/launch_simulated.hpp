// Kernels on the simulated device: loops over the index, device memory open meanwhile.
#ifndef CAFFE_DEVICE_LAUNCH_SIMULATED_HPP_
#define CAFFE_DEVICE_LAUNCH_SIMULATED_HPP_

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace caffe {

namespace device {

/// While one lives, device memory can be reached; otherwise touching it is a fault.
class OpenMemory {
 public:
  OpenMemory();
  ~OpenMemory();
  OpenMemory(const OpenMemory&) = delete;
  OpenMemory& operator=(const OpenMemory&) = delete;
};

/// Error if a word of a kernel's body is an address of the host (its stack, or memory
/// that a blob holds).
void check_body(const void* body, std::size_t bytes);

}  // namespace device

/// body(i) for i in [0, n), in any order.
template <typename Body>
void launch(int n, const Body& body) {
  static_assert(sizeof(Body) <= 4096, "a kernel's body holds at most 4 kB");
  if (n <= 0) return;
  device::check_body(&body, sizeof(body));
  const device::OpenMemory open;
  for (int i = 0; i < n; ++i) body(i);
}

/// store(row, sum of load(row, i) for i in [0, length)) for row in [0, rows).
template <typename Sum, typename Load, typename Store>
void launch_row_sums(int rows, int length, const Load& load, const Store& store) {
  if (rows <= 0) return;
  device::check_body(&load, sizeof(load));
  device::check_body(&store, sizeof(store));
  const device::OpenMemory open;
  for (int row = 0; row < rows; ++row) {
    Sum sum(0);
    for (int i = 0; i < length; ++i) sum += load(row, i);
    store(row, sum);
  }
}

}  // namespace caffe

#endif  // CAFFE_DEVICE_LAUNCH_SIMULATED_HPP_

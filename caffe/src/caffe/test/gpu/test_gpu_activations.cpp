// Activations on the device against the host.
#include "gpu_matches_cpu.hpp"

namespace caffe {

TEST(GpuActivations, ReLU) {
  GpuCheck{"type: 'ReLU'", {{2, 3, 5, 7}}}.Run();
  GpuCheck{"type: 'ReLU' relu_param { negative_slope: 0.1 }", {{1, 3, 4, 1}}}.Run();
}

TEST(GpuActivations, ReLUInPlace) {
  GpuCheck{"type: 'ReLU' relu_param { negative_slope: 0.1 }", {{2, 3, 5, 7}}, 1, true}
      .Run();
}

}  // namespace caffe

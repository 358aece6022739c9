// Convolution and Deconvolution on the device against the host.
#include "gpu_matches_cpu.hpp"

namespace caffe {

namespace {
string Convolution(const string& param, const string& type = "Convolution") {
  return "type: '" + type + "' convolution_param { weight_filler { type: 'xavier' } " +
         param + " }";
}
}  // namespace

TEST(GpuConvolution, Grid) {
  const vector<string> params = {
      "num_output: 4 kernel_size: 3 pad: 1",
      "num_output: 5 kernel_size: 1",
      "num_output: 2 kernel_size: 3 stride: 2 pad: 2 bias_term: false",
      "num_output: 6 kernel_size: 3 pad: 2 dilation: 2 group: 3",
      "num_output: 3 kernel_size: 3 pad: 1 group: 3",
      "num_output: 3 kernel_h: 1 kernel_w: 5 pad_h: 0 pad_w: 2 stride_h: 3 stride_w: 1",
  };
  for (const string& param : params) {
    for (const int num : {1, 3}) {
      GpuCheck{Convolution(param), {{num, 3, 7, 6}}}.Run();
    }
  }
}

TEST(GpuConvolution, DeconvolutionGrid) {
  const vector<string> params = {
      "num_output: 4 kernel_size: 4 stride: 2 pad: 1",
      "num_output: 3 kernel_size: 4 stride: 2 pad: 1 group: 3",
      "num_output: 6 kernel_size: 3 group: 3 dilation: 2",
      "num_output: 1 kernel_size: 1",
  };
  for (const string& param : params) {
    for (const int num : {1, 2}) {
      GpuCheck{Convolution(param, "Deconvolution"), {{num, 3, 4, 5}}}.Run();
    }
  }
}

TEST(GpuConvolution, AnyNumberOfSpatialAxes) {
  GpuCheck{Convolution("num_output: 4 kernel_size: 3 pad: 1"), {{2, 3, 4, 3, 5}}}.Run();
  GpuCheck{Convolution("num_output: 4 kernel_size: 3 stride: 2"), {{2, 3, 9}}}.Run();
}

TEST(GpuConvolution, SeveralBottomsShareTheParameters) {
  GpuCheck{Convolution("num_output: 4 kernel_size: 3"), {{2, 3, 5, 5}, {2, 3, 5, 5}}, 2}
      .Run();
}

TEST(GpuConvolution, PlainEngine) {
  GpuCheck{Convolution("num_output: 4 kernel_size: 3 pad: 1 engine: CAFFE"),
           {{2, 3, 5, 5}}}
      .Run();
}

}  // namespace caffe

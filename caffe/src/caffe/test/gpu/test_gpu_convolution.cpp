// Convolution and Deconvolution on the device against the host.
#include <cmath>
#include <cstdint>
#include <cstring>

#include "caffe/device/channels_last.hpp"
#include "caffe/device/convolution_ops.hpp"
#include "caffe/device/convolution_tail.hpp"
#include "caffe/device/split_product.hpp"
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

namespace {

ConvShape Plane(int num, int channels, int outputs, int group, int kernel, int stride,
                int pad, int dilation) {
  ConvShape shape;
  shape.num = num;
  shape.channels = channels;
  shape.num_output = outputs;
  shape.group = group;
  shape.input = {9, 11};
  shape.kernel = {kernel, kernel};
  shape.stride = {stride, stride};
  shape.pad = {pad, pad};
  shape.dilation = {dilation, dilation};
  for (const int size : shape.input) {
    shape.output.push_back((size + 2 * pad - dilation * (kernel - 1) - 1) / stride + 1);
  }
  return shape;
}

/// What one way of an operation writes, from fixed operands; row-major, whatever the
/// order that it works in.
vector<float> Written(device::ConvolutionOps<float>* ops, device::ConvOp op, int variant,
                      const ConvShape& s) {
  Blob<float> image(vector<int>{s.num, s.channels, s.input[0], s.input[1]});
  Blob<float> map(vector<int>{s.num, s.num_output, s.output[0], s.output[1]});
  const int taps = static_cast<int>(s.taps());
  Blob<float> weights(vector<int>{s.num_output, s.channels / s.group, taps, 1});
  unsigned int seed = 0;
  device::ConvOperands<float> operands;
  for (const auto& [blob, pointer] :
       {std::pair<Blob<float>*, float**>{&image, &operands.image},
        {&map, &operands.map},
        {&weights, &operands.weights}}) {
    fill_uniform(blob, ++seed);
    const ChannelsLast order =
        ops->channels_last() ? device::channels_last_order(*blob) : ChannelsLast();
    device::read_in_order<float>(blob->data().get(), order);
    *pointer = device::write_in_order<float>(blob->data().get(), order);
  }
  ops->Run(op, variant, operands);
  return data_of(op == device::ConvOp::kCorrelate ? map
                 : op == device::ConvOp::kAdjoint ? image
                                                  : weights);
}

}  // namespace

TEST(GpuConvolution, StripsGiveWhatUnfoldingAtOnceGives) {
  SKIP_WITHOUT_DEVICE();
  const vector<ConvShape> shapes = {
      Plane(2, 6, 4, 1, 3, 1, 1, 1), Plane(1, 6, 9, 3, 3, 2, 1, 1),
      Plane(3, 4, 5, 1, 4, 2, 1, 2), Plane(1, 5, 5, 5, 3, 1, 1, 1)};
  for (const ConvShape& shape : shapes) {
    const auto at_once = device::make_gemm_convolution<float>(shape);
    const std::int64_t position_bytes = sizeof(float) * shape.channels * shape.taps();
    for (const int positions : {1, 7, 40}) {
      const auto strips =
          device::make_gemm_convolution<float>(shape, positions * position_bytes);
      for (const auto op : {device::ConvOp::kCorrelate, device::ConvOp::kAdjoint,
                            device::ConvOp::kWeightGradient}) {
        expect_near(Written(at_once.get(), op, 0, shape),
                    Written(strips.get(), op, 0, shape), 1e-5,
                    "strips of " + std::to_string(positions) + " positions");
      }
    }
  }
}

TEST(GpuConvolution, EveryImplementationGivesWhatUnfoldingGives) {
  SKIP_WITHOUT_DEVICE();
  const vector<ConvShape> shapes = {
      Plane(2, 20, 1, 1, 3, 1, 1, 1), Plane(1, 33, 2, 1, 3, 2, 1, 1),
      Plane(1, 7, 3, 1, 5, 1, 2, 1),  Plane(3, 16, 4, 1, 3, 1, 2, 2),
      Plane(2, 5, 5, 5, 3, 2, 1, 1),  Plane(1, 6, 6, 6, 3, 1, 2, 2),
      Plane(1, 8, 12, 2, 3, 1, 1, 1), Plane(2, 8, 16, 1, 1, 1, 0, 1),
  };
  for (const ConvShape& shape : shapes) {
    const auto reference = device::make_gemm_convolution<float>(shape);
    const auto reordering = [](const ConvShape& s) {
      return device::make_reordering_convolution(s,
                                                 device::make_gemm_convolution<float>(s));
    };
    using Maker = std::unique_ptr<device::ConvolutionOps<float>> (*)(const ConvShape&);
    const vector<Maker> makers = {
        device::make_depthwise_convolution<float>, device::make_narrow_convolution<float>,
        device::make_cudnn_convolution<float>,     device::make_cudnn_channels_last,
        device::make_channels_last_product,        reordering};
    for (const Maker& make : makers) {
      const auto ops = make(shape);
      if (!ops) continue;
      for (const auto op : {device::ConvOp::kCorrelate, device::ConvOp::kAdjoint,
                            device::ConvOp::kWeightGradient}) {
        const vector<float> expected = Written(reference.get(), op, 0, shape);
        for (int variant = 0; variant < ops->variants(op); ++variant) {
          expect_near(expected, Written(ops.get(), op, variant, shape), 2e-4,
                      ops->name(op, variant));
        }
      }
    }
  }
}

TEST(GpuConvolution, SplitProductsGiveWhatProductsGive) {
  SKIP_WITHOUT_DEVICE();
  setenv("CAFFE_SPLIT_TF32", "1", 1);
  for (const ConvShape& shape :
       {Plane(2, 6, 4, 1, 3, 1, 1, 1), Plane(1, 6, 9, 3, 3, 2, 1, 1),
        Plane(3, 8, 5, 1, 1, 1, 0, 1)}) {
    const auto ops = device::make_gemm_convolution<float>(shape);
    const auto strips = device::make_gemm_convolution<float>(
        shape, 7 * sizeof(float) * shape.channels * shape.taps());
    for (const auto op : {device::ConvOp::kCorrelate, device::ConvOp::kAdjoint,
                          device::ConvOp::kWeightGradient}) {
      const vector<float> expected = Written(ops.get(), op, 0, shape);
      ASSERT_EQ(2, ops->variants(op));
      expect_near(expected, Written(ops.get(), op, 1, shape), 1e-5, "split");
      expect_near(expected, Written(strips.get(), op, 1, shape), 1e-5, "split, strips");
    }
  }
  unsetenv("CAFFE_SPLIT_TF32");
}

TEST(GpuConvolution, TheFirstPartOfASplitNumberIsATF32Number) {
  SKIP_WITHOUT_DEVICE();
  const float infinity = std::numeric_limits<float>::infinity();
  const vector<float> numbers = {1.f / 3, -1e-30f, 3e38f, 0.f, -0.f, infinity};
  const int n = static_cast<int>(numbers.size());
  Blob<float> x(vector<int>{n + 1}), high(x.shape()), low(x.shape());
  std::copy(numbers.begin(), numbers.end(), x.mutable_cpu_data());
  x.mutable_cpu_data()[n] = std::numeric_limits<float>::quiet_NaN();
  device::split(n + 1, x.gpu_data(), high.mutable_gpu_data(), low.mutable_gpu_data());
  for (int i = 0; i < n; ++i) {
    std::uint32_t bits;
    std::memcpy(&bits, high.cpu_data() + i, sizeof(bits));
    EXPECT_EQ(0u, bits & 0x1fffu) << numbers[i];
    EXPECT_EQ(numbers[i], high.cpu_data()[i] + low.cpu_data()[i]);
    EXPECT_LE(std::abs(low.cpu_data()[i]), std::abs(numbers[i]) / 1024) << numbers[i];
  }
  EXPECT_TRUE(std::isnan(high.cpu_data()[n]));
  EXPECT_EQ(0.f, low.cpu_data()[n]);
}

TEST(GpuConvolution, SumsOfColumnsOfAnyShape) {
  SKIP_WITHOUT_DEVICE();
  for (const auto& [rows, columns] :
       {std::pair<int, int>{1, 1}, {5, 3}, {100, 7}, {33, 64}, {4000, 40}}) {
    Blob<float> matrix(vector<int>{rows, columns}), sums(vector<int>{columns});
    fill_uniform(&matrix, 1);
    fill_uniform(&sums, 2);
    vector<float> expected = data_of(sums);
    for (int i = 0; i < rows * columns; ++i) {
      expected[i % columns] += matrix.cpu_data()[i];
    }
    device::add_channel_sums(rows, columns, 1, matrix.gpu_data(),
                             sums.mutable_gpu_data());
    expect_near(expected, data_of(sums), 1e-4,
                std::to_string(rows) + " x " + std::to_string(columns));
  }
}

}  // namespace caffe

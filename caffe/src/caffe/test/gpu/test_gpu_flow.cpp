// The flow layers on the device against the host.
#include <cmath>
#include <cstdlib>
#include <limits>

#include "gpu_matches_cpu.hpp"

namespace caffe {

namespace {

/// Blob 1: some positions whole, some far outside, some unknown; whole ones last.
void awkward_flow(int bottom, Blob<float>* blob) {
  if (bottom != 1) return;
  float* flow = blob->mutable_cpu_data();
  for (int i = 0; i < blob->count(); ++i) {
    if (i % 5 == 0) flow[i] = std::round(flow[i]);
    if (i % 17 == 3) flow[i] *= 20;
    if (i % 31 == 7) flow[i] = std::numeric_limits<float>::quiet_NaN();
  }
}

void whole_flow(int bottom, Blob<float>* blob) {
  if (bottom != 1) return;
  float* flow = blob->mutable_cpu_data();
  for (int i = 0; i < blob->count(); ++i) flow[i] = std::round(flow[i]);
}

/// All output pixels fetch from one place.
void one_place(int bottom, Blob<float>* blob) {
  if (bottom != 1) return;
  std::fill_n(blob->mutable_cpu_data(), blob->count(), 1.25f);
}

void some_unknown(int bottom, Blob<float>* blob) {
  if (bottom != 0) return;
  for (int i = 0; i < blob->count(); ++i) {
    if (i % 4 == 1 || i % 23 < 6) {
      blob->mutable_cpu_data()[i] = std::numeric_limits<float>::quiet_NaN();
    }
  }
}

void check_correlation(const string& parameters, const vector<int>& shape,
                       const string& type = "Correlation") {
  for (const char* kind : {"MULTIPLY", "SUBTRACT"}) {
    GpuCheck check{"type: '" + type + "' correlation_param { " + parameters +
                       " correlation_type: " + kind + " }",
                   {shape, shape}};
    check.runs = 1;
    check.Run();
  }
}

/// CAFFE_PLAIN_KERNELS in the environment while it lives.
class PlainKernels {
 public:
  explicit PlainKernels(const char* value) { setenv("CAFFE_PLAIN_KERNELS", value, 1); }
  ~PlainKernels() { unsetenv("CAFFE_PLAIN_KERNELS"); }
};

void check_warp_as_set(const string& text, const vector<int>& image,
                       const vector<int>& flow) {
  for (const auto prepare : {awkward_flow, whole_flow}) {
    GpuCheck check{text, {image, flow}};
    check.low = -3;
    check.high = 3;
    check.prepare = prepare;
    check.Run();
  }
}

void check_warp(const string& text, const vector<int>& image, const vector<int>& flow) {
  for (const char* plain : {"0", "1"}) {
    const PlainKernels environment(plain);
    check_warp_as_set(text, image, flow);
  }
}

}  // namespace

TEST(GpuFlow, CorrelationOfAnyParameters) {
  check_correlation("pad: 3 kernel_size: 1 max_displacement: 3", {2, 5, 7, 9});
  check_correlation("pad: 4 kernel_size: 3 max_displacement: 3 stride_1: 2",
                    {1, 3, 9, 8});
  check_correlation("pad: 4 kernel_size: 3 max_displacement: 4 stride_1: 3 stride_2: 2",
                    {3, 2, 11, 10});
  check_correlation("pad: 0 kernel_size: 1 max_displacement: 2", {1, 17, 6, 8});
  check_correlation("pad: 9 kernel_size: 1 max_displacement: 2 stride_2: 2",
                    {1, 3, 4, 1});
  check_correlation("pad: 6 kernel_size: 5 max_displacement: 5 stride_1: 2 stride_2: 3",
                    {1, 2, 12, 13});
}

// The shapes that have kernels of their own; those run in blocks of 32 or 64 columns.
TEST(GpuFlow, CorrelationOfTheNetworksInBlocks) {
  const string nine = "pad: 4 kernel_size: 1 max_displacement: 4";
  check_correlation(nine, {2, 9, 4, 35});
  check_correlation(nine, {1, 35, 3, 40});
  check_correlation(nine, {2, 3, 3, 11}, "Correlation1D");
  check_correlation("pad: 3 kernel_size: 1 max_displacement: 3", {3, 3, 2, 5});
  check_correlation("pad: 1 kernel_size: 1 max_displacement: 3", {1, 8, 9, 36});
  check_correlation("pad: 6 kernel_size: 1 max_displacement: 3", {1, 2, 4, 31});
  const string eleven = "kernel_size: 1 stride_2: 2 max_displacement: 1";
  check_correlation(eleven + "0 pad: 10", {2, 5, 6, 9});
  check_correlation(eleven + "1 pad: 8", {1, 3, 11, 70});
  const string twenty_one = "kernel_size: 1 max_displacement: 20 stride_2: 2 pad: 20";
  check_correlation(twenty_one, {1, 67, 3, 7});
  check_correlation(twenty_one, {2, 2, 5, 66});
}

// So many blocks that the higher ones are taken.
TEST(GpuFlow, CorrelationOfManyBlocks) {
  check_correlation("pad: 4 kernel_size: 1 max_displacement: 4", {3, 2, 354, 2});
  check_correlation("pad: 3 kernel_size: 1 max_displacement: 3", {1, 1, 1057, 3});
  check_correlation("pad: 10 kernel_size: 1 max_displacement: 10 stride_2: 2",
                    {67, 1, 3, 3});
  check_correlation("pad: 20 kernel_size: 1 max_displacement: 20 stride_2: 2",
                    {45, 1, 3, 3});
}

TEST(GpuFlow, CorrelationWithoutBlocksWhereAskedFor) {
  const PlainKernels environment("1");
  check_correlation("pad: 4 kernel_size: 1 max_displacement: 4", {2, 3, 4, 5});
  check_correlation("pad: 20 kernel_size: 1 max_displacement: 20 stride_2: 2",
                    {1, 2, 5, 6});
}

TEST(GpuFlow, CorrelationAlongRows) {
  for (const char* direction : {"-1", "0", "1"}) {
    check_correlation(string("pad: 4 kernel_size: 1 max_displacement: 4 ") +
                          "single_direction: " + direction,
                      {2, 3, 3, 11}, "Correlation1D");
    check_correlation(string("pad: 4 kernel_size: 3 max_displacement: 4 stride_2: 2 ") +
                          "single_direction: " + direction,
                      {1, 3, 5, 12}, "Correlation1D");
  }
}

TEST(GpuFlow, FlowWarp) {
  const string text = "type: 'FlowWarp'";
  check_warp(text, {1, 3, 5, 7}, {1, 2, 5, 7});
  check_warp(text, {3, 19, 6, 9}, {3, 2, 6, 9});
  check_warp(text, {2, 8, 1, 6}, {2, 2, 1, 6});
  check_warp(text + " flow_warp_param { fill_value: NOT_A_NUMBER }", {2, 2, 6, 1},
             {2, 2, 6, 1});
}

TEST(GpuFlow, WarpByFlow) {
  const string text = "type: 'Warp' warp_param { coordinates: RELATIVE }";
  check_warp(text, {2, 3, 5, 7}, {2, 2, 5, 7});
  check_warp(text, {1, 17, 8, 6}, {1, 2, 8, 6});
}

TEST(GpuFlow, WarpByCoordinates) {
  const string text = "type: 'Warp' warp_param { coordinates: ABSOLUTE }";
  check_warp(text, {2, 3, 3, 4}, {2, 2, 5, 7});
  check_warp(text, {1, 10, 9, 2}, {1, 2, 3, 5});
}

TEST(GpuFlow, WarpToNothing) {
  check_warp("type: 'FlowWarp'", {2, 3, 0, 7}, {2, 2, 0, 7});
  check_warp("type: 'FlowWarp'", {0, 3, 4, 7}, {0, 2, 4, 7});
  const string text = "type: 'Warp' warp_param { coordinates: ABSOLUTE }";
  check_warp(text, {2, 3, 3, 4}, {2, 2, 0, 7});
}

TEST(GpuFlow, WarpFromOnePlaceSumsAllGradients) {
  GpuCheck check{"type: 'Warp' warp_param { coordinates: ABSOLUTE }",
                 {{2, 3, 4, 5}, {2, 2, 13, 11}}};
  check.prepare = one_place;
  check.tolerance = 1e-4;
  check.Run();
}

// Planes of few channels are summed up in units of their own.
TEST(GpuFlow, WarpsImageGradientIsAsExactInSmallAndLargePlanes) {
  SKIP_WITHOUT_DEVICE();
  const int plane = 7 * 9, planes = 2 * 4;
  const float sizes[planes] = {1e-37f, 1, 0, 1e30f, 3e-6f, 1e9f, NAN, 1e-20f};
  vector<float> found[2];
  for (const Caffe::Brew brew : {Caffe::CPU, Caffe::GPU}) {
    LayerUnderTest<float> test("type: 'FlowWarp'", {{2, 4, 7, 9}, {2, 2, 7, 9}});
    test.SetUp();
    test.FillTopDiff(3);
    for (int i = 0; i < planes * plane; ++i) {
      float* diff = test.top[0]->mutable_cpu_diff();
      diff[i] = sizes[i / plane] == 0 ? 0 : diff[i] * sizes[i / plane];
    }
    const Caffe::Brew before = Caffe::mode();
    Caffe::set_mode(brew);
    test.Forward();
    test.Backward({true, true});
    found[brew == Caffe::GPU] = diff_of(*test.bottom[0]);
    Caffe::set_mode(before);
  }
  for (int i = 0; i < planes * plane; ++i) {
    const float size = sizes[i / plane];
    if (std::isnan(size)) {
      EXPECT_TRUE(std::isnan(found[1][i])) << i;
    } else {
      EXPECT_NEAR(found[1][i], found[0][i], 2e-6 * size) << i;
    }
  }
}

TEST(GpuFlow, Resample) {
  for (const char* kind : {"NEAREST", "LINEAR", "CUBIC"}) {
    for (const char* antialias : {"true", "false"}) {
      const string text = string("type: 'Resample' resample_param { type: ") + kind +
                          " antialias: " + antialias;
      GpuCheck{text + " height: 5 width: 13 }", {{2, 3, 9, 8}}}.Run();
      GpuCheck{text + " height: 9 width: 2 }", {{1, 2, 4, 11}}}.Run();
      GpuCheck{text + " height: 1 width: 6 }", {{3, 1, 7, 1}}}.Run();
      GpuCheck{text + " }", {{2, 3, 4, 6}, {1, 1, 8, 12}}}.Run();
    }
  }
}

TEST(GpuFlow, Downsample) {
  const string text = "type: 'Downsample' downsample_param { ";
  for (const auto prepare : {some_unknown, awkward_flow}) {
    for (const char* size :
         {"top_height: 3 top_width: 5 }", "top_height: 1 top_width: 4 }",
          "top_height: 9 top_width: 11 }", "top_height: 12 top_width: 1 }",
          "top_height: 17 top_width: 23 }"}) {
      GpuCheck check{text + size, {{2, 3, 9, 11}}};
      check.prepare = prepare;
      check.Run();
    }
  }
  GpuCheck{text + "}", {{1, 2, 1, 7}, {1, 1, 3, 4}}}.Run();
}

}  // namespace caffe

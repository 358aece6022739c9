// Layers of the flow forks on the device against the host.
#include <limits>

#include "../test_files.hpp"
#include "gpu_matches_cpu.hpp"

namespace caffe {

namespace {

// Unknown truth in bottom 1.
void with_unknown(int bottom, Blob<float>* blob) {
  if (bottom != 1) return;
  for (int i = 0; i < blob->count(); i += 7) {
    blob->mutable_cpu_data()[i] = std::numeric_limits<float>::quiet_NaN();
  }
}

}  // namespace

TEST(GpuFlowFamily, NegReLU) {
  for (const bool in_place : {false, true}) {
    GpuCheck{"type: 'NegReLU'", {{2, 3, 5, 7}}, 1, in_place}.Run();
    GpuCheck{
        "type: 'NegReLU' relu_param { negative_slope: 0.1 }", {{1, 3, 4, 1}}, 1, in_place}
        .Run();
  }
  GpuCheck{"type: 'NegReLU' relu_param { negative_slope: -2 }", {{3, 1, 1, 300}}}.Run();
}

TEST(GpuFlowFamily, NegSquare) { GpuCheck{"type: 'NegSquare'", {{2, 3, 5, 7}}}.Run(); }

TEST(GpuFlowFamily, ExpMax) {
  for (const vector<int>& shape :
       vector<vector<int>>{{1, 1, 1, 1}, {2, 9, 5, 7}, {3, 17, 1, 40}, {4, 5}}) {
    GpuCheck{"type: 'ExpMax'", {shape}}.Run();
    GpuCheck{"type: 'ExpMax' expmax_param { base: 2 scale: -0.5 shift: 1 }", {shape}}
        .Run();
  }
}

TEST(GpuFlowFamily, Mean) {
  const string scales = " input_scale: 2.5 mean_scale: 3 output_scale: 0.5 }";
  GpuCheck{"type: 'Mean' mean_param { operation: ADD value: 3 value: -1" + scales,
           {{2, 2, 3, 5}, {1, 4, 1, 1}},
           2}
      .Run();
  GpuCheck{"type: 'Mean' mean_param { operation: SUBTRACT value: 3" + scales,
           {{2, 2, 3, 5}},
           1,
           true}
      .Run();
}

TEST(GpuFlowFamily, Grid) {
  for (const vector<int>& shape :
       vector<vector<int>>{{1, 1, 1, 1}, {2, 3, 5, 7}, {3, 2, 1, 9}}) {
    GpuCheck{"type: 'Grid'", {shape}}.Run();
  }
}

TEST(GpuFlowFamily, Accum) {
  GpuCheck{"type: 'Accum'", {{2, 3, 4, 5}, {2, 1, 7, 3}, {2, 17, 1, 6}}}.Run();
  GpuCheck{"type: 'Accum' accum_param { size_divisible_by: 4 }", {{1, 2, 6, 4}}}.Run();
  GpuCheck{"type: 'Accum' accum_param { have_reference: true }",
           {{2, 1, 6, 4}, {2, 3, 1, 3}, {2, 5, 4, 7}}}
      .Run();
  GpuCheck check{"type: 'Accum' accum_param { have_reference: true }",
                 {{2, 1, 6, 4}, {2, 5, 1, 1}}};
  check.propagate_down = {true, false};
  check.Run();
}

TEST(GpuFlowFamily, LpqLoss) {
  for (const char* exponents :
       {"p: 1 q: 1", "p: 2 q: 0.5", "p: 0.7 q: 0.3 p_epsilon: 0.1"}) {
    for (const char* mode :
         {"", " l2_prescale_by_channels: true", " normalize_by_num_entries: true"}) {
      const string text =
          string("type: 'LpqLoss' lpq_loss_param { ") + exponents + mode + " }";
      for (const vector<int>& shape :
           vector<vector<int>>{{1, 1, 1, 1}, {2, 2, 3, 4}, {3, 5, 40, 70}}) {
        GpuCheck{text, {shape}}.Run();
        GpuCheck check{text, {shape, shape}};
        check.prepare = with_unknown;
        check.Run();
        check.propagate_down = {true, false};
        check.Run();
      }
    }
  }
}

TEST(GpuFlowFamily, LpqLossWithoutAnyKnownEntryIsZero) {
  GpuCheck check{
      "type: 'LpqLoss' lpq_loss_param { p: 1 q: 1 normalize_by_num_entries: "
      "true }",
      {{1, 1, 1, 1}, {1, 1, 1, 1}}};
  check.prepare = with_unknown;
  check.Run();
}

TEST(GpuFlowFamily, WritersAndReadersReachTheDeviceThroughTheHost) {
  SKIP_WITHOUT_DEVICE();
  TemporaryFolder folder;
  const string file = "file: '" + folder.File("values") + "'";
  LayerUnderTest<float> writer("type: 'FloatWriter' writer_param { " + file + " }",
                               {{1, 2, 3, 4}}, 0);
  writer.SetUp();
  const GpuMode mode;
  caffe_gpu_set(24, 2.5f, writer.bottom[0]->mutable_gpu_data());
  writer.Forward();
  LayerUnderTest<float> reader("type: 'FloatReader' reader_param { " + file + " num: 2 }",
                               {});
  reader.SetUp();
  float* top = reader.top[0]->mutable_gpu_data();
  caffe_gpu_set(48, -1.f, top);
  reader.Forward();
  vector<float> found(48);
  device::copy_to_host(found.data(), reader.top[0]->gpu_data(), 48 * sizeof(float));
  EXPECT_EQ(found, vector<float>(48, 2.5f));
}

}  // namespace caffe

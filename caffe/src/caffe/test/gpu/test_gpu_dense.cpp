// InnerProduct, Softmax and the normalising layers on the device against the host.
#include "gpu_matches_cpu.hpp"

namespace caffe {

namespace {
/// Infinite scores beside finite ones.
void with_infinities(int, Blob<float>* blob) {
  float* data = blob->mutable_cpu_data();
  for (int i = 0; i < blob->count(); i += 3) {
    data[i] = -std::numeric_limits<float>::infinity();
  }
}
}  // namespace

TEST(GpuDense, InnerProduct) {
  for (const string param : {"num_output: 5", "num_output: 5 bias_term: false",
                             "num_output: 5 transpose: true", "num_output: 67",
                             "num_output: 3 axis: 2 transpose: true", "num_output: 1"}) {
    const string text = "type: 'InnerProduct' inner_product_param { " + param + " }";
    for (const int items : {1, 2, 3}) {
      GpuCheck{text, {{items, 3, 5, 1}}}.Run();
    }
    GpuCheck check{text, {{3, 2, 7}}};
    check.propagate_down = {false};
    check.Run();
  }
}

TEST(GpuDense, InnerProductWithoutGradientOfItsParameters) {
  SKIP_WITHOUT_DEVICE();
  LayerUnderTest<float> test("type: 'InnerProduct' inner_product_param { num_output: 2 }",
                             {{3, 4}});
  test.SetUp();
  test.layer->set_param_propagate_down(0, false);
  test.layer->set_param_propagate_down(1, false);
  const GpuMode mode;
  test.Forward();
  test.FillTopDiff();
  test.Backward();
  for (const auto& blob : test.layer->blobs()) EXPECT_EQ(0, blob->asum_diff());
}

TEST(GpuDense, Softmax) {
  for (const string axis : {"0", "1", "-1"}) {
    const string text = "type: 'Softmax' softmax_param { axis: " + axis + " }";
    for (const vector<int>& shape :
         {vector<int>{2, 3, 5, 7}, {1, 1, 3, 2}, {3, 129}, {70, 2, 65}}) {
      GpuCheck{text, {shape}}.Run();
    }
  }
}

TEST(GpuDense, SoftmaxInPlace) {
  GpuCheck{"type: 'Softmax'", {{2, 3, 5, 7}}, 1, true}.Run();
  GpuCheck{"type: 'Softmax'", {{2, 100}}, 1, true}.Run();
}

TEST(GpuDense, SoftmaxOfInfiniteScores) {
  GpuCheck check{"type: 'Softmax'", {{2, 4, 3}}};
  check.prepare = with_infinities;
  check.Run();
  check.bottom_shapes = {{2, 131}};
  check.Run();
}

TEST(GpuDense, LRN) {
  for (const string param :
       {"local_size: 5 alpha: 0.3 beta: 0.75 k: 2", "local_size: 3 alpha: 1",
        "norm_region: WITHIN_CHANNEL local_size: 3 alpha: 0.6 beta: 0.5",
        "norm_region: WITHIN_CHANNEL local_size: 5 alpha: 1 shift: 2", "local_size: 1"}) {
    const string text = "type: 'LRN' lrn_param { " + param + " }";
    GpuCheck{text, {{2, 7, 5, 3}}}.Run();
    GpuCheck{text, {{1, 2, 1, 6}}}.Run();
    GpuCheck check{text, {{3, 3, 2, 2}}};
    check.runs = 1;
    check.Run();
  }
}

TEST(GpuDense, MVN) {
  for (const string param : {"", "normalize_variance: false", "across_channels: true",
                             "across_channels: true normalize_variance: false"}) {
    const string text = "type: 'MVN' mvn_param { " + param + " }";
    GpuCheck{text, {{2, 3, 5, 7}}}.Run();
    GpuCheck{text, {{1, 2, 1, 400}}}.Run();
    GpuCheck{text, {{3, 1, 5}}}.Run();
  }
}

TEST(GpuDense, Normalize) {
  for (const string spatial : {"true", "false"}) {
    for (const string shared : {"true", "false"}) {
      const string text = "type: 'Normalize' norm_param { across_spatial: " + spatial +
                          " channel_shared: " + shared + " }";
      GpuCheck check{text, {{3, 4, 5, 3}}};
      check.Run();
      check.propagate_down = {false};
      check.Run();
      GpuCheck{text, {{1, 7, 1, 2}}}.Run();
    }
  }
}

TEST(GpuDense, ChannelNorm) {
  GpuCheck{"type: 'ChannelNorm'", {{2, 3, 5, 7}}}.Run();
  GpuCheck{"type: 'ChannelNorm'", {{1, 1, 3, 1}}}.Run();
  GpuCheck check{"type: 'ChannelNorm'", {{3, 2, 2, 3}}};
  check.low = check.high = 0;  // no slope where all channels are 0
  check.Run();
}

}  // namespace caffe

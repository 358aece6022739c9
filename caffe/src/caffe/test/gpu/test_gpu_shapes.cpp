// Layers that move, join and sum numbers, on the device against the host; im2col too.
#include "caffe/util/im2col.hpp"
#include "gpu_matches_cpu.hpp"

namespace caffe {

TEST(GpuShapes, SplitSumsTheGradientsOfItsTops) {
  for (const int tops : {1, 2, 3, 6}) {
    GpuCheck{"type: 'Split'", {{2, 3, 5, 7}}, tops}.Run();
  }
}

TEST(GpuShapes, SplitLeavesOutTopsWithoutGradient) {
  SKIP_WITHOUT_DEVICE();
  const GpuMode mode;
  for (const bool any : {true, false}) {
    LayerUnderTest<float> test("type: 'Split'", {{2, 3}}, 3);
    test.SetUp();
    test.layer->set_top_has_gradient({false, any, false});
    test.Forward();
    test.FillTopDiff();
    test.Backward();
    const vector<float> expected = any ? diff_of(*test.top[1]) : vector<float>(6, 0.f);
    EXPECT_EQ(expected, diff_of(*test.bottom[0]));
  }
}

TEST(GpuShapes, Silence) {
  SKIP_WITHOUT_DEVICE();
  const GpuMode mode;
  LayerUnderTest<float> test("type: 'Silence'", {{2, 3}, {4}}, 0);
  test.SetUp();
  test.Forward();
  for (Blob<float>* blob : test.bottom)
    caffe_gpu_set(blob->count(), 7.f, blob->mutable_gpu_diff());
  test.Backward({true, false});
  EXPECT_EQ(vector<float>(6, 0.f), diff_of(*test.bottom[0]));
  EXPECT_EQ(vector<float>(4, 7.f), diff_of(*test.bottom[1]));
}

TEST(GpuShapes, FlattenAndReshapeShareTheirBottom) {
  for (const string text :
       {"type: 'Flatten'",
        "type: 'Reshape' reshape_param { shape { dim: 0 dim: -1 } }"}) {
    SKIP_WITHOUT_DEVICE();
    const GpuMode mode;
    LayerUnderTest<float> test(text, {{2, 3, 5}});
    test.SetUp();
    caffe_gpu_set(30, 4.f, test.bottom[0]->mutable_gpu_data());
    test.Forward();
    EXPECT_EQ((vector<int>{2, 15}), test.top[0]->shape()) << text;
    EXPECT_EQ(SyncedMemory::HEAD_AT_GPU, test.top[0]->data()->head()) << text;
    EXPECT_EQ(vector<float>(30, 4.f), data_of(*test.top[0])) << text;
    test.FillTopDiff();
    test.Backward();
    EXPECT_EQ(diff_of(*test.top[0]), diff_of(*test.bottom[0])) << text;
  }
}

TEST(GpuShapes, ParameterAddsItsTopsGradient) {
  SKIP_WITHOUT_DEVICE();
  const GpuMode mode;
  LayerUnderTest<float> test(
      "type: 'Parameter' parameter_param { shape { dim: 2 dim: 3 } }", {});
  test.SetUp();
  Blob<float>* parameter = test.layer->blobs()[0].get();
  fill_uniform(parameter, 3);
  test.Forward();
  EXPECT_EQ(data_of(*parameter), data_of(*test.top[0]));
  caffe_gpu_set(6, 0.25f, parameter->mutable_gpu_diff());
  caffe_gpu_set(6, 2.f, test.top[0]->mutable_gpu_diff());
  test.Backward();
  test.Backward();
  EXPECT_EQ(vector<float>(6, 4.25f), diff_of(*parameter));
}

TEST(GpuShapes, DummyDataIsWhatTheHostFilled) {
  SKIP_WITHOUT_DEVICE();
  const GpuMode mode;
  LayerUnderTest<float> test(
      "type: 'DummyData' dummy_data_param { shape { dim: 3 } "
      "data_filler { type: 'constant' value: 2.5 } }",
      {});
  test.SetUp();
  test.Forward();
  EXPECT_EQ(vector<float>(3, 2.5f), data_of(*test.top[0]));
  EXPECT_TRUE(test.layer->RepeatsOnDevice());
  LayerUnderTest<float> drawn(
      "type: 'DummyData' dummy_data_param { shape { dim: 3 } "
      "data_filler { type: 'uniform' min: 1 max: 2 } }",
      {});
  drawn.SetUp();
  drawn.Forward();
  const vector<float> first = data_of(*drawn.top[0]);
  drawn.Forward();
  EXPECT_NE(first, data_of(*drawn.top[0]));
  EXPECT_FALSE(drawn.layer->RepeatsOnDevice());
}

TEST(GpuShapes, Concat) {
  GpuCheck{"type: 'Concat'", {{2, 3, 5, 7}, {2, 1, 5, 7}, {2, 4, 5, 7}}}.Run();
  GpuCheck{"type: 'Concat' concat_param { axis: 0 }", {{1, 3, 5}, {2, 3, 5}}}.Run();
  GpuCheck{"type: 'Concat' concat_param { axis: -1 }", {{3, 5, 1}, {3, 5, 3}}}.Run();
  GpuCheck some{"type: 'Concat'", {{2, 3, 5}, {2, 1, 5}, {2, 4, 5}}};
  some.propagate_down = {false, true, false};
  some.Run();
}

TEST(GpuShapes, Slice) {
  GpuCheck{"type: 'Slice'", {{2, 6, 5, 7}}, 3}.Run();
  GpuCheck{"type: 'Slice' slice_param { slice_point: 1 slice_point: 4 }", {{3, 5, 3}}, 3}
      .Run();
  GpuCheck{"type: 'Slice' slice_param { axis: 0 }", {{2, 3, 5}}, 2}.Run();
  GpuCheck{"type: 'Slice' slice_param { axis: -1 slice_point: 2 }", {{2, 3, 5}}, 2}.Run();
}

TEST(GpuShapes, SliceZeroesPartsWithoutGradient) {
  SKIP_WITHOUT_DEVICE();
  const GpuMode mode;
  LayerUnderTest<float> test("type: 'Slice'", {{2, 2, 3}}, 2);
  test.SetUp();
  test.layer->set_top_has_gradient({false, true});
  test.Forward();
  test.FillTopDiff();
  test.Backward();
  const vector<float> found = diff_of(*test.bottom[0]), part = diff_of(*test.top[1]);
  for (int n = 0; n < 2; ++n) {
    for (int i = 0; i < 3; ++i) {
      EXPECT_EQ(0, found[n * 6 + i]);
      EXPECT_EQ(part[n * 3 + i], found[n * 6 + 3 + i]);
    }
  }
}

TEST(GpuShapes, Crop) {
  GpuCheck{"type: 'Crop' crop_param { offset: 1 offset: 2 }",
           {{2, 3, 7, 9}, {2, 3, 5, 7}}}
      .Run();
  GpuCheck{"type: 'Crop'", {{3, 2, 5, 4}, {3, 2, 5, 4}}}.Run();
  GpuCheck{"type: 'Crop' crop_param { axis: 1 offset: 1 offset: 0 offset: 2 }",
           {{2, 4, 5, 7}, {2, 2, 5, 3}}}
      .Run();
  GpuCheck{"type: 'Crop' crop_param { axis: 0 offset: 1 }", {{3, 4}, {1, 2}}}.Run();
  GpuCheck{"type: 'Crop' crop_param { axis: 2 offset: 1 }",
           {{2, 3, 4, 5, 6}, {2, 3, 2, 4, 3}}}
      .Run();
  GpuCheck only_shape{"type: 'Crop'", {{1, 3, 7, 9}, {1, 3, 5, 7}}};
  only_shape.propagate_down = {true, false};
  only_shape.Run();
}

TEST(GpuShapes, Pad) {
  for (const string mode : {"EDGE", "CONSTANT value: 3"}) {
    for (const vector<int>& shape :
         vector<vector<int>>{{1, 3, 5, 7}, {2, 1, 8, 9}, {3, 2, 1, 1}, {1, 1, 8, 16}}) {
      GpuCheck{"type: 'Pad' pad_param { multiple_of: 8 mode: " + mode + " }", {shape}}
          .Run();
    }
  }
}

TEST(GpuShapes, Permute) {
  for (const string order :
       {"order: 0 order: 2 order: 3 order: 1", "order: 0 order: 3 order: 1 order: 2",
        "order: 3 order: 2 order: 1 order: 0", "order: 1", "order: 0",
        "order: 2 order: 3 order: 0"}) {
    GpuCheck{"type: 'Permute' permute_param { " + order + " }", {{2, 3, 5, 7}}}.Run();
  }
  GpuCheck{"type: 'Permute' permute_param { order: 1 }", {{2, 1, 3, 2, 5}}}.Run();
  GpuCheck{"type: 'Permute'", {{}}}.Run();
}

TEST(GpuShapes, Tile) {
  GpuCheck{"type: 'Tile' tile_param { tiles: 3 }", {{2, 3, 5, 7}}}.Run();
  GpuCheck{"type: 'Tile' tile_param { axis: 0 tiles: 2 }", {{3, 5}}}.Run();
  GpuCheck{"type: 'Tile' tile_param { axis: -1 tiles: 4 }", {{2, 3, 1}}}.Run();
  GpuCheck{"type: 'Tile' tile_param { tiles: 1 }", {{1, 3, 5}}}.Run();
}

TEST(GpuShapes, Reduction) {
  for (const string operation : {"SUM", "ASUM", "SUMSQ", "MEAN"}) {
    for (const string axis : {"0", "1", "-1"}) {
      GpuCheck check{"type: 'Reduction' reduction_param { operation: " + operation +
                         " axis: " + axis + " coeff: 1.5 }",
                     {{3, 5, 7}}};
      check.Run();
    }
  }
}

namespace {

/// channels, h, w, kernel, pad, stride, dilation (each h then w).
const vector<Im2colShape> kIm2colShapes = {
    {1, 1, 1, 1, 1, 0, 0, 1, 1, 1, 1}, {3, 5, 7, 3, 3, 1, 1, 1, 1, 1, 1},
    {2, 6, 5, 3, 2, 0, 1, 2, 3, 1, 1}, {2, 9, 8, 3, 3, 2, 2, 1, 1, 2, 2},
    {1, 4, 1, 2, 1, 3, 0, 5, 1, 1, 1}, {2, 7, 9, 3, 2, 4, 3, 2, 1, 3, 2},
    {3, 1, 6, 1, 4, 0, 2, 1, 4, 1, 1}, {2, 3, 3, 5, 5, 3, 3, 1, 2, 1, 1}};

/// An int array on the device.
vector<shared_ptr<SyncedMemory>> on_device(const vector<vector<int>>& arrays) {
  vector<shared_ptr<SyncedMemory>> memories;
  for (const vector<int>& array : arrays) {
    memories.push_back(std::make_shared<SyncedMemory>(array.size() * sizeof(int)));
    std::copy(array.begin(), array.end(),
              static_cast<int*>(memories.back()->mutable_cpu_data()));
  }
  return memories;
}
const int* ints(const shared_ptr<SyncedMemory>& memory) {
  return static_cast<const int*>(memory->gpu_data());
}

}  // namespace

TEST(GpuIm2col, MatchesTheHostsInBothDirections) {
  SKIP_WITHOUT_DEVICE();
  for (const Im2colShape& s : kIm2colShapes) {
    const int size = static_cast<int>(s.column_rows()) * s.output_h() * s.output_w();
    Blob<double> image({s.channels, s.height, s.width}), folded(image.shape());
    Blob<double> columns(vector<int>{size}), expected(vector<int>{size});
    fill_uniform(&image, 1);
    im2col_cpu(image.cpu_data(), s.channels, s.height, s.width, s.kernel_h, s.kernel_w,
               s.pad_h, s.pad_w, s.stride_h, s.stride_w, s.dilation_h, s.dilation_w,
               expected.mutable_cpu_data());
    im2col_gpu(image.gpu_data(), s.channels, s.height, s.width, s.kernel_h, s.kernel_w,
               s.pad_h, s.pad_w, s.stride_h, s.stride_w, s.dilation_h, s.dilation_w,
               columns.mutable_gpu_data());
    EXPECT_EQ(data_of(expected), data_of(columns));
    fill_uniform(&columns, 2);
    col2im_gpu(columns.gpu_data(), s.channels, s.height, s.width, s.kernel_h, s.kernel_w,
               s.pad_h, s.pad_w, s.stride_h, s.stride_w, s.dilation_h, s.dilation_w,
               folded.mutable_gpu_data());
    col2im_cpu(columns.cpu_data(), s.channels, s.height, s.width, s.kernel_h, s.kernel_w,
               s.pad_h, s.pad_w, s.stride_h, s.stride_w, s.dilation_h, s.dilation_w,
               image.mutable_cpu_data());
    expect_near(data_of(image), data_of(folded), 1e-12, "col2im");
  }
}

TEST(GpuIm2col, ThreeDimensionsMatchTheHosts) {
  SKIP_WITHOUT_DEVICE();
  const vector<vector<int>> arrays = {{2, 3, 4, 5}, {12, 3, 2, 3}, {2, 1, 3},
                                      {1, 0, 1},    {1, 2, 2},     {2, 1, 1}};
  const auto d = on_device(arrays);
  const int size = 12 * 18;
  Blob<double> image(arrays[0]), folded(arrays[0]);
  Blob<double> columns(vector<int>{size}), expected(vector<int>{size});
  fill_uniform(&image, 1);
  im2col_nd_cpu(image.cpu_data(), 3, arrays[0].data(), arrays[1].data(), arrays[2].data(),
                arrays[3].data(), arrays[4].data(), arrays[5].data(),
                expected.mutable_cpu_data());
  im2col_nd_gpu(image.gpu_data(), 3, 2 * 18, ints(d[0]), ints(d[1]), ints(d[2]),
                ints(d[3]), ints(d[4]), ints(d[5]), columns.mutable_gpu_data());
  EXPECT_EQ(data_of(expected), data_of(columns));
  fill_uniform(&columns, 2);
  col2im_nd_gpu(columns.gpu_data(), 3, 2 * 60, ints(d[0]), ints(d[1]), ints(d[2]),
                ints(d[3]), ints(d[4]), ints(d[5]), folded.mutable_gpu_data());
  col2im_nd_cpu(columns.cpu_data(), 3, arrays[0].data(), arrays[1].data(),
                arrays[2].data(), arrays[3].data(), arrays[4].data(), arrays[5].data(),
                image.mutable_cpu_data());
  expect_near(data_of(image), data_of(folded), 1e-12, "col2im");
}

}  // namespace caffe

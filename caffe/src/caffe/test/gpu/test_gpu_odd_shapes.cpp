// The flow layers on odd but legal shapes: an empty batch, no channel, one pixel, one
// row, one column. All that is read afterwards was written, and the device agrees.
#include <limits>

#include "gpu_matches_cpu.hpp"

namespace caffe {
namespace {

struct Row {
  string text;
  vector<int> channels;  ///< of the bottoms; 42: coefficients (N, 42, 1, 1)
  int tops = 1;
};

vector<Row> Rows() {
  const string correlation =
      " correlation_param { kernel_size: 1 max_displacement: 1 pad: 1 ";
  const string schedule = " mean_param { operation: SUBTRACT value: 2 mean_scale: 3 }";
  const string crop = " augmentation_param { crop_width: 1 crop_height: 1 ";
  return {
      {"type: 'Correlation'" + correlation + "}", {3, 3}},
      {"type: 'Correlation'" + correlation + "correlation_type: SUBTRACT }", {1, 1}},
      {"type: 'Correlation1D'" + correlation + "single_direction: -1 }", {3, 3}},
      {"type: 'FlowWarp'", {3, 2}},
      {"type: 'Warp'", {1, 2}},
      {"type: 'Warp' warp_param { coordinates: ABSOLUTE }", {3, 2}},
      {"type: 'Grid'", {3}},
      {"type: 'Resample' resample_param { width: 3 height: 2 type: LINEAR }", {3}},
      {"type: 'Resample' resample_param { width: 1 height: 1 type: CUBIC }", {1}},
      {"type: 'Resample' resample_param { width: 5 height: 1 type: NEAREST }", {2}},
      {"type: 'Downsample' downsample_param { top_width: 1 top_height: 2 }", {3}},
      {"type: 'Downsample' downsample_param { top_width: 3 top_height: 1 }", {1}},
      {"type: 'Accum' accum_param { top_width: 3 top_height: 4 }", {3, 1}},
      {"type: 'Accum' accum_param { have_reference: true }", {3, 1}},
      {"type: 'L1Loss'", {3, 3}},
      {"type: 'L1Loss' l1_loss_param { l2_per_location: true "
       "l2_prescale_by_channels: true normalize_by_num_entries: true }",
       {1, 1}},
      {"type: 'LpqLoss' lpq_loss_param { p: 2 q: 0.4 l2_prescale_by_channels: true "
       "normalize_by_num_entries: true }",
       {3, 3}},
      {"type: 'ChannelNorm'", {3}},
      {"type: 'NegReLU' relu_param { negative_slope: 0.1 }", {3}},
      {"type: 'NegSquare'", {1}},
      {"type: 'ExpMax'", {3}},
      {"type: 'Mean'" + schedule, {3}},
      {"type: 'FlowScale'", {2, 1, 1}},
      {"type: 'DataAugmentation' augmentation_param { recompute_mean: 5 }", {3}, 2},
      {"type: 'DataAugmentation'" + crop + "recompute_mean: 5 mean_per_pixel: false }",
       {1}},
      {"type: 'DataAugmentation'" + crop +
           "chromatic_eigvec: [1, 0, 0, 0, 1, 0, 0, 0, 1] }",
       {3, 42},
       2},
      {"type: 'GenerateAugmentationParameters'" + crop +
           "bottomwidth: 9 bottomheight: 9 gamma { mean: 2 } }",
       {42}},
      {"type: 'FlowAugmentation'" + crop + "}", {2, 42, 42}},
      {"type: 'BlackAugmentation' black_augmentation_param { black { mean: 1 } }",
       {3, 2},
       2},
  };
}

struct Size {
  int num, height, width;
};

vector<vector<int>> shapes_of(const Row& row, const Size& size) {
  vector<vector<int>> shapes;
  for (const int channels : row.channels) {
    shapes.push_back(channels == 42
                         ? vector<int>{size.num, 42, 1, 1}
                         : vector<int>{size.num, channels, size.height, size.width});
  }
  return shapes;
}

const Size kSizes[] = {{1, 1, 1}, {2, 1, 1}, {2, 1, 5}, {2, 4, 1}, {0, 4, 5}, {0, 1, 1}};

template <typename Dtype>
void spoil(Dtype* data, int count) {
  std::fill_n(data, count, std::numeric_limits<Dtype>::quiet_NaN());
}

template <typename Dtype>
void expect_written(const vector<Dtype>& values, const string& what) {
  for (const Dtype value : values) ASSERT_FALSE(std::isnan(value)) << what;
}

TEST(OddShapesTest, EverythingIsWritten) {
  for (const Row& row : Rows()) {
    for (const Size& size : kSizes) {
      const auto shapes = shapes_of(row, size);
      SCOPED_TRACE(row.text + ": " + std::to_string(size.num) + " items of " +
                   std::to_string(size.height) + " x " + std::to_string(size.width));
      LayerUnderTest<float> test(row.text, shapes, row.tops);
      const string error = FullErrorOf([&] {
        test.SetUp();
        for (Blob<float>* top : test.top) spoil(top->mutable_cpu_data(), top->count());
        test.Forward();
        test.FillTopDiff();
        for (Blob<float>* bottom : test.bottom)
          spoil(bottom->mutable_cpu_diff(), bottom->count());
        test.Backward();
      });
      EXPECT_EQ(error, "");
      // Flow that points out of an image of one pixel is unknown.
      if (row.text.find("FlowAugmentation") == string::npos) {
        for (Blob<float>* top : test.top) expect_written(data_of(*top), "top");
      }
      for (Blob<float>* bottom : test.bottom) expect_written(diff_of(*bottom), "diff");
    }
  }
}

TEST(OddShapesTest, TheDeviceAgrees) {
  SKIP_WITHOUT_DEVICE();
  for (const Row& row : Rows()) {
    for (const Size& size : kSizes) {
      SCOPED_TRACE(row.text + ": " + std::to_string(size.num) + " items of " +
                   std::to_string(size.height) + " x " + std::to_string(size.width));
      GpuCheck check{row.text, shapes_of(row, size), row.tops};
      check.prepare = [](int, Blob<float>* blob) {  // no noise: each pass draws its own
        if (blob->shape(1) != 42) return;
        for (int i = 41; i < blob->count(); i += 42) blob->mutable_cpu_data()[i] = 0;
      };
      check.Run();
    }
  }
}

}  // namespace
}  // namespace caffe

// Sizes in pixels that no image has are refused by name, before they wrap around.
#include "layer_check.hpp"

namespace caffe {
namespace {

struct Row {
  string type, parameter, others;
  vector<string> settings;
  vector<vector<int>> bottoms;
};

vector<Row> Rows() {
  const vector<int> flow = {1, 2, 5, 6}, coefficients = {1, 42, 1, 1};
  const string correlation = "kernel_size: 1 max_displacement: 1 ";
  return {
      {"Correlation",
       "correlation_param",
       correlation,
       {"pad", "stride_1", "stride_2", "kernel_size", "max_displacement"},
       {flow, flow}},
      {"Correlation1D", "correlation_param", correlation, {"pad"}, {flow, flow}},
      {"Resample", "resample_param", "width: 2 height: 2 ", {"width", "height"}, {flow}},
      {"Downsample",
       "downsample_param",
       "top_width: 2 top_height: 2 ",
       {"top_width", "top_height"},
       {flow}},
      {"Accum",
       "accum_param",
       "",
       {"top_width", "top_height", "size_divisible_by"},
       {flow}},
      {"DataAugmentation",
       "augmentation_param",
       "crop_width: 2 crop_height: 2 ",
       {"crop_width", "crop_height"},
       {flow}},
      {"FlowAugmentation",
       "augmentation_param",
       "crop_width: 2 crop_height: 2 ",
       {"crop_width", "crop_height"},
       {flow, coefficients, coefficients}},
      {"GenerateAugmentationParameters",
       "augmentation_param",
       "crop_width: 2 crop_height: 2 bottomwidth: 2 bottomheight: 2 ",
       {"crop_width", "crop_height", "bottomwidth", "bottomheight"},
       {coefficients}},
  };
}

TEST(PixelSettingsTest, SizesThatNoImageHasAreRefusedByName) {
  for (const Row& row : Rows()) {
    for (const string& setting : row.settings) {
      for (const string value : {"16777217", "2147483647", "4294967295"}) {
        SCOPED_TRACE(row.type + ", " + setting + ": " + value);
        LayerParameter param = layer_from_text("name: 'n' type: '" + row.type + "' " +
                                               row.parameter + " { " + row.others + " }");
        // Merged, since text may not give a field twice.
        param.MergeFrom(
            layer_from_text(row.parameter + " { " + setting + ": " + value + " }"));
        LayerUnderTest<float> test(param.DebugString(), row.bottoms);
        EXPECT_TRUE(has_words(
            test.SetUpError(),
            {row.type + " layer 'n': ", row.parameter + "." + setting + " is " + value,
             "at most 16777216 pixels"}));
      }
    }
  }
}

TEST(PixelSettingsTest, ACorrelationOfTooManyDisplacementsIsRefused) {
  for (const bool rows : {true, false}) {
    LayerUnderTest<float> test(string("type: 'Correlation") + (rows ? "" : "1D") +
                                   "' correlation_param { kernel_size: 1 pad: 40000 "
                                   "max_displacement: 40000 }",
                               {{1, 1, 1, 1}, {1, 1, 1, 1}});
    if (!rows) {
      test.SetUp();
      EXPECT_EQ(test.top[0]->shape(), (vector<int>{1, 80001, 1, 1}));
      continue;
    }
    EXPECT_TRUE(has_words(test.SetUpError(),
                          {"max_displacement 40000", "80001 x 80001 displacements"}));
  }
}

TEST(PixelSettingsTest, ACorrelationWithoutChannelsIsRefused) {
  LayerUnderTest<float> test(
      "type: 'Correlation' correlation_param { kernel_size: 1 pad: 1 max_displacement: 1 "
      "}",
      {{1, 0, 3, 4}, {1, 0, 3, 4}});
  EXPECT_TRUE(has_words(test.SetUpError(), {"without a channel", "1 0 3 4"}));
}

}  // namespace
}  // namespace caffe

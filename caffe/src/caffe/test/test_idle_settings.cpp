// Settings of the flow layers that change nothing: named in the log when the layer is set
// up, and nothing else is.
#include "layer_check.hpp"
#include "log_check.hpp"
#include "net_check.hpp"

namespace caffe {
namespace {

struct Row {
  string text;
  vector<vector<int>> bottoms;
  vector<string> settings;  ///< those without effect
  string reason;
};

string writer(const string& type, const string& fields) {
  return "type: '" + type + "' writer_param { " + fields + " }";
}

string augmentation(const string& type, const string& fields) {
  return "type: '" + type + "' augmentation_param { " + fields + " }";
}

string correlation(const string& type, const string& fields) {
  return "type: '" + type + "' correlation_param { kernel_size: 1 max_displacement: 1 " +
         "pad: 1 " + fields + " }";
}

const vector<int> kFlow = {1, 2, 6, 8}, kImage = {1, 3, 6, 8}, kSmall = {1, 2, 3, 4};
const vector<int> kCoefficients = {1, 42, 1, 1};

vector<Row> Rows() {
  const string generate = "GenerateAugmentationParameters";
  const string crop = "crop_width: 4 crop_height: 4 ";
  const vector<vector<int>> three = {kCoefficients, kImage, kImage};
  const vector<vector<int>> flow = {kFlow, kCoefficients, kCoefficients};
  return {
      {writer("FLOWriter", "prefix: 'p' suffix: 's' scale: 1.0"), {kFlow}, {}, ""},
      {writer("FLOWriter", "file: 'f' prefix: 'p'"), {kFlow}, {"prefix"}, "whole name"},
      {writer("FLOWriter", "scale: 20"), {kFlow}, {"scale"}, "only ImgWriter"},
      {writer("PFMWriter", "normalize: true"), {kFlow}, {"normalize"}, "only ImgWriter"},
      {writer("FloatWriter", "normalize: true scale: 2"),
       {kFlow},
       {"scale", "normalize"},
       "as they are"},
      {writer("ImgWriter", "scale: 255"), {kImage}, {}, ""},
      {writer("ImgWriter", "scale: 255 normalize: true"),
       {kImage},
       {"scale"},
       "normalize chooses"},
      {"type: 'Resample' resample_param { type: NEAREST antialias: false factor: 1 }",
       {kFlow, kSmall},
       {},
       ""},
      {"type: 'Resample' resample_param { width: 9 height: 9 factor: 2 }",
       {kFlow},
       {"resample_param.factor"},
       "width and height"},
      {"type: 'Resample' resample_param { width: 9 height: 9 }",
       {kFlow, kSmall},
       {"resample_param.width", "resample_param.height"},
       "second bottom gives the size"},
      {"type: 'Downsample' downsample_param { top_width: 3 top_height: 3 }",
       {kFlow},
       {},
       ""},
      {"type: 'Downsample' downsample_param { top_width: 3 top_height: 3 }",
       {kFlow, kSmall},
       {"downsample_param.top_width", "downsample_param.top_height"},
       "second bottom gives the size"},
      {"type: 'Accum' accum_param { top_width: 30 top_height: 30 }", {kFlow}, {}, ""},
      {"type: 'Accum' accum_param { have_reference: true }", {kSmall, kFlow}, {}, ""},
      {"type: 'Accum' accum_param { have_reference: true top_width: 30 top_height: 30 "
       "size_divisible_by: 4 }",
       {kSmall, kFlow},
       {"accum_param.top_width", "accum_param.top_height",
        "accum_param.size_divisible_by"},
       "last bottom"},
      {"type: 'Accum' accum_param { size_divisible_by: 4 top_width: 30 }",
       {kFlow},
       {"accum_param.top_width"},
       "size_divisible_by gives"},
      {"type: 'Pad' pad_param { multiple_of: 4 mode: CONSTANT value: 1 }",
       {kFlow},
       {},
       ""},
      {"type: 'Pad' pad_param { multiple_of: 4 value: 1 }",
       {kFlow},
       {"pad_param.value"},
       "EDGE repeats"},
      {correlation("Correlation", ""), {kFlow, kFlow}, {}, ""},
      {correlation("Correlation", "do_abs: true"),
       {kFlow, kFlow},
       {"do_abs"},
       "nothing with it"},
      {correlation("Correlation", "single_direction: 1"),
       {kFlow, kFlow},
       {"single_direction"},
       "only Correlation1D"},
      {correlation("Correlation1D", "single_direction: 1"), {kFlow, kFlow}, {}, ""},
      {augmentation("FlowAugmentation", crop), flow, {}, ""},
      {augmentation("FlowAugmentation", crop + "zoom { mean: 1 }"),
       flow,
       {"random draws"},
       "bottoms 1 and 2"},
      {augmentation(generate, crop + "mode: 'regenerate' zoom { spread: 0.1 }"),
       {kImage},
       {},
       ""},
      {augmentation(generate, crop + "mode: 'replace'"),
       {kImage},
       {"augmentation_param.mode"},
       "drawn anew"},
      {augmentation(generate, crop + "bottomwidth: 9 bottomheight: 9"),
       {kImage},
       {"bottomwidth or bottomheight"},
       "its size is taken"},
      {augmentation(generate, crop), three, {"sizes"}, "bottoms 1 and 2"},
      {augmentation(generate, "mode: 'replace' zoom { rand_type: 'uniform' prob: 0.5 }"),
       three,
       {"zoom.prob"},
       "uniform_bernoulli"},
      {"type: 'BlackAugmentation' black_augmentation_param { black { rand_type: "
       "'bernoulli' prob: 0.1 } border { rand_type: 'uniform_bernoulli' mean: 0.1 "
       "prob: 0.2 } }",
       {kImage},
       {},
       ""},
      {"type: 'BlackAugmentation' black_augmentation_param { border { rand_type: "
       "'gaussian' mean: 0.1 prob: 0.2 } }",
       {kImage},
       {"border.prob"},
       "gaussian_bernoulli"},
  };
}

TEST(IdleSettingsTest, EachIsNamedWithItsLayerAndAReason) {
  for (const Row& row : Rows()) {
    SCOPED_TRACE(row.text);
    const bool writes = row.text.find("writer_param") != string::npos;
    LayerUnderTest<float> test("name: 'n' " + row.text, row.bottoms, writes ? 0 : 1);
    const CapturedLog log;
    test.SetUp();
    ASSERT_EQ(CapturedLog::lines().size(), row.settings.size()) << CapturedLog::text();
    for (size_t i = 0; i < row.settings.size(); ++i) {
      EXPECT_TRUE(has_words(CapturedLog::lines()[i],
                            {string(test.layer->type()) + " layer 'n': ", row.settings[i],
                             " has no effect: ", row.reason}));
    }
  }
}

TEST(IdleSettingsTest, OneFileForManyItemsIsNamed) {
  for (const int items : {1, 3}) {
    LayerUnderTest<float> test("name: 'n' " + writer("FLOWriter", "file: 'f'"),
                               {{items, 2, 3, 4}}, 0);
    const CapturedLog log;
    test.SetUp();
    ASSERT_EQ(CapturedLog::lines().size(), items > 1 ? 1u : 0u);
    if (items == 1) continue;
    EXPECT_TRUE(has_words(CapturedLog::text(),
                          {"FLOWriter layer 'n': ", "one name for 3 items"}));
  }
}

TEST(IdleSettingsTest, FloatReaderDoesNotTransform) {
  TemporaryFolder folder;
  folder.Write("m", string("float\n3\n1\n1\n1\n") + string(4, '\0'));
  LayerUnderTest<float> test("type: 'FloatReader' reader_param { file: '" +
                                 folder.File("m") + "' } transform_param { scale: 2 }",
                             {});
  const CapturedLog log;
  test.SetUp();
  EXPECT_TRUE(has_words(CapturedLog::text(), {"FloatReader", "transform_param has no"}));
}

}  // namespace
}  // namespace caffe

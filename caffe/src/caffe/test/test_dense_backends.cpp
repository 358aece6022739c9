// Softmax and LRN on the back-end against the plain code, over awkward shapes and
// layouts.
#include <sstream>

#include "caffe/backend/lrn.hpp"
#include "layer_check.hpp"

namespace caffe {
namespace {

string ShapeText(const vector<int>& shape) {
  std::ostringstream text;
  for (const int dim : shape) text << dim << " ";
  return text.str();
}

/// Two layers that differ in `engine` only: the same values forward and backward.
void ExpectEnginesAgree(const string& type, const string& field, const string& options,
                        const vector<int>& shape, bool blocked, double scale) {
  const auto text = [&](const string& engine) {
    return "type: '" + type + "' " + field + " { " + options + " " + engine + " }";
  };
  LayerUnderTest<float> fast(text(""), {shape}), plain(text("engine: CAFFE"), {shape});
  const string what = type + " " + options + " of " + ShapeText(shape) +
                      (blocked ? "blocked" : "row-major");
  for (LayerUnderTest<float>* test : {&fast, &plain}) {
    for (int pass = 0; pass < 2; ++pass) {  // the second with another batch
      if (pass == 1) {
        vector<int> other = shape;
        other[0] += 1;
        test->bottom[0]->Reshape(other);
      }
      fill_uniform(test->bottom[0], 5, -scale, scale);
      if (blocked)
        make_blocked(test->bottom[0]->data(), test->bottom[0]->blocked_layout());
      if (pass == 0) test->SetUp();
      test->Forward();
      expect_zero_tail(test->top[0]->data(), what);
      test->FillTopDiff();
      test->Backward();
    }
  }
  expect_near(data_of(*plain.top[0]), data_of(*fast.top[0]), 2e-6, what);
  expect_near(diff_of(*plain.bottom[0]), diff_of(*fast.bottom[0]), 5e-6, what + ", diff");
}

TEST(DenseBackendsTest, SoftmaxAgreesWithThePlainCode) {
  const vector<vector<int>> shapes = {
      {1, 1},        {3, 17},       {2, 1000},       {1, 2, 5, 7},  {2, 8, 3, 3},
      {2, 9, 1, 5},  {1, 16, 4, 4}, {3, 21, 6, 5},   {2, 33, 3, 1}, {1, 48, 2, 9},
      {2, 12, 1, 1}, {2, 10, 6},    {1, 17, 2, 3, 2}};
  for (const vector<int>& shape : shapes) {
    for (int axis = 0; axis < static_cast<int>(shape.size()); ++axis) {
      for (const bool blocked : {false, true}) {
        const string options = "axis: " + std::to_string(axis);
        ExpectEnginesAgree("Softmax", "softmax_param", options, shape, blocked, 30);
      }
    }
  }
}

TEST(DenseBackendsTest, BlockedContentsStayBlocked) {
  if (native_channel_block() == 0 || !make_lrn_kernel({1, 32, 5, 3, true, 5, 1, .75f, 1}))
    GTEST_SKIP() << "no back-end here";
  if (Caffe::mode() == Caffe::GPU) GTEST_SKIP() << "about host layouts";
  for (const char* type : {"Softmax", "LRN"}) {
    LayerUnderTest<float> test("type: '" + string(type) + "'", {{2, 32, 5, 3}});
    make_blocked(test.bottom[0]->data(), test.bottom[0]->blocked_layout());
    test.SetUp();
    test.Forward();
    EXPECT_TRUE(test.bottom[0]->data()->head_is_blocked()) << type;
    EXPECT_TRUE(test.top[0]->data()->head_is_blocked()) << type;
  }
}

TEST(DenseBackendsTest, LrnAgreesWithThePlainCode) {
  const vector<vector<int>> shapes = {{1, 1, 3, 4},  {2, 5, 3, 3},  {1, 16, 7, 5},
                                      {2, 32, 3, 9}, {1, 48, 1, 1}, {3, 64, 6, 6},
                                      {1, 17, 9, 4}, {2, 96, 5, 1}, {1, 256, 2, 7}};
  for (const vector<int>& shape : shapes) {
    for (const char* region : {"ACROSS_CHANNELS", "WITHIN_CHANNEL"}) {
      for (const char* numbers :
           {"local_size: 5 alpha: 0.5", "local_size: 3 alpha: 2",
            "local_size: 1 alpha: 1", "local_size: 7 alpha: 0.3 k: 2 shift: 1.5",
            "local_size: 5 alpha: 0.5 beta: 0.5"}) {
        const string options = string(numbers) + " norm_region: " + region;
        for (const bool blocked : {false, true}) {
          ExpectEnginesAgree("LRN", "lrn_param", options, shape, blocked, 3);
        }
      }
    }
  }
}

TEST(DenseBackendsTest, InnerProductInFloatAgreesWithThePlainCodeInDouble) {
  struct Case {
    vector<int> shape;
    int outputs;
  };
  const vector<Case> cases = {{{1, 1}, 1},    {{1, 7}, 5},         {{3, 17}, 33},
                              {{2, 64}, 1},   {{5, 3, 4, 2}, 9},   {{1, 16, 5, 3}, 20},
                              {{33, 31}, 47}, {{2, 40, 1, 1}, 100}};
  for (const Case& c : cases) {
    for (const char* options : {"", "transpose: true", "bias_term: false",
                                "transpose: true bias_term: false"}) {
      const string text = "type: 'InnerProduct' inner_product_param { num_output: " +
                          std::to_string(c.outputs) + " " + options + " }";
      LayerUnderTest<float> fast(text, {c.shape});
      LayerUnderTest<double> exact(text, {c.shape});
      fast.SetUp();
      exact.SetUp();
      for (size_t p = 0; p < fast.layer->blobs().size(); ++p) {
        fill_uniform(fast.layer->blobs()[p].get(), 61 + static_cast<unsigned int>(p));
        fill_uniform(exact.layer->blobs()[p].get(), 61 + static_cast<unsigned int>(p));
      }
      fast.Forward();
      exact.Forward();
      const auto found = data_of(*fast.top[0]);
      expect_near(data_of(*exact.top[0]), vector<double>(found.begin(), found.end()),
                  1e-5, text + " of " + ShapeText(c.shape));
    }
  }
}

}  // namespace
}  // namespace caffe

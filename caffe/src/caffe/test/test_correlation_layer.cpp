// Correlation and Correlation1D: shape struct, brute force, check values, gradients,
// layouts.
#include <algorithm>

#include "caffe/layers/correlation_layer.hpp"
#include "caffe/test/test_caffe_main.hpp"
#include "caffe/test/test_gradient_check_util.hpp"
#include "caffe/util/parallel_for.hpp"
#include "error_check.hpp"
#include "flow_check_values.hpp"

namespace caffe {
namespace {

TEST(CorrelationShapeTest, OutputsThatCoverAPositionAreThoseWhoseWindowsHoldIt) {
  for (const int kernel : {1, 3, 5}) {
    for (const int stride : {1, 2, 3}) {
      for (const int origin : {-4, 0, 3}) {
        CorrelationShape shape;
        shape.kernel = kernel;
        shape.stride_1 = stride;
        const int outputs = 6;
        for (int p = -6; p < 25; ++p) {
          vector<int> covering;
          for (int y = 0; y < outputs; ++y) {
            const int corner = y * stride + origin;
            if (corner <= p && p < corner + kernel) covering.push_back(y);
          }
          const int first = shape.first_output(p, origin);
          const int end = shape.end_output(p, origin, outputs);
          EXPECT_EQ(static_cast<int>(covering.size()), std::max(0, end - first));
          if (!covering.empty()) {
            EXPECT_EQ(covering.front(), first);
          }
        }
      }
    }
  }
}

struct Case {
  vector<int> shape;
  int pad, kernel, max_displacement, stride_1, stride_2;
};

template <typename TypeParam>
class CorrelationLayerTest : public MultiDeviceTest<TypeParam> {
 protected:
  typedef typename TypeParam::Dtype Dtype;

  void Settings(const Case& c, bool subtract, int single_direction = 0) {
    CorrelationParameter* param = param_.mutable_correlation_param();
    param->set_pad(c.pad);
    param->set_kernel_size(c.kernel);
    param->set_max_displacement(c.max_displacement);
    param->set_stride_1(c.stride_1);
    param->set_stride_2(c.stride_2);
    param->set_correlation_type(subtract ? CorrelationParameter::SUBTRACT
                                         : CorrelationParameter::MULTIPLY);
    param->set_single_direction(single_direction);
    a_.Reshape(c.shape);
    b_.Reshape(c.shape);
    fill_data(&a_, 1);
    fill_data(&b_, 2);
  }

  // A bottom padded by (pad_y, pad_x) with zeros, at padded coordinates.
  struct Padded {
    Padded(const Blob<Dtype>& blob, int pad_y, int pad_x)
        : data(blob.cpu_data()),
          channels(blob.channels()),
          height(blob.height()),
          width(blob.width()),
          pad_y(pad_y),
          pad_x(pad_x) {}
    // -1 in the padding.
    int offset(int n, int c, int y, int x) const {
      y -= pad_y;
      x -= pad_x;
      if (y < 0 || x < 0 || y >= height || x >= width) return -1;
      return ((n * channels + c) * height + y) * width + x;
    }
    double at(int n, int c, int y, int x) const {
      const int i = offset(n, c, y, x);
      return i < 0 ? 0. : double{data[i]};
    }
    const Dtype* data;
    int channels, height, width, pad_y, pad_x;
  };

  // layers_flow.md 1.2, 1.3 and 1.5.
  vector<double> Reference(bool one_dimensional, vector<int>* shape) const {
    const CorrelationParameter& p = param_.correlation_param();
    const int pad = p.pad(), kernel = p.kernel_size(), most = p.max_displacement();
    const int s1 = p.stride_1(), s2 = p.stride_2(), r = (kernel - 1) / 2;
    const int radius = most / s2;
    const auto ceil_div = [](int a, int b) {
      return static_cast<int>(std::ceil(1.0 * a / b));
    };
    const int out_width = ceil_div(a_.width() + 2 * pad - 2 * (most + r), s1);
    const int out_height = one_dimensional
                               ? ceil_div(a_.height() - 2 * r, s1)
                               : ceil_div(a_.height() + 2 * pad - 2 * (most + r), s1);
    vector<std::pair<int, int>> displacements;
    if (!one_dimensional) {
      for (int dy = -radius; dy <= radius; ++dy) {
        for (int dx = -radius; dx <= radius; ++dx)
          displacements.push_back({dy * s2, dx * s2});
      }
    } else if (p.single_direction() == 0) {
      for (int dx = -radius; dx <= radius; ++dx) displacements.push_back({0, dx * s2});
    } else if (p.single_direction() == 1) {
      for (int dx = 0; dx <= radius; ++dx) displacements.push_back({0, dx * s2});
    } else {
      for (int dx = -(radius + 1); dx <= -1; ++dx) displacements.push_back({0, dx * s2});
    }
    *shape = {a_.num(), static_cast<int>(displacements.size()), out_height, out_width};
    const int start_y = one_dimensional ? 0 : most;
    const Padded left(a_, one_dimensional ? 0 : pad, pad);
    const Padded right(b_, left.pad_y, pad);
    vector<double> result;
    for (int n = 0; n < a_.num(); ++n) {
      for (const auto& d : displacements) {
        for (int y = 0; y < out_height; ++y) {
          for (int x = 0; x < out_width; ++x) {
            double sum = 0;
            for (int j = 0; j < kernel; ++j) {
              for (int i = 0; i < kernel; ++i) {
                for (int c = 0; c < left.channels; ++c) {
                  const int y1 = y * s1 + start_y + j, x1 = x * s1 + most + i;
                  const double a = left.at(n, c, y1, x1);
                  const double b = right.at(n, c, y1 + d.first, x1 + d.second);
                  sum += p.correlation_type() == CorrelationParameter::SUBTRACT
                             ? std::fabs(a - b)
                             : a * b;
                }
              }
            }
            result.push_back(sum / (kernel * kernel * a_.channels()));
          }
        }
      }
    }
    return result;
  }

  // d sum(top * diff) / d (a, b), by the same loops as Reference.
  std::pair<vector<double>, vector<double>> ReferenceDiffs() const {
    const CorrelationParameter& p = param_.correlation_param();
    const int pad = p.pad(), kernel = p.kernel_size(), most = p.max_displacement();
    const int s1 = p.stride_1(), s2 = p.stride_2(), radius = most / s2;
    const int columns = 2 * radius + 1;
    const bool subtract = p.correlation_type() == CorrelationParameter::SUBTRACT;
    const Padded left(a_, pad, pad), right(b_, pad, pad);
    vector<double> a_diff(a_.count(), 0.), b_diff(b_.count(), 0.);
    const auto add = [](int at, double value, vector<double>* diff) {
      if (at >= 0) (*diff)[at] += value;
    };
    for (int at = 0; at < top_.count(); ++at) {
      const int x = at % top_.width(), y = at / top_.width() % top_.height();
      const int q = at / (top_.width() * top_.height()) % top_.channels();
      const int n = at / (top_.width() * top_.height() * top_.channels());
      const double diff = top_.cpu_diff()[at] / (1. * kernel * kernel * left.channels);
      for (int window = 0; window < kernel * kernel; ++window) {
        const int y1 = y * s1 + most + window / kernel;
        const int x1 = x * s1 + most + window % kernel;
        const int y2 = y1 + (q / columns - radius) * s2;
        const int x2 = x1 + (q % columns - radius) * s2;
        for (int c = 0; c < left.channels; ++c) {
          const double a = left.at(n, c, y1, x1), b = right.at(n, c, y2, x2);
          const double sign = (a > b) - (a < b);
          add(left.offset(n, c, y1, x1), diff * (subtract ? sign : b), &a_diff);
          add(right.offset(n, c, y2, x2), diff * (subtract ? -sign : a), &b_diff);
        }
      }
    }
    return {a_diff, b_diff};
  }

  vector<Dtype> Top() const { return copy_of(top_.cpu_data(), top_.count()); }
  vector<Dtype> Diff(const Blob<Dtype>& blob) const {
    return copy_of(blob.cpu_diff(), blob.count());
  }

  LayerParameter param_;
  Blob<Dtype> a_, b_, top_;
  vector<Blob<Dtype>*> bottoms_{&a_, &b_}, tops_{&top_};
};

/// At most two threads while it lives.
class FewThreads {
 public:
#ifdef _OPENMP
  FewThreads() : threads_(omp_get_max_threads()) {
    omp_set_num_threads(std::min(2, threads_));
  }
  ~FewThreads() { omp_set_num_threads(threads_); }

 private:
  int threads_;
#endif
};

TYPED_TEST_SUITE(CorrelationLayerTest, TestDtypesAndDevices);

const vector<Case>& cases() {
  static const vector<Case> all = {{{2, 3, 5, 6}, 4, 1, 4, 1, 1},
                                   {{1, 17, 6, 37}, 4, 1, 4, 1, 1},
                                   {{1, 2, 9, 8}, 3, 3, 3, 2, 1},
                                   {{1, 4, 7, 10}, 6, 1, 6, 2, 2},
                                   {{3, 5, 11, 4}, 3, 1, 3, 1, 1},
                                   {{1, 70, 13, 19}, 4, 1, 4, 1, 2},
                                   {{1, 1, 1, 1}, 1, 1, 1, 1, 1},
                                   {{1, 6, 1, 20}, 2, 1, 2, 1, 1},
                                   {{1, 3, 20, 1}, 5, 1, 4, 3, 2},
                                   {{1, 2, 8, 9}, 5, 3, 2, 1, 2},
                                   {{1, 2, 12, 13}, 1, 5, 3, 3, 1},
                                   {{2, 8, 9, 8}, 2, 3, 4, 1, 3},
                                   {{1, 3, 9, 9}, 0, 1, 2, 1, 1},
                                   {{1, 9, 10, 33}, 20, 1, 20, 1, 2},
                                   {{1, 200, 2, 19}, 4, 1, 4, 1, 1},
                                   {{1, 130, 5, 9}, 3, 3, 3, 2, 1},
                                   // Fewer rows of displacements than image rows that
                                   // share one; whole vectors of a row.
                                   {{1, 7, 11, 35}, 1, 1, 1, 1, 1},
                                   {{2, 5, 12, 40}, 2, 1, 2, 1, 1},
                                   {{1, 4, 12, 40}, 0, 1, 2, 1, 1}};
  return all;
}

TYPED_TEST(CorrelationLayerTest, FollowsTheFormula) {
  typedef typename TypeParam::Dtype Dtype;
  for (const bool subtract : {false, true}) {
    for (const Case& c : cases()) {
      this->Settings(c, subtract);
      CorrelationLayer<Dtype> layer(this->param_);
      layer.SetUp(this->bottoms_, this->tops_);
      std::fill_n(this->top_.mutable_cpu_data(), this->top_.count(), Dtype(9));
      layer.Forward(this->bottoms_, this->tops_);
      vector<int> shape;
      const vector<double> expected = this->Reference(false, &shape);
      SCOPED_TRACE(this->a_.shape_string());
      ASSERT_EQ(this->top_.shape(), shape);
      expect_all_near(this->Top(), expected, 5e-6);
    }
  }
}

TYPED_TEST(CorrelationLayerTest, TheDiffsFollowTheFormula) {
  typedef typename TypeParam::Dtype Dtype;
  for (const bool subtract : {false, true}) {
    for (const Case& c : cases()) {
      this->Settings(c, subtract);
      CorrelationLayer<Dtype> layer(this->param_);
      layer.SetUp(this->bottoms_, this->tops_);
      layer.Forward(this->bottoms_, this->tops_);
      fill_diff(&this->top_);
      layer.Backward(this->tops_, {true, true}, this->bottoms_);
      const auto expected = this->ReferenceDiffs();
      SCOPED_TRACE(this->a_.shape_string());
      expect_all_near(this->Diff(this->a_), expected.first, 5e-6);
      expect_all_near(this->Diff(this->b_), expected.second, 5e-6);
    }
  }
}

// Results and maps beyond the caches: passes are cut by channels, each thread packs
// strips of the other map as it comes to them, and writes go past the caches.
TYPED_TEST(CorrelationLayerTest, FollowsTheFormulaOnLargeMaps) {
  typedef typename TypeParam::Dtype Dtype;
  const FewThreads few;  // the size from which a map is large grows with their number
  for (const Case& c :
       {Case{{1, 2, 104, 128}, 4, 1, 4, 1, 1}, Case{{1, 130, 32, 128}, 2, 1, 2, 1, 1},
        Case{{2, 150, 17, 133}, 4, 1, 4, 1, 2}, Case{{1, 70, 20, 208}, 3, 3, 2, 2, 1},
        Case{{1, 150, 22, 100}, 0, 1, 2, 1, 1}}) {
    for (const bool subtract : {false, true}) {
      if (subtract && c.shape[0] == 1) continue;
      this->Settings(c, subtract);
      SCOPED_TRACE(this->a_.shape_string());
      CorrelationLayer<Dtype> layer(this->param_);
      layer.SetUp(this->bottoms_, this->tops_);
      layer.Forward(this->bottoms_, this->tops_);
      vector<int> shape;
      const vector<double> top = this->Reference(false, &shape);
      expect_all_near(this->Top(), top, 5e-6);
      fill_diff(&this->top_);
      layer.Backward(this->tops_, {true, true}, this->bottoms_);
      const auto expected = this->ReferenceDiffs();
      expect_all_near(this->Diff(this->a_), expected.first, 5e-6);
      expect_all_near(this->Diff(this->b_), expected.second, 5e-6);
      if (Caffe::mode() == Caffe::GPU) continue;  // blocked memory is the host's
      if (!make_blocked(&this->a_) || !make_blocked(&this->b_)) continue;
      layer.Forward(this->bottoms_, this->tops_);
      expect_all_near(this->Top(), top, 5e-6);
      layer.Backward(this->tops_, {true, true}, this->bottoms_);
      expect_all_near(this->Diff(this->a_), expected.first, 5e-6);
      expect_all_near(this->Diff(this->b_), expected.second, 5e-6);
    }
  }
}

TYPED_TEST(CorrelationLayerTest, FollowsTheFormulaInOneDimension) {
  typedef typename TypeParam::Dtype Dtype;
  for (const int direction : {-1, 0, 1}) {
    for (const bool subtract : {false, true}) {
      for (const Case& c : vector<Case>{{{2, 3, 5, 12}, 4, 1, 4, 1, 1},
                                        {{1, 20, 7, 35}, 6, 3, 6, 2, 2},
                                        {{1, 2, 4, 30}, 3, 1, 5, 1, 2},
                                        {{1, 5, 6, 9}, 2, 3, 1, 1, 1},
                                        // Columns by pieces of them pass 2^31.
                                        {{1, 1, 1, 2}, 60000, 1, 60000, 1, 1}}) {
        this->Settings(c, subtract, direction);
        Correlation1DLayer<Dtype> layer(this->param_);
        layer.SetUp(this->bottoms_, this->tops_);
        layer.Forward(this->bottoms_, this->tops_);
        vector<int> shape;
        const vector<double> expected = this->Reference(true, &shape);
        ASSERT_EQ(this->top_.shape(), shape);
        expect_all_near(this->Top(), expected, 2e-6);
      }
    }
  }
}

TYPED_TEST(CorrelationLayerTest, GivesTheForksValues) {
  typedef typename TypeParam::Dtype Dtype;
  struct Check {
    Case c;
    CheckSums multiply, a, b, subtract;
  };
  const vector<Check> checks = {
      {{{2, 3, 5, 6}, 4, 1, 4, 1, 2},
       {-7.920824, 18.200856, {0, 0, 0}},
       {2.823582, 8.368389, {0.204549, -0.263389, -0.104766}},
       {-0.416495, 12.222828, {-0.261296, -0.278714, 0.333903}},
       {829.040955, 515.205076, {0.422244, 0.418581, 0.449550}}},
      {{{1, 2, 9, 8}, 3, 3, 3, 2, 1},
       {-2.139251, 11.735141, {0, 0, 0}},
       {-1.070629, 1.591931, {-0.037857, -0.071601, 0.064998}},
       {1.107582, 2.756469, {-0.040935, -0.015220, 0.063768}},
       {363.271731, 264.057900, {0.467310, 0.515929, 0.500832}}},
      {{{1, 4, 7, 10}, 6, 1, 6, 2, 2},
       {-6.808775, 12.107803, {0, 0, 0}},
       {-0.061379, 9.357674, {0.457546, 0, 0.265204}},
       {1.369251, 6.882522, {-0.180573, 0, -0.154540}},
       {566.085662, 371.236148, {0.500250, 0.500000, 0.500000}}}};
  for (const Check& check : checks) {
    this->Settings(check.c, false);
    CorrelationLayer<Dtype> layer(this->param_);
    layer.SetUp(this->bottoms_, this->tops_);
    layer.Forward(this->bottoms_, this->tops_);
    expect_sums(this->top_.cpu_data(), this->top_.count(), check.multiply);
    fill_diff(&this->top_);
    layer.Backward(this->tops_, {true, true}, this->bottoms_);
    expect_sums(this->a_.cpu_diff(), this->a_.count(), check.a);
    expect_sums(this->b_.cpu_diff(), this->b_.count(), check.b);
    this->Settings(check.c, true);
    CorrelationLayer<Dtype> subtract(this->param_);
    subtract.SetUp(this->bottoms_, this->tops_);
    subtract.Forward(this->bottoms_, this->tops_);
    expect_sums(this->top_.cpu_data(), this->top_.count(), check.subtract);
  }
}

TYPED_TEST(CorrelationLayerTest, FindsAKnownTranslation) {
  typedef typename TypeParam::Dtype Dtype;
  this->Settings({{1, 8, 12, 14}, 3, 1, 3, 1, 1}, true);
  const int dy = 2, dx = -1;
  for (int c = 0; c < 8; ++c) {
    for (int y = 0; y < 12; ++y) {
      for (int x = 0; x < 14; ++x) {
        const int from_y = y - dy, from_x = x - dx;
        const bool inside = from_y >= 0 && from_y < 12 && from_x >= 0 && from_x < 14;
        this->b_.mutable_cpu_data()[this->b_.offset(0, c, y, x)] =
            inside ? this->a_.data_at(0, c, from_y, from_x) : Dtype(0);
      }
    }
  }
  CorrelationLayer<Dtype> layer(this->param_);
  layer.SetUp(this->bottoms_, this->tops_);
  layer.Forward(this->bottoms_, this->tops_);
  for (int y = 0; y < 10; ++y) {
    for (int x = 1; x < 14; ++x) {
      for (int q = 0; q < 49; ++q) {
        const bool right = q == (dy + 3) * 7 + dx + 3;
        EXPECT_EQ(this->top_.data_at(0, q, y, x) < Dtype(1e-6), right) << q;
      }
    }
  }
}

TYPED_TEST(CorrelationLayerTest, Gradient) {
  typedef typename TypeParam::Dtype Dtype;
  const bool single = std::is_same<Dtype, float>::value;
  for (const Case& c : vector<Case>{{{2, 3, 4, 5}, 2, 1, 2, 1, 1},
                                    {{1, 7, 3, 4}, 2, 1, 2, 1, 2},
                                    {{1, 2, 5, 6}, 3, 3, 2, 2, 1},
                                    {{1, 2, 7, 6}, 3, 1, 2, 2, 2},
                                    {{1, 2, 6, 7}, 1, 3, 2, 1, 1}}) {
    for (const bool subtract : {false, true}) {
      this->Settings(c, subtract);
      CorrelationLayer<Dtype> layer(this->param_);
      GradientChecker<Dtype> checker(subtract ? 1e-4 : 1e-2, single ? 2e-2 : 1e-6);
      if (single && subtract)
        continue;  // steps small enough for the kinks drown in rounding
      checker.CheckGradient(&layer, this->bottoms_, this->tops_);
      for (const int direction : {-1, 0, 1}) {
        this->Settings(c, subtract, direction);
        Correlation1DLayer<Dtype> flat(this->param_);
        checker.CheckGradient(&flat, this->bottoms_, this->tops_);
      }
    }
  }
}

TYPED_TEST(CorrelationLayerTest, EqualValuesHaveNoGradientUnderSubtract) {
  typedef typename TypeParam::Dtype Dtype;
  this->Settings({{1, 2, 3, 4}, 0, 1, 0, 1, 1}, true);
  this->b_.CopyFrom(this->a_);
  CorrelationLayer<Dtype> layer(this->param_);
  layer.SetUp(this->bottoms_, this->tops_);
  layer.Forward(this->bottoms_, this->tops_);
  EXPECT_EQ(this->top_.asum_data(), 0);
  fill_diff(&this->top_);
  layer.Backward(this->tops_, {true, true}, this->bottoms_);
  EXPECT_EQ(this->a_.asum_diff(), 0);
  EXPECT_EQ(this->b_.asum_diff(), 0);
}

TYPED_TEST(CorrelationLayerTest, TheGradientIsTheAdjointAndBlockedMemoryGivesTheSame) {
  typedef typename TypeParam::Dtype Dtype;
  for (const bool subtract : {false, true}) {
    for (const Case& c : cases()) {
      this->Settings(c, subtract);
      CorrelationLayer<Dtype> layer(this->param_);
      layer.SetUp(this->bottoms_, this->tops_);
      layer.Forward(this->bottoms_, this->tops_);
      fill_diff(&this->top_);
      layer.Backward(this->tops_, {true, true}, this->bottoms_);
      const vector<Dtype> top = this->Top(), a = this->Diff(this->a_),
                          b = this->Diff(this->b_);
      if (!subtract) {  // <top, diff> = <a, a diff> = <b, b diff> of a bilinear function
        double by_top = 0, by_a = 0, by_b = 0;
        for (int i = 0; i < this->top_.count(); ++i)
          by_top += top[i] * this->top_.cpu_diff()[i];
        for (int i = 0; i < this->a_.count(); ++i) {
          by_a += a[i] * this->a_.cpu_data()[i];
          by_b += b[i] * this->b_.cpu_data()[i];
        }
        EXPECT_NEAR(by_a, by_top, 1e-4);
        EXPECT_NEAR(by_b, by_top, 1e-4);
      }
      if (Caffe::mode() == Caffe::GPU) continue;  // blocked memory is the host's
      if (!make_blocked(&this->a_) || !make_blocked(&this->b_)) continue;
      layer.Forward(this->bottoms_, this->tops_);
      expect_all_near(this->Top(), top, 1e-6);
      layer.Backward(this->tops_, {true, true}, this->bottoms_);
      EXPECT_EQ(this->a_.diff()->head_is_blocked(),
                2 * this->a_.channels() >= native_channel_block());
      expect_zero_tail(this->a_, this->a_.diff().get());
      expect_all_near(this->Diff(this->a_), a, 1e-6);
      expect_all_near(this->Diff(this->b_), b, 1e-6);
    }
  }
}

TYPED_TEST(CorrelationLayerTest, WritesOnlyTheDiffsAskedFor) {
  typedef typename TypeParam::Dtype Dtype;
  this->Settings(cases()[0], false);
  CorrelationLayer<Dtype> layer(this->param_);
  layer.SetUp(this->bottoms_, this->tops_);
  layer.Forward(this->bottoms_, this->tops_);
  fill_diff(&this->top_);
  layer.Backward(this->tops_, {true, true}, this->bottoms_);
  const vector<Dtype> a = this->Diff(this->a_), b = this->Diff(this->b_);
  for (const bool first : {true, false}) {
    std::fill_n(this->a_.mutable_cpu_diff(), this->a_.count(), Dtype(5));
    std::fill_n(this->b_.mutable_cpu_diff(), this->b_.count(), Dtype(5));
    layer.Backward(this->tops_, {first, !first}, this->bottoms_);
    const vector<Dtype> untouched(a.size(), Dtype(5));
    EXPECT_EQ(this->Diff(this->a_), first ? a : untouched);
    EXPECT_EQ(this->Diff(this->b_), first ? untouched : b);
  }
}

TYPED_TEST(CorrelationLayerTest, RefusesWhatItCannotDo) {
  typedef typename TypeParam::Dtype Dtype;
  const auto expect_message = [&](Layer<Dtype>* layer, const string& words) {
    const string error = FullErrorOf([&] { layer->SetUp(this->bottoms_, this->tops_); });
    EXPECT_TRUE(has_words(error, {words}));
  };
  const auto refused = [&](const Case& c, const string& words) {
    this->Settings(c, false);
    CorrelationLayer<Dtype> layer(this->param_);
    expect_message(&layer, words);
  };
  refused({{1, 2, 5, 6}, 0, 2, 1, 1, 1}, "Odd kernel size required");
  refused({{1, 2, 5, 6}, 0, 1, 3, 1, 1}, "Neighborhood and kernel don't fit in blob");
  refused({{1, 2, 5, 6}, 0, 1, 1, 0, 1}, "stride_1 and stride_2 must be at least 1");
  this->Settings(cases()[0], false);
  this->b_.Reshape(1, 3, 5, 6);
  CorrelationLayer<Dtype> unequal(this->param_);
  expect_message(&unequal, "both bottoms must have the same shape");
  this->Settings(cases()[0], false, 2);
  Correlation1DLayer<Dtype> direction(this->param_);
  expect_message(&direction, "single_direction must be -1 (left), 0 (off), or 1 (right)");
  this->param_.clear_correlation_param();
  CorrelationLayer<Dtype> empty(this->param_);
  expect_message(&empty, "kernel_size is not set");
}

}  // namespace
}  // namespace caffe

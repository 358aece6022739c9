// Convolution and Deconvolution in both types and all engines against the formula.
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include "caffe/layers/conv_layer.hpp"
#include "caffe/layers/deconv_layer.hpp"
#include "caffe/test/convolution_reference.hpp"
#include "caffe/test/test_caffe_main.hpp"
#include "caffe/test/test_gradient_check_util.hpp"

namespace caffe {
namespace {

vector<ConvCase> all_cases() {
  vector<ConvCase> cases = {
      square_case(1, 1, 1, 1, 1, 1, 1, 0),
      square_case(2, 3, 5, 7, 6, 3, 1, 1),
      square_case(1, 3, 16, 13, 9, 7, 2, 3),
      square_case(1, 6, 32, 11, 14, 7, 2, 3),
      square_case(2, 16, 16, 9, 11, 3, 1, 1),
      square_case(1, 24, 40, 8, 5, 3, 2, 1),
      square_case(3, 40, 24, 6, 7, 1, 1, 0),
      square_case(1, 32, 48, 9, 9, 1, 2, 0),
      square_case(1, 17, 19, 6, 9, 5, 2, 2),
      square_case(2, 34, 33, 5, 4, 3, 1, 2, 2),
      square_case(1, 20, 12, 7, 8, 2, 3, 0),
      square_case(1, 16, 32, 1, 9, 3, 1, 1),
      square_case(12, 40, 64, 1, 1, 1, 1, 0),
      square_case(1, 32, 32, 34, 33, 3, 1, 1),  // over 1000 positions: Winograd
      square_case(2, 34, 33, 25, 25, 3, 1, 1),
      square_case(1, 35, 2, 9, 7, 3, 1, 1),  // narrow heads
      square_case(2, 64, 1, 8, 8, 1, 1, 0),
      square_case(1, 130, 2, 6, 5, 1, 1, 0),
      square_case(2, 20, 3, 9, 11, 5, 2, 2),
      square_case(1, 32, 4, 9, 8, 3, 1, 2, 2),
      square_case(1, 2, 2, 10, 11, 1, 1, 0),
      square_case(1, 4, 6, 9, 7, 3, 1, 1, 1, 2),
      square_case(2, 32, 64, 7, 7, 3, 1, 1, 1, 2),
      square_case(1, 12, 12, 9, 8, 3, 1, 1, 1, 12),  // depthwise
      square_case(2, 24, 24, 13, 10, 3, 2, 1, 1, 24),
      square_case(1, 40, 40, 11, 12, 5, 1, 2, 1, 40),
      square_case(1, 96, 96, 12, 9, 5, 2, 2, 1, 96),
      square_case(2, 32, 32, 8, 9, 3, 1, 2, 2, 32),
      square_case(1, 8, 16, 9, 9, 3, 1, 1, 1, 8),  // two outputs a channel
  };
  ConvCase uneven = square_case(2, 16, 20, 9, 12, 3, 1, 1);
  uneven.kernel = {3, 5};
  uneven.stride = {1, 2};
  uneven.pad = {0, 3};
  cases.push_back(uneven);
  uneven.dilation = {2, 1};
  uneven.bias = false;
  cases.push_back(uneven);
  return cases;
}

vector<ConvCase> deconvolution_cases() {
  vector<ConvCase> cases = {
      square_case(1, 2, 2, 5, 6, 4, 2, 1),
      square_case(2, 32, 16, 5, 4, 4, 2, 1),
      square_case(1, 34, 20, 3, 7, 4, 2, 1),
      square_case(1, 2, 2, 4, 3, 16, 8, 0),
      square_case(2, 21, 21, 4, 4, 4, 2, 1, 1, 21),
      square_case(1, 3, 5, 6, 5, 3, 1, 1),
      square_case(1, 1, 1, 4, 5, 4, 2, 0),
      square_case(2, 4, 6, 4, 5, 3, 2, 0, 2, 2),
      square_case(1, 16, 16, 1, 1, 2, 3, 0),
      square_case(1, 12, 3, 5, 5, 5, 3, 2),
      square_case(1, 40, 2, 4, 6, 4, 2, 1),
      square_case(1, 32, 32, 6, 5, 3, 2, 1, 1, 32),
  };
  for (ConvCase& c : cases) c.transposed = true;
  ConvCase no_bias = cases[0];
  no_bias.bias = false;
  cases.push_back(no_bias);
  return cases;
}

// A layer over its blobs, filled with random numbers; results against the formula.
template <typename Dtype>
class Trial {
 public:
  Trial(const ConvCase& c, const LayerParameter& param) : case_(c) {
    layer_ = LayerRegistry<Dtype>::CreateLayer(param);
    bottom_.Reshape(c.bottom_shape());
    layer_->SetUp({&bottom_}, {&top_});
    Fill(7);
  }

  void Fill(unsigned seed) {
    x_ = normal_values(bottom_.count(), seed);
    w_ = normal_values(layer_->blobs()[0]->count(), seed + 1);
    dy_ = normal_values(top_.count(), seed + 2);
    b_.assign(case_.num_output, 0);
    set_values(x_, bottom_.mutable_cpu_data());
    set_values(w_, layer_->blobs()[0]->mutable_cpu_data());
    if (case_.bias) {
      b_ = normal_values(case_.num_output, seed + 3);
      set_values(b_, layer_->blobs()[1]->mutable_cpu_data());
    }
  }

  void Reshape(const ConvCase& c) {
    case_ = c;
    bottom_.Reshape(c.bottom_shape());
    layer_->Reshape({&bottom_}, {&top_});
    Fill(99);
  }

  void CheckForward() {
    layer_->Forward({&bottom_}, {&top_});
    vector<double> y(top_.count(), 0.), size(top_.count(), 1.);
    const int positions = top_.count(2);
    for (size_t i = 0; i < y.size(); ++i) y[i] = b_[i / positions % case_.num_output];
    for_each_product(case_, [&](int x, int w, int at) {
      y[at] += x_[x] * w_[w];
      size[at] += std::abs(x_[x] * w_[w]);
    });
    Compare("top", y, size, top_.cpu_data());
  }

  void CheckBackward() {
    set_values(dy_, top_.mutable_cpu_diff());
    for (auto& blob : layer_->blobs()) {
      caffe_set(blob->count(), Dtype(0.5), blob->mutable_cpu_diff());
    }
    layer_->Backward({&top_}, {true}, {&bottom_});
    vector<double> dx(x_.size(), 0.), dw(w_.size(), 0.5), db(case_.num_output, 0.5);
    vector<double> dx_size(x_.size(), 1.), dw_size(w_.size(), 1.), db_size(db.size(), 1.);
    for_each_product(case_, [&](int x, int w, int y) {
      dx[x] += w_[w] * dy_[y];
      dx_size[x] += std::abs(w_[w] * dy_[y]);
      dw[w] += x_[x] * dy_[y];
      dw_size[w] += std::abs(x_[x] * dy_[y]);
    });
    for (size_t i = 0; i < dy_.size(); ++i) {
      const int o = i / top_.count(2) % case_.num_output;
      db[o] += dy_[i];
      db_size[o] += std::abs(dy_[i]);
    }
    Compare("bottom diff", dx, dx_size, bottom_.cpu_diff());
    Compare("weight diff", dw, dw_size, layer_->blobs()[0]->cpu_diff());
    if (case_.bias) Compare("bias diff", db, db_size, layer_->blobs()[1]->cpu_diff());
  }

  Layer<Dtype>* layer() { return layer_.get(); }
  const vector<double>& weights() const { return w_; }

 private:
  // `size` is the sum of absolute products: what rounding errors are relative to.
  void Compare(const char* what, const vector<double>& wanted, const vector<double>& size,
               const Dtype* found) {
    const double tolerance = std::is_same<Dtype, float>::value ? 3e-6 : 1e-12;
    for (size_t i = 0; i < wanted.size(); ++i) {
      ASSERT_NEAR(wanted[i], found[i], tolerance * size[i])
          << what << "[" << i << "] of " << case_;
    }
  }

  ConvCase case_;
  shared_ptr<Layer<Dtype>> layer_;
  Blob<Dtype> bottom_, top_;
  vector<double> x_, w_, b_, dy_;
};

template <typename Dtype>
void check(const ConvCase& c, const LayerParameter& param) {
  Trial<Dtype> trial(c, param);
  trial.CheckForward();
  if (::testing::Test::HasFatalFailure()) return;
  trial.CheckBackward();
}

template <typename Dtype>
void check_all(const vector<ConvCase>& cases, ConvolutionParameter_Engine engine,
               bool force_nd) {
  for (const ConvCase& c : cases) {
    LayerParameter param = c.parameter();
    param.mutable_convolution_param()->set_engine(engine);
    param.mutable_convolution_param()->set_force_nd_im2col(force_nd);
    check<Dtype>(c, param);
    if (::testing::Test::HasFatalFailure()) return;
  }
}

const auto kDefault = ConvolutionParameter_Engine_DEFAULT;
const auto kPlain = ConvolutionParameter_Engine_CAFFE;

TEST(ConvolutionFormulaTest, PlainInFloat) {
  check_all<float>(all_cases(), kPlain, false);
}
TEST(ConvolutionFormulaTest, PlainInDouble) {
  check_all<double>(all_cases(), kPlain, false);
}
TEST(ConvolutionFormulaTest, GeneralCode) {
  check_all<double>(all_cases(), kPlain, true);
}
TEST(ConvolutionFormulaTest, FastKernels) {
  check_all<float>(all_cases(), kDefault, false);
}

TEST(DeconvolutionFormulaTest, PlainInFloat) {
  check_all<float>(deconvolution_cases(), kPlain, false);
}
TEST(DeconvolutionFormulaTest, PlainInDouble) {
  check_all<double>(deconvolution_cases(), kPlain, false);
}
TEST(DeconvolutionFormulaTest, GeneralCode) {
  check_all<double>(deconvolution_cases(), kPlain, true);
}
TEST(DeconvolutionFormulaTest, FastKernels) {
  check_all<float>(deconvolution_cases(), kDefault, false);
}

TEST(ConvolutionFormulaTest, OneAndThreeSpatialAxes) {
  ConvCase line = {2, 4, 6, {9}, {3}, {2}, {1}, {2}, 2};
  ConvCase volume = {2, 3, 4, {4, 5, 3}, {3, 2, 1}, {1, 2, 1}, {1, 0, 0}, {1, 1, 1}};
  for (ConvCase c : {line, volume}) {
    check<double>(c, c.parameter());
    check<float>(c, c.parameter());
    c.transposed = true;
    check<double>(c, c.parameter());
  }
}

TEST(ConvolutionFormulaTest, NoSpatialAxisIsAnInnerProduct) {
  ConvCase c = {3, 5, 4, {}, {}, {}, {}, {}};
  check<double>(c, c.parameter());
}

TEST(ConvolutionFormulaTest, StripsOfALargeImage) {
  ConvCase c = square_case(1, 40, 3, 120, 70, 3, 1, 1);  // 12 MB of columns
  LayerParameter param = c.parameter();
  param.mutable_convolution_param()->set_engine(kPlain);
  check<float>(c, param);
}

TEST(ConvolutionLayerTest, ReshapeInTheMiddleAndNewWeightsAreSeen) {
  for (const ConvCase& c :
       {square_case(1, 16, 32, 9, 8, 3, 1, 1), square_case(1, 18, 2, 9, 8, 3, 1, 1),
        square_case(1, 24, 24, 9, 8, 3, 1, 1, 1, 24)}) {
    ConvCase other = c;
    other.num = 2;
    other.size = {25, 23};
    Trial<float> trial(c, c.parameter());
    trial.CheckForward();
    trial.Fill(20);
    trial.CheckForward();
    trial.CheckBackward();
    trial.Reshape(other);
    trial.CheckForward();
    trial.CheckBackward();
    trial.Reshape(c);
    trial.CheckForward();
    trial.CheckBackward();
    if (HasFatalFailure()) return;
  }
}

TEST(ConvolutionLayerTest, WritesThroughALivingViewOfTheWeightsAreSeen) {
  const ConvCase c = square_case(1, 16, 16, 6, 6, 3, 1, 1);
  LayerParameter param = c.parameter();
  shared_ptr<Layer<float>> layer = LayerRegistry<float>::CreateLayer(param);
  Blob<float> bottom(c.bottom_shape()), top;
  layer->SetUp({&bottom}, {&top});
  caffe_set(bottom.count(), 1.f, bottom.mutable_cpu_data());
  Blob<float>& weights = *layer->blobs()[0];
  float* view = weights.mutable_cpu_data();
  weights.data()->AddView();
  layer->Forward({&bottom}, {&top});
  std::fill(view, view + weights.count(), 0.f);
  layer->Forward({&bottom}, {&top});
  EXPECT_FLOAT_EQ(top.cpu_data()[0], layer->blobs()[1]->cpu_data()[0]);
  weights.data()->RemoveView();
}

TEST(ConvolutionLayerTest, SeveralBottomsShareTheParameters) {
  ConvCase c = square_case(1, 16, 16, 5, 5, 3, 1, 1);
  shared_ptr<Layer<float>> layer = LayerRegistry<float>::CreateLayer(c.parameter());
  Blob<float> a(c.bottom_shape()), b(c.bottom_shape()), top_a, top_b;
  set_values(normal_values(a.count(), 1), a.mutable_cpu_data());
  caffe_copy(a.count(), a.cpu_data(), b.mutable_cpu_data());
  layer->SetUp({&a, &b}, {&top_a, &top_b});
  layer->Forward({&a, &b}, {&top_a, &top_b});
  for (int i = 0; i < top_a.count(); ++i) {
    ASSERT_EQ(top_a.cpu_data()[i], top_b.cpu_data()[i]);
  }
  for (Blob<float>* top : {&top_a, &top_b})
    caffe_set(top->count(), 1.f, top->mutable_cpu_diff());
  layer->Backward({&top_a, &top_b}, {true, true}, {&a, &b});
  EXPECT_FLOAT_EQ(layer->blobs()[1]->cpu_diff()[3], 2.f * top_a.count(2));
}

TEST(ConvolutionLayerTest, PublishedValues) {
  ConvCase c = square_case(1, 2, 2, 3, 3, 2, 1, 1, 2, 2);
  c.bias = false;
  Blob<double> bottom(c.bottom_shape()), top;
  for (int i = 0; i < bottom.count(); ++i) bottom.mutable_cpu_data()[i] = i + 1;
  ConvolutionLayer<double> layer(c.parameter());
  layer.SetUp({&bottom}, {&top});
  set_values({1, 2, 3, 4, -1, 0, 0, 1}, layer.blobs()[0]->mutable_cpu_data());
  layer.Forward({&bottom}, {&top});
  const vector<double> wanted = {20, 36, 15, 36, 64, 26,  10, 16,  5,
                                 14, 15, 0,  17, 8,  -11, 0,  -13, -14};
  ASSERT_EQ(top.count(), static_cast<int>(wanted.size()));
  for (int i = 0; i < top.count(); ++i) EXPECT_EQ(top.cpu_data()[i], wanted[i]) << i;
}

TEST(DeconvolutionLayerTest, PublishedBilinearValues) {
  ConvCase c = square_case(1, 1, 1, 2, 2, 4, 2, 1);
  c.bias = false;
  c.transposed = true;
  LayerParameter param = c.parameter();
  param.mutable_convolution_param()->mutable_weight_filler()->set_type("bilinear");
  Blob<float> bottom(c.bottom_shape()), top;
  set_values({1, 2, 3, 5}, bottom.mutable_cpu_data());
  DeconvolutionLayer<float> layer(param);
  layer.SetUp({&bottom}, {&top});
  layer.Forward({&bottom}, {&top});
  const vector<float> wanted = {0.5625f, 0.9375f, 1.3125f, 1.125f,  1.125f,  1.8125f,
                                2.4375f, 2.0625f, 1.875f,  2.9375f, 3.8125f, 3.1875f,
                                1.6875f, 2.625f,  3.375f,  2.8125f};
  for (int i = 0; i < 16; ++i) EXPECT_FLOAT_EQ(top.cpu_data()[i], wanted[i]) << i;
}

TEST(ConvolutionLayerTest, GradientsByFiniteDifferences) {
  for (bool transposed : {false, true}) {
    ConvCase c = square_case(2, 4, 6, 5, 4, 3, 2, 1, 1, 2);
    c.transposed = transposed;
    Blob<double> bottom(c.bottom_shape()), top;
    set_values(normal_values(bottom.count(), 3), bottom.mutable_cpu_data());
    shared_ptr<Layer<double>> layer = LayerRegistry<double>::CreateLayer(c.parameter());
    GradientChecker<double> checker(1e-2, 1e-4);
    checker.CheckGradientExhaustive(layer.get(), {&bottom}, {&top});
  }
}

TEST(ConvolutionLayerTest, OnlyTheGradientsAskedForAreTouched) {
  const ConvCase c = square_case(1, 16, 16, 5, 5, 3, 1, 1);
  shared_ptr<Layer<float>> layer = LayerRegistry<float>::CreateLayer(c.parameter());
  Blob<float> bottom(c.bottom_shape()), top;
  layer->SetUp({&bottom}, {&top});
  layer->Forward({&bottom}, {&top});
  caffe_set(top.count(), 1.f, top.mutable_cpu_diff());
  layer->set_param_propagate_down(0, false);
  layer->set_param_propagate_down(1, true);
  layer->Backward({&top}, {false}, {&bottom});
  EXPECT_FALSE(layer->blobs()[0]->has_diff());
  EXPECT_FALSE(bottom.has_diff());
  EXPECT_FLOAT_EQ(layer->blobs()[1]->cpu_diff()[0], 25.f);
}

struct BadConvolution {
  const char* fields;
  const char* words;
};

TEST(ConvolutionLayerTest, BadParametersAreRefusedWithTheLayersName) {
  const vector<BadConvolution> table = {
      {"num_output: 4", "kernel_size must be given once or once a spatial axis (2)"},
      {"num_output: 4 kernel_size: 0", "kernel size must be positive"},
      {"num_output: 4 kernel_size: 3 kernel_size: 3 kernel_size: 3", "given 3 times"},
      {"num_output: 4 kernel_size: 3 kernel_h: 3", "not both"},
      {"num_output: 4 kernel_h: 3", "kernel size must be positive"},
      {"num_output: 4 kernel_size: 3 stride: 0", "stride must be positive"},
      {"num_output: 4 kernel_size: 3 stride_h: 2", "stride must be positive"},
      {"num_output: 4 kernel_size: 3 pad: 1 pad_h: 0", "not both"},
      {"num_output: 4 kernel_size: 3 dilation: 0", "dilation must be positive"},
      {"kernel_size: 3", "num_output must be positive"},
      {"num_output: 4 kernel_size: 3 group: 3", "not a multiple of group 3"},
      {"num_output: 5 kernel_size: 3 group: 2",
       "num_output 5 is not a multiple of group 2"},
      {"num_output: 4 kernel_size: 9", "smaller than the kernel's extent 9"},
      {"num_output: 4 kernel_size: 3 axis: 7", "axis"},
  };
  for (const BadConvolution& bad : table) {
    LayerParameter param;
    ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString(
        bad.fields, param.mutable_convolution_param()))
        << bad.fields;
    param.set_name("conv1");
    param.set_type("Convolution");
    Blob<float> bottom(1, 4, 6, 6), top;
    ConvolutionLayer<float> layer(param);
    try {
      layer.SetUp({&bottom}, {&top});
      ADD_FAILURE() << bad.fields << " was accepted";
    } catch (const Error& error) {
      EXPECT_NE(string(error.what()).find(bad.words), string::npos) << error.what();
      if (string(bad.words) != "axis") {
        EXPECT_NE(string(error.what()).find("'conv1'"), string::npos) << error.what();
      }
    }
  }
}

TEST(ConvolutionLayerTest, ReadyMadeParametersOfAnotherShapeAreRefused) {
  const ConvCase c = square_case(1, 4, 6, 6, 6, 3, 1, 1);
  LayerParameter param = c.parameter();
  Blob<float>(6, 4, 3, 2).ToProto(param.add_blobs());
  Blob<float>(vector<int>(1, 6)).ToProto(param.add_blobs());
  Blob<float> bottom(c.bottom_shape()), top;
  ConvolutionLayer<float> layer(param);
  EXPECT_THROW(layer.SetUp({&bottom}, {&top}), Error);
}

TEST(ConvolutionLayerTest, AnotherNumberOfChannelsAfterSetUpIsRefused) {
  const ConvCase c = square_case(1, 4, 6, 6, 6, 3, 1, 1);
  Blob<float> bottom(c.bottom_shape()), top;
  ConvolutionLayer<float> layer(c.parameter());
  layer.SetUp({&bottom}, {&top});
  bottom.Reshape(1, 5, 6, 6);
  EXPECT_THROW(layer.Reshape({&bottom}, {&top}), Error);
}

}  // namespace
}  // namespace caffe

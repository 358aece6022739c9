// InnerProduct, Softmax and LRN against their formulas.
#include <gtest/gtest.h>

#include "caffe/layers/inner_product_layer.hpp"
#include "caffe/layers/lrn_layer.hpp"
#include "caffe/layers/softmax_layer.hpp"
#include "caffe/test/convolution_reference.hpp"
#include "caffe/test/test_caffe_main.hpp"
#include "caffe/test/test_gradient_check_util.hpp"

namespace caffe {
namespace {

template <typename TypeParam>
class DenseLayersTest : public CPUDeviceTest<TypeParam> {};
TYPED_TEST_CASE(DenseLayersTest, TestDtypes);

LayerParameter inner_product(int num_output, int axis, bool transpose, bool bias) {
  LayerParameter param;
  param.set_name("fc");
  param.set_type("InnerProduct");
  InnerProductParameter* p = param.mutable_inner_product_param();
  p->set_num_output(num_output);
  p->set_axis(axis);
  p->set_transpose(transpose);
  p->set_bias_term(bias);
  p->mutable_weight_filler()->set_type("gaussian");
  p->mutable_bias_filler()->set_type("gaussian");
  return param;
}

TYPED_TEST(DenseLayersTest, InnerProductEqualsTheFormula) {
  typedef TypeParam Dtype;
  for (const int num : {1, 3}) {
    for (const int axis : {0, 1, 2, -1}) {
      for (const bool transpose : {false, true}) {
        for (const bool has_bias : {false, true}) {
          Blob<Dtype> bottom(num, 2, 3, 5), top;
          set_values(normal_values(bottom.count(), 1), bottom.mutable_cpu_data());
          InnerProductLayer<Dtype> layer(inner_product(4, axis, transpose, has_bias));
          layer.SetUp({&bottom}, {&top});
          layer.Forward({&bottom}, {&top});
          const int a = bottom.CanonicalAxisIndex(axis);
          const int items = bottom.count(0, a), inputs = bottom.count(a);
          ASSERT_EQ(top.num_axes(), a + 1);
          ASSERT_EQ(top.count(), items * 4);
          const Dtype* w = layer.blobs()[0]->cpu_data();
          for (int m = 0; m < items; ++m) {
            for (int o = 0; o < 4; ++o) {
              double y = has_bias ? layer.blobs()[1]->cpu_data()[o] : 0;
              for (int k = 0; k < inputs; ++k) {
                y += double(bottom.cpu_data()[m * inputs + k]) *
                     w[transpose ? k * 4 + o : o * inputs + k];
              }
              ASSERT_NEAR(top.cpu_data()[m * 4 + o], y, 2e-5) << axis << transpose;
            }
          }
        }
      }
    }
  }
}

TEST(InnerProductLayerTest, GradientsByFiniteDifferences) {
  for (const bool transpose : {false, true}) {
    Blob<double> bottom(3, 2, 2, 1), top;
    set_values(normal_values(bottom.count(), 1), bottom.mutable_cpu_data());
    InnerProductLayer<double> layer(inner_product(4, 1, transpose, true));
    GradientChecker<double> checker(1e-2, 1e-4);
    checker.CheckGradientExhaustive(&layer, {&bottom}, {&top});
  }
}

TEST(InnerProductLayerTest, AnotherItemSizeOrNoOutputIsRefused) {
  Blob<float> bottom(2, 3, 4, 5), top;
  InnerProductLayer<float> layer(inner_product(4, 1, false, true));
  layer.SetUp({&bottom}, {&top});
  bottom.Reshape(2, 3, 4, 6);
  EXPECT_THROW(layer.Reshape({&bottom}, {&top}), Error);
  InnerProductLayer<float> none(inner_product(0, 1, false, true));
  EXPECT_THROW(none.SetUp({&bottom}, {&top}), Error);
}

LayerParameter softmax(int axis) {
  LayerParameter param;
  param.set_type("Softmax");
  param.mutable_softmax_param()->set_axis(axis);
  return param;
}

TYPED_TEST(DenseLayersTest, SoftmaxEqualsTheFormulaOnEveryAxis) {
  typedef TypeParam Dtype;
  const vector<vector<int>> shapes = {
      {2, 3, 4, 5}, {3, 7}, {2, 5, 1, 1}, {1, 2, 20, 31}, {4}};
  for (const vector<int>& shape : shapes) {
    for (int axis = 0; axis < static_cast<int>(shape.size()); ++axis) {
      for (const bool in_place : {false, true}) {
        Blob<Dtype> bottom(shape), other;
        Blob<Dtype>* top = in_place ? &bottom : &other;
        vector<double> x = normal_values(bottom.count(), 4);
        for (double& v : x) v = 20 * v + 90;  // exp(x) itself overflows in float
        set_values(x, bottom.mutable_cpu_data());
        SoftmaxLayer<Dtype> layer(softmax(axis));
        layer.SetUp({&bottom}, {top});
        layer.Forward({&bottom}, {top});
        const int classes = shape[axis], inner = bottom.count(axis + 1);
        for (int i = 0; i < bottom.count(); ++i) {
          const int first = i / (classes * inner) * classes * inner + i % inner;
          double sum = 0;
          for (int k = 0; k < classes; ++k) {
            sum += std::exp(double(Dtype(x[first + k * inner])) - double(Dtype(x[i])));
          }
          ASSERT_NEAR(top->cpu_data()[i], 1 / sum, 1e-6) << axis;
        }
      }
    }
  }
}

TEST(SoftmaxLayerTest, GradientsByFiniteDifferences) {
  for (const int axis : {0, 1, 3}) {
    Blob<double> bottom(2, 3, 2, 3), top;
    set_values(normal_values(bottom.count(), 4), bottom.mutable_cpu_data());
    SoftmaxLayer<double> layer(softmax(axis));
    GradientChecker<double> checker(1e-3, 1e-5);
    checker.CheckGradientExhaustive(&layer, {&bottom}, {&top});
  }
}

LayerParameter lrn(int size, float alpha, float k, bool within) {
  LayerParameter param;
  param.set_name("norm1");
  param.set_type("LRN");
  LRNParameter* p = param.mutable_lrn_param();
  p->set_local_size(size);
  p->set_alpha(alpha);
  p->set_k(k);
  if (within) p->set_norm_region(LRNParameter_NormRegion_WITHIN_CHANNEL);
  return param;
}

template <typename Dtype>
void expect_values(const vector<double>& wanted, const Dtype* found, double tolerance) {
  for (size_t i = 0; i < wanted.size(); ++i)
    EXPECT_NEAR(found[i], wanted[i], tolerance) << i;
}

TYPED_TEST(DenseLayersTest, LrnAcrossChannelsGivesThePublishedValues) {
  typedef TypeParam Dtype;
  struct Case {
    int size;
    float alpha, k;
    vector<double> y, dx;
  };
  const vector<Case> cases = {
      {5,
       1,
       1,
       {0.36741959, 0.46473616, -0.69339294, 0.94469597, 0.12961447},
       {0.37308308, -0.38653527, 0.36609777, 0.25433218, 0.22201832}},
      {3,
       0.5,
       2,
       {0.45790644, 0.66590676, -0.70981766, 1.01701819, 0.15642984},
       {0.45592062, -0.31095606, 0.20981896, 0.19959291, 0.26775292}}};
  for (const Case& c : cases) {
    Blob<Dtype> bottom(1, 5, 1, 1), top;
    set_values({1, 2, -3, 4, 0.5}, bottom.mutable_cpu_data());
    LRNLayer<Dtype> layer(lrn(c.size, c.alpha, c.k, false));
    layer.SetUp({&bottom}, {&top});
    layer.Forward({&bottom}, {&top});
    expect_values(c.y, top.cpu_data(), 1e-6);
    set_values({1, -1, 0.5, 2, 1}, top.mutable_cpu_diff());
    layer.Backward({&top}, {true}, {&bottom});
    expect_values(c.dx, bottom.cpu_diff(), 1e-6);
  }
}

TYPED_TEST(DenseLayersTest, LrnWithinChannelGivesThePublishedValues) {
  typedef TypeParam Dtype;
  Blob<Dtype> bottom(1, 1, 3, 3), top;
  set_values({1, 2, 3, 4, 5, 6, 7, 8, 9}, bottom.mutable_cpu_data());
  LRNLayer<Dtype> layer(lrn(3, 1, 1, true));
  layer.SetUp({&bottom}, {&top});
  layer.Forward({&bottom}, {&top});
  expect_values({0.25728227, 0.32863353, 0.56688448, 0.44540995, 0.36592442, 0.53135161,
                 0.79733204, 0.60730009, 0.83290515},
                top.cpu_data(), 1e-6);
}

TEST(LRNLayerTest, GradientsByFiniteDifferences) {
  for (const bool within : {false, true}) {
    Blob<double> bottom(2, 5, 3, 4), top;
    set_values(normal_values(bottom.count(), 4), bottom.mutable_cpu_data());
    LRNLayer<double> layer(lrn(3, 0.7f, 1.5f, within));
    GradientChecker<double> checker(1e-3, 1e-4);
    checker.CheckGradientExhaustive(&layer, {&bottom}, {&top});
  }
}

TEST(LRNLayerTest, EvenSizesAreRefused) {
  Blob<float> bottom(1, 4, 3, 3), top;
  LRNLayer<float> layer(lrn(4, 1, 1, false));
  EXPECT_THROW(layer.SetUp({&bottom}, {&top}), Error);
}

}  // namespace
}  // namespace caffe

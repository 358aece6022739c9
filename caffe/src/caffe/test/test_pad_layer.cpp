// Pad against its formula, its gradient, its messages.
#include <algorithm>
#include <cmath>
#include <limits>

#include "any_device_test.hpp"
#include "caffe/layers/pad_layer.hpp"
#include "caffe/test/test_gradient_check_util.hpp"
#include "error_check.hpp"

namespace caffe {
namespace {

template <typename TypeParam>
class PadLayerTest : public AnyDeviceTest<TypeParam> {
  typedef typename TypeParam::Dtype Dtype;

 protected:
  void SetShape(const vector<int>& shape) {
    bottom_.Reshape(shape);
    for (int i = 0; i < bottom_.count(); ++i) {
      bottom_.mutable_cpu_data()[i] = Dtype(0.5) + Dtype(i * 7 % 31) / 8;
    }
  }
  void Settings(int multiple_of, bool constant = false, float value = 0) {
    PadParameter* pad = param_.mutable_pad_param();
    pad->set_multiple_of(multiple_of);
    pad->set_mode(constant ? PadParameter::CONSTANT : PadParameter::EDGE);
    pad->set_value(value);
  }
  void ExpectEdgesRepeated() const {
    for (int n = 0; n < top_.num(); ++n) {
      for (int c = 0; c < top_.channels(); ++c) {
        for (int y = 0; y < top_.height(); ++y) {
          for (int x = 0; x < top_.width(); ++x) {
            EXPECT_EQ(top_.data_at(n, c, y, x),
                      bottom_.data_at(n, c, std::min(y, bottom_.height() - 1),
                                      std::min(x, bottom_.width() - 1)));
          }
        }
      }
    }
  }

  LayerParameter param_;
  Blob<Dtype> bottom_, top_;
  vector<Blob<Dtype>*> bottoms_{&bottom_}, tops_{&top_};
};

TYPED_TEST_SUITE(PadLayerTest, TestDtypesAndDevices);

TYPED_TEST(PadLayerTest, RepeatsTheLastRowAndColumn) {
  typedef typename TypeParam::Dtype Dtype;
  this->Settings(8);
  PadLayer<Dtype> layer(this->param_);
  const vector<vector<int>> shapes = {
      {1, 1, 1, 1}, {2, 3, 5, 9}, {1, 2, 8, 16}, {3, 1, 15, 2}};
  this->SetShape(shapes[0]);
  layer.SetUp(this->bottoms_, this->tops_);
  for (const vector<int>& shape : shapes) {
    this->SetShape(shape);
    layer.Forward(this->bottoms_, this->tops_);
    EXPECT_EQ(this->top_.height(), (shape[2] + 7) / 8 * 8);
    EXPECT_EQ(this->top_.width(), (shape[3] + 7) / 8 * 8);
    this->ExpectEdgesRepeated();
  }
}

TYPED_TEST(PadLayerTest, WritesAConstantThatMayBeNan) {
  typedef typename TypeParam::Dtype Dtype;
  this->Settings(4, true, std::numeric_limits<float>::quiet_NaN());
  this->SetShape({2, 2, 3, 6});
  PadLayer<Dtype> layer(this->param_);
  layer.SetUp(this->bottoms_, this->tops_);
  layer.Forward(this->bottoms_, this->tops_);
  ASSERT_EQ(this->top_.shape(), (vector<int>{2, 2, 4, 8}));
  for (int c = 0; c < 2; ++c) {
    for (int y = 0; y < 4; ++y) {
      for (int x = 0; x < 8; ++x) {
        const Dtype got = this->top_.data_at(1, c, y, x);
        if (y < 3 && x < 6) {
          EXPECT_EQ(got, this->bottom_.data_at(1, c, y, x));
        } else {
          EXPECT_TRUE(std::isnan(got));
        }
      }
    }
  }
}

TYPED_TEST(PadLayerTest, GradientOfBothModes) {
  typedef typename TypeParam::Dtype Dtype;
  for (const bool constant : {false, true}) {
    this->Settings(4, constant, 0.25f);
    this->SetShape({2, 1, 3, 5});
    PadLayer<Dtype> layer(this->param_);
    GradientChecker<Dtype> checker(1e-2, 1e-3);
    checker.CheckGradientExhaustive(&layer, this->bottoms_, this->tops_);
  }
}

TYPED_TEST(PadLayerTest, RefusesWhatItCannotPad) {
  typedef typename TypeParam::Dtype Dtype;
  this->param_.set_name("frame1");
  this->Settings(0);
  this->SetShape({1, 1, 3, 5});
  PadLayer<Dtype> zero(this->param_);
  EXPECT_THROW(zero.SetUp(this->bottoms_, this->tops_), Error);
  this->Settings(-4);  // a huge number without sign: the size would overflow
  PadLayer<Dtype> huge(this->param_);
  EXPECT_THROW(huge.SetUp(this->bottoms_, this->tops_), Error);
  this->Settings(4);
  this->SetShape({3, 5});
  PadLayer<Dtype> flat(this->param_);
  const string error = FullErrorOf([&] { flat.SetUp(this->bottoms_, this->tops_); });
  EXPECT_TRUE(has_words(error, {"frame1", "3 5 (15)"}));
}

}  // namespace
}  // namespace caffe

// The fixture of DataAugmentation's tests: a layer made from text, its blobs.
#ifndef CAFFE_SRC_TEST_DATA_AUGMENTATION_CHECK_HPP_
#define CAFFE_SRC_TEST_DATA_AUGMENTATION_CHECK_HPP_

#include <google/protobuf/text_format.h>

#include <memory>
#include <string>
#include <vector>

#include "any_device_test.hpp"
#include "augmentation_check.hpp"
#include "caffe/layers/data_augmentation_layer.hpp"
#include "error_check.hpp"

namespace caffe {

template <typename TypeParam>
class DataAugmentationLayerTest : public AnyDeviceTest<TypeParam> {
 protected:
  typedef typename TypeParam::Dtype Dtype;

  void SetUpLayer(const string& text, Phase phase = TRAIN) {
    param_.mutable_augmentation_param()->Clear();
    ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString(
        text, param_.mutable_augmentation_param()));
    param_.set_phase(phase);
    layer_ = std::make_shared<DataAugmentationLayer<Dtype>>(param_);
    layer_->SetUp(bottoms_, tops_);
  }
  void Forward() { layer_->Forward(bottoms_, tops_); }
  void ExpectRefused(const string& text, const string& words) {
    const string error = FullErrorOf([&] {
      SetUpLayer(text);
      Forward();
    });
    EXPECT_TRUE(has_words(error, {words}));
  }
  vector<Dtype> Top() const { return copy_of(top_.cpu_data(), top_.count()); }
  /// Bottom 1 holds these.
  void Give(const vector<Coefficients>& items) {
    fill_coefficients(items, &second_);
    bottoms_ = {&bottom_, &second_};
  }

  LayerParameter param_;
  shared_ptr<DataAugmentationLayer<Dtype>> layer_;
  Blob<Dtype> bottom_, second_, top_, second_top_;
  vector<Blob<Dtype>*> bottoms_{&bottom_}, tops_{&top_};
};

}  // namespace caffe

#endif  // CAFFE_SRC_TEST_DATA_AUGMENTATION_CHECK_HPP_

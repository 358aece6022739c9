// GenerateAugmentationParameters: draws augmentation coefficients for other layers to
// use.
#ifndef CAFFE_GENERATE_AUGMENTATION_PARAMETERS_LAYER_HPP_
#define CAFFE_GENERATE_AUGMENTATION_PARAMETERS_LAYER_HPP_

#include <vector>

#include "caffe/blob.hpp"
#include "caffe/layer.hpp"
#include "caffe/layers/augmentation_draw.hpp"

namespace caffe {

/// Top (N, 42, 1, 1), one augmentation an item. Bottoms, three or one:
///  three: coefficients (N, 42, 1, 1), the data to be cropped, the crop: their sizes tell
///    where a crop may lie;
///  one, larger than 1x1: data to be cropped to crop_width x crop_height; only its size
///    and N are used, and mode is "regenerate";
///  one of 1x1: coefficients; crop_width, crop_height, bottomwidth and bottomheight are
///    given.
/// Mode: "add" (default): drawn on top of the incoming; "replace": groups (spatial,
/// chromatic, eigen-chromatic, effects) with a field in augmentation_param replace the
/// incoming ones; "regenerate": the incoming are not read. Groups without a field pass.
/// Drawn in TRAIN, and in TEST with augment_during_test. Spatial draws keep the crop
/// inside the data (AugmentationDraw). Spreads follow coeff_schedule_param at the count
/// of passes of this layer.
///
/// From the flow forks (facts: layers_flow.md 6.8).
/// differs: the count of passes is not lost on a reshape and is in snapshots of a solver;
/// a spatial draw that fits at the 50th try counts; an unknown mode is an error.
template <typename Dtype>
class GenerateAugmentationParametersLayer : public Layer<Dtype> {
 public:
  explicit GenerateAugmentationParametersLayer(const LayerParameter& param)
      : Layer<Dtype>(param) {}
  void LayerSetUp(const vector<Blob<Dtype>*>& bottom,
                  const vector<Blob<Dtype>*>& top) override;
  void Reshape(const vector<Blob<Dtype>*>& bottom,
               const vector<Blob<Dtype>*>& top) override;

  const char* type() const override { return "GenerateAugmentationParameters"; }
  int MinBottomBlobs() const override { return 1; }
  int MaxBottomBlobs() const override { return 3; }
  int ExactNumTopBlobs() const override { return 1; }
  bool AllowBackward() const override { return false; }

  /// The count of passes.
  string GetState() override;
  void SetState(const string& state) override;

 protected:
  void Forward_cpu(const vector<Blob<Dtype>*>& bottom,
                   const vector<Blob<Dtype>*>& top) override;
  void Forward_gpu(const vector<Blob<Dtype>*>& bottom,
                   const vector<Blob<Dtype>*>& top) override;
  void Backward_cpu(const vector<Blob<Dtype>*>& top, const vector<bool>& propagate_down,
                    const vector<Blob<Dtype>*>& bottom) override;
  void Backward_gpu(const vector<Blob<Dtype>*>& top, const vector<bool>& propagate_down,
                    const vector<Blob<Dtype>*>& bottom) override;

 private:
  string where() const {
    return "GenerateAugmentationParameters layer '" + this->layer_param_.name() + "': ";
  }
  const AugmentationParameter& param() const {
    return this->layer_param_.augmentation_param();
  }
  CropShape ShapeOf(const vector<Blob<Dtype>*>& bottom) const;

  AugmentationMode mode_ = AugmentationMode::kAdd;
  CropShape shape_;
  int passes_ = 0;
};

}  // namespace caffe

#endif  // CAFFE_GENERATE_AUGMENTATION_PARAMETERS_LAYER_HPP_

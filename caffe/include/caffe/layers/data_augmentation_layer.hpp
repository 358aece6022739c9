// DataAugmentation: the mean subtraction and centre crop that the flow nets begin with.
#ifndef CAFFE_DATA_AUGMENTATION_LAYER_HPP_
#define CAFFE_DATA_AUGMENTATION_LAYER_HPP_

#include <vector>

#include "caffe/backend/resample.hpp"
#include "caffe/blob.hpp"
#include "caffe/layer.hpp"

namespace caffe {

/// Bottom (N, C, H, W); top 0 (N, C, crop_height, crop_width), or like the bottom where
/// no crop is given; top 1, if there, (N, 42, 1, 1): the coefficients of "unchanged",
/// zeros.
///
/// With a crop pixel (x, y) is fetched at X = min(x + (W - cw) / 2, W - 1.05), Y
/// likewise, by bilinear interpolation: the last column and row are blended even where
/// nothing is cropped, and odd margins interpolate (published weights have seen it so).
/// Mean: with recompute_mean R > 0 the parameters hold [0] the count of passes, [1] the
/// mean image (1, C, ch, cw), [2] the channel means (1, C, 1, 1); while the count is at
/// most R they follow the images, in TEST too; [1] (mean_per_pixel) or [2] is subtracted.
/// R = 0 with three `mean` values and mean_per_pixel false: these are subtracted. The
/// count rises by 1 a pass. No gradient: the diff is 0.
///
/// From the flow forks (facts: layers_flow.md 6.4).
/// differs: random augmentation and a second bottom of coefficients are refused (not
/// written yet); reshaping does not restart the count.
template <typename Dtype>
class DataAugmentationLayer : public Layer<Dtype> {
 public:
  explicit DataAugmentationLayer(const LayerParameter& param) : Layer<Dtype>(param) {}
  void LayerSetUp(const vector<Blob<Dtype>*>& bottom,
                  const vector<Blob<Dtype>*>& top) override;
  void Reshape(const vector<Blob<Dtype>*>& bottom,
               const vector<Blob<Dtype>*>& top) override;

  const char* type() const override { return "DataAugmentation"; }
  int MinBottomBlobs() const override { return 1; }
  int MaxBottomBlobs() const override { return 2; }
  int MinTopBlobs() const override { return 1; }
  int MaxTopBlobs() const override { return 2; }
  bool AllowBackward() const override { return false; }

  /// Weights of a net of another size fit: the channel means come from the file, or from
  /// its mean image.
  bool DoesUseCustomCopyBlobs() const override { return true; }
  void CustomCopyBlobs(const vector<Blob<float>*>& source) override;

 protected:
  void Forward_cpu(const vector<Blob<Dtype>*>& bottom,
                   const vector<Blob<Dtype>*>& top) override;
  void Backward_cpu(const vector<Blob<Dtype>*>& top, const vector<bool>& propagate_down,
                    const vector<Blob<Dtype>*>& bottom) override;

 private:
  bool crops() const;
  void RefuseRandomAugmentation(size_t bottoms) const;
  void MakeParameters(int channels, int height, int width);
  /// Takes the top into the running mean; `passes` are the count with this one.
  void UpdateMean(const Blob<Dtype>& top, double passes);
  void SetChannelMeans();
  void SubtractMean(Blob<Dtype>* top) const;

  ResampleTaps<Dtype> rows_, columns_;
};

}  // namespace caffe

#endif  // CAFFE_DATA_AUGMENTATION_LAYER_HPP_

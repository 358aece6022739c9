// DataAugmentation: random geometry and colour of images, and the mean subtraction that
// the flow nets begin with.
#ifndef CAFFE_DATA_AUGMENTATION_LAYER_HPP_
#define CAFFE_DATA_AUGMENTATION_LAYER_HPP_

#include <vector>

#include "caffe/backend/resample.hpp"
#include "caffe/blob.hpp"
#include "caffe/layer.hpp"
#include "caffe/layers/affine_sampler.hpp"
#include "caffe/layers/augmentation_coefficients.hpp"
#include "caffe/layers/augmentation_colour.hpp"
#include "caffe/layers/augmentation_draw.hpp"
#include "caffe/layers/augmentation_effects.hpp"

namespace caffe {

/// Bottom 0 (N, C, H, W), bottom 1 (optional) (N, 42, 1, 1): coefficients to use. Top 0
/// (N, C, crop_height, crop_width), or like the bottom where no crop is given; top 1,
/// if there, (N, 42, 1, 1): the coefficients that were used.
///
/// With a crop, and only then, each item is augmented. Its coefficients are bottom 1's;
/// or they are drawn, in TRAIN or with augment_during_test, from the distributions that
/// augmentation_param names, their spreads scaled by coeff_schedule_param at the count of
/// passes. Draws come from the generator of the thread (set_random_seed, random_seed).
///  1. Geometry: pixel (x, y) is fetched at CropShape::Map, clamped to [0, W - 1.05],
///     bilinear: the last column and row are blended even where nothing is cropped, and
///     odd margins interpolate (published weights have seen it so).
///  2. If any item has a coefficient of the group: eigen-chromatic (apply_eigen; needs
///     chromatic_eigvec and 3 channels), then chromatic (apply_chromatic; 3 channels),
///     then shadow and noise (EffectsPass), each on all items: the clamps in them act on
///     every item of the batch. Coefficients within 1e-3 of "unchanged" are that.
/// Mean: with recompute_mean R > 0 the parameters hold [0] the count of passes, [1] the
/// mean image (1, C, ch, cw), [2] the channel means (1, C, 1, 1); while the count is at
/// most R they follow the images, in TEST too; [1] (mean_per_pixel) or [2] is subtracted.
/// R = 0 with three `mean` values and mean_per_pixel false: these are subtracted. The
/// count rises by 1 a pass. No gradient: the diff is 0.
///
/// From the flow forks (facts: layers_flow.md 6).
/// differs: reshaping does not restart the count; a spatial draw that fits at the 50th
/// try counts; fewer than 9 numbers of chromatic_eigvec are an error; a negative factor
/// is one too (there: NaN); shadow and noise take any number of channels; the noise comes
/// from the seeded generator and is the same on every device; on a device the
/// count stands still once nothing depends on it, so that the pass can be recorded; no
/// log per image and no file of the author's machine.
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
  /// Where nothing is drawn, given or estimated any more: in deployed nets.
  bool RepeatsOnDevice() const override;

  /// Weights of a net of another size fit: the channel means come from the file, or from
  /// its mean image.
  bool DoesUseCustomCopyBlobs() const override { return true; }
  void CustomCopyBlobs(const vector<Blob<float>*>& source) override;

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
  /// What one pass has to do beyond the centre crop.
  struct Work {
    bool moves = false, eigen = false, chromatic = false, effects = false;
    std::uint64_t noise_seed = 0;

    bool any() const { return moves || eigen || chromatic || effects; }
  };

  string where() const {
    return "DataAugmentation layer '" + this->layer_param_.name() + "': ";
  }
  const AugmentationParameter& param() const {
    return this->layer_param_.augmentation_param();
  }
  bool crops() const { return param().has_crop_width() && param().has_crop_height(); }
  bool draws_now() const {
    return this->phase_ == TRAIN || param().augment_during_test();
  }
  void CheckParameters(int channels) const;
  void WarnOfIdleSettings(int channels, bool given_coefficients) const;
  void MakeParameters(int channels, int height, int width);

  double CountPass();
  /// Takes or draws this pass's coefficients: top 1, `values_` and `maps_` get them.
  Work Prepare(const vector<Blob<Dtype>*>& bottom, const vector<Blob<Dtype>*>& top,
               double pass);
  Work WorkOf(const vector<AugmentationCoefficients<double>>& items) const;
  /// Where the passes over pixels find what they need: all on the host, or all on the
  /// device.
  struct Side {
    const Dtype* image;
    Dtype* crop;
    const Dtype* maps;  ///< null: nothing moves
    const Dtype* values;
    const ColourStatistics<Dtype>* statistics;
  };
  AffineSampler<Dtype> Sampler(const Side& side) const;
  ColourPass<Dtype> Colours(const Work& work, const Side& side) const;
  EffectsPass<Dtype> Effects(const Work& work, const Side& side) const;

  const ColourStatistics<Dtype>* Statistics_cpu(const Blob<Dtype>& image);
  const ColourStatistics<Dtype>* Statistics_gpu(const Blob<Dtype>& image);
  void Augment_cpu(const Work& work, const Blob<Dtype>& image, Blob<Dtype>* crop);
  void Augment_gpu(const Work& work, const Blob<Dtype>& image, Blob<Dtype>* crop);
  void SubtractMean_cpu(double pass, Blob<Dtype>* images);
  void SubtractMean_gpu(double pass, Blob<Dtype>* images);
  /// chromatic_eigvec. @throws Error unless it has 9 numbers
  ColourAxes<Dtype> Axes() const;
  /// The values of `mean`, where they are what is to be subtracted.
  vector<Dtype> GivenMeans(int channels) const;

  CropShape shape_;
  int channels_ = 0;
  bool alone_ = false;  // one bottom, one top
  ResampleTaps<Dtype> rows_, columns_;
  Blob<Dtype> values_;      // (N, 42), not stored logarithms but values
  Blob<Dtype> maps_;        // (N, 6)
  Blob<Dtype> statistics_;  // one ColourStatistics
};

}  // namespace caffe

#endif  // CAFFE_DATA_AUGMENTATION_LAYER_HPP_

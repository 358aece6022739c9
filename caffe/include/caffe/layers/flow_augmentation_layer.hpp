// FlowAugmentation: the flow between two images after both were augmented.
#ifndef CAFFE_FLOW_AUGMENTATION_LAYER_HPP_
#define CAFFE_FLOW_AUGMENTATION_LAYER_HPP_

#include <vector>

#include "caffe/blob.hpp"
#include "caffe/layer.hpp"
#include "caffe/layers/affine_map.hpp"

namespace caffe {

/// One item's maps: 16 numbers, read from a blob as an array. With T0 and T1 the maps of
/// the images' crops, T1^-1 (T0 p + F) - p = drift(p) + turn F.
template <typename T>
struct FlowMap {
  AffineMap<T> position;                 ///< T0
  AffineMap<T> drift;                    ///< T1^-1 T0 - 1
  T turn_xx, turn_xy, turn_yx, turn_yy;  ///< T1^-1 without its shift
};

/// Pixel i of the N height width pixels of the crop, both channels.
template <typename Dtype>
struct FlowSampler {
  CropShape shape;
  const FlowMap<Dtype>* maps;
  const Dtype* flow;
  Dtype* crop;

  CAFFE_HD void operator()(int i) const {
    const int plane = shape.height * shape.width;
    const int item = i / plane, pixel = i % plane;
    const Dtype y = static_cast<Dtype>(pixel / shape.width);
    const Dtype x = static_cast<Dtype>(pixel % shape.width);
    const FlowMap<Dtype> map = maps[item];
    // The nearest pixel of the flow.
    const Dtype column = std::floor(map.position.X(x, y) + Dtype(0.5));
    const Dtype row = std::floor(map.position.Y(x, y) + Dtype(0.5));
    Dtype u = NAN, v = NAN;
    if (column >= 0 && column < shape.image_width && row >= 0 &&
        row < shape.image_height) {
      const int image_plane = shape.image_height * shape.image_width;
      const Dtype* from =
          flow + (item * 2 * image_plane + static_cast<int>(row) * shape.image_width +
                  static_cast<int>(column));
      u = from[0];
      v = from[image_plane];
    }
    Dtype* to = crop + (item * 2 * plane + pixel);
    to[0] = map.drift.X(x, y) + map.turn_xx * u + map.turn_xy * v;
    to[plane] = map.drift.Y(x, y) + map.turn_yx * u + map.turn_yy * v;
  }
};

/// Bottoms: flow (N, 2, H, W) in pixels, the coefficients (N, 42, 1, 1) of image 0 and of
/// image 1; top (N, 2, crop_height, crop_width), both required. For each pixel p of the
/// crop, T0 p is where image 0 was fetched, its nearest pixel gives the flow F, and the
/// top is T1^-1 (T0 p + F) - p: where image 1's crop shows the same thing.
/// NaN in either channel makes both NaN. No gradient: the diff is 0.
///
/// From the flow forks (facts: layers_flow.md 6.9).
/// differs: NaN where T0 p is outside the flow (there: whatever the memory holds).
template <typename Dtype>
class FlowAugmentationLayer : public Layer<Dtype> {
 public:
  explicit FlowAugmentationLayer(const LayerParameter& param) : Layer<Dtype>(param) {}
  void LayerSetUp(const vector<Blob<Dtype>*>& bottom,
                  const vector<Blob<Dtype>*>& top) override;
  void Reshape(const vector<Blob<Dtype>*>& bottom,
               const vector<Blob<Dtype>*>& top) override;

  const char* type() const override { return "FlowAugmentation"; }
  int ExactNumBottomBlobs() const override { return 3; }
  int ExactNumTopBlobs() const override { return 1; }
  bool AllowBackward() const override { return false; }

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
    return "FlowAugmentation layer '" + this->layer_param_.name() + "': ";
  }
  /// Fills `maps_` from the coefficients.
  void MakeMaps(const vector<Blob<Dtype>*>& bottom);

  CropShape shape_;
  Blob<Dtype> maps_;  // (N, 16)
};

}  // namespace caffe

#endif  // CAFFE_FLOW_AUGMENTATION_LAYER_HPP_

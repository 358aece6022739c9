// BlackAugmentation: now and then a pair without motion, or with a black border.
#ifndef CAFFE_BLACK_AUGMENTATION_LAYER_HPP_
#define CAFFE_BLACK_AUGMENTATION_LAYER_HPP_

#include <vector>

#include "caffe/blob.hpp"
#include "caffe/device/body.hpp"
#include "caffe/layer.hpp"

namespace caffe {

/// What happens to one item, in the layer's type: read from a blob as an array.
template <typename T>
struct BlackItem {
  T still;                        ///< not 0: no motion
  T border_width, border_height;  ///< pixels that become 0 on each side
};

/// Element i of one blob (N, C, H, W): to[i] gets from[i], black[i] where its item is
/// still, 0 in the border. Null pointers stand for zeros. With `add`, only the elements
/// of still items change, and black[i] is added to them.
template <typename Dtype>
struct BlackPass {
  int channels, height, width;
  bool add;
  const BlackItem<Dtype>* items;
  const Dtype* from;
  const Dtype* black;
  Dtype* to;

  CAFFE_HD void operator()(int i) const {
    const int x = i % width, y = i / width % height;
    const BlackItem<Dtype> item = items[i / (channels * height * width)];
    if (item.still != 0) {
      const Dtype value = black == nullptr ? Dtype(0) : black[i];
      to[i] = add ? to[i] + value : value;
    } else if (!add) {
      const bool inside = x >= item.border_width && x < width - item.border_width &&
                          y >= item.border_height && y < height - item.border_height;
      to[i] = inside && from != nullptr ? from[i] : Dtype(0);
    }
  }
};

/// As many tops as bottoms, shaped alike; each is a flow (N, 2, H, W) or an image (N, 3,
/// H, W), of equal N, H, W. Each item, in every pass and phase, by draws from
/// black_augmentation_param:
///  black != 0: every flow is 0 and every image is a copy of the last image;
///  else border b != 0: 0 at the left and right (b W pixels), above and below (b H), or
///    both, by equal chances;
///  else unchanged.
/// Backward is the adjoint: still items give the sum of the images' gradients to the last
/// image and none to the others.
///
/// From FlowNet2 (facts: layers_flow.md 6.10).
/// differs: the last image is written too where an item is still; there is a backward;
/// the kind of border comes from the seeded generator.
template <typename Dtype>
class BlackAugmentationLayer : public Layer<Dtype> {
 public:
  explicit BlackAugmentationLayer(const LayerParameter& param) : Layer<Dtype>(param) {}
  void LayerSetUp(const vector<Blob<Dtype>*>& bottom,
                  const vector<Blob<Dtype>*>& top) override;
  void Reshape(const vector<Blob<Dtype>*>& bottom,
               const vector<Blob<Dtype>*>& top) override;

  const char* type() const override { return "BlackAugmentation"; }
  int MinBottomBlobs() const override { return 1; }
  bool EqualNumBottomTopBlobs() const override { return true; }

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
  /// Fills `items_`.
  void Draw(const Blob<Dtype>& bottom);
  static bool is_image(const Blob<Dtype>& blob) { return blob.channels() == 3; }
  /// Index of the last image; -1 where all are flows.
  static int LastImage(const vector<Blob<Dtype>*>& blobs);
  /// Runs over one blob; `items` on the side where it will run, other pointers null.
  BlackPass<Dtype> PassOver(const Blob<Dtype>& blob, const Dtype* items) const;

  Blob<Dtype> items_;  // (N, 3)
};

}  // namespace caffe

#endif  // CAFFE_BLACK_AUGMENTATION_LAYER_HPP_

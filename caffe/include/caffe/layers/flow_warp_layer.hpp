// FlowWarp: fetches an image along a flow (backward warping), as FlowNet2 does.
#ifndef CAFFE_FLOW_WARP_LAYER_HPP_
#define CAFFE_FLOW_WARP_LAYER_HPP_

#include <vector>

#include "caffe/blob.hpp"
#include "caffe/layers/warp_base_layer.hpp"

namespace caffe {

/// Bottoms: image (N, C, H, W) and flow (N, 2, H, W) in pixels of this grid (u, v); top
/// like the image: top[c, y, x] = image[c, y + v, x + u], bilinear.
///
/// Inside is 0 <= x + u < W and 0 <= y + v < H: beyond the centre of the last column or
/// row that one repeats. Outside, and where the flow is NaN: flow_warp_param.fill_value
/// (0 or NaN), and no gradient. At whole positions the flow's gradient is the right-hand
/// derivative.
///
/// From FlowNet2 (facts: layers_flow.md 2.1).
template <typename Dtype>
class FlowWarpLayer : public WarpBaseLayer<Dtype> {
 public:
  explicit FlowWarpLayer(const LayerParameter& param) : WarpBaseLayer<Dtype>(param) {}
  void Reshape(const vector<Blob<Dtype>*>& bottom,
               const vector<Blob<Dtype>*>& top) override;

  const char* type() const override { return "FlowWarp"; }

 protected:
  Dtype fill() const override;
  using WarpBaseLayer<Dtype>::shape_;
};

}  // namespace caffe

#endif  // CAFFE_FLOW_WARP_LAYER_HPP_

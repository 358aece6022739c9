// Warp: fetches an image at positions that PWC-Net gives as a flow, LiteFlowNet as
// coordinates.
#ifndef CAFFE_WARP_LAYER_HPP_
#define CAFFE_WARP_LAYER_HPP_

#include <vector>

#include "caffe/blob.hpp"
#include "caffe/layers/warp_base_layer.hpp"

namespace caffe {

/// Bottoms: image (N, C, H, W) and flow or coordinates (N, 2, H', W'); top (N, C, H',
/// W'). `warp_param.coordinates` tells which; AUTO, which the net resolves, is RELATIVE
/// elsewhere.
///
/// RELATIVE (PWC-Net): H' = H, W' = W, X = x + u, Y = y + v, bilinear; 0 unless 0 <= X <=
/// W - 1 and 0 <= Y <= H - 1. On a whole X the derivative by u is the mean of the
/// one-sided ones. ABSOLUTE (LiteFlowNet): X = u, Y = v; each of the four neighbours that
/// is outside counts as 0. NaN positions give 0 in both.
///
/// From the forks (facts: layers_flow.md 2.2 to 2.4).
template <typename Dtype>
class WarpLayer : public WarpBaseLayer<Dtype> {
 public:
  explicit WarpLayer(const LayerParameter& param) : WarpBaseLayer<Dtype>(param) {}
  void LayerSetUp(const vector<Blob<Dtype>*>& bottom,
                  const vector<Blob<Dtype>*>& top) override;
  void Reshape(const vector<Blob<Dtype>*>& bottom,
               const vector<Blob<Dtype>*>& top) override;

  const char* type() const override { return "Warp"; }

 protected:
  using WarpBaseLayer<Dtype>::shape_;
};

}  // namespace caffe

#endif  // CAFFE_WARP_LAYER_HPP_

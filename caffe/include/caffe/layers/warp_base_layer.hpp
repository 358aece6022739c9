// WarpBaseLayer: what FlowWarp and Warp do once their shapes are known.
#ifndef CAFFE_WARP_BASE_LAYER_HPP_
#define CAFFE_WARP_BASE_LAYER_HPP_

#include <vector>

#include "caffe/backend/warp.hpp"
#include "caffe/blob.hpp"
#include "caffe/layer.hpp"

namespace caffe {

/// Bottoms: image (N, C, H, W) and flow or coordinates (N, 2, H', W'); top (N, C, H',
/// W'): the image at those positions by shape_'s rule.
template <typename Dtype>
class WarpBaseLayer : public Layer<Dtype> {
 public:
  explicit WarpBaseLayer(const LayerParameter& param) : Layer<Dtype>(param) {}

  int ExactNumBottomBlobs() const override { return 2; }
  int ExactNumTopBlobs() const override { return 1; }
  bool RepeatsOnDevice() const override { return true; }

 protected:
  void Forward_cpu(const vector<Blob<Dtype>*>& bottom,
                   const vector<Blob<Dtype>*>& top) override;
  void Backward_cpu(const vector<Blob<Dtype>*>& top, const vector<bool>& propagate_down,
                    const vector<Blob<Dtype>*>& bottom) override;
  void Forward_gpu(const vector<Blob<Dtype>*>& bottom,
                   const vector<Blob<Dtype>*>& top) override;
  void Backward_gpu(const vector<Blob<Dtype>*>& top, const vector<bool>& propagate_down,
                    const vector<Blob<Dtype>*>& bottom) override;
  /// What the top gets where the position is outside.
  virtual Dtype fill() const { return 0; }

  WarpShape shape_;
};

}  // namespace caffe

#endif  // CAFFE_WARP_BASE_LAYER_HPP_

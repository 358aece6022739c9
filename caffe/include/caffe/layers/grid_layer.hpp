// Grid: the coordinates of every pixel.
#ifndef CAFFE_GRID_LAYER_HPP_
#define CAFFE_GRID_LAYER_HPP_

#include <cstdint>
#include <vector>

#include "caffe/blob.hpp"
#include "caffe/device/body.hpp"
#include "caffe/layer.hpp"

namespace caffe {

/// Entry i of a blob (N, 2, height, width): x in channel 0, y in channel 1.
template <typename Dtype>
struct GridValue {
  int height, width;
  Dtype* out;
  CAFFE_HD void operator()(std::int64_t i) const {
    const std::int64_t row = i / width;  // over items and channels
    const bool is_y = row / height % 2 == 1;
    out[i] = static_cast<Dtype>(is_y ? row % height : i % width);
  }
};

/// Bottom (N, C, H, W), of which only N, H and W are used; top (N, 2, H, W): top[n, 0, y,
/// x] = x, top[n, 1, y, x] = y, pixels. Added to a flow it gives the absolute coordinates
/// that LiteFlowNet's Warp reads. The bottom's gradient is 0.
///
/// From LiteFlowNet (facts: layers_flow.md 2.5).
/// differs: there backward is an error.
template <typename Dtype>
class GridLayer : public Layer<Dtype> {
 public:
  explicit GridLayer(const LayerParameter& param) : Layer<Dtype>(param) {}
  void Reshape(const vector<Blob<Dtype>*>& bottom,
               const vector<Blob<Dtype>*>& top) override;

  inline const char* type() const override { return "Grid"; }
  inline bool RepeatsOnDevice() const override { return true; }
  inline int ExactNumBottomBlobs() const override { return 1; }
  inline int ExactNumTopBlobs() const override { return 1; }
  inline bool AllowBackward() const override { return false; }

 protected:
  void Forward_cpu(const vector<Blob<Dtype>*>& bottom,
                   const vector<Blob<Dtype>*>& top) override;
  void Forward_gpu(const vector<Blob<Dtype>*>& bottom,
                   const vector<Blob<Dtype>*>& top) override;
  void Backward_cpu(const vector<Blob<Dtype>*>& top, const vector<bool>& propagate_down,
                    const vector<Blob<Dtype>*>& bottom) override;
  void Backward_gpu(const vector<Blob<Dtype>*>& top, const vector<bool>& propagate_down,
                    const vector<Blob<Dtype>*>& bottom) override;
};

}  // namespace caffe

#endif  // CAFFE_GRID_LAYER_HPP_

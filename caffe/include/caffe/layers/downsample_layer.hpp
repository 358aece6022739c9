// Downsample: shrinks true flow that is not known everywhere (and images).
#ifndef CAFFE_DOWNSAMPLE_LAYER_HPP_
#define CAFFE_DOWNSAMPLE_LAYER_HPP_

#include <vector>

#include "caffe/backend/downsample.hpp"
#include "caffe/blob.hpp"
#include "caffe/layer.hpp"

namespace caffe {

/// Bottom 0 (N, C, H, W); top (N, C, H', W'), H', W' from downsample_param or bottom 1
/// (its values are not used).
///
/// Over the pixels around the corner-aligned position, weighted by a tent as wide as the
/// scale (DownsampleAxis): top = (sum of known g x) / (sum of known g); NaN where the
/// weight of unknown (NaN) pixels exceeds half of that of known ones, or none is known.
///
/// From the flow forks (facts: layers_flow.md 3.2).
/// differs: has a gradient, dx = sum dy g / (sum of known g) at known pixels; works to
/// and from one pixel; equal sizes are copied, not shared.
template <typename Dtype>
class DownsampleLayer : public Layer<Dtype> {
 public:
  explicit DownsampleLayer(const LayerParameter& param) : Layer<Dtype>(param) {}
  void LayerSetUp(const vector<Blob<Dtype>*>& bottom,
                  const vector<Blob<Dtype>*>& top) override;
  void Reshape(const vector<Blob<Dtype>*>& bottom,
               const vector<Blob<Dtype>*>& top) override;

  const char* type() const override { return "Downsample"; }
  int MinBottomBlobs() const override { return 1; }
  int MaxBottomBlobs() const override { return 2; }
  int ExactNumTopBlobs() const override { return 1; }
  bool RepeatsOnDevice() const override { return true; }
  bool AllowForceBackward(const int bottom_index) const override {
    return bottom_index == 0;
  }

 protected:
  void Forward_cpu(const vector<Blob<Dtype>*>& bottom,
                   const vector<Blob<Dtype>*>& top) override;
  void Backward_cpu(const vector<Blob<Dtype>*>& top, const vector<bool>& propagate_down,
                    const vector<Blob<Dtype>*>& bottom) override;
  void Forward_gpu(const vector<Blob<Dtype>*>& bottom,
                   const vector<Blob<Dtype>*>& top) override;
  void Backward_gpu(const vector<Blob<Dtype>*>& top, const vector<bool>& propagate_down,
                    const vector<Blob<Dtype>*>& bottom) override;

 private:
  bool SameSize() const { return rows_.in == rows_.out && columns_.in == columns_.out; }

  DownsampleAxis rows_, columns_;
};

}  // namespace caffe

#endif  // CAFFE_DOWNSAMPLE_LAYER_HPP_

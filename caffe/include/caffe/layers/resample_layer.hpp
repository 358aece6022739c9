// Resample: resizes images by nearest pixel, linear or cubic interpolation.
#ifndef CAFFE_RESAMPLE_LAYER_HPP_
#define CAFFE_RESAMPLE_LAYER_HPP_

#include <vector>

#include "caffe/backend/device_taps.hpp"
#include "caffe/backend/resample.hpp"
#include "caffe/blob.hpp"
#include "caffe/layer.hpp"

namespace caffe {

/// Bottom 0 (N, C, H, W); top (N, C, H', W'), where H', W' are resample_param's height
/// and width or, with a second bottom, that bottom's (its values are not used).
///
/// top[y, x] = sum_{s, p} w bottom[s, p] / sum w over the pixels inside the image,
/// w = kappa((s - Y) / fy) kappa((p - X) / fx), X = (x + 1/2) W / W' - 1/2; fx = max(1, W
/// / W') with `antialias`, else 1. NEAREST: the pixel at the rounded position.
///
/// From the flow forks (facts: layers_flow.md 3.1).
/// differs: the forks exchange the offsets of x and y where the scales differ, have no
/// gradient, and narrow the kernel on an axis that grows while the other one shrinks.
template <typename Dtype>
class ResampleLayer : public Layer<Dtype> {
 public:
  explicit ResampleLayer(const LayerParameter& param) : Layer<Dtype>(param) {}
  void LayerSetUp(const vector<Blob<Dtype>*>& bottom,
                  const vector<Blob<Dtype>*>& top) override;
  void Reshape(const vector<Blob<Dtype>*>& bottom,
               const vector<Blob<Dtype>*>& top) override;

  const char* type() const override { return "Resample"; }
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
  void MakeAdjoint();

  ResampleAxis::Kernel kernel_ = ResampleAxis::kLinear;
  ResampleTaps<Dtype> rows_, columns_;
  // The adjoint, made when backward first runs.
  ResampleTaps<Dtype> rows_back_, columns_back_;
  DeviceTaps<Dtype> device_rows_, device_columns_, device_rows_back_,
      device_columns_back_;
};

}  // namespace caffe

#endif  // CAFFE_RESAMPLE_LAYER_HPP_

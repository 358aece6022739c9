// FlowScale: a flow in pixels of one grid, as pixels of another.
#ifndef CAFFE_FLOW_SCALE_LAYER_HPP_
#define CAFFE_FLOW_SCALE_LAYER_HPP_

#include <vector>

#include "caffe/blob.hpp"
#include "caffe/layer.hpp"

namespace caffe {

/// Bottoms: flow (N, 2, h, w); `from`, an image of the grid whose pixels the flow is in;
/// `to`, one of the grid whose pixels are wanted. Of the last two only height and width
/// are read. Top (N, 2, h, w), which may be the flow's own blob.
///
/// top[n, 0, y, x] = u[n, y, x] W_to / W_from,  top[n, 1, y, x] = v[n, y, x] H_to /
/// H_from. Unknown flow (NaN) stays unknown. The gradient takes the same factors. Ours:
/// the flow networks see images stretched to multiples of 64; the published nets bring
/// their flow back by a 1x1 convolution whose weights a script writes for each size.
template <typename Dtype>
class FlowScaleLayer : public Layer<Dtype> {
 public:
  explicit FlowScaleLayer(const LayerParameter& param) : Layer<Dtype>(param) {}
  void Reshape(const vector<Blob<Dtype>*>& bottom,
               const vector<Blob<Dtype>*>& top) override;

  const char* type() const override { return "FlowScale"; }
  int ExactNumBottomBlobs() const override { return 3; }
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
  /// flow of `count` values in planes of `plane` (u, v, u, v, ...), times the factors.
  void Multiply(int count, int plane, const Dtype* flow, Dtype* scaled) const;

  Dtype u_factor_ = 1, v_factor_ = 1;
};

}  // namespace caffe

#endif  // CAFFE_FLOW_SCALE_LAYER_HPP_

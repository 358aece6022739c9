// Correlation and Correlation1D: how well a pixel of one map fits its neighbours in
// another.
#ifndef CAFFE_CORRELATION_LAYER_HPP_
#define CAFFE_CORRELATION_LAYER_HPP_

#include <vector>

#include "caffe/backend/correlation.hpp"
#include "caffe/blob.hpp"
#include "caffe/layer.hpp"

namespace caffe {

/// Two bottoms (N, C, H, W), one top (N, D^2, H', W'), D = 2 floor(max_displacement /
/// stride_2)
/// + 1, H' = ceil((H + 2 pad - 2 (max_displacement + (kernel_size - 1) / 2)) / stride_1).
///
/// top[q, y, x] = 1 / (K^2 C) sum_{j, i < K, c} A[c, y1 + j, x1 + i] B[c, y1 + j + dy, x1
/// + i + dx], A and B the bottoms padded with zeros, y1 = y stride_1 + max_displacement
/// (padded coordinates), dx = (q mod D - floor(D / 2)) stride_2, dy likewise from floor(q
/// / D). SUBTRACT: |A - B| in place of the product. FlowNetC (Dosovitskiy et al. 2015),
/// equation 1, divided.
///
/// From the flow forks (facts: layers_flow.md 1).
/// differs: there the gradient of SUBTRACT compares values at wrong places and takes
/// sign(0) = 1.
/// `do_abs` has no effect, as there: published networks may carry it.
template <typename Dtype>
class CorrelationLayer : public Layer<Dtype> {
 public:
  explicit CorrelationLayer(const LayerParameter& param) : Layer<Dtype>(param) {}
  void LayerSetUp(const vector<Blob<Dtype>*>& bottom,
                  const vector<Blob<Dtype>*>& top) override;
  void Reshape(const vector<Blob<Dtype>*>& bottom,
               const vector<Blob<Dtype>*>& top) override;

  const char* type() const override { return "Correlation"; }
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

  /// Fills what differs between the two layers: rows of displacements, vertical origin
  /// and size.
  virtual void SetRows(int pad, int max_displacement);
  /// The displacements in x, as CorrelationShape has them.
  virtual void SetColumns(int radius);

  CorrelationShape shape_;
};

/// Correlation along rows only, for stereo: no padding and no displacement in y.
///
/// Top (N, D, H', W'), H' = ceil((H - (kernel_size - 1)) / stride_1); with R = floor(
/// max_displacement / stride_2), dx / stride_2 runs over -R .. R for single_direction 0,
/// over 0 .. R for 1 and over -(R + 1) .. -1 for -1 (a step too far, as published weights
/// have it; differs: what lies outside the padded row is 0).
template <typename Dtype>
class Correlation1DLayer : public CorrelationLayer<Dtype> {
 public:
  explicit Correlation1DLayer(const LayerParameter& param)
      : CorrelationLayer<Dtype>(param) {}
  void LayerSetUp(const vector<Blob<Dtype>*>& bottom,
                  const vector<Blob<Dtype>*>& top) override;
  const char* type() const override { return "Correlation1D"; }

 protected:
  void SetRows(int pad, int max_displacement) override;
  void SetColumns(int radius) override;
};

}  // namespace caffe

#endif  // CAFFE_CORRELATION_LAYER_HPP_

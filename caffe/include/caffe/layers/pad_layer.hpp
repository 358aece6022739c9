// Pad: rows below and columns at the right, up to a multiple of a size.
#ifndef CAFFE_PAD_LAYER_HPP_
#define CAFFE_PAD_LAYER_HPP_

#include <vector>

#include "caffe/blob.hpp"
#include "caffe/layer.hpp"

namespace caffe {

/// One bottom (N, C, H, W), one top (N, C, H', W'): H', W' are H, W rounded up to
/// `multiple_of`.
///
/// y[n, c, i, j] = x[n, c, min(i, H - 1), min(j, W - 1)]  (EDGE),
/// y = x where i < H and j < W, else `value`               (CONSTANT).
/// Ours; networks that halve their input some times take frames of any size with it.
template <typename Dtype>
class PadLayer : public Layer<Dtype> {
 public:
  explicit PadLayer(const LayerParameter& param) : Layer<Dtype>(param) {}
  void LayerSetUp(const vector<Blob<Dtype>*>& bottom,
                  const vector<Blob<Dtype>*>& top) override;
  void Reshape(const vector<Blob<Dtype>*>& bottom,
               const vector<Blob<Dtype>*>& top) override;

  const char* type() const override { return "Pad"; }
  bool RepeatsOnDevice() const override { return true; }
  int ExactNumBottomBlobs() const override { return 1; }
  int ExactNumTopBlobs() const override { return 1; }

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
  bool edge_ = true;
};

}  // namespace caffe

#endif  // CAFFE_PAD_LAYER_HPP_

// Accum: brings maps of different sizes to one size and joins their channels.
#ifndef CAFFE_ACCUM_LAYER_HPP_
#define CAFFE_ACCUM_LAYER_HPP_

#include <vector>

#include "caffe/backend/accum.hpp"
#include "caffe/blob.hpp"
#include "caffe/layer.hpp"

namespace caffe {

/// Bottoms (N, C_k, H_k, W_k); top (N, sum of C_k, H', W'): each bottom resized by
/// corner-aligned bilinear interpolation (AccumAxis), joined in their order.
///
/// H', W': the last bottom's, which then gives no channels, with `have_reference`; else
/// on each axis the largest of the bottoms, rounded up to a multiple of
/// `size_divisible_by`, or top_height / top_width where that is larger.
///
/// From FlowNet2 (facts: layers_flow.md 3.3).
/// differs: there size_divisible_by and top_* only hold if both axes grow, sizes of one
/// pixel divide by zero, and the reference's diff is never written (here 0).
template <typename Dtype>
class AccumLayer : public Layer<Dtype> {
 public:
  explicit AccumLayer(const LayerParameter& param) : Layer<Dtype>(param) {}
  void LayerSetUp(const vector<Blob<Dtype>*>& bottom,
                  const vector<Blob<Dtype>*>& top) override;
  void Reshape(const vector<Blob<Dtype>*>& bottom,
               const vector<Blob<Dtype>*>& top) override;

  inline const char* type() const override { return "Accum"; }
  inline bool RepeatsOnDevice() const override { return true; }
  inline int MinBottomBlobs() const override { return 1; }
  inline int ExactNumTopBlobs() const override { return 1; }

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
  bool has_reference() const { return this->layer_param_.accum_param().have_reference(); }
  /// Height (axis 2) or width (axis 3) of the top.
  int TopSize(const vector<Blob<Dtype>*>& bottom, int axis) const;

  vector<AccumShape> parts_;  ///< one a bottom that gives channels
};

}  // namespace caffe

#endif  // CAFFE_ACCUM_LAYER_HPP_

// Normalize (SSD): vectors over the channels scaled to one length.
#ifndef CAFFE_NORMALIZE_LAYER_HPP_
#define CAFFE_NORMALIZE_LAYER_HPP_

#include <vector>

#include "caffe/blob.hpp"
#include "caffe/layer.hpp"

namespace caffe {

/// y = scale[c] x / sqrt(sum of x^2 + eps): the sum over the channels of one position, or
/// with `across_spatial` (the default) over the whole item. One learned scale a channel,
/// or one in all with `channel_shared` (the default); `scale_filler` 1 unless given. With
/// h = scale[c] g and u = x / norm:
///   dx = (h - u sum(h u)) / norm, d scale[c] = sum of g u.
/// Nothing is kept between forward and backward. Errors: fewer than 2 axes; in place.
template <typename Dtype>
class NormalizeLayer : public Layer<Dtype> {
 public:
  explicit NormalizeLayer(const LayerParameter& param) : Layer<Dtype>(param) {}
  void LayerSetUp(const vector<Blob<Dtype>*>& bottom,
                  const vector<Blob<Dtype>*>& top) override;
  void Reshape(const vector<Blob<Dtype>*>& bottom,
               const vector<Blob<Dtype>*>& top) override;

  inline const char* type() const override { return "Normalize"; }
  inline int ExactNumBottomBlobs() const override { return 1; }
  inline int ExactNumTopBlobs() const override { return 1; }
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

 private:
  vector<Dtype> Scales(int channels) const;
  void AddScaleGradient(const vector<double>& by_channel);

  int channels_ = 0;
  bool across_spatial_ = true, channel_shared_ = true;
  Dtype eps_ = 0;
};

}  // namespace caffe

#endif  // CAFFE_NORMALIZE_LAYER_HPP_

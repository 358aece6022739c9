// BatchNorm: y = (x - mean) / sqrt(variance + eps) by channel.
#ifndef CAFFE_BATCH_NORM_LAYER_HPP_
#define CAFFE_BATCH_NORM_LAYER_HPP_

#include <vector>

#include "caffe/backend/epilogue.hpp"
#include "caffe/blob.hpp"
#include "caffe/layer.hpp"

namespace caffe {

/// Channels are axis 1. Parameters (none learns): sums of means (C), of variances (C),
/// and the number they are divided by (1; 0 means mean and variance 0). With global
/// statistics (default in TEST) those are used; else the batch's, and then, in every
/// forward pass,
///   sum <- moving_average_fraction * sum + batch value, with the variance unbiased.
/// Gradient: g / deviation, or with batch statistics
///   (g - mean(g) - y mean(g y)) / deviation, means over the channel.
/// No copy of the blob is kept with global statistics; with batch statistics only in
/// place. Errors: a `param` with lr_mult other than 0; channels that change; parameters
/// of another shape.
template <typename Dtype>
class BatchNormLayer : public Layer<Dtype>, public ChannelAffine {
 public:
  explicit BatchNormLayer(const LayerParameter& param) : Layer<Dtype>(param) {}
  void LayerSetUp(const vector<Blob<Dtype>*>& bottom,
                  const vector<Blob<Dtype>*>& top) override;
  void Reshape(const vector<Blob<Dtype>*>& bottom,
               const vector<Blob<Dtype>*>& top) override;

  inline const char* type() const override { return "BatchNorm"; }
  bool RepeatsOnDevice() const override { return true; }
  inline int ExactNumBottomBlobs() const override { return 1; }
  inline int ExactNumTopBlobs() const override { return 1; }

  bool is_channel_affine() const override { return use_global_stats_; }
  std::uint64_t affine_version() const override;
  void compose_affine(std::vector<double>* scale,
                      std::vector<double>* shift) const override;
  bool has_affine_backward() const override { return is_channel_affine(); }
  void compose_affine_backward(const std::vector<double>& scale,
                               const std::vector<double>& shift,
                               AffineGradient* gradient) override;
  bool composes_on_device() const override { return is_channel_affine(); }
  void compose_affine_gpu(int channels, const AffineRows& before,
                          const AffineRows& after) const override;
  void compose_affine_backward_gpu(int channels, const AffineRows& before,
                                   const AffineRows& gradient) override;

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
  // Mean and 1 / deviation of a channel.
  struct Statistics {
    std::vector<double> mean, inverse_deviation;
  };
  Statistics GlobalStatistics() const;
  Statistics BatchStatistics(const Blob<Dtype>& bottom);
  void BackwardBatch(const Blob<Dtype>& top, Blob<Dtype>* bottom);
  void BackwardBatchGpu(const Blob<Dtype>& top, Blob<Dtype>* bottom);

  bool use_global_stats_ = false;
  Dtype moving_average_fraction_ = 0, eps_ = 0;
  int channels_ = 0;
  Statistics batch_;        // of the last forward with batch statistics
  Blob<Dtype> normalized_;  // y, kept where the layer works in place
  // GPU mode, rows of one number a channel: mean, 1 / deviation, sums of the gradient;
  // and what the elementwise pass multiplies and adds.
  Blob<double> device_statistics_;
  Blob<Dtype> device_coefficients_;
};

}  // namespace caffe

#endif  // CAFFE_BATCH_NORM_LAYER_HPP_

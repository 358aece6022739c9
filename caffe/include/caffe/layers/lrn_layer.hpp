// LRN: local response normalisation, across channels or within them.
#ifndef CAFFE_LRN_LAYER_HPP_
#define CAFFE_LRN_LAYER_HPP_

#include <memory>
#include <vector>

#include "caffe/backend/lrn.hpp"
#include "caffe/backend/pooling.hpp"
#include "caffe/blob.hpp"
#include "caffe/layer.hpp"
#include "caffe/proto/caffe.pb.h"

namespace caffe {

/// ACROSS_CHANNELS: s_c = k + alpha / n * sum of x_j^2 over |j - c| <= (n - 1) / 2,
///                  y_c = x_c * s_c^-beta.
/// WITHIN_CHANNEL:  y = x * (shift + alpha * average of x^2 over n x n)^-beta; `shift` is
/// 1
///                  unless given (LiteFlowNet), the average divides by n^2 at borders
///                  too.
/// n = local_size, odd. Not in place.
template <typename Dtype>
class LRNLayer : public Layer<Dtype> {
 public:
  explicit LRNLayer(const LayerParameter& param) : Layer<Dtype>(param) {}
  void LayerSetUp(const vector<Blob<Dtype>*>& bottom,
                  const vector<Blob<Dtype>*>& top) override;
  void Reshape(const vector<Blob<Dtype>*>& bottom,
               const vector<Blob<Dtype>*>& top) override;

  const char* type() const override { return "LRN"; }
  int ExactNumBottomBlobs() const override { return 1; }
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

  int size_ = 0;
  int pre_pad_ = 0;
  Dtype alpha_ = 0;
  Dtype beta_ = 0;
  Dtype k_ = 0;
  int num_ = 0;
  int channels_ = 0;
  int height_ = 0;
  int width_ = 0;
  /// s of the formulas, of the bottom's shape.
  Blob<Dtype> scale_;

 private:
  bool Across() const {
    return this->layer_param_.lrn_param().norm_region() ==
           LRNParameter_NormRegion_ACROSS_CHANNELS;
  }
  void ComputeScale(const Dtype* x);
  void ScaleAcross(const Dtype* x, Dtype* s) const;
  void ScaleWithin(const Dtype* x, Dtype* s);
  PoolShape Window() const;
  /// The back-end's, or null: double, `engine: CAFFE`, or it has none for the shape.
  LrnKernel* FastKernel();

  LrnShape kernel_shape_;
  std::unique_ptr<LrnKernel> kernel_;
  bool kernel_is_chosen_ = false;
  bool scale_is_stale_ = false;  ///< a kernel ran that leaves no scale_
};

}  // namespace caffe

#endif  // CAFFE_LRN_LAYER_HPP_

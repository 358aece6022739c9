// Mean: adds or subtracts a mean image, or a mean value a channel.
#ifndef CAFFE_MEAN_LAYER_HPP_
#define CAFFE_MEAN_LAYER_HPP_

#include <cstdint>
#include <vector>

#include "caffe/blob.hpp"
#include "caffe/device/body.hpp"
#include "caffe/layer.hpp"

namespace caffe {

/// y[i] = in_scale x[i] + mean_scale mean[i / places mod count].
template <typename Dtype>
struct MeanValue {
  std::int64_t places, count;  ///< entries that share a mean; number of means
  const Dtype *mean, *x;
  Dtype* y;
  Dtype in_scale, mean_scale;
  CAFFE_HD void operator()(std::int64_t i) const {
    y[i] = in_scale * x[i] + mean_scale * mean[i / places % count];
  }
};

/// As many tops as bottoms (N, C, H, W), of the same shapes:
/// y = output_scale (input_scale x +- mean_scale m), + for ADD, - for SUBTRACT.
/// m: `file`, a binaryproto of the bottom's height and width whose channels divide the
/// bottom's and are repeated; or `value`, one a channel, repeated likewise. In place is
/// allowed. Gradient: output_scale input_scale g.
///
/// From the flow forks; templates of FlowNet 1.0 (facts: layers_flow.md 5.5).
/// differs: there backward is an error, and without file and value it divides by zero.
template <typename Dtype>
class MeanLayer : public Layer<Dtype> {
 public:
  explicit MeanLayer(const LayerParameter& param) : Layer<Dtype>(param) {}
  void LayerSetUp(const vector<Blob<Dtype>*>& bottom,
                  const vector<Blob<Dtype>*>& top) override;
  void Reshape(const vector<Blob<Dtype>*>& bottom,
               const vector<Blob<Dtype>*>& top) override;

  inline const char* type() const override { return "Mean"; }
  inline bool RepeatsOnDevice() const override { return true; }
  inline int MinBottomBlobs() const override { return 1; }
  inline int MinTopBlobs() const override { return 1; }

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
  bool IsImage() const { return this->layer_param_.mean_param().has_file(); }
  Dtype InScale() const;
  /// What forward does to one bottom, without its pointers.
  MeanValue<Dtype> Rule(const Blob<Dtype>& bottom) const;

  Blob<Dtype> mean_;  ///< (1, C', H, W) or (C')
};

}  // namespace caffe

#endif  // CAFFE_MEAN_LAYER_HPP_

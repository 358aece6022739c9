// Scale: y = factor * x (+ bias), the factor spread over axes.
#ifndef CAFFE_SCALE_LAYER_HPP_
#define CAFFE_SCALE_LAYER_HPP_

#include <vector>

#include "caffe/backend/epilogue.hpp"
#include "caffe/blob.hpp"
#include "caffe/layer.hpp"

namespace caffe {

/// The factor is a parameter of the bottom's sizes on [axis, axis + num_axes) (num_axes
/// -1: to the end; 0: one number), or bottom 1, whose axes then begin at `axis`.
/// `bias_term` adds a bias of the factor's shape, the last parameter. Gradient: factor *
/// g; for the factor the sum of g * x; for the bias the sum of g. In place a copy of x is
/// kept, and only if the factor learns (a second backward is possible; BVLC used the copy
/// up). Errors: axes that do not fit; bottom 1 in place.
template <typename Dtype>
class ScaleLayer : public Layer<Dtype>, public ChannelAffine {
 public:
  explicit ScaleLayer(const LayerParameter& param) : Layer<Dtype>(param) {}
  void LayerSetUp(const vector<Blob<Dtype>*>& bottom,
                  const vector<Blob<Dtype>*>& top) override;
  void Reshape(const vector<Blob<Dtype>*>& bottom,
               const vector<Blob<Dtype>*>& top) override;

  inline const char* type() const override { return "Scale"; }
  bool RepeatsOnDevice() const override { return true; }
  inline int MinBottomBlobs() const override { return 1; }
  inline int MaxBottomBlobs() const override { return 2; }
  inline int ExactNumTopBlobs() const override { return 1; }

  bool is_channel_affine() const override { return own_channel_factor_; }
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
  bool factor_is_bottom(const vector<Blob<Dtype>*>& bottom) const {
    return bottom.size() > 1;
  }
  Blob<Dtype>* factor(const vector<Blob<Dtype>*>& bottom) const {
    return factor_is_bottom(bottom) ? bottom[1] : this->blobs_[0].get();
  }
  bool NeedsFactorGradient(const vector<Blob<Dtype>*>& bottom,
                           const vector<bool>& propagate_down) const;

  bool bias_term_ = false;
  int bias_index_ = -1;              // its place among the parameters
  int axis_ = 1, factor_axes_ = 1;   // of the bottom, canonical
  bool own_channel_factor_ = false;  // a factor of its own over axis 1
  Blob<Dtype> input_;  // x, where the layer works in place and the factor learns
};

}  // namespace caffe

#endif  // CAFFE_SCALE_LAYER_HPP_

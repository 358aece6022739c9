// Bias: y = x + bias, the bias spread over axes.
#ifndef CAFFE_BIAS_LAYER_HPP_
#define CAFFE_BIAS_LAYER_HPP_

#include <vector>

#include "caffe/backend/epilogue.hpp"
#include "caffe/blob.hpp"
#include "caffe/layer.hpp"

namespace caffe {

/// The bias is a parameter of the bottom's sizes on [axis, axis + num_axes) (num_axes -1:
/// to the end; 0: one number), or bottom 1, whose axes then begin at `axis`. Gradient: g;
/// for the bias its sum. Errors: axes that do not fit; bottom 1 in place.
template <typename Dtype>
class BiasLayer : public Layer<Dtype>, public ChannelAffine {
 public:
  explicit BiasLayer(const LayerParameter& param) : Layer<Dtype>(param) {}
  void LayerSetUp(const vector<Blob<Dtype>*>& bottom,
                  const vector<Blob<Dtype>*>& top) override;
  void Reshape(const vector<Blob<Dtype>*>& bottom,
               const vector<Blob<Dtype>*>& top) override;

  inline const char* type() const override { return "Bias"; }
  bool RepeatsOnDevice() const override { return true; }
  inline int MinBottomBlobs() const override { return 1; }
  inline int MaxBottomBlobs() const override { return 2; }
  inline int ExactNumTopBlobs() const override { return 1; }

  bool is_channel_affine() const override { return own_channel_bias_; }
  std::uint64_t affine_version() const override {
    return this->blobs_[0]->data()->version();
  }
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
  int axis_ = 1, bias_axes_ = 1;   // of the bottom, canonical
  bool own_channel_bias_ = false;  // a bias of its own over axis 1
};

}  // namespace caffe

#endif  // CAFFE_BIAS_LAYER_HPP_

// Eltwise: product, weighted sum or maximum of blobs of one shape.
#ifndef CAFFE_ELTWISE_LAYER_HPP_
#define CAFFE_ELTWISE_LAYER_HPP_

#include <vector>

#include "caffe/blob.hpp"
#include "caffe/layer.hpp"

namespace caffe {

/// SUM: y = sum of coeff_i x_i. PROD: y = product of x_i; gradient (y / x_i) g with
/// stable_prod_grad false, the product of the others times g with true. MAX: bottom 0 if
/// x_0 > x_1, else bottom 1; a later one only if strictly greater. One bottom (the flow
/// forks): coeff_0 x, or the identity. Errors: shapes that differ; coefficients with
/// PROD, or not one a bottom; in place.
template <typename Dtype>
class EltwiseLayer : public Layer<Dtype> {
 public:
  explicit EltwiseLayer(const LayerParameter& param) : Layer<Dtype>(param) {}
  void LayerSetUp(const vector<Blob<Dtype>*>& bottom,
                  const vector<Blob<Dtype>*>& top) override;
  void Reshape(const vector<Blob<Dtype>*>& bottom,
               const vector<Blob<Dtype>*>& top) override;

  inline const char* type() const override { return "Eltwise"; }
  bool RepeatsOnDevice() const override { return true; }
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
  void ForwardProduct(const vector<Blob<Dtype>*>& bottom, Blob<Dtype>* top) const;
  void ForwardMaximum(const vector<Blob<Dtype>*>& bottom, Blob<Dtype>* top) const;
  void BackwardProduct(const Blob<Dtype>& top, int wanted,
                       const vector<Blob<Dtype>*>& bottom) const;
  void BackwardMaximum(const Blob<Dtype>& top, int wanted,
                       const vector<Blob<Dtype>*>& bottom) const;

  void BackwardProductGpu(const Blob<Dtype>& top, int wanted,
                          const vector<Blob<Dtype>*>& bottom) const;

  EltwiseParameter_EltwiseOp op_ = EltwiseParameter_EltwiseOp_SUM;
  vector<Dtype> coeffs_;  // empty: all 1
  bool stable_prod_grad_ = true;
};

}  // namespace caffe

#endif  // CAFFE_ELTWISE_LAYER_HPP_

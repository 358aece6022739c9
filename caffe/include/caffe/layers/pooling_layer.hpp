// Pooling: maximum, average or a random pick of each window.
#ifndef CAFFE_POOLING_LAYER_HPP_
#define CAFFE_POOLING_LAYER_HPP_

#include <vector>

#include "caffe/backend/pooling.hpp"
#include "caffe/blob.hpp"
#include "caffe/layer.hpp"
#include "caffe/proto/caffe.pb.h"

namespace caffe {

/// bottom (N, C, H, W) -> top (N, C, P_h, P_w), P = ceil((H + 2 pad - kernel) / stride) +
/// 1 (floor with round_mode FLOOR), and one less where, with any padding, the last window
/// would start beyond the image. A second top of MAX holds y * W + x of each maximum.
///
/// MAX: first maximum in row-major order. AVE: divides by the window clipped at size +
/// pad. STOCHASTIC (values >= 0): TRAIN draws an element with probability proportional to
/// its value, TEST gives sum x^2 / sum x.
///
/// differs: an empty window (kernel < stride at the border) gives 0 and passes no
/// gradient (BVLC: -FLT_MAX, a write out of bounds); a stride of 0 is an error;
/// the backward of STOCHASTIC in the TEST phase is the derivative of the
/// TEST formula.
template <typename Dtype>
class PoolingLayer : public Layer<Dtype> {
 public:
  explicit PoolingLayer(const LayerParameter& param) : Layer<Dtype>(param) {}
  void LayerSetUp(const vector<Blob<Dtype>*>& bottom,
                  const vector<Blob<Dtype>*>& top) override;
  void Reshape(const vector<Blob<Dtype>*>& bottom,
               const vector<Blob<Dtype>*>& top) override;

  const char* type() const override { return "Pooling"; }
  int ExactNumBottomBlobs() const override { return 1; }
  int MinTopBlobs() const override { return 1; }
  int MaxTopBlobs() const override {
    const auto method = this->layer_param_.pooling_param().pool();
    return method == PoolingParameter_PoolMethod_MAX ? 2 : 1;
  }
  bool RepeatsOnDevice() const override {
    const auto method = this->layer_param_.pooling_param().pool();
    return method != PoolingParameter_PoolMethod_STOCHASTIC || this->phase_ == TEST;
  }

 protected:
  void Forward_cpu(const vector<Blob<Dtype>*>& bottom,
                   const vector<Blob<Dtype>*>& top) override;
  void Backward_cpu(const vector<Blob<Dtype>*>& top, const vector<bool>& propagate_down,
                    const vector<Blob<Dtype>*>& bottom) override;
  void Forward_gpu(const vector<Blob<Dtype>*>& bottom,
                   const vector<Blob<Dtype>*>& top) override;
  void Backward_gpu(const vector<Blob<Dtype>*>& top, const vector<bool>& propagate_down,
                    const vector<Blob<Dtype>*>& bottom) override;

  int kernel_h_ = 0, kernel_w_ = 0;
  int stride_h_ = 1, stride_w_ = 1;
  int pad_h_ = 0, pad_w_ = 0;
  int channels_ = 0;
  int height_ = 0, width_ = 0;
  int pooled_height_ = 0, pooled_width_ = 0;
  bool global_pooling_ = false;
  PoolingParameter_RoundMode round_mode_ = PoolingParameter_RoundMode_CEIL;

 private:
  void ReadKernel(const string& where);
  void ReadStrideAndPad(const string& where);
  int PooledSize(int size, int kernel, int stride, int pad) const;
  PoolShape Shape() const;
  string Where() const;
  bool RunsBlocked(const Blob<Dtype>& blob, const SyncedMemory& memory) const;
  void ForwardMax(const Blob<Dtype>& bottom, const vector<Blob<Dtype>*>& top,
                  bool with_mask);
  void BackwardMax(const Blob<Dtype>& top, Blob<Dtype>* bottom);
  void ForwardStochastic(const Blob<Dtype>& bottom, Blob<Dtype>* top);
  void BackwardStochastic(const Blob<Dtype>& top, Blob<Dtype>* bottom);

  // Index of each maximum (or pick) in the layout in which it was found; lanes 1:
  // row-major.
  vector<int> mask_;
  int mask_lanes_ = 1;
  // The same on the device, row-major; valid after a forward pass there that needed it.
  Blob<int> device_mask_;
  bool device_mask_is_valid_ = false;
};

}  // namespace caffe

#endif  // CAFFE_POOLING_LAYER_HPP_

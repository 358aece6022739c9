// Concat: joins blobs along one axis.
#ifndef CAFFE_CONCAT_LAYER_HPP_
#define CAFFE_CONCAT_LAYER_HPP_

#include <vector>

#include "caffe/backend/joint.hpp"
#include "caffe/blob.hpp"
#include "caffe/layer.hpp"

namespace caffe {

/// `concat_param.axis` (1; old name `concat_dim`). All other sizes must agree. One
/// bottom: the top shares it. Over axis 0 or 1 it works in the blocked layout if any
/// bottom is in it. Errors: both names of the axis given; an axis out of range; shapes
/// that do not fit.
template <typename Dtype>
class ConcatLayer : public Layer<Dtype> {
 public:
  explicit ConcatLayer(const LayerParameter& param) : Layer<Dtype>(param) {}
  void Reshape(const vector<Blob<Dtype>*>& bottom,
               const vector<Blob<Dtype>*>& top) override;

  inline const char* type() const override { return "Concat"; }
  bool RepeatsOnDevice() const override { return true; }
  inline int MinBottomBlobs() const override { return 1; }
  inline int ExactNumTopBlobs() const override { return 1; }

 protected:
  void Forward_cpu(const vector<Blob<Dtype>*>& bottom,
                   const vector<Blob<Dtype>*>& top) override;
  void Forward_gpu(const vector<Blob<Dtype>*>& bottom,
                   const vector<Blob<Dtype>*>& top) override {
    Forward_cpu(bottom, top);  // Joint works where the mode says
  }
  void Backward_cpu(const vector<Blob<Dtype>*>& top, const vector<bool>& propagate_down,
                    const vector<Blob<Dtype>*>& bottom) override;
  void Backward_gpu(const vector<Blob<Dtype>*>& top, const vector<bool>& propagate_down,
                    const vector<Blob<Dtype>*>& bottom) override {
    Backward_cpu(top, propagate_down, bottom);
  }

 private:
  Joint<Dtype> joint_;
};

}  // namespace caffe

#endif  // CAFFE_CONCAT_LAYER_HPP_

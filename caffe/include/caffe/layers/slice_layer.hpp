// Slice: cuts a blob along one axis.
#ifndef CAFFE_SLICE_LAYER_HPP_
#define CAFFE_SLICE_LAYER_HPP_

#include <vector>

#include "caffe/backend/joint.hpp"
#include "caffe/blob.hpp"
#include "caffe/layer.hpp"

namespace caffe {

/// `slice_param.axis` (1; old name `slice_dim`); `slice_point` gives the cut positions,
/// one fewer than tops; without it the parts are equal. One top shares the bottom. Over
/// axis 0 or 1 it works in the blocked layout if the bottom is in it. Backward: parts
/// whose top has no gradient become 0. Errors: cut positions that do not rise, lie
/// outside, or leave an empty part (differs: BVLC let the last part be empty); sizes that
/// do not divide.
template <typename Dtype>
class SliceLayer : public Layer<Dtype> {
 public:
  explicit SliceLayer(const LayerParameter& param) : Layer<Dtype>(param) {}
  void Reshape(const vector<Blob<Dtype>*>& bottom,
               const vector<Blob<Dtype>*>& top) override;

  inline const char* type() const override { return "Slice"; }
  bool RepeatsOnDevice() const override { return true; }
  inline int ExactNumBottomBlobs() const override { return 1; }
  inline int MinTopBlobs() const override { return 1; }

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
  vector<int> PartSizes(const Blob<Dtype>& bottom, int axis, int tops) const;

  Joint<Dtype> joint_;
};

}  // namespace caffe

#endif  // CAFFE_SLICE_LAYER_HPP_

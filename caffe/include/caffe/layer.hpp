// Layer: the base class of every operator of a net.
#ifndef CAFFE_LAYER_HPP_
#define CAFFE_LAYER_HPP_

#include <algorithm>
#include <string>
#include <vector>

#include "caffe/blob.hpp"
#include "caffe/common.hpp"
#include "caffe/device/graph.hpp"
#include "caffe/device/host_fallback.hpp"
#include "caffe/layer_factory.hpp"
#include "caffe/proto/caffe.pb.h"
#include "caffe/util/math_functions.hpp"

namespace caffe {

template <typename Dtype>
class Net;

/// Takes bottom blobs, makes top blobs, and in backward gives bottoms their gradients.
///
/// Conventions: gradients of parameters are ADDED to `blobs_[i]->diff`, gradients of
/// bottoms OVERWRITE `bottom[i]->diff`, and only where `propagate_down[i]`.
template <typename Dtype>
class Layer {
 public:
  explicit Layer(const LayerParameter& param)
      : layer_param_(param), phase_(param.phase()) {
    for (int i = 0; i < layer_param_.blobs_size(); ++i) {
      blobs_.push_back(std::make_shared<Blob<Dtype>>());
      blobs_.back()->FromProto(layer_param_.blobs(i));
    }
  }
  virtual ~Layer() = default;

  void SetUp(const vector<Blob<Dtype>*>& bottom, const vector<Blob<Dtype>*>& top) {
    CheckBlobCounts(bottom, top);
    LayerSetUp(bottom, top);
    Reshape(bottom, top);
    SetLossWeights(top);
  }
  virtual void LayerSetUp(const vector<Blob<Dtype>*>&, const vector<Blob<Dtype>*>&) {}
  /// Called once in SetUp and before every Forward: must be cheap and repeatable.
  virtual void Reshape(const vector<Blob<Dtype>*>& bottom,
                       const vector<Blob<Dtype>*>& top) = 0;

  /// Reshapes, runs, and returns the weighted sum of the tops that carry a loss weight.
  inline Dtype Forward(const vector<Blob<Dtype>*>& bottom,
                       const vector<Blob<Dtype>*>& top);
  inline void Backward(const vector<Blob<Dtype>*>& top,
                       const vector<bool>& propagate_down,
                       const vector<Blob<Dtype>*>& bottom);

  /// The weighted sum of the tops that carry a loss weight.
  inline Dtype WeightedLoss(const vector<Blob<Dtype>*>& top) const;

  vector<shared_ptr<Blob<Dtype>>>& blobs() { return blobs_; }
  const LayerParameter& layer_param() const { return layer_param_; }
  virtual void ToProto(LayerParameter* param, bool write_diff = false) {
    param->Clear();
    param->CopyFrom(layer_param_);
    param->clear_blobs();
    for (const auto& blob : blobs_) blob->ToProto(param->add_blobs(), write_diff);
  }

  Dtype loss(const int top_index) const {
    return static_cast<int>(loss_.size()) > top_index ? loss_[top_index] : Dtype(0);
  }
  void set_loss(const int top_index, const Dtype value) {
    if (static_cast<int>(loss_.size()) <= top_index)
      loss_.resize(top_index + 1, Dtype(0));
    loss_[top_index] = value;
  }

  /// What a snapshot keeps of a layer beside its blobs (a data layer's position); "" =
  /// nothing.
  virtual string GetState() { return ""; }
  virtual void SetState(const string& /*state*/) {}

  virtual const char* type() const { return ""; }
  virtual int ExactNumBottomBlobs() const { return -1; }
  virtual int MinBottomBlobs() const { return -1; }
  virtual int MaxBottomBlobs() const { return -1; }
  virtual int ExactNumTopBlobs() const { return -1; }
  virtual int MinTopBlobs() const { return -1; }
  virtual int MaxTopBlobs() const { return -1; }
  virtual bool EqualNumBottomTopBlobs() const { return false; }
  virtual bool AutoTopBlobs() const { return false; }
  virtual bool AllowForceBackward(const int /*bottom_index*/) const { return true; }

  bool param_propagate_down(const int param_id) const {
    return static_cast<int>(param_propagate_down_.size()) > param_id
               ? param_propagate_down_[param_id]
               : false;
  }
  void set_param_propagate_down(const int param_id, const bool value) {
    if (static_cast<int>(param_propagate_down_.size()) <= param_id) {
      param_propagate_down_.resize(param_id + 1, true);
    }
    param_propagate_down_[param_id] = value;
  }

  /// Which tops receive a gradient in backward (set by the net; unset: all of them). A
  /// layer that sums over its tops must leave the others out: their diff memory means
  /// nothing.
  bool top_has_gradient(const int top_index) const {
    return static_cast<int>(top_has_gradient_.size()) > top_index
               ? top_has_gradient_[top_index]
               : true;
  }
  void set_top_has_gradient(const vector<bool>& flags) { top_has_gradient_ = flags; }

  /// GPU mode: Forward and Backward launch the same work whenever the shapes are the same
  /// and look at no number on the host, so that the work may be recorded once and
  /// replayed (a CUDA graph). Layers that draw random numbers or follow the iteration say
  /// no.
  virtual bool RepeatsOnDevice() const { return false; }

  // Names of the flow forks' older base.
  virtual bool ShareInParallel() const { return false; }
  bool IsShared() const { return is_shared_; }
  void SetShared(bool is_shared) { is_shared_ = is_shared; }
  void SetNet(Net<Dtype>* net) { net_ = net; }
  Net<Dtype>* GetNet() const { return net_; }
  virtual bool AllowBackward() const { return true; }
  /// A layer that takes stored parameters in its own way, of whatever number and shape;
  /// the net then does not compare them with the layer's blobs.
  virtual bool DoesUseCustomCopyBlobs() const { return false; }
  virtual void CustomCopyBlobs(const vector<Blob<float>*>& /*source*/) {}

 protected:
  LayerParameter layer_param_;
  Phase phase_;
  vector<shared_ptr<Blob<Dtype>>> blobs_;
  vector<bool> param_propagate_down_;
  vector<Dtype> loss_;
  vector<bool> top_has_gradient_;

  virtual void Forward_cpu(const vector<Blob<Dtype>*>& bottom,
                           const vector<Blob<Dtype>*>& top) = 0;
  /// GPU mode. A layer without GPU code works on the host; the log names its type once.
  virtual void Forward_gpu(const vector<Blob<Dtype>*>& bottom,
                           const vector<Blob<Dtype>*>& top) {
    note_host_fallback(type());
    Forward_cpu(bottom, top);
  }
  virtual void Backward_cpu(const vector<Blob<Dtype>*>& top,
                            const vector<bool>& propagate_down,
                            const vector<Blob<Dtype>*>& bottom) = 0;
  virtual void Backward_gpu(const vector<Blob<Dtype>*>& top,
                            const vector<bool>& propagate_down,
                            const vector<Blob<Dtype>*>& bottom) {
    note_host_fallback(type());
    Backward_cpu(top, propagate_down, bottom);
  }

  virtual void CheckBlobCounts(const vector<Blob<Dtype>*>& bottom,
                               const vector<Blob<Dtype>*>& top) {
    CheckCount("bottom", static_cast<int>(bottom.size()), ExactNumBottomBlobs(),
               MinBottomBlobs(), MaxBottomBlobs());
    CheckCount("top", static_cast<int>(top.size()), ExactNumTopBlobs(), MinTopBlobs(),
               MaxTopBlobs());
    if (EqualNumBottomTopBlobs()) {
      CHECK_EQ(bottom.size(), top.size()) << type() << " layer '" << layer_param_.name()
                                          << "' makes one top for each bottom";
    }
  }

  /// Fills the diff of each top that has a loss weight with that weight.
  void SetLossWeights(const vector<Blob<Dtype>*>& top) {
    const int given = layer_param_.loss_weight_size();
    if (given == 0) return;
    CHECK_EQ(top.size(), given)
        << "loss_weight must be unspecified or specified once per top "
           "blob of layer '"
        << layer_param_.name() << "'";
    for (size_t i = 0; i < top.size(); ++i) {
      const Dtype weight = layer_param_.loss_weight(static_cast<int>(i));
      if (weight == Dtype(0)) continue;
      set_loss(static_cast<int>(i), weight);
      FillLossDiff(static_cast<int>(i), top[i]);
    }
  }

 private:
  void FillLossDiff(int top_index, Blob<Dtype>* top) {
    caffe_set(top->count(), loss(top_index), top->mutable_cpu_diff());
  }
  void CheckCount(const char* what, int count, int exact, int least, int most) const {
    if (exact >= 0) {
      CHECK_EQ(exact, count) << type() << " layer '" << layer_param_.name() << "' takes "
                             << exact << " " << what << " blob(s)";
    }
    if (least >= 0) {
      CHECK_LE(least, count) << type() << " layer '" << layer_param_.name()
                             << "' takes at least " << least << " " << what << " blob(s)";
    }
    if (most >= 0) {
      CHECK_GE(most, count) << type() << " layer '" << layer_param_.name()
                            << "' takes at most " << most << " " << what << " blob(s)";
    }
  }

  bool is_shared_ = false;
  Net<Dtype>* net_ = nullptr;

  DISABLE_COPY_AND_ASSIGN(Layer);
};

template <typename Dtype>
inline Dtype Layer<Dtype>::Forward(const vector<Blob<Dtype>*>& bottom,
                                   const vector<Blob<Dtype>*>& top) {
  Reshape(bottom, top);
  if (Caffe::mode() == Caffe::GPU) {
    Forward_gpu(bottom, top);
  } else {
    Forward_cpu(bottom, top);
  }
  // Work that is recorded has not run yet: whoever replays it asks for the loss.
  return device::is_recording() ? Dtype(0) : WeightedLoss(top);
}

template <typename Dtype>
inline Dtype Layer<Dtype>::WeightedLoss(const vector<Blob<Dtype>*>& top) const {
  Dtype loss = 0;
  for (size_t i = 0; i < top.size(); ++i) {
    const Dtype weight = this->loss(static_cast<int>(i));
    if (weight == Dtype(0)) continue;
    Dtype sum = 0;
    const Dtype* data = top[i]->cpu_data();
    for (int k = 0; k < top[i]->count(); ++k) sum += data[k];
    loss += weight * sum;
  }
  return loss;
}

template <typename Dtype>
inline void Layer<Dtype>::Backward(const vector<Blob<Dtype>*>& top,
                                   const vector<bool>& propagate_down,
                                   const vector<Blob<Dtype>*>& bottom) {
  if (Caffe::mode() == Caffe::GPU) {
    Backward_gpu(top, propagate_down, bottom);
  } else {
    Backward_cpu(top, propagate_down, bottom);
  }
}

}  // namespace caffe

#endif  // CAFFE_LAYER_HPP_

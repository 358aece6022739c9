// Running a net: forward, backward, debug text and look-ups.
#include "caffe/net.hpp"

#include <algorithm>
#include <cmath>
#include <new>

#include "caffe/device/device.hpp"
#include "caffe/device/graph.hpp"
#include "caffe/layers/net_iteration.hpp"
#include "caffe/net_plan.hpp"
#include "caffe/net_recorder.hpp"
#include "caffe/net_targets.hpp"
#include "caffe/util/interrupt.hpp"
#include "caffe/util/math_functions_gpu.hpp"

namespace caffe {

template <typename Dtype>
const vector<Blob<Dtype>*>& Net<Dtype>::Forward(Dtype* loss) {
  const Dtype sum = ForwardFromTo(0, static_cast<int>(layers_.size()) - 1);
  if (loss != nullptr) *loss = sum;
  return net_output_blobs_;
}

template <typename Dtype>
const vector<Blob<Dtype>*>& Net<Dtype>::Forward(const vector<Blob<Dtype>*>& bottom,
                                                Dtype* loss) {
  CHECK_EQ(bottom.size(), net_input_blobs_.size())
      << "one blob for each input of the net";
  for (size_t i = 0; i < bottom.size(); ++i) net_input_blobs_[i]->CopyFrom(*bottom[i]);
  return Forward(loss);
}

template <typename Dtype>
void Net<Dtype>::CountPass() {
  if (!iter_is_set_) iter_ = passes_;
  ++passes_;
}

template <typename Dtype>
Dtype Net<Dtype>::ForwardFromTo(int start, int end) {
  if (layers_.empty()) return 0;
  CHECK_GE(start, 0) << "the first layer to run";
  CHECK_LT(end, static_cast<int>(layers_.size())) << "the last layer to run";
  if (start == 0) CountPass();
  if (Caffe::mode() == Caffe::CPU) return RunLayers(start, end);
  const bool whole = start == 0 && end == static_cast<int>(layers_.size()) - 1;
  const Dtype loss = whole && phase_ == TEST && !device::is_recording()
                         ? RunOnDevice(false)
                         : RunLayers(start, end);
  // Another thread may read the results next, and errors of the device belong to this
  // pass.
  if (!device::is_recording()) {
    device::synchronize();
    if (std::isnan(loss)) check_targets(*this);
  }
  return loss;
}

/// The whole pass on the device, with backward if asked for: recorded where it can be.
template <typename Dtype>
Dtype Net<Dtype>::RunOnDevice(bool backward) {
  const int last = static_cast<int>(layers_.size()) - 1;
  Dtype loss = 0;
  RecordablePass pass;
  pass.backward = backward;
  pass.head = [&](int layers) { loss += RunLayers(0, layers - 1); };
  pass.rest = [&](int first) {
    loss += RunLayers(first, last);
    if (!backward) return;
    if (first == 0) {
      Backward();
    } else {
      BackwardFromTo(last, first);
    }
  };
  pass.tail = [&](int layers) { BackwardFromTo(layers - 1, 0); };
  pass.release = [&](int first) {
    plan_->AfterLayers(first, last);
    for (int i = last; backward && i >= first; --i) {
      if (layer_need_backward_[i]) plan_->AfterBackward(i);
    }
  };
  recorder_->Run(pass);
  if (!recorder_->replayed()) return loss;
  loss = 0;
  for (size_t i = 0; i < layers_.size(); ++i)
    loss += layers_[i]->WeightedLoss(top_vecs_[i]);
  return loss;
}

template <typename Dtype>
Dtype Net<Dtype>::RunLayers(int start, int end) {
  Dtype loss = 0;
  for (int i = start; i <= end;) {
    if (!device::is_recording()) CheckInterrupt();
    const int next = plan_->RunGroup(i, end);
    if (next > i) {
      for (; i < next; ++i) forward_stamps_[i] = ShapeStamp(i);
      continue;
    }
    loss += ForwardLayer(i);
    ++i;
  }
  return loss;
}

template <typename Dtype>
Dtype Net<Dtype>::ForwardLayer(int layer_id) {
  for (Callback* callback : before_forward_) callback->run(layer_id);
  plan_->BeforeLayer(layer_id);
  Dtype loss = 0;
  try {
    loss = layers_[layer_id]->Forward(bottom_vecs_[layer_id], top_vecs_[layer_id]);
  } catch (Error& error) {
    error.AddContext(DescribeLayer(layer_id));
    throw;
  } catch (const std::bad_alloc&) {
    throw Error("not enough memory in " + DescribeLayer(layer_id), Error::kMemory);
  }
  forward_stamps_[layer_id] = ShapeStamp(layer_id);
  plan_->AfterLayers(layer_id, layer_id);
  if (debug_info_) ForwardDebugInfo(layer_id);
  for (Callback* callback : after_forward_) callback->run(layer_id);
  return loss;
}

namespace {

/// Where the mode's layers look for it.
template <typename Dtype>
void FillDiff(Dtype value, Blob<Dtype>* blob) {
  if (Caffe::mode() == Caffe::GPU) {
    caffe_gpu_set(blob->count(), value, blob->mutable_gpu_diff());
    if (!device::is_recording()) blob->diff()->SyncViews();
  } else {
    caffe_set(blob->count(), value, blob->mutable_cpu_diff());
  }
}

}  // namespace

template <typename Dtype>
void Net<Dtype>::RefillLossWeights(int layer_id) {
  const auto& tops = top_vecs_[layer_id];
  for (size_t t = 0; t < tops.size(); ++t) {
    const Dtype weight = layers_[layer_id]->loss(static_cast<int>(t));
    if (weight != Dtype(0)) FillDiff(weight, tops[t]);
  }
}

/// Tells the shapes that a layer runs with from others; never 0.
template <typename Dtype>
size_t Net<Dtype>::ShapeStamp(int layer_id) const {
  size_t stamp = 1;
  const auto mix = [&stamp](int value) {
    stamp = (stamp ^ static_cast<size_t>(value)) * 1099511628211u;  // FNV-1a
  };
  for (const auto* blobs : {&bottom_vecs_[layer_id], &top_vecs_[layer_id]}) {
    for (const Blob<Dtype>* blob : *blobs) {
      mix(blob->num_axes());
      for (const int dim : blob->shape()) mix(dim);
    }
  }
  return stamp | 1;
}

/// What forward stores for a layer's gradient must be there, and of the present shapes.
template <typename Dtype>
void Net<Dtype>::CheckForwardRan(int layer_id) const {
  const size_t stamp = forward_stamps_[layer_id];
  if (stamp == ShapeStamp(layer_id)) return;
  CAFFE_THROW(kValue) << "backward of " << DescribeLayer(layer_id)
                      << " needs a forward pass "
                      << (stamp == 0 ? "before it" : "after its blobs were reshaped");
}

template <typename Dtype>
void Net<Dtype>::BackwardFromTo(int start, int end) {
  if (layers_.empty()) return;
  CHECK_GE(end, 0) << "the last layer of backward";
  CHECK_LT(start, static_cast<int>(layers_.size())) << "the first layer of backward";
  CHECK(!plan_->keeps() || phase_ == TRAIN)
      << "a net with `keep` shares memory between blobs in the TEST phase and cannot run "
         "backward; make it without keep";
  CHECK_VALUE(in_place_conflict_.empty()) << in_place_conflict_;
  for (int i = start; i >= end; --i) {
    if (layer_need_backward_[i]) CheckForwardRan(i);
  }
  if (phase_ == TEST && plan_->PrepareBackward()) recorder_->Forget();
  for (int i = start; i >= end; --i) {
    if (!device::is_recording()) CheckInterrupt();
    const int next = plan_->RunGroupBackward(i, end);
    if (next < i) {
      i = next + 1;
      if (backward_progress_ && !device::is_recording()) backward_progress_(i);
      continue;
    }
    for (Callback* callback : before_backward_) callback->run(i);
    if (layer_need_backward_[i]) {
      RefillLossWeights(i);
      plan_->BeforeBackward(i);
      try {
        layers_[i]->Backward(top_vecs_[i], bottom_need_backward_[i], bottom_vecs_[i]);
      } catch (Error& error) {
        error.AddContext("backward of " + DescribeLayer(i));
        throw;
      } catch (const std::bad_alloc&) {
        throw Error("not enough memory in backward of " + DescribeLayer(i),
                    Error::kMemory);
      }
      for (size_t b = 0; b < bottom_vecs_[i].size(); ++b) {
        if (!bottom_need_backward_[i][b] || device::is_recording()) continue;
        bottom_vecs_[i][b]->diff()->SyncViews();
      }
      if (debug_info_) BackwardDebugInfo(i);
      plan_->AfterBackward(i);
    }
    for (Callback* callback : after_backward_) callback->run(i);
    if (backward_progress_ && !device::is_recording()) backward_progress_(i);
  }
  if (Caffe::mode() == Caffe::CPU || device::is_recording()) return;
  for (const auto& param : params_) {
    if (param->has_diff()) param->diff()->SyncViews();
  }
}

template <typename Dtype>
void Net<Dtype>::Backward() {
  BackwardFromTo(static_cast<int>(layers_.size()) - 1, 0);
  if (!debug_info_) return;
  Dtype asum_data = 0, asum_diff = 0, sumsq_data = 0, sumsq_diff = 0;
  for (const Blob<Dtype>* param : learnable_params_) {
    asum_data += param->asum_data();
    asum_diff += param->asum_diff();
    sumsq_data += param->sumsq_data();
    sumsq_diff += param->sumsq_diff();
  }
  LOG(ERROR) << "    [Backward] All net params (data, diff): L1 norm = (" << asum_data
             << ", " << asum_diff << "); L2 norm = (" << std::sqrt(sumsq_data) << ", "
             << std::sqrt(sumsq_diff) << ")";
}

template <typename Dtype>
Dtype Net<Dtype>::ForwardBackward() {
  if (Caffe::mode() == Caffe::GPU && !layers_.empty()) {
    CountPass();
    const Dtype loss = RunOnDevice(true);
    if (std::isnan(loss)) check_targets(*this);
    return loss;
  }
  Dtype loss = 0;
  Forward(&loss);
  Backward();
  return loss;
}

template <typename Dtype>
void Net<Dtype>::Reshape() {
  for (size_t i = 0; i < layers_.size(); ++i) {
    try {
      layers_[i]->Reshape(bottom_vecs_[i], top_vecs_[i]);
    } catch (Error& error) {
      error.AddContext("reshaping " + DescribeLayer(static_cast<int>(i)));
      throw;
    }
  }
}

template <typename Dtype>
void Net<Dtype>::ClearParamDiffs() {
  for (Blob<Dtype>* param : learnable_params_) {
    if (param->has_diff()) FillDiff(Dtype(0), param);
  }
}

template <typename Dtype>
void Net<Dtype>::Update() {
  for (Blob<Dtype>* param : learnable_params_) {
    if (param->has_diff()) param->Update();
  }
}

namespace {
template <typename Dtype>
Dtype MeanAbs(Dtype asum, int count) {
  return asum / count;
}
}  // namespace

template <typename Dtype>
void Net<Dtype>::ForwardDebugInfo(int layer_id) {
  for (size_t t = 0; t < top_vecs_[layer_id].size(); ++t) {
    const Blob<Dtype>& blob = *top_vecs_[layer_id][t];
    LOG(INFO) << "    [Forward] Layer " << layer_names_[layer_id] << ", top blob "
              << blob_names_[top_id_vecs_[layer_id][t]]
              << " data: " << MeanAbs(blob.asum_data(), blob.count());
  }
  for (size_t p = 0; p < layers_[layer_id]->blobs().size(); ++p) {
    const Blob<Dtype>& blob = *layers_[layer_id]->blobs()[p];
    LOG(INFO) << "    [Forward] Layer " << layer_names_[layer_id] << ", param blob "
              << param_display_names_[param_id_vecs_[layer_id][p]]
              << " data: " << MeanAbs(blob.asum_data(), blob.count());
  }
}

template <typename Dtype>
void Net<Dtype>::BackwardDebugInfo(int layer_id) {
  for (size_t b = 0; b < bottom_vecs_[layer_id].size(); ++b) {
    if (!bottom_need_backward_[layer_id][b]) continue;
    const Blob<Dtype>& blob = *bottom_vecs_[layer_id][b];
    LOG(INFO) << "    [Backward] Layer " << layer_names_[layer_id] << ", bottom blob "
              << blob_names_[bottom_id_vecs_[layer_id][b]]
              << " diff: " << MeanAbs(blob.asum_diff(), blob.count());
  }
  for (size_t p = 0; p < layers_[layer_id]->blobs().size(); ++p) {
    if (!layers_[layer_id]->param_propagate_down(static_cast<int>(p))) continue;
    const Blob<Dtype>& blob = *layers_[layer_id]->blobs()[p];
    LOG(INFO) << "    [Backward] Layer " << layer_names_[layer_id] << ", param blob " << p
              << " diff: " << MeanAbs(blob.asum_diff(), blob.count());
  }
}

template <typename Dtype>
bool Net<Dtype>::has_blob(const string& blob_name) const {
  return blob_names_index_.count(blob_name) > 0;
}

template <typename Dtype>
const shared_ptr<Blob<Dtype>> Net<Dtype>::blob_by_name(const string& blob_name) const {
  const auto found = blob_names_index_.find(blob_name);
  if (found != blob_names_index_.end()) return blobs_[found->second];
  LOG(WARNING) << "Unknown blob name " << blob_name;
  return nullptr;
}

template <typename Dtype>
bool Net<Dtype>::has_layer(const string& layer_name) const {
  return layer_names_index_.count(layer_name) > 0;
}

template <typename Dtype>
const shared_ptr<Layer<Dtype>> Net<Dtype>::layer_by_name(const string& layer_name) const {
  const auto found = layer_names_index_.find(layer_name);
  if (found != layer_names_index_.end()) return layers_[found->second];
  LOG(WARNING) << "Unknown layer name " << layer_name;
  return nullptr;
}

template <typename Dtype>
int iteration_of(const Net<Dtype>* net) {
  return net == nullptr ? 0 : net->iter();
}
template <typename Dtype>
int training_iteration_of(const Net<Dtype>* net) {
  return net == nullptr ? 0 : net->training_iter();
}

#define CAFFE_INSTANTIATE_NET_RUN(Dtype)                                                \
  template const vector<Blob<Dtype>*>& Net<Dtype>::Forward(Dtype*);                     \
  template const vector<Blob<Dtype>*>& Net<Dtype>::Forward(const vector<Blob<Dtype>*>&, \
                                                           Dtype*);                     \
  template Dtype Net<Dtype>::ForwardFromTo(int, int);                                   \
  template Dtype Net<Dtype>::RunLayers(int, int);                                       \
  template Dtype Net<Dtype>::RunOnDevice(bool);                                         \
  template void Net<Dtype>::CountPass();                                                \
  template void Net<Dtype>::BackwardFromTo(int, int);                                   \
  template void Net<Dtype>::Backward();                                                 \
  template Dtype Net<Dtype>::ForwardBackward();                                         \
  template void Net<Dtype>::Reshape();                                                  \
  template void Net<Dtype>::ClearParamDiffs();                                          \
  template void Net<Dtype>::Update();                                                   \
  template bool Net<Dtype>::has_blob(const string&) const;                              \
  template const shared_ptr<Blob<Dtype>> Net<Dtype>::blob_by_name(const string&) const; \
  template bool Net<Dtype>::has_layer(const string&) const;                             \
  template const shared_ptr<Layer<Dtype>> Net<Dtype>::layer_by_name(const string&)      \
      const;                                                                            \
  template int iteration_of(const Net<Dtype>*);                                         \
  template int training_iteration_of(const Net<Dtype>*);
CAFFE_INSTANTIATE_NET_RUN(float)
CAFFE_INSTANTIATE_NET_RUN(double)
#undef CAFFE_INSTANTIATE_NET_RUN

}  // namespace caffe

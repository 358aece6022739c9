// Buckets of gradients, summed over the processes while backward runs.
#include "caffe/parallel/gradient_reducer.hpp"

#include <algorithm>
#include <map>

#include "caffe/util/math_functions.hpp"

namespace caffe {

namespace {

/// Sums of less cost more for the start than for the numbers.
constexpr std::size_t kBucketBytes = 1 << 20;

template <typename Dtype>
std::size_t CountOf(const std::vector<Blob<Dtype>*>& params) {
  std::size_t count = 0;
  for (const Blob<Dtype>* param : params) count += param->count();
  return count;
}

}  // namespace

template <typename Dtype>
GradientReducer<Dtype>::GradientReducer(Net<Dtype>* net, Communicator* processes)
    : net_(net), processes_(processes) {
  if (Caffe::mode() == Caffe::GPU) device_sum_ = make_device_sum(processes);
  MakeBuckets();
  net_->set_backward_progress([this](int layer) { LayersDone(layer); });
}

template <typename Dtype>
GradientReducer<Dtype>::~GradientReducer() {
  net_->set_backward_progress(nullptr);
}

template <typename Dtype>
void GradientReducer<Dtype>::MakeBuckets() {
  // The first layer that gives each learnable parameter a gradient.
  std::map<Blob<Dtype>*, int> first_layers;
  int param_id = 0;
  for (int i = 0; i < static_cast<int>(net_->layers().size()); ++i) {
    for (int p = 0; p < static_cast<int>(net_->layers()[i]->blobs().size()); ++p) {
      const int owner = net_->param_owners()[param_id];
      Blob<Dtype>* param = net_->params()[owner < 0 ? param_id : owner].get();
      ++param_id;
      if (!net_->layer_need_backward()[i]) continue;
      if (!net_->layers()[i]->param_propagate_down(p)) continue;
      first_layers.emplace(param, i);  // keeps the lowest
    }
  }
  std::vector<std::pair<int, Blob<Dtype>*>> by_layer;
  for (Blob<Dtype>* param : net_->learnable_params()) {
    const auto found = first_layers.find(param);
    if (found != first_layers.end()) by_layer.emplace_back(found->second, param);
  }
  std::stable_sort(by_layer.begin(), by_layer.end(),
                   [](const auto& a, const auto& b) { return a.first > b.first; });
  for (const auto& [layer, param] : by_layer) {
    if (buckets_.empty() ||
        CountOf(buckets_.back().params) * sizeof(Dtype) >= kBucketBytes ||
        param->count() * sizeof(Dtype) >= kBucketBytes) {
      buckets_.emplace_back();
    }
    buckets_.back().params.push_back(param);
    buckets_.back().first_layer = layer;
  }
}

template <typename Dtype>
void GradientReducer<Dtype>::SendWeights() {
  for (Blob<Dtype>* param : net_->learnable_params()) {
    processes_->Broadcast(param->mutable_cpu_data(), param->count() * sizeof(Dtype));
    param->data()->SyncViews();
  }
}

template <typename Dtype>
void GradientReducer<Dtype>::Begin() {
  begun_ = true;
  started_ = 0;
}

template <typename Dtype>
void GradientReducer<Dtype>::LayersDone(int layer) {
  if (!begun_) return;
  while (started_ < buckets_.size() && buckets_[started_].first_layer >= layer) {
    Start(&buckets_[started_++]);
  }
}

template <typename Dtype>
void GradientReducer<Dtype>::Finish() {
  LayersDone(0);  // those of a replayed pass
  begun_ = false;
  if (device_sum_) {
    device_sum_->Wait();
  } else {
    processes_->Wait();
  }
  for (Bucket& bucket : buckets_) Take(&bucket);
}

template <typename Dtype>
void GradientReducer<Dtype>::Start(Bucket* bucket) {
  if (device_sum_) {
    for (Blob<Dtype>* param : bucket->params) {
      device_sum_->StartSum(param->mutable_gpu_diff(), param->count());
    }
    return;
  }
  if (bucket->params.size() == 1) {
    Blob<Dtype>* param = bucket->params[0];
    processes_->StartSum(param->mutable_cpu_diff(), param->count());
    return;
  }
  bucket->packed.resize(CountOf(bucket->params));
  Dtype* packed = bucket->packed.data();
  for (Blob<Dtype>* param : bucket->params) {
    packed = std::copy_n(param->mutable_cpu_diff(), param->count(), packed);
  }
  processes_->StartSum(bucket->packed.data(), bucket->packed.size());
}

template <typename Dtype>
void GradientReducer<Dtype>::Take(Bucket* bucket) {
  const Dtype share = Dtype(1) / processes_->size();
  const Dtype* packed = bucket->packed.data();
  for (Blob<Dtype>* param : bucket->params) {
    if (!device_sum_ && bucket->params.size() > 1) {
      std::copy_n(packed, param->count(), param->mutable_cpu_diff());
      packed += param->count();
    }
    param->scale_diff(share);
    param->diff()->SyncViews();
  }
}

INSTANTIATE_CLASS(GradientReducer);

}  // namespace caffe

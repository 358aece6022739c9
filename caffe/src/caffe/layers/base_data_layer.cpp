// Bases of data layers: set-up, the thread, handing batches over.
#include "caffe/layers/base_data_layer.hpp"

#include <algorithm>

#include "caffe/device/device.hpp"

namespace caffe {

template <typename Dtype>
void BaseDataLayer<Dtype>::LayerSetUp(const vector<Blob<Dtype>*>& bottom,
                                      const vector<Blob<Dtype>*>& top) {
  output_labels_ = top.size() > 1;
  data_transformer_ =
      std::make_shared<DataTransformer<Dtype>>(transform_param_, this->phase_);
  data_transformer_->InitRand();
  DataLayerSetUp(bottom, top);
}

template <typename Dtype>
BasePrefetchingDataLayer<Dtype>::BasePrefetchingDataLayer(const LayerParameter& param)
    : BaseDataLayer<Dtype>(param) {
  const unsigned int batches = std::max(1u, param.data_param().prefetch());
  for (unsigned int i = 0; i < batches; ++i) {
    prefetch_.push_back(std::make_shared<Batch<Dtype>>());
    prefetch_free_.push(prefetch_.back().get());
  }
}

template <typename Dtype>
void BasePrefetchingDataLayer<Dtype>::LayerSetUp(const vector<Blob<Dtype>*>& bottom,
                                                 const vector<Blob<Dtype>*>& top) {
  BaseDataLayer<Dtype>::LayerSetUp(bottom, top);
  // BVLC seeds it twice, and draws the thread's own seed after that.
  this->data_transformer_->InitRand();
  StartInternalThread();
}

template <typename Dtype>
void BasePrefetchingDataLayer<Dtype>::InternalThreadEntry() {
  while (!must_stop()) {
    Batch<Dtype>* batch = prefetch_free_.pop();
    load_batch(batch);
    if (Caffe::mode() == Caffe::GPU) {
      // On this thread's stream; returns when the device has it.
      batch->data_.gpu_data();
      if (this->output_labels_) batch->label_.gpu_data();
    }
    prefetch_full_.push(batch);
  }
}

template <typename Dtype>
bool BasePrefetchingDataLayer<Dtype>::InternalThreadFailed(std::exception_ptr error) {
  prefetch_full_.fail(error);
  return true;
}

/// Hands the batch before back and shapes the tops like the next one.
template <typename Dtype>
void BasePrefetchingDataLayer<Dtype>::TakeNext(const vector<Blob<Dtype>*>& top) {
  if (prefetch_current_ != nullptr) prefetch_free_.push(prefetch_current_);
  prefetch_current_ = nullptr;
  prefetch_current_ = prefetch_full_.pop("Waiting for data");
  top[0]->ReshapeLike(prefetch_current_->data_);
  if (this->output_labels_) top[1]->ReshapeLike(prefetch_current_->label_);
}

template <typename Dtype>
void BasePrefetchingDataLayer<Dtype>::Forward_cpu(const vector<Blob<Dtype>*>&,
                                                  const vector<Blob<Dtype>*>& top) {
  TakeNext(top);
  top[0]->set_cpu_data(prefetch_current_->data_.mutable_cpu_data());
  if (this->output_labels_) {
    top[1]->set_cpu_data(prefetch_current_->label_.mutable_cpu_data());
  }
}

template <typename Dtype>
void BasePrefetchingDataLayer<Dtype>::Forward_gpu(const vector<Blob<Dtype>*>&,
                                                  const vector<Blob<Dtype>*>& top) {
  // The copy out of the batch before is over before the thread may write it again.
  if (prefetch_current_ != nullptr) device::synchronize();
  TakeNext(top);
  const auto hand_over = [](const Blob<Dtype>& from, Blob<Dtype>* to) {
    device::copy_on_device(to->mutable_gpu_data(), from.gpu_data(),
                           sizeof(Dtype) * from.count());
  };
  hand_over(prefetch_current_->data_, top[0]);
  if (this->output_labels_) hand_over(prefetch_current_->label_, top[1]);
}

INSTANTIATE_CLASS(BaseDataLayer);
INSTANTIATE_CLASS(BasePrefetchingDataLayer);

}  // namespace caffe

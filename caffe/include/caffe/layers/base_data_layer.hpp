// Bases of layers that bring data into a net, at once or ahead of time in a thread.
#ifndef CAFFE_BASE_DATA_LAYER_HPP_
#define CAFFE_BASE_DATA_LAYER_HPP_

#include <vector>

#include "caffe/data_transformer.hpp"
#include "caffe/internal_thread.hpp"
#include "caffe/layer.hpp"
#include "caffe/util/blocking_queue.hpp"

namespace caffe {

/// Tops: data, and labels where there is a second top. A subclass shapes them in
/// DataLayerSetUp.
template <typename Dtype>
class BaseDataLayer : public Layer<Dtype> {
 public:
  explicit BaseDataLayer(const LayerParameter& param)
      : Layer<Dtype>(param), transform_param_(param.transform_param()) {}
  void LayerSetUp(const vector<Blob<Dtype>*>& bottom,
                  const vector<Blob<Dtype>*>& top) override;
  virtual void DataLayerSetUp(const vector<Blob<Dtype>*>& /*bottom*/,
                              const vector<Blob<Dtype>*>& /*top*/) {}
  void Reshape(const vector<Blob<Dtype>*>&, const vector<Blob<Dtype>*>&) override {}

 protected:
  void Backward_cpu(const vector<Blob<Dtype>*>&, const vector<bool>&,
                    const vector<Blob<Dtype>*>&) override {}
  void Backward_gpu(const vector<Blob<Dtype>*>&, const vector<bool>&,
                    const vector<Blob<Dtype>*>&) override {}

  TransformationParameter transform_param_;
  shared_ptr<DataTransformer<Dtype>> data_transformer_;
  bool output_labels_ = false;
};

template <typename Dtype>
class Batch {
 public:
  Blob<Dtype> data_, label_;
};

/// A thread fills `data_param.prefetch` batches in their order; forward takes the next.
/// A subclass shapes `prefetch_[i]->data_` and `label_` in DataLayerSetUp, writes a batch
/// in load_batch (on the host), and calls StopInternalThread in its destructor.
///
/// GPU mode: the thread also copies each batch to the device, from pinned memory, on a
/// stream of its own and while the net works; it hands the batch over when that is done.
/// Forward then copies on the device alone. (The tops stay where they are, so that what
/// follows can be recorded as a graph.)
///
/// differs: `prefetch: 0` means 1, BVLC's Caffe hung; an error of the thread is thrown by
/// forward.
template <typename Dtype>
class BasePrefetchingDataLayer : public BaseDataLayer<Dtype>, public InternalThread {
 public:
  explicit BasePrefetchingDataLayer(const LayerParameter& param);
  void LayerSetUp(const vector<Blob<Dtype>*>& bottom,
                  const vector<Blob<Dtype>*>& top) override;

 protected:
  void InternalThreadEntry() override;
  bool InternalThreadFailed(std::exception_ptr error) override;
  virtual void load_batch(Batch<Dtype>* batch) = 0;
  void Forward_cpu(const vector<Blob<Dtype>*>& bottom,
                   const vector<Blob<Dtype>*>& top) override;
  void Forward_gpu(const vector<Blob<Dtype>*>& bottom,
                   const vector<Blob<Dtype>*>& top) override;

  vector<shared_ptr<Batch<Dtype>>> prefetch_;
  BlockingQueue<Batch<Dtype>*> prefetch_free_, prefetch_full_;
  Batch<Dtype>* prefetch_current_ = nullptr;
  Blob<Dtype> transformed_data_;

 private:
  void TakeNext(const vector<Blob<Dtype>*>& top);
};

}  // namespace caffe

#endif  // CAFFE_BASE_DATA_LAYER_HPP_

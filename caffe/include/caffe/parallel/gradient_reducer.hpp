// Makes the gradients of a net the mean over all processes, while backward still runs.
#ifndef CAFFE_PARALLEL_GRADIENT_REDUCER_HPP_
#define CAFFE_PARALLEL_GRADIENT_REDUCER_HPP_

#include <memory>
#include <vector>

#include "caffe/net.hpp"
#include "caffe/parallel/communicator.hpp"
#include "caffe/parallel/device_sum.hpp"

namespace caffe {

/// Parameters are gathered into buckets in the order in which backward completes their
/// gradients (a shared one is complete after its first layer); the sum of a bucket starts
/// when its last gradient is there. One update of one process at batch N * b equals, up
/// to rounding, that of N processes at batch b whose losses are means over the batch.
///
/// On a GPU the sums are NCCL's where it is there, else they go over host memory; passes
/// that are replayed as a graph start them when backward has ended.
template <typename Dtype>
class GradientReducer {
 public:
  GradientReducer(Net<Dtype>* net, Communicator* processes);
  ~GradientReducer();

  /// Gives all processes the parameters of rank 0.
  void SendWeights();
  /// The next backward pass is the last before the update.
  void Begin();
  /// Returns when the gradients are the mean over all processes.
  void Finish();

 private:
  struct Bucket {
    std::vector<Blob<Dtype>*> params;
    int first_layer = 0;  ///< complete when backward has done this layer
    std::vector<Dtype> packed;
  };

  void MakeBuckets();
  void LayersDone(int layer);
  void Start(Bucket* bucket);
  void Take(Bucket* bucket);

  Net<Dtype>* net_;
  Communicator* processes_;
  std::unique_ptr<DeviceSum> device_sum_;  ///< null: over the host
  std::vector<Bucket> buckets_;
  std::size_t started_ = 0;
  bool begun_ = false;

  DISABLE_COPY_AND_ASSIGN(GradientReducer);
};

}  // namespace caffe

#endif  // CAFFE_PARALLEL_GRADIENT_REDUCER_HPP_

// Sums of device memory by NCCL, on a stream beside the one that computes.
#include "caffe/parallel/device_sum.hpp"

#include <nccl.h>

#include <exception>

#include "caffe/common.hpp"
#include "caffe/device/cuda/cuda_check.hpp"
#include "caffe/device/stream.hpp"

namespace caffe {

namespace {

void Check(ncclResult_t result) {
  if (result == ncclSuccess) return;
  CAFFE_THROW(kGeneric) << "NCCL: " << ncclGetErrorString(result)
                        << " (each process needs a GPU of its own: -gpu 0,1,...)";
}

class NcclSum : public DeviceSum {
 public:
  explicit NcclSum(Communicator* processes) {
    ncclUniqueId id{};
    if (processes->rank() == 0) Check(ncclGetUniqueId(&id));
    processes->Broadcast(&id, sizeof(id));
    CUDA_CHECK(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking));
    CUDA_CHECK(cudaEventCreateWithFlags(&event_, cudaEventDisableTiming));
    Check(ncclCommInitRank(&processes_, processes->size(), id, processes->rank()));
  }
  ~NcclSum() override {
    // Destroying waits for sums; after an error the others may never take part in one.
    if (std::uncaught_exceptions() > 0) {
      ncclCommAbort(processes_);
    } else {
      ncclCommDestroy(processes_);
    }
    cudaEventDestroy(event_);
    cudaStreamDestroy(stream_);
  }

  void StartSum(float* data, std::size_t count) override {
    Start(data, count, ncclFloat);
  }
  void StartSum(double* data, std::size_t count) override {
    Start(data, count, ncclDouble);
  }
  void Wait() override {
    CUDA_CHECK(cudaEventRecord(event_, stream_));
    CUDA_CHECK(cudaStreamWaitEvent(device::stream(), event_, 0));
  }

 private:
  void Start(void* data, std::size_t count, ncclDataType_t type) {
    CUDA_CHECK(cudaEventRecord(event_, device::stream()));
    CUDA_CHECK(cudaStreamWaitEvent(stream_, event_, 0));
    Check(ncclAllReduce(data, data, count, type, ncclSum, processes_, stream_));
  }

  ncclComm_t processes_ = nullptr;
  cudaStream_t stream_ = nullptr;
  cudaEvent_t event_ = nullptr;
};

}  // namespace

std::unique_ptr<DeviceSum> make_device_sum(Communicator* processes) {
  return std::make_unique<NcclSum>(processes);
}

}  // namespace caffe

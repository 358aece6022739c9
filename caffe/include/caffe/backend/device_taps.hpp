// Resampling matrices in device memory.
#ifndef CAFFE_BACKEND_DEVICE_TAPS_HPP_
#define CAFFE_BACKEND_DEVICE_TAPS_HPP_

#include <algorithm>
#include <memory>
#include <vector>

#include "caffe/backend/resample.hpp"
#include "caffe/syncedmem.hpp"

namespace caffe {

/// ResampleTaps as a kernel sees them; device pointers.
template <typename Dtype>
struct TapsView {
  int in, out, most;
  const int* first;
  const int* length;
  const Dtype* weight;
};

/// A copy of taps, made when it is first asked for.
template <typename Dtype>
class DeviceTaps {
 public:
  TapsView<Dtype> view(const ResampleTaps<Dtype>& taps) {
    if (first_ == nullptr) {
      first_ = Copy(taps.first);
      length_ = Copy(taps.length);
      weight_ = Copy(taps.weight);
    }
    return {taps.in,
            taps.out,
            taps.most,
            static_cast<const int*>(first_->gpu_data()),
            static_cast<const int*>(length_->gpu_data()),
            static_cast<const Dtype*>(weight_->gpu_data())};
  }

 private:
  template <typename T>
  static std::shared_ptr<SyncedMemory> Copy(const std::vector<T>& values) {
    const std::size_t bytes = std::max<std::size_t>(1, values.size()) * sizeof(T);
    auto memory = std::make_shared<SyncedMemory>(bytes);
    std::copy(values.begin(), values.end(), static_cast<T*>(memory->mutable_cpu_data()));
    return memory;
  }

  std::shared_ptr<SyncedMemory> first_, length_, weight_;
};

}  // namespace caffe

#endif  // CAFFE_BACKEND_DEVICE_TAPS_HPP_

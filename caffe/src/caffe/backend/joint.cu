// Joining and cutting on the device: rows of row-major memory.
#include "caffe/backend/joint.hpp"
#include "caffe/device/device.hpp"
#include "caffe/device/divisor.hpp"
#include "caffe/device/launch.hpp"

namespace caffe {

namespace {

using device::Divisor;

/// Row r of the part is at r * step + begin in the whole.
struct PartPlace {
  int rows, length, step, begin;
};

template <typename Dtype>
void copy_part_in(const PartPlace& part_place, const Dtype* part, Dtype* whole) {
  const PartPlace place = part_place;
  const Divisor length(place.length);
  launch(
      place.rows * place.length, CAFFE_LAMBDA(int i) {
        const int row = length.quotient(i);
        whole[row * (place.step - place.length) + place.begin + i] = part[i];
      });
}

template <typename Dtype>
void zero_part(const PartPlace& part_place, Dtype* whole) {
  const PartPlace place = part_place;
  const Divisor length(place.length);
  launch(
      place.rows * place.length, CAFFE_LAMBDA(int i) {
        const int row = length.quotient(i);
        whole[row * (place.step - place.length) + place.begin + i] = Dtype(0);
      });
}

template <typename Dtype>
void copy_part_out(const PartPlace& part_place, const Dtype* whole, Dtype* part) {
  const PartPlace place = part_place;
  const Divisor length(place.length);
  launch(
      place.rows * place.length, CAFFE_LAMBDA(int i) {
        const int row = length.quotient(i);
        part[i] = whole[row * (place.step - place.length) + place.begin + i];
      });
}

}  // namespace

template <typename Dtype>
void Joint<Dtype>::JoinGpu(const vector<SyncedMemory*>& parts,
                           SyncedMemory* whole) const {
  Dtype* to = static_cast<Dtype*>(whole->mutable_gpu_data());
  for (size_t i = 0; i < parts.size(); ++i) {
    const PartPlace place{outer_, (begin_[i + 1] - begin_[i]) * inner_,
                          whole_size_ * inner_, begin_[i] * inner_};
    if (parts[i] == nullptr) {
      zero_part(place, to);
    } else {
      copy_part_in(place, static_cast<const Dtype*>(parts[i]->gpu_data()), to);
    }
  }
}

template <typename Dtype>
void Joint<Dtype>::CutGpu(SyncedMemory* whole, const vector<SyncedMemory*>& parts) const {
  const Dtype* from = static_cast<const Dtype*>(whole->gpu_data());
  for (size_t i = 0; i < parts.size(); ++i) {
    if (parts[i] == nullptr) continue;
    const PartPlace place{outer_, (begin_[i + 1] - begin_[i]) * inner_,
                          whole_size_ * inner_, begin_[i] * inner_};
    copy_part_out(place, from, static_cast<Dtype*>(parts[i]->mutable_gpu_data()));
  }
}

template void Joint<float>::JoinGpu(const vector<SyncedMemory*>&, SyncedMemory*) const;
template void Joint<double>::JoinGpu(const vector<SyncedMemory*>&, SyncedMemory*) const;
template void Joint<float>::CutGpu(SyncedMemory*, const vector<SyncedMemory*>&) const;
template void Joint<double>::CutGpu(SyncedMemory*, const vector<SyncedMemory*>&) const;

}  // namespace caffe

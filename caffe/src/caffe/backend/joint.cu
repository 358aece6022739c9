// Joining and cutting on the device: rows of row-major or channels-last memory.
#include "caffe/backend/joint.hpp"
#include "caffe/device/channels_last.hpp"
#include "caffe/device/device.hpp"
#include "caffe/device/divisor.hpp"
#include "caffe/device/launch.hpp"

namespace caffe {

namespace {

using device::Divisor;

template <typename Dtype>
void copy_part_in(const JointPlace& part_place, const Dtype* part, Dtype* whole) {
  const JointPlace place = part_place;
  const Divisor length(place.length);
  launch(
      place.rows * place.length, CAFFE_LAMBDA(int i) {
        const int row = length.quotient(i);
        whole[row * (place.step - place.length) + place.begin + i] = part[i];
      });
}

template <typename Dtype>
void zero_part(const JointPlace& part_place, Dtype* whole) {
  const JointPlace place = part_place;
  const Divisor length(place.length);
  launch(
      place.rows * place.length, CAFFE_LAMBDA(int i) {
        const int row = length.quotient(i);
        whole[row * (place.step - place.length) + place.begin + i] = Dtype(0);
      });
}

template <typename Dtype>
void copy_part_out(const JointPlace& part_place, const Dtype* whole, Dtype* part) {
  const JointPlace place = part_place;
  const Divisor length(place.length);
  launch(
      place.rows * place.length, CAFFE_LAMBDA(int i) {
        const int row = length.quotient(i);
        part[i] = whole[row * (place.step - place.length) + place.begin + i];
      });
}

}  // namespace

/// Sizes of part i channels-last.
template <typename Dtype>
ChannelsLast Joint<Dtype>::PartOrder(size_t i) const {
  return {outer_, begin_[i + 1] - begin_[i], inner_};
}

/// A part is a row of each item, channels-last a row of each position.
template <typename Dtype>
JointPlace Joint<Dtype>::PlaceOf(size_t i, bool channels_last) const {
  const int size = begin_[i + 1] - begin_[i];
  if (channels_last) return {outer_ * inner_, size, whole_size_, begin_[i]};
  return {outer_, size * inner_, whole_size_ * inner_, begin_[i] * inner_};
}

template <typename Dtype>
void Joint<Dtype>::JoinGpu(const vector<SyncedMemory*>& parts,
                           SyncedMemory* whole) const {
  int channels_last = 0;
  for (size_t i = 0; i < parts.size() && axis_ == 1; ++i) {
    const ChannelsLast order = PartOrder(i);
    if (parts[i] != nullptr && parts[i]->head_is_channels_last() &&
        parts[i]->channels_last_is_current(order)) {
      channels_last += order.channels;
    }
  }
  const bool last = std::is_same<Dtype, float>::value && 2 * channels_last > whole_size_;
  const ChannelsLast none, whole_order{outer_, whole_size_, inner_};
  Dtype* to = device::write_in_order<Dtype>(whole, last ? whole_order : none);
  for (size_t i = 0; i < parts.size(); ++i) {
    const JointPlace place = PlaceOf(i, last);
    if (parts[i] == nullptr) {
      zero_part(place, to);
    } else {
      const ChannelsLast order = last ? PartOrder(i) : none;
      copy_part_in(place, device::read_in_order<Dtype>(parts[i], order), to);
    }
  }
}

template <typename Dtype>
void Joint<Dtype>::CutGpu(SyncedMemory* whole, const vector<SyncedMemory*>& parts) const {
  const ChannelsLast none, whole_order{outer_, whole_size_, inner_};
  const bool last = std::is_same<Dtype, float>::value && axis_ == 1 &&
                    whole->head_is_channels_last() &&
                    whole->channels_last_is_current(whole_order);
  const Dtype* from = device::read_in_order<Dtype>(whole, last ? whole_order : none);
  for (size_t i = 0; i < parts.size(); ++i) {
    if (parts[i] == nullptr) continue;
    copy_part_out(PlaceOf(i, last), from,
                  device::write_in_order<Dtype>(parts[i], last ? PartOrder(i) : none));
  }
}

template void Joint<float>::JoinGpu(const vector<SyncedMemory*>&, SyncedMemory*) const;
template void Joint<double>::JoinGpu(const vector<SyncedMemory*>&, SyncedMemory*) const;
template void Joint<float>::CutGpu(SyncedMemory*, const vector<SyncedMemory*>&) const;
template void Joint<double>::CutGpu(SyncedMemory*, const vector<SyncedMemory*>&) const;

}  // namespace caffe

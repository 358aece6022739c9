// Crop on the device: each thread finds its value's place in the other array.
#include <algorithm>

#include "caffe/device/channels_last.hpp"
#include "caffe/device/divisor.hpp"
#include "caffe/device/launch.hpp"
#include "caffe/layers/crop_layer.hpp"
#include "caffe/util/math_functions_gpu.hpp"

namespace caffe {

namespace {

/// A window's axes, those merged that are taken whole.
class WindowMap {
 public:
  explicit WindowMap(const Window& window) {
    vector<int> from, size, offset;
    for (size_t i = 0; i < window.from.size(); ++i) {
      if (!from.empty() && window.size[i] == window.from[i]) {
        from.back() *= window.from[i];
        size.back() *= window.size[i];
        offset.back() *= window.from[i];
      } else {
        from.push_back(window.from[i]);
        size.push_back(window.size[i]);
        offset.push_back(window.offset[i]);
      }
    }
    axes_ = static_cast<int>(from.size());
    for (int i = 0; i < axes_; ++i) {
      from_[i] = device::Divisor(from[i]);
      size_[i] = device::Divisor(size[i]);
      offset_[i] = offset[i];
    }
  }

  /// Where value i of the window lies in the large array.
  CAFFE_HD int InLarge(int i) const {
    int index = 0, step = 1;
    for (int axis = axes_ - 1; axis >= 0; --axis) {
      const int rest = axis == 0 ? 0 : size_[axis].quotient(i);
      index += (i - rest * size_[axis].divisor() + offset_[axis]) * step;
      step *= from_[axis].divisor();
      i = rest;
    }
    return index;
  }
  /// Where value i of the large array lies in the window; -1 outside.
  CAFFE_HD int InWindow(int i) const {
    int index = 0, step = 1;
    for (int axis = axes_ - 1; axis >= 0; --axis) {
      const int rest = axis == 0 ? 0 : from_[axis].quotient(i);
      const int at = i - rest * from_[axis].divisor() - offset_[axis];
      if (at < 0 || at >= size_[axis].divisor()) return -1;
      index += at * step;
      step *= size_[axis].divisor();
      i = rest;
    }
    return index;
  }

 private:
  int axes_ = 0;
  device::Divisor from_[kMaxBlobAxes], size_[kMaxBlobAxes];
  int offset_[kMaxBlobAxes] = {};
};

template <typename Dtype>
void take_window(int n, const Window& window, const Dtype* large, Dtype* small) {
  const WindowMap map(window);
  launch(
      n, CAFFE_LAMBDA(int i) { small[i] = large[map.InLarge(i)]; });
}

template <typename Dtype>
void spread_window(int n, const Window& window, const Dtype* small, Dtype* large) {
  const WindowMap map(window);
  launch(
      n, CAFFE_LAMBDA(int i) {
        const int at = map.InWindow(i);
        large[i] = at < 0 ? Dtype(0) : small[at];
      });
}

/// The window of an array whose channels, axis 1, lie last.
Window channels_last_window(Window window) {
  for (auto* axes : {&window.from, &window.size, &window.offset}) {
    std::rotate(axes->begin() + 1, axes->begin() + 2, axes->end());
  }
  return window;
}

}  // namespace

template <typename Dtype>
void CropLayer<Dtype>::Forward_gpu(const vector<Blob<Dtype>*>& bottom,
                                   const vector<Blob<Dtype>*>& top) {
  SyncedMemory* large = bottom[0]->data().get();
  const ChannelsLast order = device::common_order(*bottom[0], {large});
  const bool last = order.channels > 0;
  const ChannelsLast small_order =
      last ? device::channels_last_order(*top[0]) : ChannelsLast();
  take_window(top[0]->count(), last ? channels_last_window(window_) : window_,
              device::read_in_order<Dtype>(large, order),
              device::write_in_order<Dtype>(top[0]->data().get(), small_order));
}

template <typename Dtype>
void CropLayer<Dtype>::Backward_gpu(const vector<Blob<Dtype>*>& top,
                                    const vector<bool>& propagate_down,
                                    const vector<Blob<Dtype>*>& bottom) {
  if (propagate_down[1]) {
    caffe_gpu_set(bottom[1]->count(), Dtype(0), bottom[1]->mutable_gpu_diff());
  }
  if (!propagate_down[0]) return;
  if (top[0]->count() == 0) {  // an empty window has no divisors
    caffe_gpu_set(bottom[0]->count(), Dtype(0), bottom[0]->mutable_gpu_diff());
    return;
  }
  SyncedMemory* small = top[0]->diff().get();
  const ChannelsLast order = device::common_order(*top[0], {small});
  const bool last = order.channels > 0;
  const ChannelsLast large_order =
      last ? device::channels_last_order(*bottom[0]) : ChannelsLast();
  spread_window(bottom[0]->count(), last ? channels_last_window(window_) : window_,
                device::read_in_order<Dtype>(small, order),
                device::write_in_order<Dtype>(bottom[0]->diff().get(), large_order));
}

INSTANTIATE_LAYER_GPU_FUNCS(CropLayer);

}  // namespace caffe

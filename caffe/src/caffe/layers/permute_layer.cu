// Permute on the device: a gather in the order of the array that is written.
#include "caffe/device/divisor.hpp"
#include "caffe/device/launch.hpp"
#include "caffe/layers/permute_layer.hpp"

namespace caffe {

namespace {

/// For arrays whose axis i is axis order[i] of another: from an index here to the index
/// there. Axes that stay neighbours count as one.
class AxisMap {
 public:
  AxisMap(const vector<int>& other_shape, const vector<int>& order) {
    vector<int> steps(other_shape.size(), 1);
    for (int i = static_cast<int>(steps.size()) - 2; i >= 0; --i) {
      steps[i] = steps[i + 1] * other_shape[i + 1];
    }
    vector<int> sizes;
    for (size_t i = 0; i < order.size(); ++i) {
      const int size = other_shape[order[i]];
      if (i > 0 && order[i] == order[i - 1] + 1) {
        sizes.back() *= size;
        step_[sizes.size() - 1] = steps[order[i]];
      } else {
        sizes.push_back(size);
        step_[sizes.size() - 1] = steps[order[i]];
      }
    }
    axes_ = static_cast<int>(sizes.size());
    for (int i = 0; i < axes_; ++i) size_[i] = device::Divisor(sizes[i]);
  }

  CAFFE_HD int operator()(int i) const {
    int index = 0;
    for (int axis = axes_ - 1; axis > 0; --axis) {
      const int rest = size_[axis].quotient(i);
      index += (i - rest * size_[axis].divisor()) * step_[axis];
      i = rest;
    }
    return index + i * step_[0];
  }

 private:
  int axes_ = 0;
  device::Divisor size_[kMaxBlobAxes];
  int step_[kMaxBlobAxes] = {};
};

template <typename Dtype>
void gather(int n, const AxisMap& axis_map, const Dtype* from, Dtype* to) {
  const AxisMap map = axis_map;
  launch(
      n, CAFFE_LAMBDA(int i) { to[i] = from[map(i)]; });
}

}  // namespace

template <typename Dtype>
void PermuteLayer<Dtype>::Forward_gpu(const vector<Blob<Dtype>*>& bottom,
                                      const vector<Blob<Dtype>*>& top) {
  gather(top[0]->count(), AxisMap(bottom[0]->shape(), order_), bottom[0]->gpu_data(),
         top[0]->mutable_gpu_data());
}

template <typename Dtype>
void PermuteLayer<Dtype>::Backward_gpu(const vector<Blob<Dtype>*>& top,
                                       const vector<bool>& propagate_down,
                                       const vector<Blob<Dtype>*>& bottom) {
  if (!propagate_down[0]) return;
  vector<int> inverse(order_.size());
  for (size_t i = 0; i < order_.size(); ++i) inverse[order_[i]] = static_cast<int>(i);
  gather(bottom[0]->count(), AxisMap(top[0]->shape(), inverse), top[0]->gpu_diff(),
         bottom[0]->mutable_gpu_diff());
}

INSTANTIATE_LAYER_GPU_FUNCS(PermuteLayer);

}  // namespace caffe

// Split on the device.
#include "caffe/device/weighted_sum.hpp"
#include "caffe/layers/split_layer.hpp"
#include "caffe/util/math_functions_gpu.hpp"

namespace caffe {

template <typename Dtype>
void SplitLayer<Dtype>::Forward_gpu(const vector<Blob<Dtype>*>& bottom,
                                    const vector<Blob<Dtype>*>& top) {
  ShareBottom(*bottom[0], top);
}

template <typename Dtype>
void SplitLayer<Dtype>::Backward_gpu(const vector<Blob<Dtype>*>& top,
                                     const vector<bool>& propagate_down,
                                     const vector<Blob<Dtype>*>& bottom) {
  if (!propagate_down[0]) return;
  const int n = bottom[0]->count();
  vector<const Dtype*> gradients;
  for (size_t i = 0; i < top.size(); ++i) {
    if (this->top_has_gradient(static_cast<int>(i))) {
      gradients.push_back(top[i]->gpu_diff());
    }
  }
  Dtype* sum = bottom[0]->mutable_gpu_diff();
  if (gradients.empty()) {
    caffe_gpu_set(n, Dtype(0), sum);
  } else {
    device::weighted_sum<Dtype>(n, gradients, {}, sum);
  }
}

INSTANTIATE_LAYER_GPU_FUNCS(SplitLayer);

}  // namespace caffe

// Parameter on the device.
#include "caffe/layers/parameter_layer.hpp"
#include "caffe/util/math_functions_gpu.hpp"

namespace caffe {

template <typename Dtype>
void ParameterLayer<Dtype>::Forward_gpu(const vector<Blob<Dtype>*>&,
                                        const vector<Blob<Dtype>*>&) {}

template <typename Dtype>
void ParameterLayer<Dtype>::Backward_gpu(const vector<Blob<Dtype>*>& top,
                                         const vector<bool>&,
                                         const vector<Blob<Dtype>*>&) {
  if (!this->param_propagate_down(0)) return;
  caffe_gpu_axpy(top[0]->count(), Dtype(1), top[0]->gpu_diff(),
                 this->blobs_[0]->mutable_gpu_diff());
}

INSTANTIATE_LAYER_GPU_FUNCS(ParameterLayer);

}  // namespace caffe

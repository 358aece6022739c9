// Parameter: shared data forward, an added gradient backward.
#include "caffe/layers/parameter_layer.hpp"

namespace caffe {

template <typename Dtype>
void ParameterLayer<Dtype>::LayerSetUp(const vector<Blob<Dtype>*>&,
                                       const vector<Blob<Dtype>*>&) {
  Blob<Dtype> wanted;
  wanted.Reshape(this->layer_param_.parameter_param().shape());
  if (this->blobs_.empty()) {
    this->blobs_.push_back(std::make_shared<Blob<Dtype>>(wanted.shape()));
  }
  CHECK(this->blobs_[0]->shape() == wanted.shape())
      << "parameter_param: the shape is " << wanted.shape_string()
      << ", the ready-made parameter has " << this->blobs_[0]->shape_string();
  this->param_propagate_down_.resize(1, true);
}

template <typename Dtype>
void ParameterLayer<Dtype>::Reshape(const vector<Blob<Dtype>*>&,
                                    const vector<Blob<Dtype>*>& top) {
  top[0]->ReshapeLike(*this->blobs_[0]);
  top[0]->ShareData(*this->blobs_[0]);
}

template <typename Dtype>
void ParameterLayer<Dtype>::Forward_cpu(const vector<Blob<Dtype>*>&,
                                        const vector<Blob<Dtype>*>&) {}

template <typename Dtype>
void ParameterLayer<Dtype>::Backward_cpu(const vector<Blob<Dtype>*>& top,
                                         const vector<bool>&,
                                         const vector<Blob<Dtype>*>&) {
  if (!this->param_propagate_down(0)) return;
  caffe_axpy(top[0]->count(), Dtype(1), top[0]->cpu_diff(),
             this->blobs_[0]->mutable_cpu_diff());
}

INSTANTIATE_CLASS(ParameterLayer);
REGISTER_LAYER_CLASS(Parameter);

}  // namespace caffe

// Input: shapes its tops once.
#include "caffe/layers/input_layer.hpp"

namespace caffe {

template <typename Dtype>
void InputLayer<Dtype>::LayerSetUp(const vector<Blob<Dtype>*>&,
                                   const vector<Blob<Dtype>*>& top) {
  const InputParameter& param = this->layer_param_.input_param();
  const int given = param.shape_size(), tops = static_cast<int>(top.size());
  CHECK(given == 0 || given == 1 || given == tops)
      << "input_param: give no shape, one for all tops, or one for each of the " << tops
      << " tops; " << given << " are given";
  for (int i = 0; given > 0 && i < tops; ++i) {
    top[i]->Reshape(param.shape(given == 1 ? 0 : i));
  }
}

template <typename Dtype>
void InputLayer<Dtype>::Forward_cpu(const vector<Blob<Dtype>*>&,
                                    const vector<Blob<Dtype>*>&) {}

template <typename Dtype>
void InputLayer<Dtype>::Backward_cpu(const vector<Blob<Dtype>*>&, const vector<bool>&,
                                     const vector<Blob<Dtype>*>&) {}

INSTANTIATE_CLASS(InputLayer);
REGISTER_LAYER_CLASS(Input);

}  // namespace caffe

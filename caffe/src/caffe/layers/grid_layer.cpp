// Grid.
#include "caffe/layers/grid_layer.hpp"

#include "caffe/backend/elementwise.hpp"

namespace caffe {

template <typename Dtype>
void GridLayer<Dtype>::Reshape(const vector<Blob<Dtype>*>& bottom,
                               const vector<Blob<Dtype>*>& top) {
  const string where = "Grid layer '" + this->layer_param_.name() + "' ";
  CHECK_VALUE(bottom[0]->num_axes() == 4)
      << where << "takes a bottom (N, C, H, W), not " << bottom[0]->shape_string();
  CHECK_VALUE(bottom[0] != top[0]) << where << "cannot work in place";
  top[0]->Reshape({bottom[0]->num(), 2, bottom[0]->height(), bottom[0]->width()});
}

template <typename Dtype>
void GridLayer<Dtype>::Forward_cpu(const vector<Blob<Dtype>*>&,
                                   const vector<Blob<Dtype>*>& top) {
  for_each_index(top[0]->count(), GridValue<Dtype>{top[0]->height(), top[0]->width(),
                                                   top[0]->mutable_cpu_data()});
}

template <typename Dtype>
void GridLayer<Dtype>::Backward_cpu(const vector<Blob<Dtype>*>&,
                                    const vector<bool>& propagate_down,
                                    const vector<Blob<Dtype>*>& bottom) {
  if (!propagate_down[0]) return;
  zero_memory<Dtype>(bottom[0]->diff().get(), BlockedLayout(), bottom[0]->count());
}

INSTANTIATE_CLASS(GridLayer);
REGISTER_LAYER_CLASS(Grid);

}  // namespace caffe

// FlowScale.
#include "caffe/layers/flow_scale_layer.hpp"

#include "caffe/util/math_functions.hpp"
#include "caffe/util/parallel_for.hpp"

namespace caffe {

template <typename Dtype>
void FlowScaleLayer<Dtype>::Reshape(const vector<Blob<Dtype>*>& bottom,
                                    const vector<Blob<Dtype>*>& top) {
  const string where = "FlowScale layer '" + this->layer_param_.name() + "': ";
  CHECK_VALUE(bottom[0]->num_axes() == 4 && bottom[0]->channels() == 2)
      << where << "bottom 0 is a flow (N, 2, H, W), not " << bottom[0]->shape_string();
  for (size_t i = 1; i < bottom.size(); ++i) {
    CHECK_VALUE(bottom[i]->num_axes() == 4 && bottom[i]->height() > 0 &&
                bottom[i]->width() > 0)
        << where << "bottom " << i << " is an image (N, C, H, W) of the grid "
        << (i == 1 ? "whose pixels the flow is in" : "whose pixels are wanted")
        << ", not " << bottom[i]->shape_string();
    CHECK_VALUE(bottom[i] != top[0])
        << where << "works in place on its first bottom only";
  }
  if (bottom[0] != top[0]) top[0]->ReshapeLike(*bottom[0]);
  u_factor_ = Dtype(bottom[2]->width()) / Dtype(bottom[1]->width());
  v_factor_ = Dtype(bottom[2]->height()) / Dtype(bottom[1]->height());
}

template <typename Dtype>
void FlowScaleLayer<Dtype>::Multiply(int count, int plane, const Dtype* flow,
                                     Dtype* scaled) const {
  const Dtype u_factor = u_factor_, v_factor = v_factor_;
  for_each_index(count, [=](std::int64_t i) {
    scaled[i] = flow[i] * (i / plane % 2 == 0 ? u_factor : v_factor);
  });
}

template <typename Dtype>
void FlowScaleLayer<Dtype>::Forward_cpu(const vector<Blob<Dtype>*>& bottom,
                                        const vector<Blob<Dtype>*>& top) {
  if (top[0]->count() == 0) return;
  Multiply(top[0]->count(), top[0]->count(2), bottom[0]->cpu_data(),
           top[0]->mutable_cpu_data());
}

template <typename Dtype>
void FlowScaleLayer<Dtype>::Backward_cpu(const vector<Blob<Dtype>*>& top,
                                         const vector<bool>& propagate_down,
                                         const vector<Blob<Dtype>*>& bottom) {
  for (size_t i = 1; i < bottom.size(); ++i) {
    if (!propagate_down[i]) continue;
    caffe_set(bottom[i]->count(), Dtype(0), bottom[i]->mutable_cpu_diff());
  }
  if (!propagate_down[0] || top[0]->count() == 0) return;
  Multiply(top[0]->count(), top[0]->count(2), top[0]->cpu_diff(),
           bottom[0]->mutable_cpu_diff());
}

INSTANTIATE_CLASS(FlowScaleLayer);
REGISTER_LAYER_CLASS(FlowScale);

}  // namespace caffe

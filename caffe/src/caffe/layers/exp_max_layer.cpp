// ExpMax.
#include "caffe/layers/exp_max_layer.hpp"

#include "caffe/util/parallel_for.hpp"

namespace caffe {

template <typename Dtype>
void ExpMaxLayer<Dtype>::LayerSetUp(const vector<Blob<Dtype>*>& bottom,
                                    const vector<Blob<Dtype>*>& top) {
  const ExpMaxParameter& param = this->layer_param_.expmax_param();
  const string where = "ExpMax layer '" + this->layer_param_.name() + "': ";
  CHECK_VALUE(param.base() == -1 || param.base() > 0)
      << where << "base must be strictly positive (or -1, which means e), not "
      << param.base();
  CHECK_VALUE(bottom[0] != top[0])
      << where << "cannot work in place: its gradient reads its input. Give its top "
      << "another name";
  const double log_base =
      param.base() == -1 ? 1 : std::log(static_cast<double>(param.base()));
  exponent_ = static_cast<Dtype>(log_base * param.scale());
  factor_ = static_cast<Dtype>(std::exp(log_base * param.shift()));
}

template <typename Dtype>
void ExpMaxLayer<Dtype>::Reshape(const vector<Blob<Dtype>*>& bottom,
                                 const vector<Blob<Dtype>*>& top) {
  CHECK_VALUE(bottom[0]->num_axes() >= 2)
      << "ExpMax layer '" << this->layer_param_.name()
      << "' takes a bottom with channels (N, C, ...), not " << bottom[0]->shape_string();
  top[0]->ReshapeLike(*bottom[0]);
  places_ = {bottom[0]->shape(1), bottom[0]->count(2)};
  place_count_ = bottom[0]->count() == 0 ? 0 : bottom[0]->shape(0) * places_.plane;
}

template <typename Dtype>
void ExpMaxLayer<Dtype>::Forward_cpu(const vector<Blob<Dtype>*>& bottom,
                                     const vector<Blob<Dtype>*>& top) {
  for_each_index(place_count_,
                 ExpMaxValue<Dtype>{places_, exponent_, factor_, bottom[0]->cpu_data(),
                                    top[0]->mutable_cpu_data()});
}

template <typename Dtype>
void ExpMaxLayer<Dtype>::Backward_cpu(const vector<Blob<Dtype>*>& top,
                                      const vector<bool>& propagate_down,
                                      const vector<Blob<Dtype>*>& bottom) {
  if (!propagate_down[0]) return;
  for_each_index(
      place_count_,
      ExpMaxGradient<Dtype>{places_, exponent_, bottom[0]->cpu_data(), top[0]->cpu_data(),
                            top[0]->cpu_diff(), bottom[0]->mutable_cpu_diff()});
}

INSTANTIATE_CLASS(ExpMaxLayer);
REGISTER_LAYER_CLASS(ExpMax);

}  // namespace caffe

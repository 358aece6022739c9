// EuclideanLoss: the difference is taken anew in backward, nothing is kept.
#include "caffe/layers/euclidean_loss_layer.hpp"

#include "caffe/util/parallel_sum.hpp"

namespace caffe {

namespace {
template <typename Dtype>
Dtype Items(const Blob<Dtype>& blob) {
  return static_cast<Dtype>(blob.num_axes() > 0 ? blob.shape(0) : 1);
}
}  // namespace

template <typename Dtype>
void EuclideanLossLayer<Dtype>::Reshape(const vector<Blob<Dtype>*>& bottom,
                                        const vector<Blob<Dtype>*>& top) {
  LossLayer<Dtype>::Reshape(bottom, top);
  CHECK_EQ(bottom[0]->count(), bottom[1]->count())
      << "the prediction, shape " << bottom[0]->shape_string()
      << ", and the target, shape " << bottom[1]->shape_string()
      << ", must hold the same count";
}

template <typename Dtype>
void EuclideanLossLayer<Dtype>::Forward_cpu(const vector<Blob<Dtype>*>& bottom,
                                            const vector<Blob<Dtype>*>& top) {
  const Dtype *a = bottom[0]->cpu_data(), *b = bottom[1]->cpu_data();
  const double sum = parallel_sum_of(bottom[0]->count(), [=](std::int64_t i) {
    const double difference = static_cast<double>(a[i]) - b[i];
    return difference * difference;
  });
  top[0]->mutable_cpu_data()[0] = static_cast<Dtype>(sum / 2 / Items(*bottom[0]));
}

template <typename Dtype>
void EuclideanLossLayer<Dtype>::Backward_cpu(const vector<Blob<Dtype>*>& top,
                                             const vector<bool>& propagate_down,
                                             const vector<Blob<Dtype>*>& bottom) {
  const Dtype *a = bottom[0]->cpu_data(), *b = bottom[1]->cpu_data();
  for (int i = 0; i < 2; ++i) {
    if (!propagate_down[i]) continue;
    const Dtype scale = (i == 0 ? 1 : -1) * top[0]->cpu_diff()[0] / Items(*bottom[0]);
    Dtype* diff = bottom[i]->mutable_cpu_diff();
    for_each_index(bottom[i]->count(),
                   [=](std::int64_t k) { diff[k] = scale * (a[k] - b[k]); });
  }
}

INSTANTIATE_CLASS(EuclideanLossLayer);
REGISTER_LAYER_CLASS(EuclideanLoss);

}  // namespace caffe

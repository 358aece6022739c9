// EuclideanLoss on the device.
#include "caffe/device/launch.hpp"
#include "caffe/layers/euclidean_loss_layer.hpp"

namespace caffe {

namespace {

template <typename Dtype>
void euclidean_forward(int count, double items, const Dtype* a, const Dtype* b,
                       Dtype* loss) {
  launch_row_sums<double>(
      1, count,
      CAFFE_LAMBDA(int, int i) {
        const double difference = static_cast<double>(a[i]) - b[i];
        return difference * difference;
      },
      CAFFE_LAMBDA(int, double sum) { *loss = static_cast<Dtype>(sum / 2 / items); });
}

/// Either gradient may be null.
template <typename Dtype>
void euclidean_backward(int count, Dtype items, const Dtype* a, const Dtype* b,
                        const Dtype* loss_diff, Dtype* da, Dtype* db) {
  launch(
      count, CAFFE_LAMBDA(int i) {
        const Dtype gradient = *loss_diff / items * (a[i] - b[i]);
        if (da != nullptr) da[i] = gradient;
        if (db != nullptr) db[i] = -gradient;
      });
}

template <typename Dtype>
int items_of(const Blob<Dtype>& blob) {
  return blob.num_axes() > 0 ? blob.shape(0) : 1;
}

}  // namespace

template <typename Dtype>
void EuclideanLossLayer<Dtype>::Forward_gpu(const vector<Blob<Dtype>*>& bottom,
                                            const vector<Blob<Dtype>*>& top) {
  euclidean_forward(bottom[0]->count(), items_of(*bottom[0]), bottom[0]->gpu_data(),
                    bottom[1]->gpu_data(), top[0]->mutable_gpu_data());
}

template <typename Dtype>
void EuclideanLossLayer<Dtype>::Backward_gpu(const vector<Blob<Dtype>*>& top,
                                             const vector<bool>& propagate_down,
                                             const vector<Blob<Dtype>*>& bottom) {
  if (!propagate_down[0] && !propagate_down[1]) return;
  Dtype* da = propagate_down[0] ? bottom[0]->mutable_gpu_diff() : nullptr;
  Dtype* db = propagate_down[1] ? bottom[1]->mutable_gpu_diff() : nullptr;
  euclidean_backward(bottom[0]->count(), static_cast<Dtype>(items_of(*bottom[0])),
                     bottom[0]->gpu_data(), bottom[1]->gpu_data(), top[0]->gpu_diff(), da,
                     db);
}

INSTANTIATE_LAYER_GPU_FUNCS(EuclideanLossLayer);

}  // namespace caffe

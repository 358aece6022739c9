// LpqLoss on the device. The divisor stays there: nothing waits for the host.
#include "caffe/device/launch.hpp"
#include "caffe/layers/lpq_loss_layer.hpp"
#include "caffe/layers/net_iteration.hpp"

namespace caffe {

namespace {

template <typename Dtype>
struct IsKnown {
  LpqDifference<Dtype> d;
  CAFFE_HD double operator()(int, int i) const { return d.is_known(d.at(i)) ? 1 : 0; }
};

struct StoreNormalizer {
  int channels;
  double* normalizer;
  CAFFE_HD void operator()(int, double known) const {
    *normalizer = known > 0 ? channels / known : 0;
  }
};

template <typename Dtype>
struct PlaceLoss {
  LpqDifference<Dtype> d;
  CAFFE_HD double operator()(int, int place) const { return d.loss(place); }
};

template <typename Dtype>
struct StoreLoss {
  const double* normalizer;
  Dtype* top;
  CAFFE_HD void operator()(int, double sum) const {
    *top = static_cast<Dtype>(*normalizer * sum);
  }
};

/// diff of a bottom; sign is its sign in the difference.
template <typename Dtype>
struct PlaceGradient {
  LpqDifference<Dtype> d;
  double sign;
  const double* normalizer;
  const Dtype* top_diff;
  Dtype* diff;
  CAFFE_HD void operator()(int place) const {
    d.write_gradient(place, sign * *normalizer * *top_diff, diff);
  }
};

}  // namespace

template <typename Dtype>
void LpqLossLayer<Dtype>::Forward_gpu(const vector<Blob<Dtype>*>& bottom,
                                      const vector<Blob<Dtype>*>& top) {
  episode_ = EpisodeAt(training_iteration_of(this->GetNet()));
  const LpqDifference<Dtype> d = Rule(this->OnDevice(bottom));
  const int count = bottom[0]->count();
  double* normalizer = this->normalizer_.mutable_gpu_data();
  if (by_entries()) {
    launch_row_sums<double>(1, count, IsKnown<Dtype>{d},
                            StoreNormalizer{d.channels, normalizer});
  } else {
    const int num = bottom[0]->num();
    launch_fill(1, num > 0 ? 1. / num : 0., normalizer);
  }
  launch_row_sums<double>(1, d.terms(count), PlaceLoss<Dtype>{d},
                          StoreLoss<Dtype>{normalizer, top[0]->mutable_gpu_data()});
}

template <typename Dtype>
void LpqLossLayer<Dtype>::Backward_gpu(const vector<Blob<Dtype>*>& top,
                                       const vector<bool>& propagate_down,
                                       const vector<Blob<Dtype>*>& bottom) {
  const LpqDifference<Dtype> d = Rule(this->OnDevice(bottom));
  for (size_t side = 0; side < bottom.size(); ++side) {
    if (!propagate_down[side]) continue;
    launch(d.terms(bottom[0]->count()),
           PlaceGradient<Dtype>{d, side == 0 ? 1. : -1., this->normalizer_.gpu_data(),
                                top[0]->gpu_diff(), bottom[side]->mutable_gpu_diff()});
  }
}

INSTANTIATE_LAYER_GPU_FUNCS(LpqLossLayer);

}  // namespace caffe

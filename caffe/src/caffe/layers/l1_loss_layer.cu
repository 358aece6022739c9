// L1Loss on the device.
#include "caffe/device/launch.hpp"
#include "caffe/device/scratch.hpp"
#include "caffe/layers/l1_difference.hpp"
#include "caffe/layers/l1_loss_layer.hpp"

namespace caffe {

namespace {

/// Row 0: losses, row 1: known entries; of entries, or of locations.
template <typename Dtype>
struct LoadL1 {
  L1Difference<Dtype> d;

  CAFFE_HD double operator()(int row, int i) const {
    if (row == 0) return d.loss(i);
    if (!d.by_location) return d.is_known(d.at(i)) ? 1 : 0;
    const int first = d.first_entry(i);
    int known = 0;
    for (int c = 0; c < d.channels; ++c) known += d.is_known(d.at(first + c * d.plane));
    return known;
  }
};

template <typename Dtype>
void l1_forward(int count, double items, bool by_entries, const LoadL1<Dtype>& load,
                double* normalizer, Dtype* loss) {
  const int length = load.d.terms(count);
  if (!by_entries) {
    launch_row_sums<double>(
        1, length, load, CAFFE_LAMBDA(int, double sum) {
          *normalizer = items > 0 ? 1 / items : 0;
          *loss = static_cast<Dtype>(*normalizer * sum);
        });
    return;
  }
  const device::Scratch scratch(2 * sizeof(double));
  double* sums = scratch.as<double>();
  const int channels = load.d.channels;
  launch_row_sums<double>(
      2, length, load, CAFFE_LAMBDA(int row, double sum) { sums[row] = sum; });
  launch(
      1, CAFFE_LAMBDA(int) {
        *normalizer = sums[1] > 0 ? channels / sums[1] : 0;
        *loss = static_cast<Dtype>(*normalizer * sums[0]);
      });
}

/// Either gradient may be null.
template <typename Dtype>
struct L1Gradients {
  const double* normalizer;
  const Dtype* loss_diff;
  Dtype *da, *db;

  CAFFE_HD void store(int i, double slope) const {
    const Dtype gradient = static_cast<Dtype>(slope * *normalizer * *loss_diff);
    if (da != nullptr) da[i] = gradient;
    if (db != nullptr) db[i] = -gradient;
  }
};

template <typename Dtype>
void l1_backward_entries(int count, const L1Difference<Dtype>& of,
                         const L1Gradients<Dtype>& gradients) {
  const L1Difference<Dtype> d = of;
  const L1Gradients<Dtype> to = gradients;
  launch(
      count, CAFFE_LAMBDA(int i) { to.store(i, d.entry_slope(i)); });
}

template <typename Dtype>
void l1_backward_locations(int locations, const L1Difference<Dtype>& of,
                           const L1Gradients<Dtype>& gradients) {
  const L1Difference<Dtype> d = of;
  const L1Gradients<Dtype> to = gradients;
  launch(
      locations, CAFFE_LAMBDA(int location) {
        const double slope = d.location_slope(location);
        int i = d.first_entry(location);
        for (int c = 0; c < d.channels; ++c, i += d.plane) {
          const double value = d.at(i);
          to.store(i, d.is_known(value) ? slope * value : 0);
        }
      });
}

}  // namespace

template <typename Dtype>
void L1LossLayer<Dtype>::Forward_gpu(const vector<Blob<Dtype>*>& bottom,
                                     const vector<Blob<Dtype>*>& top) {
  const L1LossParameter& param = this->layer_param_.l1_loss_param();
  const LoadL1<Dtype> load{L1Difference<Dtype>(param, this->OnDevice(bottom))};
  l1_forward(bottom[0]->count(), bottom[0]->num(), param.normalize_by_num_entries(), load,
             this->normalizer_.mutable_gpu_data(), top[0]->mutable_gpu_data());
}

template <typename Dtype>
void L1LossLayer<Dtype>::Backward_gpu(const vector<Blob<Dtype>*>& top,
                                      const vector<bool>& propagate_down,
                                      const vector<Blob<Dtype>*>& bottom) {
  const bool has_second = bottom.size() > 1;
  Dtype* da = propagate_down[0] ? bottom[0]->mutable_gpu_diff() : nullptr;
  Dtype* db = has_second && propagate_down[1] ? bottom[1]->mutable_gpu_diff() : nullptr;
  if (da == nullptr && db == nullptr) return;
  const L1LossParameter& param = this->layer_param_.l1_loss_param();
  const L1Difference<Dtype> d(param, this->OnDevice(bottom));
  const L1Gradients<Dtype> to{this->normalizer_.gpu_data(), top[0]->gpu_diff(), da, db};
  const int terms = d.terms(bottom[0]->count());
  if (d.by_location) {
    l1_backward_locations(terms, d, to);
  } else {
    l1_backward_entries(terms, d, to);
  }
}

INSTANTIATE_LAYER_GPU_FUNCS(L1LossLayer);

}  // namespace caffe

// MVN on the device: sums of the groups, then one pass over the numbers.
#include "caffe/device/launch.hpp"
#include "caffe/device/scratch.hpp"
#include "caffe/layers/mvn_layer.hpp"

namespace caffe {

namespace {

struct MVNGroups {
  int groups, values;
};

/// Means, and the inverse deviations (1 without the variance).
template <typename Dtype>
void mvn_statistics(const MVNGroups s, bool variance, double eps, const Dtype* x,
                    double* means, double* inverse) {
  launch_row_sums<double>(
      s.groups, s.values,
      CAFFE_LAMBDA(int g, int i) { return static_cast<double>(x[g * s.values + i]); },
      CAFFE_LAMBDA(int g, double sum) { means[g] = sum / s.values; });
  if (!variance) {
    launch_fill(s.groups, 1.0, inverse);
    return;
  }
  launch_row_sums<double>(
      s.groups, s.values,
      CAFFE_LAMBDA(int g, int i) {
        const double difference = x[g * s.values + i] - means[g];
        return difference * difference;
      },
      CAFFE_LAMBDA(int g, double sum) {
        inverse[g] = 1 / (std::sqrt(sum / s.values) + eps);
      });
}

template <typename Dtype>
void mvn_normalize(const MVNGroups s, const Dtype* x, const double* means,
                   const double* inverse, Dtype* y) {
  launch(
      s.groups * s.values, CAFFE_LAMBDA(int i) {
        const int g = i / s.values;
        y[i] = (x[i] - static_cast<Dtype>(means[g])) * static_cast<Dtype>(inverse[g]);
      });
}

/// sums[2 g]: sum of the gradients, sums[2 g + 1]: of gradient times output (0 without
/// the variance).
template <typename Dtype>
void mvn_gradient_sums(const MVNGroups s, bool variance, const Dtype* g, const Dtype* y,
                       double* sums) {
  if (!variance) launch_fill(2 * s.groups, 0.0, sums);
  const int of_group = variance ? 2 : 1;
  launch_row_sums<double>(
      of_group * s.groups, s.values,
      CAFFE_LAMBDA(int row, int k) {
        const int i = row / of_group * s.values + k;
        return row % of_group == 0 ? static_cast<double>(g[i])
                                   : static_cast<double>(g[i]) * y[i];
      },
      CAFFE_LAMBDA(int row, double sum) { sums[2 / of_group * row] = sum; });
}

template <typename Dtype>
void mvn_gradient(const MVNGroups s, const Dtype* g, const Dtype* y, const double* sums,
                  const double* inverse, Dtype* dx) {
  launch(
      s.groups * s.values, CAFFE_LAMBDA(int i) {
        const int group = i / s.values;
        const Dtype mean = static_cast<Dtype>(sums[2 * group] / s.values);
        const Dtype along = static_cast<Dtype>(sums[2 * group + 1] / s.values);
        dx[i] = (g[i] - mean - y[i] * along) * static_cast<Dtype>(inverse[group]);
      });
}

}  // namespace

template <typename Dtype>
void MVNLayer<Dtype>::Forward_gpu(const vector<Blob<Dtype>*>& bottom,
                                  const vector<Blob<Dtype>*>& top) {
  if (bottom[0]->count() == 0) return;
  const MVNParameter& param = this->layer_param_.mvn_param();
  const int groups = inverse_deviation_.count();
  const MVNGroups shape{groups, bottom[0]->count() / groups};
  const device::Scratch means(sizeof(double) * groups);
  const Dtype* x = bottom[0]->gpu_data();
  double* inverse = inverse_deviation_.mutable_gpu_data();
  mvn_statistics(shape, param.normalize_variance(), param.eps(), x, means.as<double>(),
                 inverse);
  mvn_normalize(shape, x, means.as<double>(), inverse, top[0]->mutable_gpu_data());
}

template <typename Dtype>
void MVNLayer<Dtype>::Backward_gpu(const vector<Blob<Dtype>*>& top,
                                   const vector<bool>& propagate_down,
                                   const vector<Blob<Dtype>*>& bottom) {
  if (!propagate_down[0] || top[0]->count() == 0) return;
  const bool variance = this->layer_param_.mvn_param().normalize_variance();
  const int groups = inverse_deviation_.count();
  const MVNGroups shape{groups, top[0]->count() / groups};
  const device::Scratch sums(2 * sizeof(double) * groups);
  const Dtype *g = top[0]->gpu_diff(), *y = top[0]->gpu_data();
  mvn_gradient_sums(shape, variance, g, y, sums.as<double>());
  mvn_gradient(shape, g, y, sums.as<double>(), inverse_deviation_.gpu_data(),
               bottom[0]->mutable_gpu_diff());
}

INSTANTIATE_LAYER_GPU_FUNCS(MVNLayer);

}  // namespace caffe

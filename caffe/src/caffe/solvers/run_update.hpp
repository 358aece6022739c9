// Loops over the numbers of a parameter, on the host or on the device as the mode says.
#ifndef CAFFE_SRC_SOLVERS_RUN_UPDATE_HPP_
#define CAFFE_SRC_SOLVERS_RUN_UPDATE_HPP_

#include <vector>

#include "caffe/blob.hpp"
#include "caffe/update_rules.hpp"
#include "caffe/util/parallel_for.hpp"

namespace caffe {

/// Everything in one pass: the gradient is prepared, becomes the step, and the weight
/// takes it.
template <typename Dtype, typename Rule>
struct WholeUpdate {
  GradientPreparation<Dtype> prepare;
  Rule rule;
  Dtype *data, *diff;

  CAFFE_HD void operator()(int i) const {
    const Dtype weight = data[i], step = rule(i, prepare(diff[i], weight));
    diff[i] = step;
    data[i] = weight - step;
  }
};

/// Only what the rule does: the gradient becomes the step.
template <typename Dtype, typename Rule>
struct StepOnly {
  Rule rule;
  Dtype* diff;
  CAFFE_HD void operator()(int i) const { diff[i] = rule(i, diff[i]); }
};

/// Only what comes before the rule.
template <typename Dtype>
struct PrepareOnly {
  GradientPreparation<Dtype> prepare;
  const Dtype* data;
  Dtype* diff;
  CAFFE_HD void operator()(int i) const { diff[i] = prepare(diff[i], data[i]); }
};

/// The exponential average of weights.
template <typename Dtype>
struct AverageStep {
  Dtype share;
  const Dtype* now;
  Dtype* average;
  CAFFE_HD void operator()(int i) const { average[i] += share * (now[i] - average[i]); }
};

template <typename Dtype>
struct Exchange {
  Dtype *a, *b;
  CAFFE_HD void operator()(int i) const {
    const Dtype kept = a[i];
    a[i] = b[i];
    b[i] = kept;
  }
};

/// body(i) for i in [0, count) on the device (update_rules.cu).
template <typename Body>
void launch_update(int count, const Body& body);

/// The sum of the squares of all gradients, on the device.
template <typename Dtype>
double device_sum_of_squares(const std::vector<Blob<Dtype>*>& params);

template <typename Body>
void run_update(int count, const Body& body) {
  if (Caffe::mode() == Caffe::GPU) {
    launch_update(count, body);
  } else {
    for_each_index(count, [body](std::int64_t i) { body(static_cast<int>(i)); });
  }
}

/// Where the mode's loops reach a blob's numbers.
template <typename Dtype>
Dtype* data_to_update(Blob<Dtype>* blob) {
  return Caffe::mode() == Caffe::GPU ? blob->mutable_gpu_data()
                                     : blob->mutable_cpu_data();
}
template <typename Dtype>
const Dtype* data_to_read(const Blob<Dtype>* blob) {
  return Caffe::mode() == Caffe::GPU ? blob->gpu_data() : blob->cpu_data();
}
template <typename Dtype>
Dtype* diff_to_update(Blob<Dtype>* blob) {
  return Caffe::mode() == Caffe::GPU ? blob->mutable_gpu_diff()
                                     : blob->mutable_cpu_diff();
}

template <typename Dtype, typename Rule>
void update_parameter(const GradientPreparation<Dtype>& prepare, const Rule& rule,
                      Blob<Dtype>* param) {
  run_update(param->count(),
             WholeUpdate<Dtype, Rule>{prepare, rule, data_to_update(param),
                                      diff_to_update(param)});
  param->data()->SyncViews();
  param->diff()->SyncViews();
}

template <typename Dtype, typename Rule>
void gradient_to_step(const Rule& rule, Blob<Dtype>* param) {
  run_update(param->count(), StepOnly<Dtype, Rule>{rule, diff_to_update(param)});
}

}  // namespace caffe

#endif  // CAFFE_SRC_SOLVERS_RUN_UPDATE_HPP_

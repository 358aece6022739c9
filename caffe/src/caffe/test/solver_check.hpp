// What tests of solvers share: a data layer whose position and random draws a snapshot
// has to keep, solvers from text, captured log lines.
#ifndef CAFFE_SRC_TEST_SOLVER_CHECK_HPP_
#define CAFFE_SRC_TEST_SOLVER_CHECK_HPP_

#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "caffe/sgd_solvers.hpp"
#include "caffe/util/rng.hpp"
#include "log_check.hpp"
#include "net_check.hpp"

namespace caffe {

const int kStreamRows = 4, kStreamInputs = 3, kStreamOutputs = 2;

/// What the stream's batch number `batch` holds, without noise.
inline double stream_input(int batch, int i) { return std::sin(17.0 * batch + i); }
inline double stream_target(int batch, int i) { return std::cos(5.0 * batch + 3 * i); }

/// Tops: inputs (4 x 3) and targets (4 x 2) of the next batch. With `power_param { shift:
/// 1 }` noise from the solver's generator is added. Its state is the number of the next
/// batch.
template <typename Dtype>
class TestStreamLayer : public Layer<Dtype> {
 public:
  using Layer<Dtype>::Layer;
  void Reshape(const vector<Blob<Dtype>*>&, const vector<Blob<Dtype>*>& top) override {
    top[0]->Reshape({kStreamRows, kStreamInputs});
    top[1]->Reshape({kStreamRows, kStreamOutputs});
  }
  const char* type() const override { return "TestStream"; }
  string GetState() override { return std::to_string(next_); }
  void SetState(const string& state) override { next_ = std::stoi(state); }

 protected:
  void Forward_cpu(const vector<Blob<Dtype>*>&,
                   const vector<Blob<Dtype>*>& top) override {
    const bool noisy = this->layer_param_.power_param().shift() != 0;
    for (int i = 0; i < top[0]->count(); ++i) {
      const double noise = noisy ? (*caffe_rng())() / 4294967296.0 : 0;
      top[0]->mutable_cpu_data()[i] = static_cast<Dtype>(stream_input(next_, i) + noise);
    }
    for (int i = 0; i < top[1]->count(); ++i) {
      top[1]->mutable_cpu_data()[i] = static_cast<Dtype>(stream_target(next_, i));
    }
    ++next_;
  }
  void Backward_cpu(const vector<Blob<Dtype>*>&, const vector<bool>&,
                    const vector<Blob<Dtype>*>&) override {}

 private:
  int next_ = 0;
};

/// Makes the layer type TestStream known; to be called before the first solver is made.
inline void register_test_stream() {
  static const bool done = [] {
    LayerRegistry<float>::AddCreator("TestStream", [](const LayerParameter& param) {
      return shared_ptr<Layer<float>>(new TestStreamLayer<float>(param));
    });
    LayerRegistry<double>::AddCreator("TestStream", [](const LayerParameter& param) {
      return shared_ptr<Layer<double>>(new TestStreamLayer<double>(param));
    });
    return true;
  }();
  (void)done;
}

/// A linear regression on the stream: y = W x + b, |y - t|^2 / (2 N).
inline string stream_net(bool noisy = false) {
  return "name: 'tiny' layer { name: 'data' type: 'TestStream' top: 'x' top: 't' "
         "power_param {"
         " shift: " +
         string(noisy ? "1" : "0") +
         " } }"
         "layer { name: 'ip' type: 'InnerProduct' bottom: 'x' top: 'y'"
         " param { lr_mult: 1 decay_mult: 1 } param { lr_mult: 2 decay_mult: 0 }"
         " inner_product_param { num_output: 2 weight_filler { type: 'constant' value: "
         "0.3 }"
         " bias_filler { type: 'constant' value: -0.2 } } }"
         "layer { name: 'loss' type: 'EuclideanLoss' bottom: 'y' bottom: 't' top: 'loss' "
         "} ";
}

inline SolverParameter solver_param(const string& text, const string& net) {
  SolverParameter param;
  ParseTextFormat(text, "test", &param);
  if (!net.empty()) ParseTextFormat(net, "test", param.mutable_net_param());
  return param;
}

template <typename Dtype>
std::unique_ptr<Solver<Dtype>> make_solver(const string& text, const string& net) {
  register_test_stream();
  return std::unique_ptr<Solver<Dtype>>(
      SolverRegistry<Dtype>::CreateSolver(solver_param(text, net)));
}

inline string solver_error(const string& text, const string& net) {
  return FullErrorOf([&] { make_solver<float>(text, net)->Step(1); });
}

template <typename Dtype>
vector<Dtype> parameters_of(Solver<Dtype>& solver) {
  vector<Dtype> all;
  for (const Blob<Dtype>* blob : solver.net()->learnable_params()) {
    all.insert(all.end(), blob->cpu_data(), blob->cpu_data() + blob->count());
  }
  return all;
}

}  // namespace caffe

#endif  // CAFFE_SRC_TEST_SOLVER_CHECK_HPP_

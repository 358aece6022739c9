// Solvers on the device against the host: rules, clipping, averages, snapshots.
#include "../solver_check.hpp"
#include "gpu_matches_cpu.hpp"

namespace caffe {

namespace {

const char* const kRules[] = {
    "type: 'SGD' momentum: 0.9",
    "type: 'Nesterov' momentum: 0.9",
    "type: 'AdaGrad'",
    "type: 'RMSProp' delta: 1e-3",
    "type: 'AdaDelta' momentum: 0.9 delta: 1e-3 base_lr: 1",
    "type: 'Adam' momentum: 0.9",
};

string solver_text(const string& more) {
  const string rate = more.find("base_lr") == string::npos ? "base_lr: 0.05 " : "";
  return rate + "lr_policy: 'fixed' random_seed: 7 " + more;
}

template <typename Dtype>
std::unique_ptr<Solver<Dtype>> after_steps(Caffe::Brew mode, const string& text,
                                           int steps) {
  Caffe::set_mode(mode);
  auto solver = make_solver<Dtype>(text, stream_net());
  solver->Step(steps);
  return solver;
}

template <typename Dtype>
vector<Dtype> steps_of(Solver<Dtype>& solver) {
  vector<Dtype> all;
  for (const Blob<Dtype>* blob : solver.net()->learnable_params()) {
    all.insert(all.end(), blob->cpu_diff(), blob->cpu_diff() + blob->count());
  }
  return all;
}

template <typename Dtype>
void compare_ten_steps(const string& text, double tolerance) {
  const auto host = after_steps<Dtype>(Caffe::CPU, text, 10);
  const auto gpu = after_steps<Dtype>(Caffe::GPU, text, 10);
  for (const Blob<Dtype>* param : gpu->net()->learnable_params()) {
    EXPECT_EQ(SyncedMemory::HEAD_AT_GPU, param->data()->head()) << text;
  }
  expect_near(parameters_of(*host), parameters_of(*gpu), tolerance, text);
  expect_near(steps_of(*host), steps_of(*gpu), tolerance, text + ": the last step");
  if (!host->has_average()) return;
  Caffe::set_mode(Caffe::CPU);
  host->ExchangeAverage();
  Caffe::set_mode(Caffe::GPU);
  gpu->ExchangeAverage();
  expect_near(parameters_of(*host), parameters_of(*gpu), tolerance, text + ": average");
}

/// The mode of the test before, whatever happens.
class GpuSolvers : public ::testing::Test {
 protected:
  const GpuMode mode_;
};

/// A rule of somebody else's: twice SGD's step.
template <typename Dtype>
class DoubleStepSolver : public SGDSolver<Dtype> {
 public:
  using SGDSolver<Dtype>::SGDSolver;

 protected:
  void ComputeUpdateValue(int param_id, Dtype rate) override {
    SGDSolver<Dtype>::ComputeUpdateValue(param_id, rate);
    this->net_->learnable_params()[param_id]->scale_diff(2);
  }
};

}  // namespace

TEST_F(GpuSolvers, TenStepsOfEveryRuleMatchTheHosts) {
  SKIP_WITHOUT_DEVICE();
  for (const string rule : kRules) {
    for (const string more :
         {"", "weight_decay: 0.02", "weight_decay: 0.02 regularization_type: 'L1'",
          "iter_size: 3 weight_decay: 0.02", "clip_gradients: 0.3 iter_size: 2",
          "weight_average: 0.8"}) {
      const string text = solver_text(rule + " " + more);
      compare_ten_steps<float>(text, 2e-5);
      compare_ten_steps<double>(text, 1e-10);
    }
  }
}

TEST_F(GpuSolvers, AParameterThatDoesNotLearnStaysOnTheDeviceToo) {
  SKIP_WITHOUT_DEVICE();
  Caffe::set_mode(Caffe::GPU);
  string net = stream_net();
  net.replace(net.find("lr_mult: 2"), 10, "lr_mult: 0");
  const auto solver = make_solver<float>(solver_text("momentum: 0.9"), net);
  solver->Step(3);
  const Blob<float>* bias = solver->net()->learnable_params()[1];
  EXPECT_EQ(vector<float>(2, -0.2f), data_of(*bias));
}

TEST_F(GpuSolvers, ADerivedRuleKeepsItsOwnStep) {
  SKIP_WITHOUT_DEVICE();
  register_test_stream();
  vector<double> weights[2];
  for (const Caffe::Brew mode : {Caffe::CPU, Caffe::GPU}) {
    Caffe::set_mode(mode);
    DoubleStepSolver<double> solver(solver_param(
        solver_text("momentum: 0.5 weight_decay: 0.1 iter_size: 2"), stream_net()));
    solver.Step(4);
    weights[mode == Caffe::GPU] = parameters_of(solver);
  }
  expect_near(weights[0], weights[1], 1e-10, "weights");
  const auto plain = after_steps<double>(
      Caffe::GPU, solver_text("momentum: 0.5 weight_decay: 0.1 iter_size: 2"), 4);
  EXPECT_GT(std::fabs(weights[1][0] - parameters_of(*plain)[0]), 1e-3);
}

TEST_F(GpuSolvers, WhatClippingLogsIsTheNormOfAllGradients) {
  SKIP_WITHOUT_DEVICE();
  vector<string> lines[2];
  for (const Caffe::Brew mode : {Caffe::CPU, Caffe::GPU}) {
    CapturedLog log;
    after_steps<double>(mode, solver_text("clip_gradients: 0.1"), 2);
    lines[mode == Caffe::GPU] = CapturedLog::beginning({"Gradient clipping"});
  }
  EXPECT_EQ(2u, lines[0].size());
  EXPECT_EQ(lines[0], lines[1]);
}

TEST_F(GpuSolvers, AResumedRunEqualsAnUninterruptedOneBitForBit) {
  SKIP_WITHOUT_DEVICE();
  Caffe::set_mode(Caffe::GPU);
  const TemporaryFolder folder;
  for (const string rule : kRules) {
    const string text = solver_text(rule +
                                    " weight_average: 0.5 weight_decay: 0.01 "
                                    "average_loss: 4 snapshot_prefix: '" +
                                    folder.File("s") + "'");
    const auto whole = make_solver<float>(text, stream_net(true));
    whole->Step(10);
    {
      const auto first = make_solver<float>(text, stream_net(true));
      first->Step(6);
      first->Snapshot();
    }
    const auto second = make_solver<float>(text, stream_net(true));
    Caffe::set_random_seed(99);  // whatever happened in between
    second->Restore(folder.File("s_iter_6.solverstate").c_str());
    second->Step(4);
    EXPECT_EQ(parameters_of(*whole), parameters_of(*second)) << rule;
    EXPECT_EQ(whole->smoothed_loss(), second->smoothed_loss()) << rule;
    whole->ExchangeAverage();
    second->ExchangeAverage();
    EXPECT_EQ(parameters_of(*whole), parameters_of(*second)) << "average, " << rule;
  }
}

TEST_F(GpuSolvers, AStateFromTheHostGoesOnOnTheDevice) {
  SKIP_WITHOUT_DEVICE();
  const TemporaryFolder folder;
  const string text = solver_text("type: 'Adam' momentum: 0.9 snapshot_prefix: '" +
                                  folder.File("s") + "'");
  const auto host = after_steps<double>(Caffe::CPU, text, 4);
  host->Snapshot();
  Caffe::set_mode(Caffe::GPU);
  const auto gpu = make_solver<double>(text, stream_net());
  gpu->Restore(folder.File("s_iter_4.solverstate").c_str());
  gpu->Step(3);
  Caffe::set_mode(Caffe::CPU);
  host->Step(3);
  expect_near(parameters_of(*host), parameters_of(*gpu), 1e-6, "weights");
}

TEST_F(GpuSolvers, AViewOfTheWeightsShowsTheUpdate) {
  SKIP_WITHOUT_DEVICE();
  Caffe::set_mode(Caffe::GPU);
  const auto solver = make_solver<float>(solver_text("momentum: 0.9"), stream_net());
  Blob<float>* weights = solver->net()->learnable_params()[0];
  const float* view = weights->mutable_cpu_data();
  weights->data()->AddView();
  const float before = view[0];
  solver->Step(1);
  EXPECT_NE(before, view[0]);
  weights->data()->RemoveView();
  EXPECT_EQ(view[0], weights->cpu_data()[0]);
}

/// Scores of three classes and labels that are none of them in one phase, train without
/// a loss from labels.
TEST_F(GpuSolvers, TestsAndDisplaysNameALabelThatIsNoClass) {
  SKIP_WITHOUT_DEVICE();
  Caffe::set_mode(Caffe::GPU);
  for (const string phase : {"TEST", "TRAIN"}) {
    const string net =
        stream_net() +
        "layer { name: 'd' type: 'DummyData' top: 'scores' top: 'labels' include { "
        "phase: " +
        phase +
        " } dummy_data_param { shape { dim: 2 dim: 3 } shape { dim: 2 } "
        "data_filler { type: 'constant' } "
        "data_filler { type: 'constant' value: 7 } } } "
        "layer { name: 'score' type: 'Accuracy' bottom: 'scores' bottom: 'labels' "
        "top: 'accuracy' include { phase: " +
        phase + " } }";
    const CapturedLog log;  // a display needs the level of it
    const string text = solver_text("display: 1 test_iter: 1 test_interval: 1 ");
    EXPECT_TRUE(has_words(solver_error(text, net),
                          {"label 7 at position 0", "'score' (Accuracy)"}))
        << phase;
  }
}

}  // namespace caffe

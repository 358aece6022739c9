// The `caffe` program: train, test, time, device_query.
#include "caffe/caffe.hpp"

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <iomanip>

#include "caffe/net_targets.hpp"
#include "caffe/parallel/communicator.hpp"
#include "caffe/util/signal_handler.h"
#include "command_line.hpp"

namespace {

using caffe::Blob;
using caffe::Caffe;
using caffe::CommandLine;
using caffe::Layer;
using caffe::Net;
using caffe::string;
using caffe::Timer;
using caffe::vector;

const char kUsage[] =
    "usage: caffe <command> <flags>\n\n"
    "commands:\n"
    "  train           train or finetune a model\n"
    "  test            score a model\n"
    "  device_query    show GPU diagnostic information\n"
    "  time            benchmark model execution time\n\nflags:\n";

CommandLine MakeFlags() {
  return CommandLine({
      {"gpu", {"", "run on these GPUs: numbers separated by commas, or 'all'"}},
      {"solver", {"", "the solver definition (prototxt); train"}},
      {"model", {"", "the net definition (prototxt); test, time"}},
      {"phase", {"", "TRAIN or TEST; time"}},
      {"level", {"0", "the level of the net's state"}},
      {"stage", {"", "the stages of the net's state, separated by commas"}},
      {"snapshot", {"", "the solver state to resume training from; train"}},
      {"weights", {"", "weight files, separated by commas; train, test"}},
      {"iterations", {"50", "number of passes; test, time"}},
      {"sigint_effect", {"stop", "what SIGINT does: snapshot, stop or none; train"}},
      {"sighup_effect", {"snapshot", "what SIGHUP does: snapshot, stop or none; train"}},
      {"help", {"false", "show this text"}},
      {"version", {"false", "show the version"}},
  });
}

caffe::SolverAction::Enum ActionOf(const string& name, const string& flag) {
  if (name == "stop") return caffe::SolverAction::STOP;
  if (name == "snapshot") return caffe::SolverAction::SNAPSHOT;
  CHECK(name == "none") << "-" << flag << ": unknown effect '" << name
                        << "' (known: snapshot, stop, none)";
  return caffe::SolverAction::NONE;
}

int DeviceNumber(const string& id) {
  CHECK(!id.empty() && id.size() < 10 &&
        id.find_first_not_of("0123456789") == string::npos)
      << "-gpu: '" << id << "' is not the number of a GPU (0, 1, ... or all)";
  return std::atoi(id.c_str());
}

void SelectDevice(const CommandLine& flags) {
  if (flags.text("gpu").empty()) {
    LOG(INFO) << "Use CPU.";
    Caffe::set_mode(Caffe::CPU);
    return;
  }
  const vector<string> ids = flags.list("gpu");
  const bool all = flags.text("gpu") == "all", together = caffe::trains_together();
  const size_t process = static_cast<size_t>(together ? caffe::local_rank() : 0);
  CHECK(!ids.empty()) << "-gpu: give the number of a GPU (0, 1, ... or all)";
  const string id = all ? std::to_string(process) : ids[process % ids.size()];
  const int device = DeviceNumber(id);
  LOG_IF(WARNING, ids.size() > 1 && !together)
      << "One process works on one GPU: " << id << ". (mpirun -n " << ids.size()
      << " caffe train ... trains on all of them.)";
  Caffe::SetDevice(device);  // a CPU-only build warns and goes on
  Caffe::set_mode(Caffe::GPU);
}

/// Under `mpirun -n N`: one training of N processes, of which rank 0 speaks.
void JoinTraining() {
  const caffe::Communicator& processes = caffe::join_processes();
  caffe::train_together(processes);
  if (processes.size() == 1) return;
  LOG_IF(INFO, processes.rank() == 0)
      << "Training in " << processes.size() << " processes";
  if (processes.rank() > 0) caffe::SetMinLogLevel(std::max(1, caffe::MinLogLevel()));
}

/// Ends all processes of the job, which wait for this one; returns where it is alone.
void EndJob(const std::exception& error) {
  caffe::Communicator& processes = caffe::communicator();
  if (processes.size() == 1) return;
  std::fprintf(stderr, "caffe: process %d of %d: %s\n", processes.rank(),
               processes.size(), error.what());
  processes.Abort(1);
}

int Train(const CommandLine& flags) {
  CHECK(!flags.text("solver").empty())
      << "Need a solver definition to train (-solver FILE).";
  CHECK(flags.text("snapshot").empty() || flags.text("weights").empty())
      << "Give a snapshot to resume training or weights to finetune but not both.";
  JoinTraining();
  caffe::SolverParameter solver_param;
  caffe::ReadSolverParamsFromTextFileOrDie(flags.text("solver"), &solver_param);
  if (flags.given("level")) {
    solver_param.mutable_train_state()->set_level(flags.number("level"));
  }
  for (const string& stage : flags.list("stage")) {
    solver_param.mutable_train_state()->add_stage(stage);
  }
  const bool solver_wants_gpu =  // GPU is the default as well
      flags.text("gpu").empty() &&
      solver_param.solver_mode() == caffe::SolverParameter_SolverMode_GPU;
  if (solver_wants_gpu && Caffe::FindDevice() >= 0) {
    Caffe::SetDevice(solver_param.device_id());
    Caffe::set_mode(Caffe::GPU);
  } else {
    LOG_IF(WARNING, solver_wants_gpu && solver_param.has_solver_mode())
        << "solver_mode is GPU, but no GPU can be used here: this trains on the CPU.";
    SelectDevice(flags);
  }
  if (!flags.text("snapshot").empty()) solver_param.clear_weights();
  if (!flags.text("weights").empty()) {
    solver_param.clear_weights();
    solver_param.add_weights(flags.text("weights"));
  }
  caffe::SignalHandler signal_handler(
      ActionOf(flags.text("sigint_effect"), "sigint_effect"),
      ActionOf(flags.text("sighup_effect"), "sighup_effect"));
  caffe::shared_ptr<caffe::Solver<float>> solver(
      caffe::SolverRegistry<float>::CreateSolver(solver_param));
  solver->SetActionFunction(signal_handler.GetActionFunction());
  if (!flags.text("snapshot").empty()) {
    LOG(INFO) << "Resuming from " << flags.text("snapshot");
    solver->Restore(flags.text("snapshot").c_str());
  }
  LOG(INFO) << "Starting Optimization";
  try {
    solver->Solve();
  } catch (const std::exception& error) {
    EndJob(error);  // before the net goes: its gradients may be on their way
    throw;
  }
  LOG(INFO) << "Optimization Done.";
  return 0;
}

void LogScore(const Net<float>& net, int output, float value, const string& start) {
  const int id = net.output_blob_indices()[output];
  const float weight = net.blob_loss_weights()[id];
  std::ostringstream weighted;
  if (weight != 0) weighted << " (* " << weight << " = " << weight * value << " loss)";
  LOG(INFO) << start << net.blob_names()[id] << " = " << value << weighted.str();
}

int Test(const CommandLine& flags) {
  CHECK(!flags.text("model").empty())
      << "Need a model definition to score (-model FILE).";
  CHECK(!flags.text("weights").empty()) << "Need model weights to score (-weights FILE).";
  const int iterations = flags.number("iterations");
  CHECK_GT(iterations, 0) << "-iterations must be positive";
  SelectDevice(flags);
  const vector<string> stages = flags.list("stage");
  Net<float> net(flags.text("model"), caffe::TEST, flags.number("level"), &stages);
  for (const string& file : flags.list("weights")) net.CopyTrainedLayersFrom(file);
  LOG(INFO) << "Running for " << iterations << " iterations.";
  vector<int> output_of_score;
  vector<float> scores;
  float loss = 0;
  for (int i = 0; i < iterations; ++i) {
    float batch_loss = 0;
    const vector<Blob<float>*>& outputs = net.Forward(&batch_loss);
    check_results(net, outputs);
    loss += batch_loss;
    size_t index = 0;
    for (size_t j = 0; j < outputs.size(); ++j) {
      for (int k = 0; k < outputs[j]->count(); ++k, ++index) {
        const float score = outputs[j]->cpu_data()[k];
        if (i == 0) {
          scores.push_back(score);
          output_of_score.push_back(static_cast<int>(j));
        } else {
          CHECK_LT(index, scores.size())
              << "the size of an output changed between batches";
          scores[index] += score;
        }
        LOG(INFO) << "Batch " << i << ", "
                  << net.blob_names()[net.output_blob_indices()[j]] << " = " << score;
      }
    }
  }
  LOG(INFO) << "Loss: " << loss / iterations;
  for (size_t i = 0; i < scores.size(); ++i) {
    LogScore(net, output_of_score[i], scores[i] / iterations, "");
  }
  return 0;
}

int Time(const CommandLine& flags) {
  CHECK(!flags.text("model").empty()) << "Need a model definition to time (-model FILE).";
  const string phase_name = flags.text("phase").empty() ? "TRAIN" : flags.text("phase");
  CHECK(phase_name == "TRAIN" || phase_name == "TEST")
      << "-phase: '" << phase_name << "' is neither TRAIN nor TEST";
  const int iterations = flags.number("iterations");
  CHECK_GT(iterations, 0) << "-iterations must be positive";
  SelectDevice(flags);
  const vector<string> stages = flags.list("stage");
  Net<float> net(flags.text("model"), phase_name == "TRAIN" ? caffe::TRAIN : caffe::TEST,
                 flags.number("level"), &stages);
  LOG(INFO) << "Performing Forward";
  float initial_loss = 0;
  net.Forward(&initial_loss);
  LOG(INFO) << "Initial loss: " << initial_loss;
  LOG(INFO) << "Performing Backward";
  net.Backward();

  LOG(INFO) << "*** Benchmark begins ***";
  LOG(INFO) << "Testing for " << iterations << " iterations.";
  const auto& layers = net.layers();
  vector<double> forward_us(layers.size()), backward_us(layers.size());
  double forward_total = 0, backward_total = 0;
  Timer total_timer;
  total_timer.Start();
  Timer timer;
  for (int iteration = 0; iteration < iterations; ++iteration) {
    Timer iteration_timer;
    iteration_timer.Start();
    for (size_t i = 0; i < layers.size(); ++i) {
      timer.Start();
      layers[i]->Forward(net.bottom_vecs()[i], net.top_vecs()[i]);
      const double us = timer.MicroSeconds();
      forward_us[i] += us;
      forward_total += us;
    }
    for (int i = static_cast<int>(layers.size()) - 1; i >= 0; --i) {
      if (!net.layer_need_backward()[i]) continue;
      timer.Start();
      layers[i]->Backward(net.top_vecs()[i], net.bottom_need_backward()[i],
                          net.bottom_vecs()[i]);
      const double us = timer.MicroSeconds();
      backward_us[i] += us;
      backward_total += us;
    }
    LOG(INFO) << "Iteration: " << iteration + 1
              << " forward-backward time: " << iteration_timer.MilliSeconds() << " ms.";
  }
  LOG(INFO) << "Average time per layer (backward only where the net needs it): ";
  for (size_t i = 0; i < layers.size(); ++i) {
    const string& name = net.layer_names()[i];
    LOG(INFO) << std::setfill(' ') << std::setw(10) << name
              << "\tforward: " << forward_us[i] / 1000 / iterations << " ms.";
    LOG(INFO) << std::setfill(' ') << std::setw(10) << name
              << "\tbackward: " << backward_us[i] / 1000 / iterations << " ms.";
  }
  total_timer.Stop();
  LOG(INFO) << "Average Forward pass: " << forward_total / 1000 / iterations << " ms.";
  LOG(INFO) << "Average Backward pass: " << backward_total / 1000 / iterations << " ms.";
  LOG(INFO) << "Average Forward-Backward: " << total_timer.MilliSeconds() / iterations
            << " ms.";
  LOG(INFO) << "Total Time: " << total_timer.MilliSeconds() << " ms.";
  LOG(INFO) << "*** Benchmark ends ***";
  return 0;
}

int DeviceQuery(const CommandLine& flags) {
  vector<string> ids = flags.list("gpu");
  if (flags.text("gpu") == "all") {
    ids.clear();
    for (int id = Caffe::FindDevice(); id >= 0; id = Caffe::FindDevice(id + 1)) {
      ids.push_back(std::to_string(id));
    }
  }
  if (ids.empty()) Caffe::DeviceQuery();
  for (const string& id : ids) {
    Caffe::SetDevice(DeviceNumber(id));
    Caffe::DeviceQuery();
  }
  return 0;
}

int Run(int argc, char** argv) {
  CommandLine flags = MakeFlags();
  const vector<string> words = flags.Parse(argc, argv);
  if (flags.is_on("version")) {
    std::printf("caffe version 1.0.0\n");
    return 0;
  }
  if (words.size() != 1 || flags.is_on("help")) {
    std::fprintf(stderr, "%s%s", kUsage, flags.Usage().c_str());
    return 0;
  }
  const string& command = words[0];
  if (command == "train") return Train(flags);
  if (command == "test") return Test(flags);
  if (command == "time") return Time(flags);
  if (command == "device_query") return DeviceQuery(flags);
  CAFFE_THROW(kValue) << "unknown command '" << command
                      << "' (known: train, test, time, device_query)";
}

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);  // a log whose reader has gone does not end a training
  caffe::GlobalInit(&argc, &argv);
  try {
    const int status = Run(argc, argv);
    caffe::leave_processes();
    return status;
  } catch (const std::exception& error) {
    EndJob(error);
    std::fprintf(stderr, "caffe: %s\n", error.what());
    return 1;
  }
}

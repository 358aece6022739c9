// Building and running a solver: nets, order of a step, tests, display, stops, averages
// (facts/engine.md 4.1 to 4.4, 4.9; files.md 8).
#include <regex>

#include "solver_check.hpp"

namespace caffe {
namespace {

const char kFixed[] = "base_lr: 0.1 lr_policy: 'fixed' ";

/// Gives the value that a test computes to the input blob before each pass.
class Feeder : public Solver<double>::Callback {
 public:
  Feeder(Solver<double>* solver, vector<double> values)
      : solver_(solver), values_(std::move(values)) {
    solver->add_callback(this);
  }
  vector<double> smoothed;

 protected:
  void on_start() override {
    solver_->net()->input_blobs()[0]->mutable_cpu_data()[0] =
        values_[at_++ % values_.size()];
  }
  void on_gradients_ready() override { smoothed.push_back(solver_->smoothed_loss()); }

 private:
  Solver<double>* solver_;
  vector<double> values_;
  size_t at_ = 0;
};

/// A net whose loss is what is fed to it.
const string kEcho =
    "name: 'echo' layer { name: 'in' type: 'Input' top: 'x' input_param { shape { dim: 1 "
    "} } }"
    "layer { name: 'p' type: 'Power' bottom: 'x' top: 'loss' loss_weight: 1 } ";

// --- construction

TEST(SolverNetsTest, ExactlyOneTrainNet) {
  EXPECT_TRUE(has_words(solver_error(kFixed, ""), {"train net", "net_param"}));
  EXPECT_TRUE(has_words(solver_error(string(kFixed) + "net: 'a.prototxt'", kEcho),
                        {"more than one"}));
  EXPECT_TRUE(has_words(solver_error(string(kFixed) + "train_net: 'absent.prototxt'", ""),
                        {"absent.prototxt"}));
}

TEST(SolverNetsTest, TestNetsNeedIterationsAnIntervalAndFittingStates) {
  const string test_net = "test_net_param { name: 'test' } ";
  EXPECT_NE(solver_error(kFixed + test_net + "test_interval: 1", kEcho), "");
  EXPECT_TRUE(has_words(solver_error(kFixed + test_net + "test_iter: 1", kEcho),
                        {"test_interval"}));
  EXPECT_NE(solver_error(kFixed + test_net +
                             "test_iter: 1 test_interval: 1"
                             " test_state {} test_state {}",
                         kEcho),
            "");
  EXPECT_TRUE(
      has_words(solver_error(kFixed + test_net + "test_iter: 0 test_interval: 1", kEcho),
                {"test_iter"}));
  const auto solver = make_solver<double>(
      kFixed + test_net + "test_iter: 1 test_iter: 2 test_interval: 1", kEcho);
  ASSERT_EQ(solver->test_nets().size(), 2u);  // the named one, then the common one
  EXPECT_EQ(solver->test_nets()[0]->name(), "test");
  EXPECT_EQ(solver->test_nets()[1]->name(), "echo");
  EXPECT_EQ(make_solver<double>(kFixed, kEcho)->test_nets().size(), 0u);
}

TEST(SolverNetsTest, StatesAreMergedAndStagesAdded) {
  const string layer = " type: 'Input' top: ";
  const string net =
      "state { stage: 'own' } "
      "layer { name: 'tr'" +
      layer +
      "'a' include { phase: TRAIN stage: 'own' stage: 'ts' } }"
      "layer { name: 'te'" +
      layer +
      "'b' include { phase: TEST stage: 'own' stage: 'es' "
      "min_level: 3 } }";
  const auto solver =
      make_solver<double>(string(kFixed) +
                              "train_state { stage: 'ts' } test_iter: 1 test_interval: 1"
                              " test_state { stage: 'es' level: 3 }",
                          net);
  EXPECT_EQ(solver->net()->layer_names(), (vector<string>{"tr"}));
  EXPECT_EQ(solver->test_nets()[0]->layer_names(), (vector<string>{"te"}));
}

TEST(SolverNetsTest, InlineNetsOfTheOldFormAreUpgraded) {
  const auto solver = make_solver<double>(
      kFixed,
      "input: 'x' input_shape { dim: 1 dim: 2 }"
      " layers { name: 'ip' type: INNER_PRODUCT bottom: 'x' top: 'y' blobs_lr: 3"
      " inner_product_param { num_output: 1 bias_term: false } }");
  EXPECT_EQ(solver->net()->layer_names(), (vector<string>{"input", "ip"}));
  EXPECT_EQ(solver->net()->params_lr(), (vector<float>{3}));
}

TEST(SolverNetsTest, TheSeedRulesTheFillers) {
  string net = stream_net();
  net.replace(net.find("'constant' value: 0.3"), 21, "'gaussian' std: 1");
  const auto values = [&](int seed) {
    return parameters_of(
        *make_solver<double>(kFixed + ("random_seed: " + std::to_string(seed)), net));
  };
  EXPECT_EQ(values(3), values(3));
  EXPECT_NE(values(3), values(4));
}

TEST(SolverNetsTest, WeightsOfTheDefinitionGoIntoTrainAndTestNets) {
  TemporaryFolder folder;
  const auto source = make_solver<double>(kFixed, stream_net());
  source->net()->learnable_params()[0]->mutable_cpu_data()[4] = 77;
  NetParameter message;
  source->net()->ToProto(&message);
  WriteProtoToBinaryFile(message, folder.File("w.caffemodel"));
  const auto solver =
      make_solver<double>(kFixed + ("weights: ' " + folder.File("w.caffemodel") +
                                    " ' test_iter: 1 test_interval: 9"),
                          stream_net());
  EXPECT_EQ(solver->net()->learnable_params()[0]->cpu_data()[4], 77);
  EXPECT_EQ(solver->test_nets()[0]->learnable_params()[0]->cpu_data()[4], 77);
}

// --- a step

TEST(SolverStepTest, TheShownLossIsSmoothedOverTheWindow) {
  const auto solver = make_solver<double>(string(kFixed) + "average_loss: 3", kEcho);
  Feeder feeder(solver.get(), {4, 2, 3, 1, 5});
  solver->Step(5);
  EXPECT_EQ(feeder.smoothed, (vector<double>{4, 3, 3, 2, 3}));
  feeder.smoothed.clear();
  solver->Step(2);  // a new call begins a new window
  EXPECT_EQ(feeder.smoothed, (vector<double>{4, 3}));
}

TEST(SolverStepTest, LogLinesStandInTheOrderThatScriptsRead) {
  const CapturedLog log;
  const auto solver =
      make_solver<double>(string(kFixed) +
                              "display: 2 max_iter: 4 test_iter: 2 test_interval: 2"
                              " snapshot_after_train: false",
                          kEcho);
  Feeder feeder(solver.get(), {4, 2});
  CapturedLog::lines().clear();
  solver->Solve();
  string text;
  for (const string& line :
       CapturedLog::beginning({"Iteration", "Train", "Test", "Optim"})) {
    text += std::regex_replace(
                line, std::regex("\\([-+.e0-9]+ iter/s, [-+.e0-9]+s/2 iters\\)"), "(R)") +
            "\n";
  }
  EXPECT_EQ(text,
            "Iteration 0, Testing net (#0)\n"
            "    Test net output #0: loss = 0 (* 1 = 0 loss)\n"
            "Iteration 0 (R), loss = 4\n"
            "    Train net output #0: loss = 4 (* 1 = 4 loss)\n"
            "Iteration 0, lr = 0.1\n"
            "Iteration 2, Testing net (#0)\n"
            "    Test net output #0: loss = 0 (* 1 = 0 loss)\n"
            "Iteration 2 (R), loss = 4\n"
            "    Train net output #0: loss = 4 (* 1 = 4 loss)\n"
            "Iteration 2, lr = 0.1\n"
            "Iteration 4, loss = 2\n"
            "Iteration 4, Testing net (#0)\n"
            "    Test net output #0: loss = 0 (* 1 = 0 loss)\n"
            "Optimization Done.\n");
}

TEST(SolverStepTest, EachElementOfAnOutputIsShown) {
  const CapturedLog log;
  const auto solver = make_solver<double>(
      string(kFixed) + "display: 1",
      "layer { name: 'b' type: 'DummyData' top: 'b' dummy_data_param { shape { dim: 2 }"
      " data_filler { type: 'constant' value: 5 } } }"
      "layer { name: 'a' type: 'DummyData' top: 'A' dummy_data_param { shape { dim: 1 } "
      "} }");
  solver->Step(1);
  EXPECT_EQ(
      CapturedLog::beginning({"Train net"}),
      (vector<string>{"    Train net output #0: A = 0", "    Train net output #1: b = 5",
                      "    Train net output #2: b = 5"}));
}

TEST(SolverStepTest, ALossThatIsNotFiniteStopsBeforeTheUpdate) {
  for (const double bad : {std::nan(""), static_cast<double>(INFINITY)}) {
    const auto solver = make_solver<double>(kFixed, kEcho);
    Feeder feeder(solver.get(), {1, 2, bad});
    try {
      solver->Step(10);
      ADD_FAILURE() << "trained on with " << bad;
    } catch (const Error& error) {
      EXPECT_TRUE(has_words(error.what(), {"Iteration 2", "'x'"}));
    }
    EXPECT_EQ(solver->iter(), 2);
  }
}

TEST(SolverStepTest, TheBlobThatIsNotFiniteIsNamedInANetThatGaveUpBlobs) {
  const auto solver = make_solver<double>(
      kFixed,
      "keep: 'loss' layer { name: 'in' type: 'Input' top: 'x' "
      "input_param { shape { dim: 1 } } }"
      "layer { name: 'p' type: 'Power' bottom: 'x' top: 'y' power_param { power: 0.5 } }"
      "layer { name: 'q' type: 'Power' bottom: 'y' top: 'z' power_param { scale: 2 } }"
      "layer { name: 'r' type: 'Power' bottom: 'z' top: 'loss' loss_weight: 1 } ");
  Feeder feeder(solver.get(), {1, -1});
  try {
    solver->Step(2);
    ADD_FAILURE() << "trained on with the root of -1";
  } catch (const Error& error) {
    EXPECT_TRUE(has_words(error.what(), {"Iteration 1", "of those kept", "'r'"}));
  }
}

TEST(SolverStepTest, AWeightThatIsNotFiniteIsNamedByItsLayer) {
  const auto solver = make_solver<double>(
      kFixed,
      "layer { name: 'in' type: 'Input' top: 'x' "
      "input_param { shape { dim: 1 dim: 1 } } }"
      "layer { name: 'dense' type: 'InnerProduct' bottom: 'x' top: 'loss' loss_weight: 1 "
      "inner_product_param { num_output: 1 } } ");
  solver->net()->params()[0]->mutable_cpu_data()[0] = std::nan("");
  try {
    solver->Step(1);
    ADD_FAILURE() << "trained on with NaN";
  } catch (const Error& error) {
    EXPECT_TRUE(has_words(error.what(), {"Iteration 0", "weight", "'dense'"}));
  }
}

TEST(SolverStepTest, LearnedLayersThatNoGradientReachesAreNamedOnce) {
  const auto warnings = [](const string& filler, const string& rate) {
    const auto solver = make_solver<double>(
        kFixed,
        "layer { name: 'x' type: 'Input' top: 'x' top: 't' input_param { shape { dim: 1 "
        "dim: 1"
        " dim: 2 dim: 2 } shape { dim: 1 dim: 1 dim: 4 dim: 4 } } }"
        "layer { name: 'learned' type: 'Convolution' bottom: 'x' top: 'y' "
        "convolution_param {"
        " num_output: 1 kernel_size: 1 weight_filler { type: 'constant' value: 1 } } }"
        "layer { name: 'up' type: 'Deconvolution' bottom: 'y' top: 'z' param { "
        "lr_mult: " +
            rate +
            " } convolution_param { num_output: 1 kernel_size: 4 stride: 2 pad: 1 "
            "bias_term:"
            " false " +
            filler +
            " } }"
            "layer { name: 'loss' type: 'EuclideanLoss' bottom: 'z' bottom: 't' }");
    const CapturedLog log;
    solver->Step(1);
    solver->Step(1);
    return CapturedLog::beginning({"These layers are to learn"});
  };
  const auto lines = warnings("", "0");
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_TRUE(has_words(lines[0], {"learned"}));
  EXPECT_EQ(lines[0].find(": up"), string::npos);
  EXPECT_TRUE(warnings("weight_filler { type: 'bilinear' }", "0").empty());
  EXPECT_TRUE(warnings("", "1").empty());  // it learns to be other than zero
}

// --- tests

TEST(SolverTestTest, ScoresAreMeansOverTestIterPassesWithTheTrainWeights) {
  const CapturedLog log;
  const auto solver =
      make_solver<double>(string(kFixed) +
                              "test_iter: 3 test_interval: 2 test_initialization: false"
                              " test_compute_loss: true",
                          stream_net());
  solver->Step(3);  // one test, before update 3, of the first three batches
  const auto before = make_solver<double>(kFixed, stream_net());
  before->Step(2);
  Net<double>* net = solver->test_nets()[0].get();
  EXPECT_EQ(net->params()[0]->data(), solver->net()->params()[0]->data());
  double sum = 0;
  const vector<double> w = parameters_of(*before);
  for (int batch = 0; batch < 3; ++batch) {
    for (int n = 0; n < kStreamRows; ++n) {
      for (int o = 0; o < kStreamOutputs; ++o) {
        double y = w[6 + o] - stream_target(batch, n * kStreamOutputs + o);
        for (int i = 0; i < kStreamInputs; ++i) {
          y += w[o * kStreamInputs + i] * stream_input(batch, n * kStreamInputs + i);
        }
        sum += y * y / (2 * kStreamRows);
      }
    }
  }
  std::ostringstream expected;
  expected << "    Test net output #0: loss = " << sum / 3 << " (* 1 = " << sum / 3
           << " loss)";
  EXPECT_EQ(CapturedLog::beginning({"Test net"}), (vector<string>{expected.str()}));
  std::ostringstream loss;
  loss << "Test loss: " << sum / 3;
  EXPECT_EQ(CapturedLog::beginning({"Test loss"}), (vector<string>{loss.str()}));
}

TEST(SolverTestTest, TestInitializationDecidesAboutIterationZero) {
  const auto tests = [](const string& text) {
    const CapturedLog log;
    make_solver<double>(kFixed + text, kEcho)->Step(5);
    string iterations;
    for (const string& line : CapturedLog::beginning({"Iteration"})) {
      const size_t comma = line.find(", Testing");
      if (comma != string::npos) iterations += line.substr(10, comma - 10) + " ";
    }
    return iterations;
  };
  EXPECT_EQ(tests("test_iter: 1 test_interval: 2"), "0 2 4 ");
  EXPECT_EQ(tests("test_iter: 1 test_interval: 2 test_initialization: false"), "2 4 ");
}

TEST(SolverTestTest, ATestDoesNotDisturbTheTraining) {
  const auto plain =
      make_solver<double>(string(kFixed) + "random_seed: 1", stream_net(true));
  const auto tested = make_solver<double>(
      string(kFixed) + "random_seed: 1 test_iter: 1 test_interval: 2", stream_net(false));
  const auto alone =
      make_solver<double>(string(kFixed) + "random_seed: 1", stream_net(false));
  plain->Step(1);
  tested->Step(5);
  alone->Step(5);
  EXPECT_EQ(parameters_of(*tested), parameters_of(*alone));
}

// --- stops and snapshots on request

class SolverActionTest : public ::testing::Test {
 protected:
  string Prefix() const { return "snapshot_prefix: '" + folder_.File("s") + "' "; }
  bool Exists(const string& name) const {
    return std::filesystem::exists(folder_.File(name));
  }
  TemporaryFolder folder_;
};

TEST_F(SolverActionTest, StopEndsAfterTheUpdateAndSnapshotsUnlessToldNotTo) {
  for (const bool snapshot : {true, false}) {
    const string text = kFixed + Prefix() + "max_iter: 10 snapshot_after_train: " +
                        (snapshot ? "true" : "false");
    const auto solver = make_solver<double>(text, stream_net());
    int polls = 0;
    solver->SetActionFunction(
        [&] { return ++polls == 3 ? SolverAction::STOP : SolverAction::NONE; });
    solver->Solve();
    EXPECT_EQ(solver->iter(), 3);
    EXPECT_EQ(Exists("s_iter_3.caffemodel"), snapshot);
    EXPECT_EQ(Exists("s_iter_3.solverstate"), snapshot);
    std::filesystem::remove(folder_.File("s_iter_3.caffemodel"));
    std::filesystem::remove(folder_.File("s_iter_3.solverstate"));
  }
}

TEST_F(SolverActionTest, AStepAfterAStopGoesOn) {
  const auto solver =
      make_solver<double>(string(kFixed) + "test_iter: 1 test_interval: 1", stream_net());
  solver->SetActionFunction([] { return SolverAction::STOP; });
  solver->Step(5);
  solver->SetActionFunction([] { return SolverAction::NONE; });
  const int at = solver->iter();
  solver->Step(2);
  EXPECT_EQ(solver->iter(), at + 2);
}

TEST_F(SolverActionTest, SnapshotOnRequestGoesOn) {
  const auto solver = make_solver<double>(kFixed + Prefix(), stream_net());
  int polls = 0;
  solver->SetActionFunction(
      [&] { return ++polls == 2 ? SolverAction::SNAPSHOT : SolverAction::NONE; });
  solver->Step(4);
  EXPECT_EQ(solver->iter(), 4);
  EXPECT_TRUE(Exists("s_iter_2.solverstate"));
  EXPECT_FALSE(Exists("s_iter_4.solverstate"));
}

TEST_F(SolverActionTest, AStopDuringATestBreaksItOff) {
  const CapturedLog log;
  const auto solver =
      make_solver<double>(string(kFixed) + "test_iter: 5 test_interval: 1", stream_net());
  int polls = 0;
  solver->SetActionFunction(
      [&] { return ++polls == 3 ? SolverAction::STOP : SolverAction::NONE; });
  solver->Step(5);
  EXPECT_EQ(solver->iter(), 0);
  EXPECT_TRUE(CapturedLog::beginning({"Test net"}).empty());
}

TEST_F(SolverActionTest, SolveSnapshotsAtIntervalsAndOnceAtTheEnd) {
  const auto solver =
      make_solver<double>(kFixed + Prefix() + "max_iter: 5 snapshot: 2", stream_net());
  solver->Solve();
  for (const int iter : {2, 4, 5}) {
    EXPECT_TRUE(Exists("s_iter_" + std::to_string(iter) + ".caffemodel")) << iter;
  }
  EXPECT_FALSE(Exists("s_iter_1.caffemodel"));
  const auto done = make_solver<double>(kFixed + Prefix() + "max_iter: 0", stream_net());
  done->Solve();  // nothing to do, and yet a snapshot
  EXPECT_TRUE(Exists("s_iter_0.caffemodel"));
}

TEST_F(SolverActionTest, APlaceThatCannotBeWrittenIsNoticedAtTheStart) {
  EXPECT_TRUE(has_words(solver_error(kFixed + ("snapshot: 1 snapshot_prefix: '" +
                                               folder_.File("no/such/s") + "'"),
                                     kEcho),
                        {"no/such/s"}));
  EXPECT_TRUE(has_words(solver_error(string(kFixed) + "snapshot: 1", kEcho),
                        {"snapshot_prefix"}));
  make_solver<double>(kFixed + Prefix() + "snapshot: 1", kEcho);
  EXPECT_EQ(folder_.FileCount(), 0u);  // the probe is gone
}

// --- averaged weights

TEST(WeightAverageTest, ExchangesWithAnExponentialAverage) {
  const auto solver =
      make_solver<double>(string(kFixed) + "weight_average: 0.2", stream_net());
  vector<double> average = parameters_of(*solver);
  for (int n = 1; n <= 6; ++n) {
    solver->Step(1);
    // Young averages forget faster: 1 - 1 / (n / 10 + 1) of the old value after n
    // updates.
    const double keep = std::min(0.2f + 0.0, 1 - 1 / (n / 10.0 + 1));
    const vector<double> now = parameters_of(*solver);
    for (size_t i = 0; i < now.size(); ++i)
      average[i] += (1 - keep) * (now[i] - average[i]);
  }
  const vector<double> weights = parameters_of(*solver);
  solver->ExchangeAverage();
  EXPECT_LT(relative_difference(average, parameters_of(*solver)), 1e-12);
  EXPECT_NE(parameters_of(*solver), weights);
  solver->ExchangeAverage();
  EXPECT_EQ(parameters_of(*solver), weights);
}

TEST(WeightAverageTest, TrainingGoesOnWithTheWeightsAndTestsUseTheAverage) {
  const CapturedLog log;
  const string test = "test_iter: 1 test_interval: 4 test_initialization: false ";
  const auto plain = make_solver<double>(kFixed + test, stream_net());
  const auto averaged =
      make_solver<double>(kFixed + test + "weight_average: 0.9", stream_net());
  EXPECT_FALSE(plain->has_average());
  EXPECT_TRUE(averaged->has_average());
  plain->Step(6);
  averaged->Step(6);
  EXPECT_EQ(parameters_of(*averaged), parameters_of(*plain));
  const auto scores = CapturedLog::beginning({"Test net"});
  ASSERT_EQ(scores.size(), 2u);
  EXPECT_NE(scores[0], scores[1]);
}

TEST(WeightAverageTest, WrongUseIsRefused) {
  const auto solver = make_solver<double>(kFixed, stream_net());
  EXPECT_TRUE(has_words(ErrorOf([&] { solver->ExchangeAverage(); }), {"weight_average"}));
  EXPECT_TRUE(has_words(solver_error(string(kFixed) + "weight_average: 1", stream_net()),
                        {"weight_average"}));
}

}  // namespace
}  // namespace caffe

// Snapshots: their files, restoring them bit for bit, and what happens when writing fails
// (facts/engine.md 4.8; user_reports.md 17, 18).
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <thread>

#include "caffe/device/device.hpp"
#include "caffe/util/io.hpp"
#include "solver_check.hpp"

namespace caffe {
namespace {

class SnapshotTest : public ::testing::Test {
 protected:
  string File(const string& name) const { return folder_.File(name); }
  bool Exists(const string& name) const { return std::filesystem::exists(File(name)); }
  string Solver_(const string& more = "") const {
    const string policy =
        more.find("lr_policy") == string::npos ? "lr_policy: 'fixed' " : "";
    return "base_lr: 0.05 random_seed: 7 snapshot_prefix: '" + File("s") + "' " + policy +
           more;
  }
  SolverState State(const string& name) const {
    SolverState state;
    ReadProtoFromBinaryFileOrDie(File(name), &state);
    return state;
  }
  TemporaryFolder folder_;
};

TEST_F(SnapshotTest, TheBinaryFormHoldsWhatTheOriginalReads) {
  const auto solver = make_solver<float>(
      Solver_("momentum: 0.9 lr_policy: 'multistep' gamma: 0.1 stepvalue: 1"),
      stream_net());
  solver->Step(3);
  solver->Snapshot();
  const SolverState state = State("s_iter_3.solverstate");
  EXPECT_EQ(state.iter(), 3);
  EXPECT_EQ(state.learned_net(), File("s_iter_3.caffemodel"));
  EXPECT_EQ(state.current_step(), 1);
  ASSERT_EQ(state.history_size(), 2);
  EXPECT_EQ(state.history(0).shape().dim_size(), 2);
  EXPECT_EQ(state.history(0).data_size(), 6);
  NetParameter model;
  ReadProtoFromBinaryFileOrDie(File("s_iter_3.caffemodel"), &model);
  EXPECT_EQ(model.name(), "tiny");
  ASSERT_EQ(model.layer_size(), 3);
  EXPECT_EQ(model.layer(1).blobs(0).data_size(), 6);
  EXPECT_EQ(model.layer(1).blobs(0).diff_size(), 0);
}

TEST_F(SnapshotTest, DiffsAreAddedOnRequest) {
  const auto solver = make_solver<float>(Solver_("snapshot_diff: true"), stream_net());
  solver->Step(1);
  solver->Snapshot();
  NetParameter model;
  ReadProtoFromBinaryFileOrDie(File("s_iter_1.caffemodel"), &model);
  EXPECT_EQ(model.layer(1).blobs(0).diff_size(), 6);
}

TEST_F(SnapshotTest, HistoriesOfTwoGroupsComeAllOfOneThenAllOfTheOther) {
  const auto solver =
      make_solver<float>(Solver_("type: 'Adam' momentum: 0.9"), stream_net());
  solver->Step(1);
  solver->Snapshot();
  const SolverState state = State("s_iter_1.solverstate");
  ASSERT_EQ(state.history_size(), 4);
  EXPECT_EQ(state.history(0).data_size(), 6);
  EXPECT_EQ(state.history(1).data_size(), 2);
  EXPECT_EQ(state.history(2).data_size(), 6);
  for (const float v : state.history(2).data()) EXPECT_GE(v, 0);  // squares
}

const char* const kRules[] = {
    "type: 'SGD' momentum: 0.9",
    "type: 'Nesterov' momentum: 0.9",
    "type: 'AdaGrad'",
    "type: 'RMSProp' delta: 1e-3",
    "type: 'AdaDelta' momentum: 0.9 delta: 1e-3",
    "type: 'Adam' momentum: 0.9",
};

TEST_F(SnapshotTest, AResumedRunEqualsAnUninterruptedOneBitForBit) {
  for (const string rule : kRules) {
    for (const string format : {"BINARYPROTO", "HDF5"}) {
#ifndef USE_HDF5
      if (format == "HDF5") continue;
#endif
      // Noise from the generator, a position in the data, a window of losses, an average.
      const string text = Solver_(rule +
                                  " average_loss: 4 weight_average: 0.5 lr_policy: 'step'"
                                  " gamma: 0.5 stepsize: 4 weight_decay: 0.01"
                                  " snapshot_format: " +
                                  format);
      const string ending = format == "HDF5" ? ".solverstate.h5" : ".solverstate";
      const auto whole = make_solver<float>(text, stream_net(true));
      whole->Step(10);
      {
        const auto first = make_solver<float>(text, stream_net(true));
        first->Step(6);
        first->Snapshot();
      }
      const auto second = make_solver<float>(text, stream_net(true));
      Caffe::set_random_seed(99);  // whatever happened in between
      second->Restore(File("s_iter_6" + ending).c_str());
      EXPECT_EQ(second->iter(), 6);
      second->Step(4);
      EXPECT_EQ(parameters_of(*second), parameters_of(*whole)) << rule << " " << format;
      EXPECT_EQ(second->smoothed_loss(), whole->smoothed_loss()) << rule << " " << format;
      whole->ExchangeAverage();
      second->ExchangeAverage();
      EXPECT_EQ(parameters_of(*second), parameters_of(*whole)) << "average, " << rule;
    }
  }
}

TEST_F(SnapshotTest, SolveResumesFromAStateAndRunsTheRest) {
  const auto whole =
      make_solver<float>(Solver_("momentum: 0.9 max_iter: 8"), stream_net(true));
  whole->Solve();
  const auto first =
      make_solver<float>(Solver_("momentum: 0.9 max_iter: 3"), stream_net(true));
  first->Solve();
  const auto second =
      make_solver<float>(Solver_("momentum: 0.9 max_iter: 8"), stream_net(true));
  second->Solve(File("s_iter_3.solverstate"));
  EXPECT_EQ(second->iter(), 8);
  EXPECT_EQ(parameters_of(*second), parameters_of(*whole));
}

TEST_F(SnapshotTest, TheDataOfTestNetsGoesOnToo) {
  const string text = Solver_("test_iter: 2 test_interval: 2 momentum: 0.5");
  const auto test_lines = [] { return CapturedLog::beginning({"Test net output"}); };
  const CapturedLog log;
  const auto whole = make_solver<float>(text, stream_net());
  whole->Step(5);
  const vector<string> expected = test_lines();  // iterations 0, 2, 4
  ASSERT_EQ(expected.size(), 3u);
  const auto first = make_solver<float>(text, stream_net());
  first->Step(3);
  first->Snapshot();
  CapturedLog::lines().clear();
  const auto second = make_solver<float>(text, stream_net());
  second->Restore(File("s_iter_3.solverstate").c_str());
  second->Step(2);
  EXPECT_EQ(test_lines(), (vector<string>{expected[2]}));
}

TEST_F(SnapshotTest, WithoutTheSideFileItGoesOnFromTheStartOfTheDataAndSaysSo) {
  const auto first =
      make_solver<float>(Solver_("momentum: 0.9 weight_average: 0.9"), stream_net());
  first->Step(3);
  first->Snapshot();
  std::filesystem::remove(File("s_iter_3.solverstate.side"));  // a state of the original
  const CapturedLog log;
  const auto second =
      make_solver<float>(Solver_("momentum: 0.9 weight_average: 0.9"), stream_net());
  CapturedLog::lines().clear();
  second->Restore(File("s_iter_3.solverstate").c_str());
  string warning;
  for (const string& line : CapturedLog::lines()) warning += line + "\n";
  EXPECT_TRUE(has_words(warning, {"side", "data"}));
  EXPECT_EQ(parameters_of(*second), parameters_of(*first));
  second->ExchangeAverage();  // begins at the restored weights
  EXPECT_EQ(parameters_of(*second), parameters_of(*first));
}

TEST_F(SnapshotTest, LegacyHistoryShapesFit) {
  const auto first = make_solver<float>(Solver_("momentum: 0.9"), stream_net());
  first->Step(2);
  first->Snapshot();
  SolverState state = State("s_iter_2.solverstate");
  for (auto& blob : *state.mutable_history()) {
    const bool is_bias = blob.shape().dim_size() == 1;
    blob.clear_shape();
    blob.set_num(1);
    blob.set_channels(1);
    blob.set_height(is_bias ? 1 : 2);
    blob.set_width(is_bias ? 2 : 3);
  }
  WriteProtoToBinaryFile(state, File("s_iter_2.solverstate"));
  const auto second = make_solver<float>(Solver_("momentum: 0.9"), stream_net());
  second->Restore(File("s_iter_2.solverstate").c_str());
  first->Step(3);
  second->Step(3);
  EXPECT_EQ(parameters_of(*second), parameters_of(*first));
}

// --- wrong files

TEST_F(SnapshotTest, WrongFilesAreNamedAndNothingIsHalfRestored) {
  const auto source = make_solver<float>(Solver_("momentum: 0.9"), stream_net());
  source->Step(5);
  source->Snapshot();
  const SolverState good = State("s_iter_5.solverstate");
  SolverState changed = good;
  changed.mutable_history(1)->mutable_shape()->set_dim(0, 1);
  changed.mutable_history(1)->mutable_data()->Truncate(1);
  WriteProtoToBinaryFile(changed, File("shape.solverstate"));
  const string bytes = good.SerializeAsString();
  folder_.Write("half.solverstate", bytes.substr(0, bytes.size() / 2));
  changed = good;
  changed.set_learned_net("/nowhere/gone.caffemodel");
  WriteProtoToBinaryFile(changed, File("moved.solverstate"));
  NetParameter other_net;
  ReadProtoFromBinaryFileOrDie(File("s_iter_5.caffemodel"), &other_net);
  other_net.mutable_layer(1)->mutable_blobs(1)->mutable_shape()->set_dim(0, 1);
  other_net.mutable_layer(1)->mutable_blobs(1)->mutable_data()->Truncate(1);
  WriteProtoToBinaryFile(other_net, File("other.caffemodel"));
  changed.set_learned_net(File("other.caffemodel"));
  WriteProtoToBinaryFile(changed, File("other.solverstate"));

  struct Wrong {
    string file;
    vector<string> words;
    const char* rule = "momentum: 0.9";
  };
  const vector<Wrong> table = {
      {"absent.solverstate", {"absent.solverstate"}},
      {"half.solverstate", {"half.solverstate"}},
      {"shape.solverstate", {"shape.solverstate", "history blob 1", "2 (2)"}},
      {"moved.solverstate", {"/nowhere/gone.caffemodel"}},
      {"other.solverstate", {"other.caffemodel", "'ip'"}},
      {"s_iter_5.caffemodel", {"s_iter_5.caffemodel", "weights", "s_iter_5.solverstate"}},
      {"s_iter_5.solverstate", {"2", "4", "Adam"}, "type: 'Adam' momentum: 0.9"},
  };
  for (const Wrong& wrong : table) {
    const auto solver = make_solver<float>(Solver_(wrong.rule), stream_net());
    const vector<float> before = parameters_of(*solver);
    const string error = FullErrorOf([&] { solver->Restore(File(wrong.file).c_str()); });
    EXPECT_TRUE(has_words(error, wrong.words)) << wrong.file;
    EXPECT_EQ(parameters_of(*solver), before) << wrong.file;
    EXPECT_EQ(solver->iter(), 0) << wrong.file;
    EXPECT_NO_THROW(solver->Step(1)) << wrong.file;
  }
}

TEST_F(SnapshotTest, WeightsThatMovedTogetherWithTheStateAreFoundBesideIt) {
  const auto source = make_solver<float>(Solver_("momentum: 0.9"), stream_net());
  source->Step(4);
  source->Snapshot();
  std::filesystem::create_directory(File("moved"));
  for (const string name :
       {"s_iter_4.caffemodel", "s_iter_4.solverstate", "s_iter_4.solverstate.side"}) {
    std::filesystem::rename(File(name), File("moved/" + name));
  }
  const auto solver = make_solver<float>(Solver_("momentum: 0.9"), stream_net());
  solver->Restore(File("moved/s_iter_4.solverstate").c_str());
  EXPECT_EQ(parameters_of(*solver), parameters_of(*source));
}

// --- failures while writing

/// Parses the three files of a snapshot whole.
void ExpectWholeFiles(const string& stem) {
  NetParameter model;
  SolverState state;
  SolverSideState side;
  ASSERT_TRUE(ReadProtoFromBinaryFile(stem + ".caffemodel", &model));
  ASSERT_TRUE(ReadProtoFromBinaryFile(stem + ".solverstate", &state));
  ASSERT_TRUE(ReadProtoFromBinaryFile(stem + ".solverstate.side", &side));
  EXPECT_EQ(model.layer(model.layer_size() - 1).name(), "loss");
  EXPECT_EQ(state.history_size(), 2);
}

TEST_F(SnapshotTest, AFullDiskIsAnErrorAndLeavesTheOldFilesWhole) {
  const auto solver = make_solver<float>(Solver_("momentum: 0.9"), stream_net());
  solver->Step(2);
  solver->Snapshot();
  const auto old_size = std::filesystem::file_size(File("s_iter_2.caffemodel"));
  const size_t files = folder_.FileCount();
  // A limit on the size of files fails as a full disk does: write() gives an error.
  rlimit before;
  getrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit tight = before;
  tight.rlim_cur = 64;
  setrlimit(RLIMIT_FSIZE, &tight);
  const string error = FullErrorOf([&] { solver->Snapshot(); });
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, SIG_DFL);
  EXPECT_TRUE(has_words(error, {"s_iter_2.caffemodel"}));
  EXPECT_EQ(std::filesystem::file_size(File("s_iter_2.caffemodel")), old_size);
  EXPECT_EQ(folder_.FileCount(), files);  // nothing half written lies about
  ExpectWholeFiles(File("s_iter_2"));
  EXPECT_NO_THROW(solver->Step(1));  // the run can go on
}

/// Not a test: what the next test starts as a process of its own and kills.
TEST(SnapshotChild, DISABLED_WritesSnapshotsForEver) {
  const char* folder = std::getenv("CAFFE_TEST_SNAPSHOT_FOLDER");
  if (folder == nullptr) GTEST_SKIP() << "started by AKillDuringASnapshot...";
  const auto solver = make_solver<float>(
      "base_lr: 0.01 lr_policy: 'fixed' momentum: 0.9 snapshot_prefix: '" +
          string(folder) + "/s'",
      stream_net());
  solver->Step(1);
  while (true) solver->Snapshot();
}

TEST_F(SnapshotTest, AKillDuringASnapshotLeavesTheOldFilesWhole) {
  if (Caffe::mode() == Caffe::GPU && !device::is_simulated()) {
    GTEST_SKIP() << "a forked process cannot use the GPU";
  }
  for (int round = 0; round < 3; ++round) {
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      setenv("CAFFE_TEST_SNAPSHOT_FOLDER", File("").c_str(), 1);
      const int null = open("/dev/null", O_WRONLY);
      dup2(null, 1);
      dup2(null, 2);
      execl("/proc/self/exe", "caffe_tests", "--gtest_also_run_disabled_tests",
            "--gtest_filter=SnapshotChild.DISABLED_WritesSnapshotsForEver",
            static_cast<char*>(nullptr));
      _exit(127);
    }
    for (int wait = 0; wait < 2000 && !Exists("s_iter_1.solverstate"); ++wait) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(7 + 11 * round));
    kill(child, SIGKILL);
    int status = 0;
    waitpid(child, &status, 0);
    ASSERT_TRUE(WIFSIGNALED(status)) << "the child ended by itself";
    ExpectWholeFiles(File("s_iter_1"));
    const auto solver = make_solver<float>(Solver_("momentum: 0.9"), stream_net());
    EXPECT_NO_THROW(solver->Restore(File("s_iter_1.solverstate").c_str()));
  }
}

}  // namespace
}  // namespace caffe

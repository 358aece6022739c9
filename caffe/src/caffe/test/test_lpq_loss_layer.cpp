// LpqLoss: its formula for many exponents, check values, unknown truth, gradients, the
// schedule in training and test nets.
#include <cmath>
#include <limits>

#include "caffe/layers/lpq_loss_layer.hpp"
#include "caffe/sgd_solvers.hpp"
#include "flow_check_values.hpp"
#include "layer_check.hpp"
#include "net_check.hpp"

namespace caffe {
namespace {

const double kNan = std::numeric_limits<double>::quiet_NaN();

struct Mode {
  double p, q, p_epsilon, q_epsilon;
  bool by_channels, by_entries;
  string Text() const {
    std::ostringstream text;
    text << "type: 'LpqLoss' lpq_loss_param { p: " << p << " q: " << q
         << " p_epsilon: " << p_epsilon << " q_epsilon: " << q_epsilon
         << " l2_prescale_by_channels: " << by_channels
         << " normalize_by_num_entries: " << by_entries << " }";
    return text.str();
  }
};

vector<Mode> Modes() {
  vector<Mode> modes;
  for (const Mode& exponents : vector<Mode>{{1, 1, 0, 0.01, false, false},
                                            {2, 0.5, 0, 0.01, false, false},
                                            {1, 0.4, 0, 0.01, false, false},
                                            {0.7, 0.3, 0.125, 0.5, false, false},
                                            {1.5, 1.25, 0, 0, false, false}}) {
    for (int bits = 0; bits < 4; ++bits) {
      modes.push_back(exponents);
      modes.back().by_channels = bits & 1;
      modes.back().by_entries = bits & 2;
    }
  }
  return modes;
}

// layers_flow.md 4.2.
template <typename Dtype>
double Reference(const Mode& m, const vector<Blob<Dtype>*>& bottom) {
  const Blob<Dtype>& a = *bottom[0];
  double sum = 0, known = 0;
  for (int n = 0; n < a.num(); ++n) {
    for (int y = 0; y < a.height(); ++y) {
      for (int x = 0; x < a.width(); ++x) {
        double place = 0;
        for (int c = 0; c < a.channels(); ++c) {
          const double other = bottom.size() > 1 ? bottom[1]->data_at(n, c, y, x) : 0;
          const double d = a.data_at(n, c, y, x) - other;
          known += !std::isnan(d);
          place += std::pow((std::isnan(d) ? 0 : std::fabs(d)) + m.p_epsilon, m.p);
        }
        sum +=
            std::pow((m.by_channels ? place / a.channels() : place) + m.q_epsilon, m.q);
      }
    }
  }
  return sum / (m.by_entries ? known / a.channels() : a.num());
}

// As the check values have it: a and b with unknown places in b.
template <typename Dtype>
void FillBottoms(const vector<Blob<Dtype>*>& bottom, const vector<int>& unknown) {
  for (size_t k = 0; k < bottom.size(); ++k)
    fill_data(bottom[k], static_cast<int>(k) + 1);
  for (const int i : unknown) {
    bottom.back()->mutable_cpu_data()[i] = static_cast<Dtype>(kNan);
  }
}

template <typename Dtype>
class LpqLossLayerTest : public ::testing::Test {};
TYPED_TEST_SUITE(LpqLossLayerTest, TestDtypes);

TYPED_TEST(LpqLossLayerTest, FollowsTheFormulaInEveryMode) {
  for (const Mode& mode : Modes()) {
    for (const vector<int>& shape :
         vector<vector<int>>{{2, 2, 3, 4}, {3, 5, 1, 7}, {1, 1, 1, 1}}) {
      const bool small = shape[0] == 1;
      for (const int bottoms : {1, 2}) {
        LayerUnderTest<TypeParam> test(mode.Text(), vector<vector<int>>(bottoms, shape));
        FillBottoms(test.bottom, small ? vector<int>{} : vector<int>{1, 9, 13});
        test.SetUp();
        const double expected = Reference(mode, test.bottom);
        EXPECT_NEAR(test.Forward(), expected, 1e-5 * expected) << mode.Text();
        EXPECT_EQ(test.top[0]->num_axes(), 0);
      }
    }
  }
}

TYPED_TEST(LpqLossLayerTest, GivesTheForksValues) {
  for (const auto& check :
       vector<vector<double>>{{2, 0.2, 12.211728}, {1, 0.4, 13.581299}}) {
    LayerUnderTest<TypeParam> test(Mode{check[0], check[1], 0, 0.01, false, false}.Text(),
                                   {{2, 2, 3, 4}, {2, 2, 3, 4}});
    FillBottoms(test.bottom, {1, 13, 35});
    test.SetUp();
    EXPECT_NEAR(test.Forward(), check[2], 2e-6 * check[2]);
  }
}

TEST(LpqLossLayerTest, GradientInEveryMode) {
  for (const Mode& mode : Modes()) {
    for (const int bottoms : {1, 2}) {
      LayerUnderTest<double> test(mode.Text(),
                                  vector<vector<int>>(bottoms, {2, 2, 3, 4}));
      FillBottoms(test.bottom, {});
      GradientChecker<double> checker(1e-6, 1e-5);
      checker.CheckGradient(test.layer.get(), test.bottom, test.top);
    }
  }
}

TYPED_TEST(LpqLossLayerTest, UnknownAndEqualEntriesHaveNoGradientAndLeaveTheOthersAlone) {
  for (const Mode& mode : Modes()) {
    LayerUnderTest<TypeParam> test(mode.Text(), {{2, 2, 3, 4}, {2, 2, 3, 4}});
    FillBottoms(test.bottom, {1, 13, 35});
    const vector<int> without = {1, 13, 35, 6, 18};
    for (const int i : {6, 18}) {  // both channels of one place
      test.bottom[1]->mutable_cpu_data()[i] = test.bottom[0]->cpu_data()[i];
    }
    test.SetUp();
    test.Forward();
    test.top[0]->mutable_cpu_diff()[0] = TypeParam(1.5);
    test.Backward();
    for (int i = 0; i < test.bottom[0]->count(); ++i) {
      const TypeParam diff = test.bottom[0]->cpu_diff()[i];
      EXPECT_EQ(test.bottom[1]->cpu_diff()[i], -diff);
      if (std::count(without.begin(), without.end(), i)) {
        EXPECT_EQ(diff, 0) << mode.Text();
      } else {
        EXPECT_GT(diff * (test.bottom[0]->cpu_data()[i] - test.bottom[1]->cpu_data()[i]),
                  0);
      }
    }
    EXPECT_TRUE(std::isnan(test.bottom[1]->cpu_data()[1]));
  }
}

TYPED_TEST(LpqLossLayerTest, WithoutAnyKnownEntryLossAndGradientAreZero) {
  for (const Mode& mode : Modes()) {
    if (!mode.by_entries) continue;
    LayerUnderTest<TypeParam> test(mode.Text(), {{1, 2, 1, 2}});
    FillBottoms(test.bottom, {0, 1, 2, 3});
    test.SetUp();
    EXPECT_EQ(test.Forward(), 0);
    test.top[0]->mutable_cpu_diff()[0] = 1;
    std::fill_n(test.bottom[0]->mutable_cpu_diff(), 4, TypeParam(7));
    test.Backward();
    EXPECT_EQ(test.bottom[0]->asum_diff(), 0);
  }
}

TYPED_TEST(LpqLossLayerTest, WritesOnlyTheDiffsAskedFor) {
  LayerUnderTest<TypeParam> test(Modes()[0].Text(), {{1, 2, 1, 2}, {1, 2, 1, 2}});
  FillBottoms(test.bottom, {});
  test.SetUp();
  test.Forward();
  test.top[0]->mutable_cpu_diff()[0] = 1;
  for (Blob<TypeParam>* bottom : test.bottom) {
    std::fill_n(bottom->mutable_cpu_diff(), 4, TypeParam(99));
  }
  test.Backward({false, true});
  EXPECT_EQ(diff_of(*test.bottom[0]), vector<TypeParam>(4, 99));
  EXPECT_EQ(test.bottom[1]->asum_diff(), 4);
}

const char kSchedule[] =
    "lpq_loss_param { pq_episode_starts_at_iter: 0 pq_episode_starts_at_iter: 2 "
    "pq_episode_starts_at_iter: 5 p: 1 p: 2 p: 3 q: 1 q: 1 q: 1 q_epsilon: 0 }";

string ScheduledNet() {
  return string(R"(
      layer { name: 'data' type: 'DummyData' top: 'x' dummy_data_param {
              shape { dim: 1 dim: 1 dim: 1 dim: 1 } data_filler { value: 3 } } }
      layer { name: 'w' type: 'Convolution' bottom: 'x' top: 'y'
              convolution_param { num_output: 1 kernel_size: 1 bias_term: false
                                  weight_filler { value: 1 } } }
      layer { name: 'loss' type: 'LpqLoss' bottom: 'y' top: 'loss' )") +
         kSchedule + " }";
}

TEST(LpqLossLayerTest, TheScheduleFollowsTheIterationAndCanGoBack) {
  const auto net = make_net<double>(ScheduledNet());
  for (const auto& step : vector<vector<int>>{
           {0, 3}, {1, 3}, {2, 9}, {4, 9}, {5, 27}, {900, 27}, {2, 9}, {0, 3}}) {
    net->set_iter(step[0]);
    double loss = 0;
    net->Forward(&loss);
    EXPECT_NEAR(loss, step[1], 1e-12) << "iteration " << step[0];
    net->Backward();
    const int p = step[0] >= 5 ? 3 : step[0] >= 2 ? 2 : 1;
    EXPECT_NEAR(net->blob_by_name("y")->cpu_diff()[0], p * std::pow(3, p - 1), 1e-12);
  }
}

TEST(LpqLossLayerTest, AStartBeyondAllIterationsIsNeverReached) {
  LayerUnderTest<double> test(
      "type: 'LpqLoss' lpq_loss_param { p: 1 p: 2 q: 1 q: 1 pq_episode_starts_at_iter: 0 "
      "pq_episode_starts_at_iter: 4294967295 q_epsilon: 0 }",
      {{1, 1, 1, 1}});
  test.bottom[0]->mutable_cpu_data()[0] = 3;
  test.SetUp();
  EXPECT_NEAR(test.Forward(), 3, 1e-12);
}

TEST(LpqLossLayerTest, WithoutAnIterationSetTheScheduleFollowsTheForwardPasses) {
  const auto net = make_net<double>(ScheduledNet());
  for (const double expected : {3, 3, 9, 9, 9, 27, 27}) {
    double loss = 0;
    net->Forward(&loss);
    EXPECT_NEAR(loss, expected, 1e-12);
  }
}

TEST(LpqLossLayerTest, TestNetsFollowTheIterationOfTheTraining) {
  SolverParameter param;
  *param.mutable_net_param() = net_param(ScheduledNet());
  param.mutable_net_param()->clear_state();
  param.set_base_lr(0);  // the weight stays 1
  param.set_lr_policy("fixed");
  param.set_max_iter(6);
  param.add_test_iter(4);  // its batches have numbers of their own: 0 to 3
  param.set_test_interval(2);
  param.set_test_initialization(false);
  param.set_snapshot_after_train(false);
  SGDSolver<double> solver(param);
  solver.Step(3);  // tests before iteration 2
  EXPECT_NEAR(solver.test_nets()[0]->blob_by_name("loss")->cpu_data()[0], 9, 1e-12);
  EXPECT_EQ(solver.test_nets()[0]->iter(), 3);
  EXPECT_EQ(solver.test_nets()[0]->training_iter(), 2);
  EXPECT_EQ(solver.net()->iter(), 2);
  EXPECT_NEAR(solver.net()->blob_by_name("loss")->cpu_data()[0], 9, 1e-12);
}

TEST(LpqLossLayerTest, RefusesSchedulesThatCannotBe) {
  const auto error = [](const string& fields) {
    return LayerUnderTest<float>("type: 'LpqLoss' lpq_loss_param { " + fields + " }",
                                 {{1, 2, 2, 2}})
        .SetUpError();
  };
  EXPECT_TRUE(has_words(error("p: 1"), {"Incompatible sizes", "1 of p", "0 of q"}));
  EXPECT_TRUE(has_words(error("p: 1 q: 1 pq_episode_starts_at_iter: 0 "
                              "pq_episode_starts_at_iter: 4"),
                        {"Incompatible sizes", "2 of pq_episode"}));
  EXPECT_TRUE(has_words(error("p: 1 p: 1 q: 1 q: 1"), {"Incompatible sizes"}));
  EXPECT_TRUE(has_words(error(""), {"must not be empty"}));
  for (const char* second : {"0", "3"}) {
    EXPECT_TRUE(has_words(
        error(string("p: 1 p: 1 p: 1 q: 1 q: 1 q: 1 pq_episode_starts_at_iter: 0 "
                     "pq_episode_starts_at_iter: 3 pq_episode_starts_at_iter: ") +
              second),
        {"is not ordered or contains duplicates"}));
  }
  EXPECT_TRUE(has_words(error("p: 1 q: 1 pq_episode_starts_at_iter: 2"),
                        {"First entry", "is not 0, this is probably a mistake"}));
  for (const char* row :
       {"p: -1 q: 1", "p: 0 q: 1", "p: nan q: 1", "p: inf q: 1", "q: -1 p: 1",
        "q: 0 p: 1", "p_epsilon: -0.5 p: 1 q: 1", "q_epsilon: -0.5 p: 1 q: 1",
        "p: 2 p: -1 q: 1 q: 1 pq_episode_starts_at_iter: 0 pq_episode_starts_at_iter: "
        "9"}) {
    const string setting = string(row).substr(0, string(row).find(':'));
    const bool epsilon = setting.size() > 1;
    EXPECT_TRUE(has_words(error(row), {"LpqLoss layer ''", "lpq_loss_param." + setting,
                                       epsilon ? "must be 0 or more, not -0.5"
                                               : "must be more than 0, not "}))
        << row;
  }
  LayerUnderTest<float> unequal(Modes()[0].Text(), {{1, 2, 2, 3}, {1, 2, 3, 2}});
  EXPECT_TRUE(has_words(unequal.SetUpError(), {"1 2 2 3", "1 2 3 2"}));
}

}  // namespace
}  // namespace caffe

// Learning rates and update rules against their formulas (facts/engine.md 4.5 to 4.7, 9).
#include "solver_check.hpp"

namespace caffe {
namespace {

// --- rates

/// A solver that can be put at any iteration.
class RateSolver : public SGDSolver<double> {
 public:
  explicit RateSolver(const string& text)
      : SGDSolver<double>(solver_param("base_lr: 0.1 " + text, "name: 'empty'")) {}
  double At(int iter) {
    this->iter_ = iter;
    return GetLearningRate();
  }
};

void ExpectRates(const string& text, const vector<double>& expected) {
  const int iterations[] = {0, 2, 3, 7};
  RateSolver solver(text);
  for (size_t i = 0; i < expected.size(); ++i) {
    EXPECT_NEAR(solver.At(iterations[i]), expected[i], 1e-6 * expected[i])
        << text << " at " << iterations[i];
  }
}

TEST(LearningRateTest, PoliciesGiveTheirCheckValues) {
  ExpectRates("lr_policy: 'fixed'", {0.1, 0.1, 0.1, 0.1});
  ExpectRates("lr_policy: 'step' gamma: 0.5 stepsize: 3", {0.1, 0.1, 0.05, 0.025});
  ExpectRates("lr_policy: 'exp' gamma: 0.5", {0.1, 0.025, 0.0125, 0.00078125});
  ExpectRates("lr_policy: 'inv' gamma: 0.5 power: 0.75",
              {0.1, 0.0594603558, 0.0502973372, 0.0323661181});
  ExpectRates("lr_policy: 'poly' power: 2 max_iter: 10", {0.1, 0.064, 0.049, 0.009});
  ExpectRates("lr_policy: 'sigmoid' gamma: 0.5 stepsize: 3",
              {0.0182425524, 0.0377540669, 0.05, 0.0880797078});
}

TEST(LearningRateTest, MultistepGoesDownAtEachValueOnce) {
  RateSolver solver(
      "lr_policy: 'multistep' gamma: 0.1 stepvalue: 2 stepvalue: 5 stepvalue: 6");
  const double expected[] = {0.1, 0.1, 0.01, 0.01, 0.01, 0.001, 0.0001, 0.0001};
  for (int i = 0; i < 8; ++i) EXPECT_NEAR(solver.At(i), expected[i], 1e-8) << i;
}

TEST(LearningRateTest, PolyStaysAtZeroBeyondTheLastIteration) {
  RateSolver solver("lr_policy: 'poly' power: 0.5 max_iter: 10");
  EXPECT_EQ(solver.At(10), 0);
  EXPECT_EQ(solver.At(11), 0);
}

TEST(LearningRateTest, CosineWarmsUpAndFallsToItsShareOfTheRate) {
  // Linear over `stepsize`, then half a cosine to base_lr * gamma at max_iter.
  RateSolver solver("lr_policy: 'cosine' stepsize: 4 gamma: 0.01 max_iter: 24");
  EXPECT_NEAR(solver.At(0), 0.1 * 1 / 5, 1e-8);
  EXPECT_NEAR(solver.At(3), 0.1 * 4 / 5, 1e-8);
  EXPECT_NEAR(solver.At(4), 0.1, 1e-8);
  const double behind_warm_up = (1 + std::cos(std::acos(-1.) / 20)) / 2;
  EXPECT_NEAR(solver.At(5), 0.1 * (0.01 + 0.99 * behind_warm_up), 1e-8);
  EXPECT_NEAR(solver.At(14), 0.1 * (1 + 0.01) / 2, 1e-8);
  EXPECT_NEAR(solver.At(24), 0.001, 1e-8);
  EXPECT_NEAR(solver.At(100), 0.001, 1e-8);
}

TEST(LearningRateTest, WhatAPolicyNeedsIsChecked) {
  const auto error = [](const string& text) {
    return ErrorOf([&] { RateSolver(text).At(1); });
  };
  EXPECT_TRUE(has_words(error("lr_policy: 'linear'"), {"linear", "poly", "fixed"}));
  EXPECT_NE(error(""), "");
  EXPECT_NE(error("lr_policy: 'step' gamma: 0.5"), "");
  EXPECT_NE(error("lr_policy: 'step' gamma: -1 stepsize: 2"), "");
  EXPECT_NE(error("lr_policy: 'exp' gamma: -1"), "");
  EXPECT_NE(error("lr_policy: 'sigmoid' gamma: 1"), "");
}

// --- one parameter: the check values of the facts

TEST(UpdateRuleTest, OneParameterFollowsTheCheckValues) {
  // The gradient of loss = w * x is x.
  const string net =
      "layer { name: 'x' type: 'Input' top: 'x' input_param { shape { dim: 1 dim: 1 } } }"
      "layer { name: 'ip' type: 'InnerProduct' bottom: 'x' top: 'y' loss_weight: 1"
      " inner_product_param { num_output: 1 bias_term: false"
      " weight_filler { type: 'constant' value: 1 } } }";
  struct Row {
    const char* rule;
    double w[3];
  };
  const Row rows[] = {
      {"type: 'SGD' base_lr: 0.1 momentum: 0.9", {0.949, 0.927151, 0.896559749}},
      {"type: 'Nesterov' base_lr: 0.1 momentum: 0.9", {0.9031, 0.90757411, 0.869189208}},
      {"type: 'AdaGrad' base_lr: 0.1", {0.900000002, 0.94272479, 0.923680433}},
      {"type: 'RMSProp' base_lr: 0.1", {1.96078e-7, 0.441942544, 0.259535588}},
      {"type: 'AdaDelta' base_lr: 1 momentum: 0.95 delta: 1e-6",
       {0.995528036, 0.998278156, 0.996911605}},
      {"type: 'Adam' base_lr: 0.1 momentum: 0.9",
       {0.900000062, 0.871229423, 0.837292459}},
  };
  const double gradients[] = {0.5, -0.25, 0.1};
  for (const Row& row : rows) {
    const auto solver = make_solver<double>(
        string(row.rule) + " lr_policy: 'fixed' weight_decay: 0.01", net);
    for (int i = 0; i < 3; ++i) {
      solver->net()->input_blobs()[0]->mutable_cpu_data()[0] = gradients[i];
      solver->Step(1);
      // The constants are floats in the definition: 7 digits are theirs.
      EXPECT_NEAR(parameters_of(*solver)[0], row.w[i], 1e-6)
          << row.rule << ", update " << i + 1;
    }
    EXPECT_EQ(solver->iter(), 3);
  }
}

// --- ten steps of the regression against a plain loop

struct Rule {
  string type, text;
  double momentum = 0, delta = 1e-8;
};

class PlainSolver {
 public:
  PlainSolver(const Rule& rule, double decay, const string& regularization, int iter_size,
              double clip)
      : rule_(rule),
        decay_(decay),
        l1_(regularization == "L1"),
        iter_size_(iter_size),
        clip_(clip),
        w_(kInputs * kOutputs, 0.3),
        b_(kOutputs, -0.2) {
    w_.insert(w_.end(), b_.begin(), b_.end());
    h_.assign(w_.size(), 0);
    k_.assign(w_.size(), 0);
  }

  void Step() {
    vector<double> g(w_.size());
    for (int pass = 0; pass < iter_size_; ++pass) AddGradient(batch_++, &g);
    double norm = 0;
    for (const double value : g) norm += value * value;
    norm = std::sqrt(norm);
    const double factor = clip_ >= 0 && norm > clip_ ? clip_ / norm : 1;
    for (size_t i = 0; i < g.size(); ++i) {
      const bool is_bias = i >= static_cast<size_t>(kInputs * kOutputs);
      double gradient = g[i] * factor / iter_size_;
      const double lambda = is_bias ? 0 : decay_;
      gradient += lambda * (l1_ ? (w_[i] > 0) - (w_[i] < 0) : w_[i]);
      w_[i] -= Delta(i, gradient, 0.05 * (is_bias ? 2 : 1));
    }
    ++t_;
  }

  const vector<double>& parameters() const { return w_; }

 private:
  static const int kInputs = kStreamInputs, kOutputs = kStreamOutputs,
                   kRows = kStreamRows;

  void AddGradient(int batch, vector<double>* g) const {
    for (int n = 0; n < kRows; ++n) {
      for (int o = 0; o < kOutputs; ++o) {
        double y = w_[kInputs * kOutputs + o];
        for (int i = 0; i < kInputs; ++i) {
          y += w_[o * kInputs + i] * stream_input(batch, n * kInputs + i);
        }
        const double error = (y - stream_target(batch, n * kOutputs + o)) / kRows;
        for (int i = 0; i < kInputs; ++i) {
          (*g)[o * kInputs + i] += error * stream_input(batch, n * kInputs + i);
        }
        (*g)[kInputs * kOutputs + o] += error;
      }
    }
  }

  /// The formulas of facts/engine.md 4.7.
  double Delta(size_t i, double g, double eta) {
    const double mu = rule_.momentum, delta = rule_.delta;
    double &h = h_[i], &k = k_[i];
    if (rule_.type == "SGD") {
      h = mu * h + eta * g;
      return h;
    }
    if (rule_.type == "Nesterov") {
      const double before = h;
      h = mu * h + eta * g;
      return (1 + mu) * h - mu * before;
    }
    if (rule_.type == "AdaGrad") {
      h += g * g;
      return eta * g / (std::sqrt(h) + delta);
    }
    if (rule_.type == "RMSProp") {
      h = 0.95 * h + 0.05 * g * g;
      return eta * g / (std::sqrt(h) + delta);
    }
    if (rule_.type == "AdaDelta") {
      h = mu * h + (1 - mu) * g * g;
      const double u = g * std::sqrt((k + delta) / (h + delta));
      k = mu * k + (1 - mu) * u * u;
      return eta * u;
    }
    const double b2 = 0.99, t = t_ + 1;  // Adam
    h = mu * h + (1 - mu) * g;
    k = b2 * k + (1 - b2) * g * g;
    return eta * std::sqrt(1 - std::pow(b2, t)) / (1 - std::pow(mu, t)) * h /
           (std::sqrt(k) + delta);
  }

  Rule rule_;
  double decay_;
  bool l1_;
  int iter_size_;
  double clip_;
  int batch_ = 0, t_ = 0;
  vector<double> w_, b_, h_, k_;
};

vector<Rule> Rules() {
  return {
      {"SGD", "", 0, 0},
      {"SGD", "momentum: 0.75", 0.75, 0},
      {"Nesterov", "momentum: 0.75", 0.75, 0},
      {"AdaGrad", "delta: 1e-3", 0, 1e-3},
      {"RMSProp", "rms_decay: 0.95 delta: 1e-3", 0, 1e-3},
      {"AdaDelta", "momentum: 0.75 delta: 1e-3", 0.75, 1e-3},
      {"Adam", "momentum: 0.75 momentum2: 0.99 delta: 1e-3", 0.75, 1e-3},
  };
}

void ExpectLikePlainLoop(const string& more, double decay, const string& regularization,
                         int iter_size, double clip) {
  for (const Rule& rule : Rules()) {
    std::ostringstream text;
    text << "base_lr: 0.05 lr_policy: 'fixed' type: '" << rule.type << "' " << rule.text
         << " weight_decay: " << decay << " iter_size: " << iter_size
         << " clip_gradients: " << clip << " " << more;
    const auto solver = make_solver<double>(text.str(), stream_net());
    const auto single = make_solver<float>(text.str(), stream_net());
    PlainSolver plain(rule, decay, regularization, iter_size, clip);
    for (int step = 0; step < 10; ++step) {
      solver->Step(1);
      single->Step(1);
      plain.Step();
      ASSERT_LT(relative_difference(plain.parameters(), parameters_of(*solver)), 1e-6)
          << rule.type << " " << text.str() << ", step " << step;
    }
    const vector<float> found = parameters_of(*single);
    EXPECT_LT(relative_difference(plain.parameters(),
                                  vector<double>(found.begin(), found.end())),
              1e-4)
        << "float: " << text.str();
  }
}

TEST(UpdateRuleTest, TenStepsEqualAPlainLoop) { ExpectLikePlainLoop("", 0, "L2", 1, -1); }

TEST(UpdateRuleTest, WeightDecayL2) { ExpectLikePlainLoop("", 0.5, "L2", 1, -1); }

TEST(UpdateRuleTest, WeightDecayL1) {
  ExpectLikePlainLoop("regularization_type: 'L1'", 0.1, "L1", 1, -1);
}

TEST(UpdateRuleTest, IterSizeAveragesPasses) {
  ExpectLikePlainLoop("", 0.1, "L2", 3, -1);
}

TEST(UpdateRuleTest, ClippingActsBeforeNormalisingAndDecay) {
  ExpectLikePlainLoop("", 0.1, "L2", 1, 0.2);
  ExpectLikePlainLoop("", 0.1, "L2", 3, 0.2);
}

TEST(UpdateRuleTest, SignOfZeroIsZeroInL1) {
  const string net =
      "layer { name: 'x' type: 'Input' top: 'x' input_param { shape { dim: 1 dim: 3 } } }"
      "layer { name: 'ip' type: 'InnerProduct' bottom: 'x' top: 'y' loss_weight: 1"
      " inner_product_param { num_output: 1 bias_term: false } }";
  const auto solver = make_solver<double>(
      "base_lr: 1 lr_policy: 'fixed' weight_decay: 0.25 regularization_type: 'L1'", net);
  set_values<double>(solver->net()->learnable_params()[0], {2, 0, -2});
  solver->Step(1);
  EXPECT_EQ(parameters_of(*solver), (vector<double>{1.75, 0, -1.75}));
}

TEST(UpdateRuleTest, ClippingIsLoggedWithNormAndFactor) {
  const auto solver = make_solver<double>(
      "base_lr: 1 lr_policy: 'fixed' clip_gradients: 0.001", stream_net());
  const CapturedLog log;
  solver->Step(1);
  const auto lines = CapturedLog::beginning({"Gradient clipping"});
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_TRUE(has_words(lines[0], {"L2 norm", "0.001", "scale factor"}));
}

TEST(UpdateRuleTest, ParametersWithRateZeroStayButCountInTheNorm) {
  string net = stream_net();
  net.replace(net.find("lr_mult: 1 "), 10, "lr_mult: 0");
  const auto solver = make_solver<double>(
      "base_lr: 0.1 lr_policy: 'fixed' momentum: 0.9"
      " weight_decay: 0.5",
      net);
  const vector<double> before = parameters_of(*solver);
  solver->Step(3);
  const vector<double> after = parameters_of(*solver);
  for (int i = 0; i < 6; ++i) EXPECT_EQ(after[i], before[i]);
  EXPECT_NE(after[6], before[6]);
}

TEST(UpdateRuleTest, ASharedParameterIsUpdatedOnce) {
  const string net =
      "layer { name: 'x' type: 'Input' top: 'x' input_param { shape { dim: 1 dim: 1 } } }"
      "layer { name: 'a' type: 'InnerProduct' bottom: 'x' top: 'y' loss_weight: 1 param "
      "{ name:"
      " 'w' } inner_product_param { num_output: 1 bias_term: false } }"
      "layer { name: 'b' type: 'InnerProduct' bottom: 'x' top: 'z' loss_weight: 1 param "
      "{ name:"
      " 'w' } inner_product_param { num_output: 1 bias_term: false } }";
  const auto solver = make_solver<double>("base_lr: 0.5 lr_policy: 'fixed'", net);
  solver->net()->input_blobs()[0]->mutable_cpu_data()[0] = 3;
  solver->Step(1);
  EXPECT_EQ(parameters_of(*solver), (vector<double>{-3}));  // 0.5 * (3 + 3)
  EXPECT_EQ(solver->net()->params()[1]->cpu_data()[0], -3);
}

TEST(SolverErrorTest, WhatARuleDoesNotTakeIsRefused) {
  const string net = stream_net();
  const string fixed = "base_lr: 1 lr_policy: 'fixed' ";
  EXPECT_TRUE(
      has_words(solver_error(fixed + "type: 'Adan'", net), {"Adan", "Adam", "SGD"}));
  EXPECT_TRUE(
      has_words(solver_error(fixed + "type: 'AdaGrad' momentum: 0.9", net), {"AdaGrad"}));
  EXPECT_TRUE(
      has_words(solver_error(fixed + "type: 'RMSProp' momentum: 0.9", net), {"RMSProp"}));
  EXPECT_TRUE(has_words(solver_error(fixed + "type: 'RMSProp' rms_decay: 1", net),
                        {"rms_decay"}));
  EXPECT_TRUE(has_words(
      solver_error(fixed + "weight_decay: 1 regularization_type: 'L3'", net), {"L3"}));
  EXPECT_TRUE(has_words(solver_error(fixed + "iter_size: 0", net), {"iter_size"}));
  EXPECT_TRUE(has_words(solver_error(fixed + "average_loss: 0", net), {"average_loss"}));
  EXPECT_EQ(solver_error(fixed, net), "");
}

TEST(SolverErrorTest, TheOldEnumOfSolverTypesIsTakenInMemory) {
  register_test_stream();
  SolverParameter param =
      solver_param("base_lr: 1 lr_policy: 'fixed' solver_type: ADAM", stream_net());
  const std::unique_ptr<Solver<float>> solver(SolverRegistry<float>::CreateSolver(param));
  EXPECT_STREQ(solver->type(), "Adam");
}

}  // namespace
}  // namespace caffe

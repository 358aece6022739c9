// The gradient checker itself: it accepts right gradients and sees wrong ones.
#include <gtest/gtest-spi.h>

#include "caffe/test/test_caffe_main.hpp"
#include "caffe/test/test_gradient_check_util.hpp"

namespace caffe {
namespace {

// y[i] = w x[i] x[next(i)] with a parameter w, or y[i] = x[i]^2 in place. `error` spoils
// the gradient.
class ToyLayer : public Layer<double> {
 public:
  ToyLayer(bool in_place, double error)
      : Layer<double>(LayerParameter()), in_place_(in_place), error_(error) {
    if (in_place) return;
    blobs_.push_back(std::make_shared<Blob<double>>(vector<int>{1}));
    blobs_[0]->mutable_cpu_data()[0] = 1.5;
  }
  void Reshape(const vector<Blob<double>*>& bottom,
               const vector<Blob<double>*>& top) override {
    if (!in_place_) top[0]->ReshapeLike(*bottom[0]);
  }
  int forwards = 0;

 protected:
  void Forward_cpu(const vector<Blob<double>*>& bottom,
                   const vector<Blob<double>*>& top) override {
    ++forwards;
    const int n = bottom[0]->count();
    const double* x = bottom[0]->cpu_data();
    input_.assign(x, x + n);
    double* y = top[0]->mutable_cpu_data();
    for (int i = 0; i < n; ++i) {
      y[i] =
          in_place_ ? input_[i] * input_[i] : weight() * input_[i] * input_[(i + 1) % n];
    }
  }
  void Backward_cpu(const vector<Blob<double>*>& top, const vector<bool>& propagate_down,
                    const vector<Blob<double>*>& bottom) override {
    const int n = bottom[0]->count();
    const vector<double> dy(top[0]->cpu_diff(), top[0]->cpu_diff() + n);
    if (in_place_) {
      for (int i = 0; i < n; ++i) {
        bottom[0]->mutable_cpu_diff()[i] = 2 * input_[i] * dy[i] + error_;
      }
      return;
    }
    for (int i = 0; i < n; ++i) {
      blobs_[0]->mutable_cpu_diff()[0] += dy[i] * input_[i] * input_[(i + 1) % n];
    }
    if (!propagate_down[0]) return;
    double* dx = bottom[0]->mutable_cpu_diff();
    std::fill_n(dx, n, error_);
    for (int i = 0; i < n; ++i) {
      dx[i] += weight() * dy[i] * input_[(i + 1) % n];
      dx[(i + 1) % n] += weight() * dy[i] * input_[i];
    }
  }

 private:
  double weight() const { return blobs_[0]->cpu_data()[0]; }
  bool in_place_;
  double error_;
  vector<double> input_;
};

struct Fixture {
  Fixture() : bottom(vector<int>{5}) {
    for (int i = 0; i < 5; ++i) bottom.mutable_cpu_data()[i] = 0.5 * i - 0.7;
  }
  Blob<double> bottom, top;
  vector<Blob<double>*> bottoms{&bottom}, tops{&top};
};

TEST(GradientCheckerTest, AcceptsRightGradients) {
  Fixture f;
  ToyLayer layer(false, 0);
  GradientChecker<double> checker(1e-3, 1e-4);
  checker.CheckGradientExhaustive(&layer, f.bottoms, f.tops);
  checker.CheckGradient(&layer, f.bottoms, f.tops);
  checker.CheckGradientSingle(&layer, f.bottoms, f.tops, -2, 0, 3);
}

TEST(GradientCheckerTest, ExhaustiveTakesTwoForwardsAnInputValue) {
  Fixture f;
  ToyLayer layer(false, 0);
  GradientChecker<double>(1e-3, 1e-4).CheckGradientExhaustive(&layer, f.bottoms, f.tops);
  EXPECT_EQ(layer.forwards, 5 /* backward of each top element */ + 2 * (5 + 1));
}

TEST(GradientCheckerTest, LeavesTheInputsAsTheyWere) {
  Fixture f;
  ToyLayer layer(false, 0);
  GradientChecker<double>(1e-3, 1e-4).CheckGradientExhaustive(&layer, f.bottoms, f.tops);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(f.bottom.cpu_data()[i], 0.5 * i - 0.7);
  EXPECT_EQ(layer.blobs()[0]->cpu_data()[0], 1.5);
}

TEST(GradientCheckerTest, SeesWrongGradients) {
  ::testing::TestPartResultArray failures;
  {
    ::testing::ScopedFakeTestPartResultReporter reporter(
        ::testing::ScopedFakeTestPartResultReporter::INTERCEPT_ONLY_CURRENT_THREAD,
        &failures);
    Fixture f;
    ToyLayer layer(false, 0.01);
    GradientChecker<double>(1e-3, 1e-4)
        .CheckGradientExhaustive(&layer, f.bottoms, f.tops);
  }
  EXPECT_EQ(failures.size(), 20);  // 25 of them, the rest is not shown
}

TEST(GradientCheckerTest, SkipsTheKink) {
  Fixture f;
  ToyLayer layer(false, 0.01);
  // All values lie within 10 of the kink at 0: the spoilt gradient is not looked at.
  GradientChecker<double>(1e-3, 1e-4, 1701, 0, 10)
      .CheckGradientExhaustive(&layer, f.bottoms, f.tops);
}

TEST(GradientCheckerTest, ChecksLayersThatWorkInPlace) {
  Fixture f;
  ToyLayer right(true, 0);
  GradientChecker<double> checker(1e-3, 1e-4);
  checker.CheckGradientExhaustive(&right, f.bottoms, f.bottoms);
  checker.CheckGradientEltwise(&right, f.bottoms, f.bottoms);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(f.bottom.cpu_data()[i], 0.5 * i - 0.7);
  ::testing::TestPartResultArray failures;
  {
    ::testing::ScopedFakeTestPartResultReporter reporter(
        ::testing::ScopedFakeTestPartResultReporter::INTERCEPT_ONLY_CURRENT_THREAD,
        &failures);
    ToyLayer wrong(true, 0.01);
    checker.CheckGradientExhaustive(&wrong, f.bottoms, f.bottoms);
  }
  EXPECT_GT(failures.size(), 0);
}

TEST(GradientCheckerTest, RefusesAnEmptyCheck) {
  Fixture f;
  ToyLayer layer(true, 0);
  EXPECT_THROW(GradientChecker<double>(1e-3, 1e-4)
                   .CheckGradientSingle(&layer, f.bottoms, f.bottoms, -2, 0, 0),
               Error);
}

}  // namespace
}  // namespace caffe

// GradientReducer: which gradients are summed, when, and what they become.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "caffe/parallel/gradient_reducer.hpp"
#include "net_check.hpp"

namespace caffe {
namespace {

/// Four processes, of which the other three have no gradient at all; notes what happens.
class OthersWithoutGradient : public Communicator {
 public:
  explicit OthersWithoutGradient(std::vector<std::string>* events) : events_(events) {}
  int rank() const override { return 0; }
  int size() const override { return 4; }
  void StartSum(float*, std::size_t count) override { Note(count); }
  void StartSum(double*, std::size_t count) override { Note(count); }
  void Wait() override { events_->push_back("wait"); }
  void Broadcast(void*, std::size_t bytes) override {
    events_->push_back("send " + std::to_string(bytes));
  }
  std::vector<std::string> Gather(const std::string& text) override { return {text}; }
  void Barrier() override {}
  [[noreturn]] void Abort(int status) override { std::exit(status); }
  void Leave() override {}

 private:
  void Note(std::size_t count) { events_->push_back("sum " + std::to_string(count)); }
  std::vector<std::string>* events_;
};

/// Notes which layers have run backward.
class LayerNotes : public Net<float>::Callback {
 public:
  explicit LayerNotes(std::vector<std::string>* events) : events_(events) {}

 protected:
  void run(int layer) override { events_->push_back("layer " + std::to_string(layer)); }

 private:
  std::vector<std::string>* events_;
};

/// 600 x 600 numbers are more than a bucket holds. Layers: 0 input, 1 below, 2 shared,
/// 3 frozen, 4 shared again, 5 top, 6 loss.
const char kNet[] = R"(
  layer { name: "in" type: "DummyData" top: "x" top: "t" dummy_data_param {
    shape { dim: 2 dim: 600 } shape { dim: 2 dim: 3 }
    data_filler { type: "gaussian" std: 1 } data_filler { type: "constant" value: 1 } } }
  layer { name: "below" type: "InnerProduct" bottom: "x" top: "a" inner_product_param {
    num_output: 600 bias_term: false weight_filler { type: "gaussian" std: 0.05 } } }
  layer { name: "one" type: "InnerProduct" bottom: "a" top: "b" param { name: "w" }
    inner_product_param { num_output: 600 bias_term: false
      weight_filler { type: "gaussian" std: 0.05 } } }
  layer { name: "frozen" type: "InnerProduct" bottom: "b" top: "c" param { lr_mult: 0 }
    inner_product_param { num_output: 600 bias_term: false
      weight_filler { type: "gaussian" std: 0.05 } } }
  layer { name: "two" type: "InnerProduct" bottom: "c" top: "d" param { name: "w" }
    inner_product_param { num_output: 600 bias_term: false } }
  layer { name: "top" type: "InnerProduct" bottom: "d" top: "y"
    inner_product_param { num_output: 3 weight_filler { type: "gaussian" std: 0.05 } } }
  layer { name: "loss" type: "EuclideanLoss" bottom: "y" bottom: "t" top: "loss" } )";

std::string Joined(const std::vector<std::string>& events) {
  std::string text;
  for (const std::string& event : events) text += event + "; ";
  return text;
}

class GradientReducerTest : public ::testing::Test {
 protected:
  GradientReducerTest()
      : net_(make_net<float>(kNet)), processes_(&events_), notes_(&events_) {}

  std::vector<std::string> events_;
  std::unique_ptr<Net<float>> net_;
  OthersWithoutGradient processes_;
  LayerNotes notes_;
};

TEST_F(GradientReducerTest, SumsStartWhenTheLastUseOfAParameterHasItsGradient) {
  GradientReducer<float> reducer(net_.get(), &processes_);
  net_->add_after_backward(&notes_);
  reducer.Begin();
  net_->ForwardBackward();
  reducer.Finish();
  // The weights and biases of "top" share a bucket, to which nothing larger is added.
  EXPECT_EQ(Joined(events_),
            "layer 6; layer 5; sum 1803; layer 4; layer 3; layer 2; sum 360000; "
            "layer 1; sum 360000; layer 0; wait; ");
}

TEST_F(GradientReducerTest, AnUnannouncedBackwardStartsNothing) {
  GradientReducer<float> reducer(net_.get(), &processes_);
  net_->ForwardBackward();
  EXPECT_EQ(Joined(events_), "");
}

TEST_F(GradientReducerTest, GradientsBecomeTheMeanOverTheProcesses) {
  GradientReducer<float> reducer(net_.get(), &processes_);
  net_->Forward();
  net_->ClearParamDiffs();
  net_->Backward();
  std::vector<std::vector<float>> own;
  for (const Blob<float>* param : net_->learnable_params()) {
    own.emplace_back(param->cpu_diff(), param->cpu_diff() + param->count());
  }
  net_->ClearParamDiffs();
  reducer.Begin();
  net_->Backward();
  reducer.Finish();
  for (size_t i = 0; i < own.size(); ++i) {
    const Blob<float>& param = *net_->learnable_params()[i];
    const bool frozen = net_->params_lr()[i] == 0;
    for (int k = 0; k < param.count(); k += 7) {
      ASSERT_EQ(param.cpu_diff()[k], frozen ? own[i][k] : own[i][k] / 4)
          << i << ", " << k;
    }
  }
}

TEST_F(GradientReducerTest, AllWeightsAreSentOnce) {
  GradientReducer<float> reducer(net_.get(), &processes_);
  reducer.SendWeights();
  EXPECT_EQ(Joined(events_),
            "send 1440000; send 1440000; send 1440000; send 7200; send 12; ");
}

TEST(CommunicatorTest, AProcessThatWasStartedAloneIsAJobOfOne) {
  Communicator& alone = communicator();
  EXPECT_EQ(alone.rank(), 0);
  EXPECT_EQ(alone.size(), 1);
  EXPECT_EQ(alone.Sum(2.5), 2.5);
  EXPECT_EQ(alone.Gather("x"), std::vector<std::string>{"x"});
  EXPECT_FALSE(trains_together());
}

}  // namespace
}  // namespace caffe

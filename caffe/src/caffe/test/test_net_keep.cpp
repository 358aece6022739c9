// Nets with `keep`: memory goes to later blobs, and reading what was given up says so.
#include <set>

#include "plan_check.hpp"

namespace caffe {

using namespace plan_check;  // NOLINT: test helpers

namespace {

TEST(KeepTest, ReadingABlobThatWasNotKeptNamesItAndKeep) {
  const auto net = Make<float>(kResidual, "c");
  net->Forward();
  const string error = ErrorOf([&] { net->blob_by_name("a")->cpu_data(); });
  EXPECT_TRUE(has_words(error, {"'a'", "keep"}));
  EXPECT_NO_THROW(net->blob_by_name("c")->cpu_data());
  EXPECT_NO_THROW(net->blob_by_name("x")->cpu_data());     // inputs stay
  EXPECT_NO_THROW(net->blob_by_name("head")->cpu_data());  // and outputs
  EXPECT_NO_THROW(net->Forward());
}

TEST(KeepTest, TheSplitOfAKeptBlobAndAKeptSplitTopStay) {
  const auto net = Make<float>(kResidual, "a");
  net->Forward();
  EXPECT_EQ(values_of(*net->blob_by_name("a")),
            values_of(*net->blob_by_name("a_relu_a_0_split_1")));
}

TEST(KeepTest, BlobsThatShareMemoryLiveAsLongAsTheLast) {
  // d is flattened into the output; b is read by a late sum.
  const string text =
      kInput + Block("a", "x", 8, true) + Conv("b", "a", "b", 8) +
      Conv("c", "b", "c", 8) + Sum("d", "c", "b") +
      LayerText("Power", "p", "d", "p", "power_param { scale: 3 }") +
      LayerText("Flatten", "f", "p", "f") +
      LayerText("Reshape", "r", "f", "r", "reshape_param { shape { dim: 0 dim: -1 } }");
  const auto plain = MakeUnfused<float>(text);
  const auto keeping = Make<float>(text, "x");
  for (int pass = 0; pass < 3; ++pass) {
    plain->Forward();
    keeping->Forward();
    EXPECT_LE(relative_difference(values_of(*plain->output_blobs()[0]),
                                  values_of(*keeping->output_blobs()[0])),
              kFolded);
  }
}

/// Sums what all blobs hold after each layer.
class PeakMeter : public Net<float>::Callback {
 public:
  explicit PeakMeter(const Net<float>* net) : net_(net) {}
  size_t peak = 0;

 protected:
  void run(int) override {
    std::set<const SyncedMemory*> memories;
    for (const auto& blob : net_->blobs()) memories.insert(blob->data().get());
    size_t held = 0;
    for (const SyncedMemory* memory : memories) held += memory->held_bytes();
    peak = std::max(peak, held);
  }

 private:
  const Net<float>* net_;
};

TEST(KeepTest, AKeepNetHoldsLessMemory) {
  string text = kInput + Block("c0", "x", 16, true);
  for (int i = 1; i < 12; ++i) {
    text += Block("c" + std::to_string(i), "c" + std::to_string(i - 1), 16, true);
  }
  const auto measured = [&](const string& keep) {
    const auto net = Make<float>(text, keep);
    PeakMeter meter(net.get());
    net->add_after_forward(&meter);
    net->Forward();
    net->Forward();
    return meter.peak;
  };
  EXPECT_LT(measured("x") * 3, measured(""));
}

TEST(KeepTest, BackwardOfAKeepTestNetIsRefusedInWords) {
  const auto net = Make<float>(
      kResidual + LayerText("Power", "loss", "head", "loss", "loss_weight: 1"), "c");
  net->Forward();
  EXPECT_TRUE(has_words(ErrorOf([&] { net->Backward(); }), {"keep"}));
}

TEST(KeepTest, ATrainNetWithKeepHasTheSameGradients) {
  const string text =
      kInput + Conv("a", "x", "a", 8) + ReLU("r", "a") + Conv("b", "a", "b", 4) +
      LayerText("Power", "loss", "b", "loss", "power_param { power: 2 } loss_weight: 1");
  NetParameter param = net_param(text, TRAIN);
  FloatNet plain(param);
  param.add_keep("b");
  FloatNet keeping(param);
  for (FloatNet* net : {&plain, &keeping}) {
    FillParams(net, 5);
    for (int pass = 0; pass < 2; ++pass) {
      fill_random(net->input_blobs()[0], 3);
      net->ClearParamDiffs();
      net->ForwardBackward();
    }
  }
  for (size_t i = 0; i < plain.params().size(); ++i) {
    EXPECT_LE(relative_difference(gradient_of(*plain.params()[i]),
                                  gradient_of(*keeping.params()[i])),
              1e-5);
  }
}

TEST(KeepTest, PlanOffReadsEverything) {
  const PlanOff off;
  const auto net = Make<float>(kResidual, "c");
  net->Forward();
  for (const auto& blob : net->blobs()) EXPECT_NO_THROW(blob->cpu_data());
}

}  // namespace
}  // namespace caffe

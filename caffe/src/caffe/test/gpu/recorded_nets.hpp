// Pairs of nets, one recorded and one run layer by layer, for tests of recording.
#ifndef CAFFE_SRC_TEST_GPU_RECORDED_NETS_HPP_
#define CAFFE_SRC_TEST_GPU_RECORDED_NETS_HPP_

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "../solver_check.hpp"
#include "caffe/device/graph.hpp"
#include "gpu_matches_cpu.hpp"

namespace caffe {

/// y = 3 x, and it counts how often it is asked. With `power_param { shift: 1 }` it looks
/// at a number on the host, so that it cannot be recorded.
template <typename Dtype>
class TestCountedLayer : public Layer<Dtype> {
 public:
  using Layer<Dtype>::Layer;
  void Reshape(const vector<Blob<Dtype>*>& bottom,
               const vector<Blob<Dtype>*>& top) override {
    top[0]->ReshapeLike(*bottom[0]);
  }
  const char* type() const override { return "TestCounted"; }
  bool RepeatsOnDevice() const override { return true; }
  int forwards = 0, backwards = 0;

 protected:
  void Forward_cpu(const vector<Blob<Dtype>*>&, const vector<Blob<Dtype>*>&) override {
    FAIL() << "GPU mode";
  }
  void Backward_cpu(const vector<Blob<Dtype>*>&, const vector<bool>&,
                    const vector<Blob<Dtype>*>&) override {
    FAIL() << "GPU mode";
  }
  void Forward_gpu(const vector<Blob<Dtype>*>& bottom,
                   const vector<Blob<Dtype>*>& top) override {
    ++forwards;
    caffe_gpu_scale(bottom[0]->count(), Dtype(3), bottom[0]->gpu_data(),
                    top[0]->mutable_gpu_data());
    if (this->layer_param_.power_param().shift() != 0) top[0]->cpu_data();
  }
  void Backward_gpu(const vector<Blob<Dtype>*>& top, const vector<bool>& propagate_down,
                    const vector<Blob<Dtype>*>& bottom) override {
    ++backwards;
    if (!propagate_down[0]) return;
    caffe_gpu_scale(bottom[0]->count(), Dtype(3), top[0]->gpu_diff(),
                    bottom[0]->mutable_gpu_diff());
  }
};

inline void register_test_layers() {
  register_test_stream();
  static const bool done = [] {
    LayerRegistry<float>::AddCreator("TestCounted", [](const LayerParameter& param) {
      return shared_ptr<Layer<float>>(new TestCountedLayer<float>(param));
    });
    return true;
  }();
  (void)done;
}

inline string counted(const string& bottom, const string& top, const string& more = "") {
  return "layer { name: 'counted' type: 'TestCounted' bottom: '" + bottom + "' top: '" +
         top + "' " + more + " }";
}

inline string convolution(const string& bottom, const string& top, int outputs) {
  return "layer { name: '" + top + "' type: 'Convolution' bottom: '" + bottom +
         "' top: '" + top +
         "' convolution_param { num_output: " + std::to_string(outputs) +
         " kernel_size: 3 pad: 1 weight_filler { type: 'uniform' min: -0.4 max: 0.4 } "
         "bias_filler { type: 'uniform' min: -0.2 max: 0.2 } } }";
}

/// Folded layers, a pooled one, and a dense one.
inline string deploy_net() {
  return "layer { name: 'in' type: 'Input' top: 'x' input_param { shape { dim: 2 dim: 3 "
         "dim: 7 dim: 9 } } }" +
         convolution("x", "a", 8) +
         "layer { name: 'bn' type: 'BatchNorm' bottom: 'a' top: 'a' }"
         "layer { name: 'scale' type: 'Scale' bottom: 'a' top: 'a' scale_param { "
         "bias_term: true } }"
         "layer { name: 'relu' type: 'ReLU' bottom: 'a' top: 'a' }" +
         counted("a", "c") + convolution("c", "d", 4) +
         "layer { name: 'relu2' type: 'ReLU' bottom: 'd' top: 'd' relu_param { "
         "negative_slope: 0.1 } }"
         "layer { name: 'pool' type: 'Pooling' bottom: 'd' top: 'p' pooling_param { "
         "pool: "
         "MAX kernel_size: 2 stride: 2 } }"
         "layer { name: 'up' type: 'Deconvolution' bottom: 'p' top: 'u' "
         "convolution_param { num_output: 2 kernel_size: 4 stride: 2 pad: 1 "
         "weight_filler { type: 'uniform' min: -0.4 max: 0.4 } } }"
         "layer { name: 'soft' type: 'Softmax' bottom: 'u' top: 'y' }";
}

/// A regression on the test stream, two layers deep; `between` stands behind the first.
inline string training_net(const string& between, const string& bottom) {
  const string weights =
      " weight_filler { type: 'uniform' min: -0.6 max: 0.6 } bias_filler { type: "
      "'constant' value: 0.1 } } }";
  return "layer { name: 'data' type: 'TestStream' top: 'x' top: 't' }"
         "layer { name: 'ip1' type: 'InnerProduct' bottom: 'x' top: 'h' "
         "inner_product_param { num_output: 6" +
         weights + "layer { name: 'tanh' type: 'TanH' bottom: 'h' top: 'h' }" + between +
         counted(bottom, "c") +
         "layer { name: 'ip2' type: 'InnerProduct' bottom: 'c' top: 'y' "
         "inner_product_param { num_output: 2" +
         weights +
         "layer { name: 'loss' type: 'EuclideanLoss' bottom: 'y' bottom: 't' top: 'loss' "
         "}";
}

/// Batch statistics, gradients through a pooled blob.
inline string recorded_batch_net() {
  return "layer { name: 'in' type: 'Input' top: 'x' top: 't' input_param { shape { dim: "
         "4 "
         "dim: 3 dim: 6 dim: 5 } shape { dim: 4 dim: 2 } } }" +
         convolution("x", "a", 6) +
         "layer { name: 'bn' type: 'BatchNorm' bottom: 'a' top: 'a' }"
         "layer { name: 'scale' type: 'Scale' bottom: 'a' top: 'a' scale_param { "
         "bias_term: true } }"
         "layer { name: 'relu' type: 'ReLU' bottom: 'a' top: 'a' }"
         "layer { name: 'pool' type: 'Pooling' bottom: 'a' top: 'p' pooling_param { "
         "pool: "
         "MAX kernel_size: 2 stride: 2 } }" +
         counted("p", "c") +
         "layer { name: 'ip' type: 'InnerProduct' bottom: 'c' top: 'y' "
         "inner_product_param { num_output: 2 weight_filler { type: 'uniform' min: -0.1 "
         "max: 0.1 } } }"
         "layer { name: 'loss' type: 'EuclideanLoss' bottom: 'y' bottom: 't' top: 'loss' "
         "loss_weight: 0.02 }";
}

/// Two nets with the same weights: one whose whole passes may be recorded, and one that
/// is run in two stretches, which never are. `keep`: what the first keeps.
struct NetPair {
  NetPtr<float> recorded, plain;

  NetPair(const string& text, Phase phase, const string& keep = "") {
    register_test_layers();
    Caffe::set_random_seed(5);
    NetParameter param = net_param(text, phase);
    plain = std::make_unique<Net<float>>(param);
    if (!keep.empty()) param.add_keep(keep);
    recorded = std::make_unique<Net<float>>(param);
    for (size_t i = 0; i < recorded->layers().size(); ++i) {
      if (recorded->layers()[i]->type() != string("BatchNorm")) continue;
      const auto& blobs = recorded->layers()[i]->blobs();
      fill_uniform(blobs[0].get(), 41, -1, 1);
      fill_uniform(blobs[1].get(), 42, 0.5, 2);
      blobs[2]->mutable_cpu_data()[0] = 1;
    }
    NetParameter weights;
    recorded->ToProto(&weights);
    plain->CopyTrainedLayersFrom(weights);
  }

  float ForwardPlain() const {
    const int last = static_cast<int>(plain->layers().size()) - 1;
    return plain->ForwardFromTo(0, 1) + plain->ForwardFromTo(2, last);
  }
  void SetInput(unsigned int seed) const {
    for (const auto* net : {&recorded, &plain}) {
      for (Blob<float>* blob : (*net)->input_blobs()) fill_uniform(blob, seed);
    }
  }
  void ReshapeInput(const vector<int>& shape) const {
    for (const auto* net : {&recorded, &plain}) {
      (*net)->input_blobs()[0]->Reshape(shape);
      (*net)->Reshape();
    }
  }
  void Compare(const string& what) const {
    for (size_t i = 0; i < plain->output_blobs().size(); ++i) {
      expect_near(data_of(*plain->output_blobs()[i]),
                  data_of(*recorded->output_blobs()[i]), 1e-5, what + ": output");
    }
  }
  void ForwardAndCompare(unsigned int seed, const string& what) const {
    SetInput(seed);
    recorded->Forward();
    ForwardPlain();
    Compare(what + ", input " + std::to_string(seed));
  }

  TestCountedLayer<float>& count() const {
    return dynamic_cast<TestCountedLayer<float>&>(*recorded->layer_by_name("counted"));
  }
};

/// `passes` passes an update, `updates` updates; all parameters must stay equal.
inline void train_and_compare(const NetPair& nets, int updates, int passes = 1) {
  for (int update = 0; update < updates; ++update) {
    for (const auto* net : {&nets.recorded, &nets.plain}) (*net)->ClearParamDiffs();
    for (int pass = 0; pass < passes; ++pass) {
      Caffe::set_random_seed(100 + update * passes + pass);
      const float found = nets.recorded->ForwardBackward();
      Caffe::set_random_seed(100 + update * passes + pass);
      const float expected = nets.ForwardPlain();
      nets.plain->Backward();
      EXPECT_NEAR(expected, found, 1e-5 * std::max(1.f, expected)) << update;
    }
    const auto& plain = nets.plain->learnable_params();
    const auto& recorded = nets.recorded->learnable_params();
    for (size_t i = 0; i < plain.size(); ++i) {
      const string what =
          "update " + std::to_string(update) + ", parameter " + std::to_string(i);
      expect_near(diff_of(*plain[i]), diff_of(*recorded[i]), 1e-5, what + ", gradient");
      plain[i]->scale_diff(0.05f);
      recorded[i]->scale_diff(0.05f);
    }
    for (const auto* net : {&nets.recorded, &nets.plain}) (*net)->Update();
    for (size_t i = 0; i < plain.size(); ++i) {
      expect_near(data_of(*plain[i]), data_of(*recorded[i]), 1e-5,
                  "parameter " + std::to_string(i));
    }
  }
}

class GpuNetRecording : public ::testing::Test {
 protected:
  void SetUp() override { SKIP_WITHOUT_DEVICE(); }
  const GpuMode mode_;
};

}  // namespace caffe

#endif  // CAFFE_SRC_TEST_GPU_RECORDED_NETS_HPP_

// Convolutions with an epilogue, forward and backward, against the layers one after
// another.
#include <gtest/gtest.h>

#include "caffe/backend/affine_chain.hpp"
#include "caffe/layers/batch_norm_layer.hpp"
#include "caffe/layers/conv_layer.hpp"
#include "caffe/layers/scale_layer.hpp"
#include "caffe/test/convolution_reference.hpp"
#include "caffe/test/test_caffe_main.hpp"

namespace caffe {
namespace {

vector<ConvCase> kernel_cases() {
  return {
      square_case(2, 16, 32, 7, 9, 3, 1, 1),         // direct
      square_case(1, 32, 33, 32, 32, 3, 1, 1),       // Winograd
      square_case(2, 24, 20, 6, 5, 1, 1, 0),         // 1x1
      square_case(1, 3, 16, 13, 9, 7, 2, 3),         // row-major source
      square_case(2, 24, 24, 9, 8, 3, 2, 1, 1, 24),  // depthwise
      square_case(1, 48, 48, 9, 8, 5, 1, 2, 1, 48),
      square_case(2, 34, 2, 6, 9, 3, 1, 1),  // narrow
  };
}

Activation relu(float slope) {
  Activation a;
  a.kind = Activation::kReLU;
  a.slope = slope;
  return a;
}

Activation clip(float lower, float upper) {
  Activation a;
  a.kind = Activation::kClip;
  a.lower = lower;
  a.upper = upper;
  return a;
}

double apply(const Activation& a, double v) {
  if (a.kind == Activation::kReLU) return v > 0 ? v : a.slope * v;
  if (a.kind == Activation::kClip)
    return std::min<double>(a.upper, std::max<double>(a.lower, v));
  return v;
}

TEST(ConvolutionEpilogueTest, ForwardEqualsTheFormula) {
  const vector<Activation> activations = {Activation(), relu(0), relu(0.1f), clip(0, 6),
                                          clip(0.25f, 0.75f)};
  for (ConvCase c : kernel_cases()) {
    for (bool bias : {false, true}) {
      c.bias = bias;
      Blob<float> bottom(c.bottom_shape()), top, addend;
      ConvolutionLayer<float> layer(c.parameter());
      layer.SetUp({&bottom}, {&top});
      addend.ReshapeLike(top);
      set_values(normal_values(bottom.count(), 5), bottom.mutable_cpu_data());
      set_values(normal_values(addend.count(), 6), addend.mutable_cpu_data());
      vector<double> plain(top.count(), 0.), size(top.count(), 1.);
      const float* w = layer.blobs()[0]->cpu_data();
      const float* x = bottom.cpu_data();
      for_each_product(c, [&](int i, int k, int o) {
        plain[o] += double(x[i]) * w[k];
        size[o] += std::abs(double(x[i]) * w[k]);
      });
      for (const Activation& activation : activations) {
        if (!bias && activation.kind == Activation::kClip)
          continue;  // fewer kernels to make
        for (int parts = 0; parts < 4; ++parts) {
          Epilogue<float> epilogue;
          epilogue.activation = activation;
          if (parts & 1) {
            epilogue.scale = normal_values(c.num_output, 8);
            epilogue.shift = normal_values(c.num_output, 9);
            epilogue.version = 1;
          }
          if (parts & 2) epilogue.addend = &addend;
          if (!layer.AcceptsEpilogue(epilogue)) continue;  // no fast kernels here
          layer.ForwardWithEpilogue({&bottom}, {&top}, epilogue);
          int wrong = 0;
          for (int i = 0; i < top.count(); ++i) {
            const int o = i / top.count(2) % c.num_output;
            double y = plain[i] + (bias ? layer.blobs()[1]->cpu_data()[o] : 0.);
            double factor = 1;
            if (epilogue.has_affine()) {
              y = epilogue.scale[o] * y + epilogue.shift[o];
              factor = std::max(1., std::abs(epilogue.scale[o]));
            }
            if (epilogue.addend != nullptr) y += addend.cpu_data()[i];
            const double error = std::abs(apply(activation, y) - top.cpu_data()[i]);
            wrong += !(error <= 3e-6 * size[i] * factor);
          }
          ASSERT_EQ(wrong, 0) << c << " activation " << activation.kind << " parts "
                              << parts;
        }
      }
      // The plain pass afterwards is not the folded one.
      layer.Forward({&bottom}, {&top});
      const double wanted = plain[0] + (bias ? layer.blobs()[1]->cpu_data()[0] : 0.);
      ASSERT_NEAR(wanted, top.cpu_data()[0], 3e-6 * size[0]) << c;
    }
  }
}

TEST(ConvolutionEpilogueTest, LanesBeyondTheLastChannelStayZero) {
  if (Caffe::mode() == Caffe::GPU) GTEST_SKIP() << "about host layouts";
  const ConvCase c = square_case(1, 16, 20, 6, 5, 3, 1, 1);
  Blob<float> bottom(c.bottom_shape()), top;
  ConvolutionLayer<float> layer(c.parameter());
  layer.SetUp({&bottom}, {&top});
  Epilogue<float> epilogue;
  epilogue.activation = clip(0.5f, 1.f);
  if (!layer.AcceptsEpilogue(epilogue)) GTEST_SKIP() << "no fast kernels in this build";
  layer.ForwardWithEpilogue({&bottom}, {&top}, epilogue);
  const BlockedLayout layout = top.blocked_layout();
  const float* data = top.data()->blocked_data(layout);
  const int lanes = layout.block - layout.tail_lanes();
  const float* last = data + (layout.blocks() - 1) * layout.spatial * layout.block;
  for (int s = 0; s < layout.spatial; ++s) {
    for (int l = lanes; l < layout.block; ++l) ASSERT_EQ(last[s * layout.block + l], 0.f);
  }
}

TEST(ConvolutionEpilogueTest, AddendThatLiesInTheTopIsAddedInPlace) {
  const ConvCase c = square_case(1, 16, 32, 6, 5, 1, 1, 0);
  Blob<float> bottom(c.bottom_shape()), top, alone, addend;
  ConvolutionLayer<float> layer(c.parameter());
  layer.SetUp({&bottom}, {&alone});
  set_values(normal_values(bottom.count(), 5), bottom.mutable_cpu_data());
  layer.Forward({&bottom}, {&alone});
  addend.ReshapeLike(alone);
  top.ReshapeLike(alone);
  const vector<double> values = normal_values(addend.count(), 6);
  set_values(values, addend.mutable_cpu_data());
  top.ShareData(addend);
  Epilogue<float> epilogue;
  epilogue.addend = &addend;
  if (!layer.AcceptsEpilogue(epilogue)) GTEST_SKIP() << "no fast kernels in this build";
  layer.ForwardWithEpilogue({&bottom}, {&top}, epilogue);
  for (int i = 0; i < top.count(); ++i) {
    ASSERT_NEAR(alone.cpu_data()[i] + values[i], top.cpu_data()[i], 1e-5);
  }
}

// Convolution -> BatchNorm (global statistics) -> Scale -> activation in double, by the
// formula of each, with all gradients of the objective sum of dy * y.
struct Chain {
  ConvCase c;
  vector<double> x, w, b, mean, deviation, gamma, beta, dy;
  Activation activation;

  vector<double> dx, dw, db, dgamma, dbeta;
  double largest = 1;

  void Run(int positions) {
    const int outputs = c.num_output;
    vector<double> conv(dy.size(), 0.), g(dy.size());
    const auto channel = [&](size_t i) { return i / positions % outputs; };
    for (size_t i = 0; i < conv.size(); ++i) conv[i] = b[channel(i)];
    for_each_product(c, [&](int i, int k, int o) { conv[o] += x[i] * w[k]; });
    dgamma.assign(outputs, 0.);
    dbeta.assign(outputs, 0.);
    db.assign(outputs, 0.);
    dx.assign(x.size(), 0.);
    dw.assign(w.size(), 0.);
    for (size_t i = 0; i < conv.size(); ++i) {
      const int o = channel(i);
      const double normal = (conv[i] - mean[o]) / deviation[o];
      const double y = gamma[o] * normal + beta[o];
      double slope = 1;
      if (activation.kind == Activation::kReLU && y <= 0) slope = activation.slope;
      if (activation.kind == Activation::kClip &&
          (y <= activation.lower || y >= activation.upper)) {
        slope = 0;
      }
      const double before = dy[i] * slope;
      dgamma[o] += before * normal;
      dbeta[o] += before;
      g[i] = before * gamma[o] / deviation[o];
      db[o] += g[i];
    }
    for_each_product(c, [&](int i, int k, int o) {
      dx[i] += g[o] * w[k];
      dw[k] += g[o] * x[i];
    });
  }
};

LayerParameter batch_norm_parameter() {
  LayerParameter param;
  param.set_type("BatchNorm");
  param.mutable_batch_norm_param()->set_use_global_stats(true);
  param.mutable_batch_norm_param()->set_eps(1e-5f);
  return param;
}

LayerParameter scale_parameter() {
  LayerParameter param;
  param.set_type("Scale");
  param.mutable_scale_param()->set_bias_term(true);
  return param;
}

void expect_near(const char* what, const ConvCase& c, const vector<double>& wanted,
                 const float* found) {
  double largest = 0;
  for (const double v : wanted) largest = std::max(largest, std::abs(v));
  for (size_t i = 0; i < wanted.size(); ++i) {
    ASSERT_NEAR(wanted[i], found[i], 2e-5 * largest) << what << "[" << i << "] of " << c;
  }
}

void check_folded_training(const ConvCase& c, const Activation& activation) {
  Blob<float> bottom(c.bottom_shape()), top;
  ConvolutionLayer<float> conv(c.parameter());
  conv.SetUp({&bottom}, {&top});
  BatchNormLayer<float> norm(batch_norm_parameter());
  ScaleLayer<float> scale(scale_parameter());
  norm.SetUp({&top}, {&top});
  scale.SetUp({&top}, {&top});
  const int outputs = c.num_output;

  Chain chain;
  chain.c = c;
  chain.activation = activation;
  chain.x = normal_values(bottom.count(), 1);
  chain.w = normal_values(conv.blobs()[0]->count(), 2);
  chain.b = normal_values(outputs, 3);
  chain.gamma = normal_values(outputs, 4);
  chain.beta = normal_values(outputs, 5);
  chain.dy = normal_values(top.count(), 6);
  set_values(chain.x, bottom.mutable_cpu_data());
  set_values(chain.w, conv.blobs()[0]->mutable_cpu_data());
  set_values(chain.b, conv.blobs()[1]->mutable_cpu_data());
  set_values(chain.gamma, scale.blobs()[0]->mutable_cpu_data());
  set_values(chain.beta, scale.blobs()[1]->mutable_cpu_data());
  chain.mean = normal_values(outputs, 7);
  set_values(chain.mean, norm.blobs()[0]->mutable_cpu_data());
  const vector<double> spread = normal_values(outputs, 8);
  for (int o = 0; o < outputs; ++o) {
    const float variance = static_cast<float>(1 + spread[o] * spread[o]);
    norm.blobs()[1]->mutable_cpu_data()[o] = variance;
    chain.deviation.push_back(std::sqrt(double(variance) + double(1e-5f)));
  }
  norm.blobs()[2]->mutable_cpu_data()[0] = 1;
  chain.Run(top.count(2));

  Epilogue<float> epilogue;
  epilogue.version = 1;
  epilogue.activation = activation;
  const bool on_device = Caffe::mode() == Caffe::GPU;
  AffineChain layers;
  layers.Add(&norm);
  layers.Add(&scale);
  if (on_device) {
    layers.FoldOnDevice(outputs, &epilogue);
  } else {
    layers.Fold(outputs, &epilogue);
  }
  ASSERT_TRUE(!on_device || conv.AcceptsEpilogueBackward(epilogue));
  if (!conv.AcceptsEpilogueBackward(epilogue)) return;
  conv.ForwardWithEpilogue({&bottom}, {&top}, epilogue);
  set_values(chain.dy, top.mutable_cpu_diff());
  for (int i = 0; i < 2; ++i) {
    scale.set_param_propagate_down(i, true);
    caffe_set(scale.blobs()[i]->count(), 0.f, scale.blobs()[i]->mutable_cpu_diff());
    caffe_set(conv.blobs()[i]->count(), 0.f, conv.blobs()[i]->mutable_cpu_diff());
  }
  AffineGradient gradient;
  if (on_device) gradient.on_device = layers.gradient_on_device(outputs);
  conv.BackwardWithEpilogue({&top}, {true}, {&bottom}, epilogue, &gradient);
  layers.Backward(&gradient);
  expect_near("bottom diff", c, chain.dx, bottom.cpu_diff());
  expect_near("weight diff", c, chain.dw, conv.blobs()[0]->cpu_diff());
  expect_near("bias diff", c, chain.db, conv.blobs()[1]->cpu_diff());
  expect_near("gamma diff", c, chain.dgamma, scale.blobs()[0]->cpu_diff());
  expect_near("beta diff", c, chain.dbeta, scale.blobs()[1]->cpu_diff());
}

TEST(ConvolutionEpilogueTest, FoldedTrainingGivesTheGradientsOfTheChain) {
  for (const ConvCase& c : kernel_cases()) {
    for (const Activation& activation : {Activation(), relu(0), relu(0.1f), clip(0, 6)}) {
      check_folded_training(c, activation);
      if (HasFatalFailure()) return;
    }
  }
}

TEST(FoldParametersTest, EachWeightIsScaledByTheOutputThatItLeadsTo) {
  const int taps = 3, inputs = 4, outputs = 6;
  for (const bool transposed : {false, true}) {
    for (const int group : {1, 2}) {
      ConvShape shape;
      shape.channels = inputs;
      shape.num_output = outputs;
      shape.group = group;
      shape.transposed = transposed;
      shape.kernel = {taps, 1};
      const int rows = transposed ? inputs : outputs;
      const int columns = (transposed ? outputs : inputs) / group;
      Blob<float> weights(vector<int>{rows, columns, taps, 1});
      Blob<float> bias(vector<int>{outputs});
      set_values(normal_values(weights.count(), 3), weights.mutable_cpu_data());
      set_values(normal_values(outputs, 4), bias.mutable_cpu_data());
      Epilogue<float> epilogue;
      for (int o = 0; o < outputs; ++o) {
        epilogue.scale.push_back(0.5 + o);
        epilogue.shift.push_back(3 - o);
      }
      const FoldedParameters folded = fold_parameters(shape, {&weights, &bias}, epilogue);
      ASSERT_EQ(folded.weights.size(), static_cast<size_t>(weights.count()));
      for (int row = 0; row < rows; ++row) {
        for (int column = 0; column < columns; ++column) {
          // Groups divide inputs and outputs alike; a deconvolution's rows are its
          // inputs.
          const int output =
              transposed ? row / (inputs / group) * (outputs / group) + column : row;
          for (int k = 0; k < taps; ++k) {
            const int at = (row * columns + column) * taps + k;
            EXPECT_FLOAT_EQ(folded.weights[at], weights.cpu_data()[at] * (0.5f + output))
                << "transposed " << transposed << " group " << group << " row " << row;
          }
        }
      }
      for (int o = 0; o < outputs; ++o) {
        EXPECT_FLOAT_EQ(folded.bias[o], bias.cpu_data()[o] * (0.5f + o) + (3 - o));
      }
    }
  }
}

}  // namespace
}  // namespace caffe

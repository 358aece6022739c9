// Elementwise and channelwise layers on the device against the host.
#include "caffe/device/divisor.hpp"
#include "gpu_matches_cpu.hpp"

namespace caffe {

namespace {

const vector<vector<int>> kShapes = {{1, 3, 4, 1}, {2, 3, 5, 7}, {3, 1, 1, 9}, {2, 17}};

/// Over the shapes, out of place and (where allowed) in place.
void check_neuron(const string& text, bool in_place_too, double low = -2,
                  double high = 2) {
  for (const vector<int>& shape : kShapes) {
    GpuCheck check{text, {shape}};
    check.low = low;
    check.high = high;
    check.Run();
    check.in_place = true;
    if (in_place_too) check.Run();
  }
}

}  // namespace

TEST(GpuDivisor, QuotientsAreExactUpToTheLargestIndex) {
  for (const int divisor : {1, 2, 3, 5, 7, 64, 641, 65535, 65537, 1 << 30, INT_MAX}) {
    const device::Divisor by(divisor);
    for (const int near : {0, 1, divisor, 2 * (divisor / 2), INT_MAX / divisor * divisor,
                           INT_MAX, INT_MAX - divisor + 1}) {
      for (int n = std::max(0, near - 2); n < near || n - near <= 2; ++n) {
        ASSERT_EQ(n / divisor, by.quotient(n)) << n << " / " << divisor;
        ASSERT_EQ(n % divisor, by.remainder(n)) << n << " / " << divisor;
        if (n == INT_MAX) break;
      }
    }
  }
}

TEST(GpuElementwise, Activations) {
  check_neuron("type: 'AbsVal'", false);
  check_neuron("type: 'BNLL'", true);
  check_neuron("type: 'Clip' clip_param { min: -0.5 max: 1 }", true);
  check_neuron("type: 'ELU' elu_param { alpha: 0.7 }", true);
  check_neuron("type: 'Sigmoid'", true);
  check_neuron("type: 'Swish' swish_param { beta: 1.5 }", true);
  check_neuron("type: 'TanH'", true);
}

TEST(GpuElementwise, SaturatedActivations) {
  for (const char* type : {"BNLL", "ELU", "Sigmoid", "Swish", "TanH"}) {
    check_neuron(string("type: '") + type + "'", true, -200, 200);
  }
}

TEST(GpuElementwise, ExpLogPower) {
  check_neuron("type: 'Exp' exp_param { base: 2 scale: 0.5 shift: 1 }", true);
  check_neuron("type: 'Exp'", true);
  check_neuron("type: 'Log' log_param { base: 10 scale: 2 shift: 1 }", true, 0.1, 3);
  check_neuron("type: 'Log'", true, 0.1, 3);
  check_neuron("type: 'Power' power_param { power: 0 scale: 2 }", true);
  check_neuron("type: 'Power' power_param { power: 2 scale: 0 shift: 3 }", true);
  check_neuron("type: 'Power' power_param { power: 1 scale: -2 shift: 0.5 }", true);
  check_neuron("type: 'Power' power_param { power: 2 scale: 1.5 shift: 0.5 }", true);
  check_neuron("type: 'Power' power_param { power: -1.5 shift: 3 }", true);
}

TEST(GpuElementwise, Threshold) {
  GpuCheck check{"type: 'Threshold' threshold_param { threshold: 0.3 }", {{2, 3, 5, 7}}};
  check.backward = false;
  check.Run();
}

TEST(GpuElementwise, PReLU) {
  check_neuron("type: 'PReLU'", true);
  check_neuron("type: 'PReLU' prelu_param { channel_shared: true }", true);
  GpuCheck only_slopes{"type: 'PReLU'", {{2, 3, 5, 7}}};
  only_slopes.propagate_down = {false};
  only_slopes.Run();
}

TEST(GpuElementwise, DropoutDrawsTheSameMask) {
  SKIP_WITHOUT_DEVICE();
  const string text = "type: 'Dropout' dropout_param { dropout_ratio: 0.4 }";
  for (const bool in_place : {false, true}) {
    LayerUnderTest<float> host(text, {{2, 3, 5, 7}}, 1, in_place);
    LayerUnderTest<float> gpu(text, {{2, 3, 5, 7}}, 1, in_place);
    Caffe::set_mode(Caffe::CPU);
    host.SetUp();
    gpu.SetUp();
    Caffe::set_random_seed(5);
    host.Forward();
    host.FillTopDiff();
    host.Backward();
    const GpuMode mode;
    Caffe::set_random_seed(5);
    gpu.Forward();
    gpu.FillTopDiff();
    gpu.Backward();
    expect_near(data_of(*host.top[0]), data_of(*gpu.top[0]), 1e-6, "top");
    expect_near(diff_of(*host.bottom[0]), diff_of(*gpu.bottom[0]), 1e-6, "bottom diff");
  }
}

TEST(GpuElementwise, DropoutIsTheIdentityInTheTestPhase) {
  check_neuron("type: 'Dropout' phase: TEST dropout_param { dropout_ratio: 0.4 }", true);
}

TEST(GpuElementwise, EltwiseSum) {
  for (const int bottoms : {1, 2, 3, 4, 5, 9}) {
    GpuCheck{"type: 'Eltwise'", vector<vector<int>>(bottoms, {2, 3, 5, 7})}.Run();
  }
  GpuCheck{"type: 'Eltwise' eltwise_param { coeff: 2 coeff: -1 }", {{3, 5}, {3, 5}}}
      .Run();
  GpuCheck{"type: 'Eltwise' eltwise_param { coeff: 3 }", {{3, 5}}}.Run();
  GpuCheck some{"type: 'Eltwise' eltwise_param { coeff: 2 coeff: -1 coeff: 0.5 }",
                {{3, 5}, {3, 5}, {3, 5}}};
  some.propagate_down = {true, false, true};
  some.Run();
}

TEST(GpuElementwise, EltwiseProductAndMaximum) {
  for (const string text : {"type: 'Eltwise' eltwise_param { operation: PROD }",
                            "type: 'Eltwise' eltwise_param { operation: PROD "
                            "stable_prod_grad: false }",
                            "type: 'Eltwise' eltwise_param { operation: MAX }"}) {
    for (const int bottoms : {1, 2, 3, 5}) {
      GpuCheck{text, vector<vector<int>>(bottoms, {1, 3, 5, 7})}.Run();
    }
    GpuCheck some{text, {{3, 5}, {3, 5}, {3, 5}}};
    some.propagate_down = {false, false, true};
    some.Run();
  }
}

TEST(GpuElementwise, BiasOfItsOwn) {
  for (const bool in_place : {false, true}) {
    GpuCheck{"type: 'Bias'", {{2, 3, 5, 7}}, 1, in_place}.Run();
    GpuCheck{"type: 'Bias' bias_param { axis: 0 num_axes: -1 }", {{2, 3, 5}}, 1, in_place}
        .Run();
    GpuCheck{"type: 'Bias' bias_param { num_axes: 0 }", {{2, 3, 5}}, 1, in_place}.Run();
    GpuCheck{"type: 'Bias'", {{70, 33}}, 1, in_place}.Run();
  }
}

TEST(GpuElementwise, BiasFromABottom) {
  GpuCheck check{"type: 'Bias' bias_param { axis: 1 }", {{2, 3, 5, 7}, {3, 5}}};
  check.Run();
  check.in_place = true;
  check.Run();
  check.propagate_down = {true, false};
  check.Run();
  check.propagate_down = {false, true};
  check.in_place = false;
  check.Run();
}

TEST(GpuElementwise, ScaleOfItsOwn) {
  for (const bool in_place : {false, true}) {
    for (const string bias : {"", " bias_term: true"}) {
      GpuCheck{"type: 'Scale' scale_param {" + bias + " }", {{2, 3, 5, 7}}, 1, in_place}
          .Run();
      GpuCheck{"type: 'Scale' scale_param { axis: 0 num_axes: -1" + bias + " }",
               {{2, 3, 5}},
               1,
               in_place}
          .Run();
      GpuCheck{"type: 'Scale' scale_param { num_axes: 0" + bias + " }",
               {{3, 3, 40, 4}},
               1,
               in_place}
          .Run();
      GpuCheck{"type: 'Scale' scale_param {" + bias + " }", {{70, 33}}, 1, in_place}
          .Run();
    }
  }
}

TEST(GpuElementwise, ScaleFromABottom) {
  for (const string bias : {"", " bias_term: true"}) {
    GpuCheck check{"type: 'Scale' scale_param { axis: 0" + bias + " }",
                   {{2, 3, 5, 7}, {2, 3}}};
    check.Run();
    check.in_place = true;
    check.Run();
    check.propagate_down = {true, false};
    check.Run();
    check.propagate_down = {false, true};
    check.in_place = false;
    check.Run();
  }
}

TEST(GpuElementwise, BatchNormWithGlobalStatistics) {
  for (const bool in_place : {false, true}) {
    for (const vector<int>& shape : kShapes) {
      GpuCheck{"type: 'BatchNorm' batch_norm_param { use_global_stats: true }",
               {shape},
               1,
               in_place}
          .Run();
    }
  }
}

TEST(GpuElementwise, BatchNormWithTheBatchsStatistics) {
  for (const bool in_place : {false, true}) {
    for (const vector<int>& shape :
         vector<vector<int>>{{1, 3, 4, 2}, {2, 3, 5, 7}, {3, 1, 1, 9}, {40, 33}, {11}}) {
      GpuCheck{
          "type: 'BatchNorm' batch_norm_param { use_global_stats: false "
          "moving_average_fraction: 0.9 }",
          {shape},
          1,
          in_place}
          .Run();
    }
  }
}

TEST(GpuElementwise, BatchNormKeepsTheSameMovingSums) {
  SKIP_WITHOUT_DEVICE();
  const string text = "type: 'BatchNorm' batch_norm_param { use_global_stats: false }";
  LayerUnderTest<double> host(text, {{2, 3, 5, 7}}), gpu(text, {{2, 3, 5, 7}});
  host.SetUp();
  gpu.SetUp();
  for (int run = 0; run < 3; ++run) {
    fill_uniform(host.bottom[0], 40 + run);
    fill_uniform(gpu.bottom[0], 40 + run);
    Caffe::set_mode(Caffe::CPU);
    host.Forward();
    const GpuMode mode;
    gpu.Forward();
  }
  for (int p = 0; p < 3; ++p) {
    expect_near(data_of(*host.layer->blobs()[p]), data_of(*gpu.layer->blobs()[p]), 1e-12,
                "parameter " + std::to_string(p));
  }
}

}  // namespace caffe

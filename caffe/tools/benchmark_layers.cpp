// benchmark_layers [segflow|lite|train]: rates of the convolution kernels, shape by
// shape.
//
// One line a shape: the kernel that runs, GFLOP/s (a multiply-add counts as two) of
// forward, backward to the data and backward to the weights, and milliseconds of each; at
// the end the rate of a large sgemm, to compare with. OMP_NUM_THREADS sets the threads.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "caffe/backend/convolution.hpp"
#include "caffe/util/math_functions.hpp"

namespace {

using caffe::Blob;
using caffe::ConvShape;

struct Row {
  const char* name;
  int num, channels, height, width, num_output, kernel, stride, pad, group;
  bool transposed;
};

const std::vector<Row> kSegflow = {
    {"conv1", 1, 3, 480, 854, 64, 7, 2, 3, 1, false},
    {"conv1_flowS", 1, 6, 512, 896, 64, 7, 2, 3, 1, false},
    {"conv2", 1, 64, 256, 448, 128, 5, 2, 2, 1, false},
    {"conv3_1", 1, 256, 64, 112, 256, 3, 1, 1, 1, false},
    {"conv5 3x3/2", 1, 512, 32, 56, 512, 3, 2, 1, 1, false},
    {"conv6_1", 1, 1024, 8, 14, 1024, 3, 1, 1, 1, false},
    {"res2 1x1 up", 1, 64, 120, 213, 256, 1, 1, 0, 1, false},
    {"res2 3x3", 1, 64, 120, 213, 64, 3, 1, 1, 1, false},
    {"res3 3x3", 1, 128, 60, 107, 128, 3, 1, 1, 1, false},
    {"res4 1x1 up", 1, 256, 30, 54, 1024, 1, 1, 0, 1, false},
    {"res4 1x1 down", 1, 1024, 30, 54, 256, 1, 1, 0, 1, false},
    {"res4 3x3", 1, 256, 30, 54, 256, 3, 1, 1, 1, false},
    {"res5 3x3", 1, 512, 15, 27, 512, 3, 1, 1, 1, false},
    {"res5 1x1 down", 1, 2048, 15, 27, 512, 1, 1, 0, 1, false},
    {"predict_flow2", 1, 194, 128, 224, 2, 3, 1, 1, 1, false},
    {"predict_flow5", 1, 1026, 16, 28, 2, 3, 1, 1, 1, false},
    {"score_res3", 1, 706, 60, 107, 2, 1, 1, 0, 1, false},
    {"score_res5", 1, 2818, 15, 27, 2, 1, 1, 0, 1, false},
    {"Convolution6", 1, 2, 480, 854, 2, 1, 1, 0, 1, false},
    {"deconv2", 1, 386, 64, 112, 64, 4, 2, 1, 1, true},
    {"deconv5", 1, 1024, 8, 14, 512, 4, 2, 1, 1, true},
    {"upsample_flow", 1, 2, 64, 112, 2, 4, 2, 1, 1, true},
    {"upscore8", 1, 2, 60, 107, 2, 16, 8, 0, 1, true},
    {"fcn upscore", 1, 21, 60, 107, 21, 16, 8, 0, 21, true},
};

std::vector<Row> lite(int num, int height, int width) {
  std::vector<Row> rows = {
      {"stem 3x3/2", num, 3, height, width, 32, 3, 2, 1, 1, false},
      {"dw 32 3x3", num, 32, height / 2, width / 2, 32, 3, 1, 1, 32, false},
      {"1x1 32-16", num, 32, height / 2, width / 2, 16, 1, 1, 0, 1, false},
      {"1x1 16-96", num, 16, height / 2, width / 2, 96, 1, 1, 0, 1, false},
      {"dw 96 3x3/2", num, 96, height / 2, width / 2, 96, 3, 2, 1, 96, false},
      {"1x1 96-24", num, 96, height / 4, width / 4, 24, 1, 1, 0, 1, false},
      {"1x1 24-144", num, 24, height / 4, width / 4, 144, 1, 1, 0, 1, false},
      {"dw 144 3x3", num, 144, height / 4, width / 4, 144, 3, 1, 1, 144, false},
      {"dw 144 5x5/2", num, 144, height / 4, width / 4, 144, 5, 2, 2, 144, false},
      {"1x1 144-40", num, 144, height / 8, width / 8, 40, 1, 1, 0, 1, false},
      {"dw 240 5x5", num, 240, height / 8, width / 8, 240, 5, 1, 2, 240, false},
      {"dw 480 5x5", num, 480, height / 16, width / 16, 480, 5, 1, 2, 480, false},
      {"1x1 672-112", num, 672, height / 16, width / 16, 112, 1, 1, 0, 1, false},
      {"dw 1152 5x5", num, 1152, height / 32, width / 32, 1152, 5, 1, 2, 1152, false},
      {"dw 40 3x3 odd C", num, 40, height / 8, width / 8, 40, 3, 1, 1, 40, false},
      {"1x1 1152-320", num, 1152, height / 32, width / 32, 320, 1, 1, 0, 1, false},
      {"pyramid 3-16/2", num, 3, height, width, 16, 3, 2, 1, 1, false},
      {"pyramid 16-16", num, 16, height / 2, width / 2, 16, 3, 1, 1, 1, false},
      {"pyramid 16-32/2", num, 16, height / 2, width / 2, 32, 3, 2, 1, 1, false},
      {"pyramid 32-32", num, 32, height / 4, width / 4, 32, 3, 1, 1, 1, false},
      {"flow2 130-48", num, 130, height / 4, width / 4, 48, 3, 1, 1, 1, false},
      {"flow2 48-48", num, 48, height / 4, width / 4, 48, 3, 1, 1, 1, false},
      {"flow2 48-32", num, 48, height / 4, width / 4, 32, 3, 1, 1, 1, false},
      {"flow3 171-96", num, 171, height / 8, width / 8, 96, 3, 1, 1, 1, false},
      {"flow3 96-64", num, 96, height / 8, width / 8, 64, 3, 1, 1, 1, false},
      {"flow3 64-32", num, 64, height / 8, width / 8, 32, 3, 1, 1, 1, false},
      {"flow head", num, 32, height / 4, width / 4, 2, 3, 1, 1, 1, false},
      {"logit head", num, 48, height / 4, width / 4, 1, 3, 1, 1, 1, false},
      {"1x1 24-12", num, 24, height / 4, width / 4, 12, 1, 1, 0, 1, false},
      {"1x1 on 1x1", num, 320, 1, 1, 64, 1, 1, 0, 1, false},
  };
  return rows;
}

ConvShape shape_of(const Row& r) {
  ConvShape s;
  s.num = r.num;
  s.channels = r.channels;
  s.num_output = r.num_output;
  s.group = r.group;
  s.transposed = r.transposed;
  s.has_bias = true;
  s.input = {r.height, r.width};
  for (const int size : s.input) {
    s.output.push_back(r.transposed ? r.stride * (size - 1) + r.kernel - 2 * r.pad
                                    : (size + 2 * r.pad - r.kernel) / r.stride + 1);
  }
  s.kernel = {r.kernel, r.kernel};
  s.stride = {r.stride, r.stride};
  s.pad = {r.pad, r.pad};
  s.dilation = {1, 1};
  return s;
}

/// Best of several runs, in seconds.
template <typename Function>
double best_seconds(const Function& function) {
  using Clock = std::chrono::steady_clock;
  double best = 1e30, total = 0;
  for (int i = 0; i < 50 && (i < 5 || total < 0.3); ++i) {
    const auto start = Clock::now();
    function();
    const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
    best = std::min(best, seconds);
    total += seconds;
  }
  return best;
}

void fill(int count, float* to) {
  for (int i = 0; i < count; ++i)
    to[i] = static_cast<float>((i * 7919) % 1000) / 1000 - 0.5f;
}

void run(const Row& r) {
  const ConvShape s = shape_of(r);
  auto kernel = caffe::make_convolution_kernel(s);
  if (kernel == nullptr) {
    std::printf("%-16s plain\n", r.name);
    return;
  }
  Blob<float> bottom(s.num, s.channels, s.input[0], s.input[1]);
  Blob<float> top(s.num, s.num_output, s.output[0], s.output[1]);
  Blob<float> weights(std::vector<int>(1, static_cast<int>(s.weight_count())));
  Blob<float> bias(std::vector<int>(1, s.num_output));
  fill(bottom.count(), bottom.mutable_cpu_data());
  fill(weights.count(), weights.mutable_cpu_data());
  const caffe::ConvParameters parameters{&weights, &bias};
  caffe::Epilogue<float> epilogue;
  if (r.num_output > 4 && !r.transposed) {
    epilogue.activation.kind = caffe::Activation::kReLU;
    epilogue.activation.slope = 0.1f;
  }
  const double forward =
      best_seconds([&] { kernel->Forward(bottom, parameters, epilogue, &top); });
  const caffe::BlockedLayout layout = top.blocked_layout();
  if (top.data()->head_is_blocked()) {
    const float* data = top.data()->blocked_data(layout);
    std::copy(data, data + layout.padded_count(),
              top.diff()->mutable_blocked_data(layout));
  } else {
    fill(top.count(), top.mutable_cpu_diff());
  }
  bool has_data = true, has_weights = true;
  const double data = best_seconds(
      [&] { has_data = kernel->BackwardData(top, parameters, {}, &bottom); });
  const double wrt_weights = best_seconds([&] {
    has_weights = kernel->BackwardWeights(bottom, top, weights.mutable_cpu_diff(),
                                          bias.mutable_cpu_diff());
  });
  const double gflop = s.flops() / 1e9;
  std::printf(
      "%-16s %-34s %7.3f GFLOP  %6.0f %6.0f %6.0f GFLOP/s  %8.2f %8.2f %8.2f ms\n",
      r.name, kernel->name().c_str(), gflop, gflop / forward,
      has_data ? gflop / data : 0., has_weights ? gflop / wrt_weights : 0., forward * 1e3,
      has_data ? data * 1e3 : 0., has_weights ? wrt_weights * 1e3 : 0.);
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  const std::string which = argc > 1 ? argv[1] : "segflow";
  std::vector<Row> rows = kSegflow;
  if (which == "lite") {
    rows = lite(1, 480, 864);
  } else if (which == "train") {
    rows = lite(12, 192, 320);
  } else if (which != "segflow") {
    std::fprintf(stderr, "usage: benchmark_layers [segflow|lite|train]\n");
    return 2;
  }
  try {
    for (const Row& row : rows) run(row);
    const int n = 1536;
    std::vector<float> a(n * n, 0.5f), b(n * n, 0.25f), c(n * n);
    const double seconds = best_seconds([&] {
      caffe::caffe_cpu_gemm<float>(CblasNoTrans, CblasNoTrans, n, n, n, 1.f, a.data(),
                                   b.data(), 0.f, c.data());
    });
    std::printf("sgemm %d^3: %.0f GFLOP/s\n", n, 2e-9 * n * n * n / seconds);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}

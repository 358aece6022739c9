// The choice among convolution kernels, and what they share around their inner loops.
#include "caffe/backend/convolution.hpp"

#include <cstdlib>
#include <cstring>

#include "caffe/util/parallel_for.hpp"
#include "caffe/util/simd.hpp"

namespace caffe {

bool plain_engine_forced() {
  const char* engine = std::getenv("CAFFE_ENGINE");
  return engine != nullptr && std::strcmp(engine, "plain") == 0;
}

std::unique_ptr<ConvolutionKernel> make_convolution_kernel(const ConvShape& shape) {
  if (shape.spatial_axes() != 2 || shape.num == 0 || plain_engine_forced())
    return nullptr;
  // Few channels on both sides: blocks would be mostly empty, and columns are small.
  const bool few = shape.channels <= 8 && shape.num_output <= 8;
  if (few && !shape.transposed) return nullptr;
  if (auto kernel = make_narrow_convolution(shape)) return kernel;
  if (auto kernel = make_direct_deconvolution(shape)) return kernel;
  return make_onednn_convolution(shape);
}

FoldedParameters fold_parameters(const ConvShape& shape, const ConvParameters& parameters,
                                 const Epilogue<float>& epilogue) {
  FoldedParameters folded;
  const float* weights = parameters.weights->cpu_data();
  const std::int64_t count = shape.weight_count();
  folded.weights.assign(weights, weights + count);
  if (epilogue.has_affine()) {
    // Convolution: one filter an output. Deconvolution: outputs are the second weight
    // axis.
    const std::int64_t taps = shape.taps();
    const int per_group = shape.num_output / shape.group;
    const std::int64_t filter = count / shape.map_channels();
    const int inputs_per_group = shape.channels / shape.group;
    parallel_ranges(shape.map_channels(), 16, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t row = begin; row < end; ++row) {
        for (std::int64_t i = 0; i < filter; ++i) {
          const std::int64_t output =
              shape.transposed ? row / inputs_per_group * per_group + i / taps : row;
          folded.weights[row * filter + i] = static_cast<float>(
              folded.weights[row * filter + i] * epilogue.scale[output]);
        }
      }
    });
  }
  if (parameters.bias == nullptr && !epilogue.has_affine()) return folded;
  const float* bias = parameters.bias != nullptr ? parameters.bias->cpu_data() : nullptr;
  folded.bias.resize(shape.num_output);
  for (int o = 0; o < shape.num_output; ++o) {
    double value = bias != nullptr ? bias[o] : 0.;
    if (epilogue.has_affine()) value = epilogue.scale[o] * value + epilogue.shift[o];
    folded.bias[o] = static_cast<float>(value);
  }
  return folded;
}

std::uint64_t parameter_version(const ConvParameters& parameters,
                                const Epilogue<float>& epilogue) {
  // Versions are unique in the process; mixing keeps different triples apart.
  std::uint64_t version = parameters.weights->data()->version();
  const auto mix = [&version](std::uint64_t next) {
    version = version * 0x9e3779b97f4a7c15ull + (version >> 29) + next;
  };
  mix(parameters.bias != nullptr ? parameters.bias->data()->version() : 0);
  mix(epilogue.has_affine() ? epilogue.version + 1 : 0);
  return version;
}

namespace {

CAFFE_SIMD_CLONES
void add_lanes(const float* data, int positions, int block, double* sums) {
  // Float sums over short runs, double over runs: exact enough and vectorised.
  float lanes[16];
  for (int begin = 0; begin < positions; begin += 256) {
    const int end = std::min(positions, begin + 256);
    for (int c = 0; c < 16; ++c) lanes[c] = 0;
    if (block == 16) {
      for (int s = begin; s < end; ++s) {
        for (int c = 0; c < 16; ++c) lanes[c] += data[s * 16 + c];
      }
    } else {
      for (int s = begin; s < end; ++s) {
        for (int c = 0; c < block; ++c) lanes[c] += data[s * block + c];
      }
    }
    for (int c = 0; c < block; ++c) sums[c] += lanes[c];
  }
}

CAFFE_SIMD_CLONES
double sum_row(const float* data, std::int64_t n) {
  double sum = 0;
  for (std::int64_t begin = 0; begin < n; begin += 4096) {
    const std::int64_t end = std::min(n, begin + 4096);
    float part = 0;
#pragma omp simd reduction(+ : part)
    for (std::int64_t i = begin; i < end; ++i) part += data[i];
    sum += part;
  }
  return sum;
}

}  // namespace

void add_channel_sums_of_diff(const Blob<float>& blob, float* sums) {
  const int num = blob.shape(0), channels = blob.shape(1);
  const BlockedLayout layout = blob.blocked_layout();
  SyncedMemory& memory = *blob.diff();
  if (layout.valid() && memory.blocked_is_current() && memory.layout() == layout) {
    const float* data = memory.blocked_data(layout);
    parallel_ranges(layout.blocks(), 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t b = begin; b < end; ++b) {
        double lanes[16] = {};
        for (int n = 0; n < num; ++n) {
          add_lanes(data + (n * layout.blocks() + b) * std::int64_t{layout.spatial} *
                               layout.block,
                    layout.spatial, layout.block, lanes);
        }
        for (int c = 0; c < layout.block && b * layout.block + c < channels; ++c) {
          sums[b * layout.block + c] += static_cast<float>(lanes[c]);
        }
      }
    });
    return;
  }
  const float* data = blob.cpu_diff();
  const std::int64_t spatial = blob.count(2);
  parallel_ranges(channels, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t c = begin; c < end; ++c) {
      double sum = 0;
      for (int n = 0; n < num; ++n)
        sum += sum_row(data + (n * channels + c) * spatial, spatial);
      sums[c] += static_cast<float>(sum);
    }
  });
}

namespace {

CAFFE_SIMD_CLONES
void activate_range(Activation activation, const float* addend, float* data,
                    std::int64_t begin, std::int64_t end) {
  if (addend != nullptr) {
    for (std::int64_t i = begin; i < end; ++i) data[i] += addend[i];
  }
  if (activation.kind == Activation::kReLU) {
    const float slope = activation.slope;
    for (std::int64_t i = begin; i < end; ++i) {
      data[i] = data[i] > 0 ? data[i] : slope * data[i];
    }
  } else if (activation.kind == Activation::kClip) {
    const float lower = activation.lower, upper = activation.upper;
    for (std::int64_t i = begin; i < end; ++i) {
      const float above = data[i] < lower ? lower : data[i];
      data[i] = above > upper ? upper : above;
    }
  }
}

CAFFE_SIMD_CLONES
void activate_diff_range(Activation activation, const float* data, float* diff,
                         std::int64_t begin, std::int64_t end) {
  if (activation.kind == Activation::kReLU) {
    const float slope = activation.slope;
    for (std::int64_t i = begin; i < end; ++i) diff[i] *= data[i] > 0 ? 1.f : slope;
  } else if (activation.kind == Activation::kClip) {
    const float lower = activation.lower, upper = activation.upper;
    for (std::int64_t i = begin; i < end; ++i) {
      diff[i] = data[i] > lower && data[i] < upper ? diff[i] : 0.f;
    }
  }
}

constexpr std::int64_t kGrain = 1 << 14;

}  // namespace

void apply_activation(const Activation& activation, const Blob<float>* addend,
                      Blob<float>* blob) {
  if (activation.kind == Activation::kNone && addend == nullptr) return;
  const BlockedLayout layout = blob->blocked_layout();
  SyncedMemory& memory = *blob->data();
  const bool blocked =
      layout.valid() && memory.blocked_is_current() && memory.layout() == layout;
  float* data = blocked ? memory.update_blocked_data(layout) : blob->mutable_cpu_data();
  const float* other = nullptr;
  if (addend != nullptr) {
    other = blocked ? addend->data()->blocked_data(layout) : addend->cpu_data();
  }
  const std::int64_t count =
      blocked ? static_cast<std::int64_t>(layout.padded_count()) : blob->count();
  // Elements are independent, so reading the addend in place of the blob itself is fine
  // too.
  parallel_ranges(count, kGrain, [&](std::int64_t begin, std::int64_t end) {
    activate_range(activation, other, data, begin, end);
  });
  const bool keeps_zero = activation.kind != Activation::kClip ||
                          (activation.lower <= 0 && activation.upper >= 0);
  if (blocked && !keeps_zero) zero_tail_lanes(layout, data);
}

void activation_backward(const Activation& activation, Blob<float>* blob) {
  if (activation.kind == Activation::kNone) return;
  const BlockedLayout layout = blob->blocked_layout();
  SyncedMemory& memory = *blob->diff();
  const bool blocked =
      layout.valid() && memory.blocked_is_current() && memory.layout() == layout;
  const float* data = blocked ? blob->data()->blocked_data(layout) : blob->cpu_data();
  float* diff = blocked ? memory.update_blocked_data(layout) : blob->mutable_cpu_diff();
  const std::int64_t count =
      blocked ? static_cast<std::int64_t>(layout.padded_count()) : blob->count();
  parallel_ranges(count, kGrain, [&](std::int64_t begin, std::int64_t end) {
    activate_diff_range(activation, data, diff, begin, end);
  });
}

}  // namespace caffe

// Convolutions with one to four outputs (flow and mask heads) from a channel-blocked
// source.
//
// A blocked destination would be mostly empty lanes, and so would be the vectors of the
// usual kernels. Here lanes are input channels; the result is row-major.
#include <algorithm>

#include "caffe/backend/convolution.hpp"
#include "caffe/backend/scratch.hpp"
#include "caffe/util/parallel_for.hpp"
#ifdef __x86_64__
#include "narrow_rows.hpp"

namespace caffe {

namespace {

constexpr int kNarrowOutputs = 4;
constexpr int kFewChannels = 8;  // sources of this many channels are row-major

NarrowShape narrow_shape(const ConvShape& s, int lanes) {
  return {(s.channels + lanes - 1) / lanes,
          s.num_output,
          s.input[0],
          s.input[1],
          s.output[0],
          s.output[1],
          s.kernel[0],
          s.kernel[1],
          s.stride[0],
          s.stride[1],
          s.pad[0],
          s.pad[1],
          s.dilation[0],
          s.dilation[1]};
}

NarrowCode native_code() {
  return native_channel_block() == 16 ? narrow_code_avx512() : narrow_code_avx2();
}

class NarrowConvolution : public ConvolutionKernel {
 public:
  NarrowConvolution(const ConvShape& shape, const NarrowCode& code)
      : shape_(shape), code_(code), rows_(narrow_shape(shape, code.lanes)) {}

  std::string name() const override { return "narrow"; }
  bool Accepts(const Epilogue<float>&) const override { return true; }

  void Forward(const Blob<float>& bottom, const ConvParameters& parameters,
               const Epilogue<float>& epilogue, Blob<float>* top) override {
    Pack(parameters, epilogue);
    const float* source = bottom.data()->blocked_data(bottom.blocked_layout());
    float* map = top->mutable_cpu_data();
    const float* weights = static_cast<const float*>(weights_.data());
    const float* bias = bias_.empty() ? nullptr : bias_.data();
    parallel_ranges(std::int64_t{shape_.num} * rows_.map_height, 1,
                    [&](std::int64_t begin, std::int64_t end) {
                      for (std::int64_t i = begin; i < end; ++i) {
                        const std::int64_t n = i / rows_.map_height;
                        code_.forward_row(rows_, static_cast<int>(i % rows_.map_height),
                                          source + n * SourceItem(), weights, bias,
                                          map + n * MapItem());
                      }
                    });
    apply_activation(epilogue.activation, epilogue.addend, top);
  }

  bool BackwardData(const Blob<float>& top, const ConvParameters& parameters,
                    const Epilogue<float>& epilogue, Blob<float>* bottom) override {
    if (rows_.stride_h != 1 || rows_.stride_w != 1) return false;
    Pack(parameters, epilogue);
    const float* map_diff = top.cpu_diff();
    float* source_diff = bottom->diff()->mutable_blocked_data(bottom->blocked_layout());
    const float* weights = static_cast<const float*>(weights_.data());
    const std::int64_t item_rows = std::int64_t{rows_.blocks} * rows_.height;
    parallel_ranges(shape_.num * item_rows, 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) {
        const std::int64_t n = i / item_rows, row = i % item_rows;
        code_.backward_data_row(rows_, static_cast<int>(row / rows_.height),
                                static_cast<int>(row % rows_.height),
                                map_diff + n * MapItem(), weights,
                                source_diff + n * SourceItem());
      }
    });
    return true;
  }

  bool BackwardWeights(const Blob<float>& bottom, const Blob<float>& top,
                       float* weights_diff, float* bias_diff) override {
    if (bias_diff != nullptr) add_channel_sums_of_diff(top, bias_diff);
    if (weights_diff == nullptr) return true;
    const float* source = bottom.data()->blocked_data(bottom.blocked_layout());
    const float* map_diff = top.cpu_diff();
    const std::int64_t taps = shape_.taps();
    const std::int64_t block_count = taps * shape_.num_output * code_.lanes;
    auto* sums =
        static_cast<float*>(scratch_memory(rows_.blocks * block_count * sizeof(float)));
    parallel_ranges(rows_.blocks, 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t b = begin; b < end; ++b) {
        float* block = sums + b * block_count;
        std::fill(block, block + block_count, 0.f);
        for (int n = 0; n < shape_.num; ++n) {
          code_.add_weight_gradient(rows_, static_cast<int>(b), source + n * SourceItem(),
                                    map_diff + n * MapItem(), block);
        }
        ForEachWeight(static_cast<int>(b), [&](std::int64_t plain, std::int64_t packed) {
          weights_diff[plain] += sums[packed];
        });
      }
    });
    return true;
  }

 private:
  std::int64_t SourceItem() const {
    return std::int64_t{rows_.blocks} * rows_.height * rows_.width * code_.lanes;
  }
  std::int64_t MapItem() const {
    return std::int64_t{rows_.outputs} * rows_.map_height * rows_.map_width;
  }

  // Calls visit(index in Caffe's order, index in packed order) for the weights of one
  // block.
  template <typename Visit>
  void ForEachWeight(int block, const Visit& visit) const {
    const std::int64_t taps = shape_.taps();
    const int first = block * code_.lanes;
    const int last = std::min(shape_.channels, first + code_.lanes);
    for (int o = 0; o < shape_.num_output; ++o) {
      for (int c = first; c < last; ++c) {
        for (std::int64_t k = 0; k < taps; ++k) {
          visit((std::int64_t{o} * shape_.channels + c) * taps + k,
                ((block * taps + k) * shape_.num_output + o) * code_.lanes + c - first);
        }
      }
    }
  }

  void Pack(const ConvParameters& parameters, const Epilogue<float>& epilogue) {
    const std::uint64_t version = parameter_version(parameters, epilogue);
    if (is_packed_ && version == version_) return;
    FoldedParameters folded = fold_parameters(shape_, parameters, epilogue);
    const std::int64_t count =
        rows_.blocks * shape_.taps() * shape_.num_output * code_.lanes;
    auto* packed = static_cast<float*>(weights_.Need(count * sizeof(float)));
    std::fill(packed, packed + count, 0.f);
    for (int b = 0; b < rows_.blocks; ++b) {
      ForEachWeight(b, [&](std::int64_t plain, std::int64_t at) {
        packed[at] = folded.weights[plain];
      });
    }
    bias_ = std::move(folded.bias);
    version_ = version;
    is_packed_ = true;
  }

  ConvShape shape_;
  NarrowCode code_;
  NarrowShape rows_;
  HostBuffer weights_;
  std::vector<float> bias_;
  std::uint64_t version_ = 0;
  bool is_packed_ = false;
};

}  // namespace

std::unique_ptr<ConvolutionKernel> make_narrow_convolution(const ConvShape& shape) {
  if (native_channel_block() == 0 || shape.transposed || shape.group != 1 ||
      shape.num == 0 || shape.spatial_axes() != 2 || shape.num_output > kNarrowOutputs ||
      shape.channels <= kFewChannels) {
    return nullptr;
  }
  return std::make_unique<NarrowConvolution>(shape, native_code());
}

bool add_depthwise_weight_gradient(const ConvShape& shape, const Blob<float>& bottom,
                                   const Blob<float>& top, float* weights_diff) {
  if (native_channel_block() == 0 || !shape.depthwise() || shape.transposed) return false;
  const NarrowCode code = native_code();
  const NarrowShape rows = narrow_shape(shape, code.lanes);
  const float* source = bottom.data()->blocked_data(bottom.blocked_layout());
  const float* map_diff = top.diff()->blocked_data(top.blocked_layout());
  const std::int64_t source_item =
      std::int64_t{rows.blocks} * rows.height * rows.width * code.lanes;
  const std::int64_t map_item =
      std::int64_t{rows.blocks} * rows.map_height * rows.map_width * code.lanes;
  const std::int64_t taps = shape.taps(), block_count = taps * code.lanes;
  auto* sums =
      static_cast<float*>(scratch_memory(rows.blocks * block_count * sizeof(float)));
  parallel_ranges(rows.blocks, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t b = begin; b < end; ++b) {
      float* block = sums + b * block_count;
      std::fill(block, block + block_count, 0.f);
      for (int n = 0; n < shape.num; ++n) {
        code.add_depthwise_gradient(rows, static_cast<int>(b), source + n * source_item,
                                    map_diff + n * map_item, block);
      }
      const std::int64_t first = b * code.lanes;
      const std::int64_t last =
          std::min<std::int64_t>(shape.channels, first + code.lanes);
      for (std::int64_t c = first; c < last; ++c) {
        for (std::int64_t k = 0; k < taps; ++k) {
          weights_diff[c * taps + k] += block[k * code.lanes + c - first];
        }
      }
    }
  });
  return true;
}

}  // namespace caffe
#else
namespace caffe {
std::unique_ptr<ConvolutionKernel> make_narrow_convolution(const ConvShape&) {
  return nullptr;
}
bool add_depthwise_weight_gradient(const ConvShape&, const Blob<float>&,
                                   const Blob<float>&, float*) {
  return false;
}
}  // namespace caffe
#endif  // x86-64

// Deconvolutions of few channels (bilinear upsampling, flow upsampling, depthwise).
//
// Row-major on both sides. With stride s an output position t = m * s + r - pad takes
// taps r, r + s, r + 2s, ... from inputs m, m - 1, ...: for each phase r this is a dense
// product of rows. So a row is held as s phase rows of neighbouring m, and interleaved at
// the end.
#include <algorithm>

#include "caffe/backend/convolution.hpp"
#include "caffe/util/parallel_for.hpp"
#include "caffe/util/simd.hpp"

namespace caffe {

namespace {

constexpr int kFewChannels = 16;  // a group

CAFFE_SIMD_CLONES
void add_scaled(int n, float factor, const float* from, float* to) {
  for (int i = 0; i < n; ++i) to[i] += factor * from[i];
}

class DirectDeconvolution : public ConvolutionKernel {
 public:
  explicit DirectDeconvolution(const ConvShape& shape)
      : shape_(shape),
        per_group_in_(shape.channels / shape.group),
        per_group_out_(shape.num_output / shape.group),
        stride_(shape.stride[1]),
        phase_length_(std::max((shape.output[1] + shape.pad[1] - 1) / stride_ + 1,
                               shape.input[1] + (shape.kernel[1] - 1) / stride_)) {}

  std::string name() const override { return "direct deconvolution"; }
  bool Accepts(const Epilogue<float>&) const override { return true; }

  void Forward(const Blob<float>& bottom, const ConvParameters& parameters,
               const Epilogue<float>& epilogue, Blob<float>* top) override {
    const FoldedParameters folded = fold_parameters(shape_, parameters, epilogue);
    const float* x = bottom.cpu_data();
    float* y = top->mutable_cpu_data();
    const int rows = shape_.output[0];
    parallel_ranges(std::int64_t{shape_.num} * shape_.num_output * rows, 4,
                    [&](std::int64_t begin, std::int64_t end) {
                      std::vector<float> phases(stride_ * phase_length_);
                      for (std::int64_t i = begin; i < end; ++i) {
                        const std::int64_t item = i / rows / shape_.num_output;
                        const int o = static_cast<int>(i / rows % shape_.num_output);
                        std::fill(phases.begin(), phases.end(),
                                  folded.bias.empty() ? 0.f : folded.bias[o]);
                        ForwardRow(x + item * shape_.channels * shape_.input_positions(),
                                   folded.weights, o, static_cast<int>(i % rows),
                                   &phases);
                        Interleave(phases, y + i * shape_.output[1]);
                      }
                    });
    apply_activation(epilogue.activation, epilogue.addend, top);
  }

  bool BackwardData(const Blob<float>& top, const ConvParameters& parameters,
                    const Epilogue<float>& epilogue, Blob<float>* bottom) override {
    const FoldedParameters folded = fold_parameters(shape_, parameters, epilogue);
    const float* dy = top.cpu_diff();
    float* dx = bottom->mutable_cpu_diff();
    const int rows = shape_.input[0];
    parallel_ranges(
        std::int64_t{shape_.num} * shape_.channels * rows, 4,
        [&](std::int64_t begin, std::int64_t end) {
          std::vector<float> phases(stride_ * phase_length_);
          for (std::int64_t i = begin; i < end; ++i) {
            const std::int64_t item = i / rows / shape_.channels;
            BackwardRow(dy + item * shape_.num_output * shape_.output_positions(),
                        folded.weights, static_cast<int>(i / rows % shape_.channels),
                        static_cast<int>(i % rows), &phases, dx + i * shape_.input[1]);
          }
        });
    return true;
  }

  bool BackwardWeights(const Blob<float>&, const Blob<float>& top, float* weights_diff,
                       float* bias_diff) override {
    if (weights_diff != nullptr) return false;
    if (bias_diff != nullptr) add_channel_sums_of_diff(top, bias_diff);
    return true;
  }

 private:
  const float* Filter(const std::vector<float>& weights, int c, int o) const {
    return weights.data() +
           (std::int64_t{c} * per_group_out_ + o % per_group_out_) * shape_.taps();
  }

  // Adds all inputs of output row t of channel o into the phase rows.
  void ForwardRow(const float* x, const std::vector<float>& weights, int o, int t,
                  std::vector<float>* phases) const {
    const int first = o / per_group_out_ * per_group_in_, width = shape_.input[1];
    const int at = t + shape_.pad[0];
    for (int ky = at % shape_.stride[0]; ky < shape_.kernel[0]; ky += shape_.stride[0]) {
      const int row = (at - ky) / shape_.stride[0];
      if (at < ky || row >= shape_.input[0]) continue;
      for (int c = first; c < first + per_group_in_; ++c) {
        const float* from = x + (std::int64_t{c} * shape_.input[0] + row) * width;
        const float* filter = Filter(weights, c, o) + ky * shape_.kernel[1];
        for (int kx = 0; kx < shape_.kernel[1]; ++kx) {
          add_scaled(width, filter[kx], from,
                     phases->data() + kx % stride_ * phase_length_ + kx / stride_);
        }
      }
    }
  }

  void Interleave(const std::vector<float>& phases, float* row) const {
    for (int r = 0; r < stride_; ++r) {
      const float* from = phases.data() + r * phase_length_;
      // Output t = m * stride + r - pad.
      int m = std::max(0, (shape_.pad[1] - r + stride_ - 1) / stride_);
      for (int t = m * stride_ + r - shape_.pad[1]; t < shape_.output[1];
           t += stride_, ++m) {
        row[t] = from[m];
      }
    }
  }

  void Deinterleave(const float* row, std::vector<float>* phases) const {
    std::fill(phases->begin(), phases->end(), 0.f);
    for (int r = 0; r < stride_; ++r) {
      float* to = phases->data() + r * phase_length_;
      int m = std::max(0, (shape_.pad[1] - r + stride_ - 1) / stride_);
      for (int t = m * stride_ + r - shape_.pad[1]; t < shape_.output[1];
           t += stride_, ++m) {
        to[m] = row[t];
      }
    }
  }

  // Gradient of input row q of channel c.
  void BackwardRow(const float* dy, const std::vector<float>& weights, int c, int q,
                   std::vector<float>* phases, float* to) const {
    const int first = c / per_group_in_ * per_group_out_;
    std::fill(to, to + shape_.input[1], 0.f);
    for (int ky = 0; ky < shape_.kernel[0]; ++ky) {
      const int t = q * shape_.stride[0] - shape_.pad[0] + ky;
      if (t < 0 || t >= shape_.output[0]) continue;
      for (int o = first; o < first + per_group_out_; ++o) {
        Deinterleave(dy + (std::int64_t{o} * shape_.output[0] + t) * shape_.output[1],
                     phases);
        const float* filter = Filter(weights, c, o) + ky * shape_.kernel[1];
        for (int kx = 0; kx < shape_.kernel[1]; ++kx) {
          add_scaled(shape_.input[1], filter[kx],
                     phases->data() + kx % stride_ * phase_length_ + kx / stride_, to);
        }
      }
    }
  }

  ConvShape shape_;
  int per_group_in_, per_group_out_;
  int stride_, phase_length_;
};

}  // namespace

std::unique_ptr<ConvolutionKernel> make_direct_deconvolution(const ConvShape& shape) {
  if (!shape.transposed || shape.spatial_axes() != 2 || shape.dilation[0] != 1 ||
      shape.dilation[1] != 1 || shape.channels / shape.group > kFewChannels ||
      shape.num_output / shape.group > kFewChannels) {
    return nullptr;
  }
  return std::make_unique<DirectDeconvolution>(shape);
}

}  // namespace caffe

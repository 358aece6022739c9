// Dropout: the mask is computed from a seed wherever it is needed.
#include "caffe/layers/dropout_layer.hpp"

#include <cstdint>

#include "caffe/backend/elementwise.hpp"
#include "caffe/util/math_functions.hpp"
#include "caffe/util/simd.hpp"

namespace caffe {

namespace {

// A run of an array: the value of position s and lane l is number s * lanes + l in memory
// and number first + s * position_step + l * lane_step of the row-major array.
struct Run {
  std::int64_t positions;
  int lanes;
  std::uint32_t first, position_step, lane_step;
};

// y = x * factor where the mask keeps the value, else 0.
template <int kLanes, typename Dtype>
CAFFE_ALWAYS_INLINE void Apply(const DropoutMask& mask, const Run& run, Dtype factor,
                               const Dtype* x, Dtype* y) {
  for (std::int64_t s = 0; s < run.positions; ++s) {
    const std::uint32_t at =
        run.first + static_cast<std::uint32_t>(s) * run.position_step;
#pragma omp simd
    for (int l = 0; l < kLanes; ++l) {
      const Dtype value = x[s * kLanes + l] * factor;
      const bool keeps = mask.keeps(at + static_cast<std::uint32_t>(l) * run.lane_step);
      y[s * kLanes + l] = keeps ? value : Dtype(0);
    }
  }
}

template <typename Dtype>
CAFFE_ALWAYS_INLINE void ApplyToRow(const DropoutMask& mask, const Run& run, Dtype factor,
                                    const Dtype* x, Dtype* y) {
#pragma omp simd
  for (std::int64_t i = 0; i < run.positions; ++i) {
    const Dtype value = x[i] * factor;
    y[i] = mask.keeps(run.first + static_cast<std::uint32_t>(i)) ? value : Dtype(0);
  }
}

CAFFE_SIMD_CLONES void ApplyMask(const DropoutMask mask, const Run run, float factor,
                                 const float* x, float* y) {
  if (run.lanes == 16) {
    Apply<16>(mask, run, factor, x, y);
  } else if (run.lanes == 8) {
    Apply<8>(mask, run, factor, x, y);
  } else {
    ApplyToRow(mask, run, factor, x, y);
  }
}
void ApplyMask(const DropoutMask mask, const Run run, double factor, const double* x,
               double* y) {
  ApplyToRow(mask, run, factor, x, y);
}

template <typename Dtype>
void DropValues(const ElementwisePass<Dtype>& pass, const DropoutMask& mask,
                Dtype factor) {
  const BlockedLayout& layout = pass.layout;
  if (!layout.valid()) {
    parallel_ranges(pass.count, 1 << 14, [&](std::int64_t begin, std::int64_t end) {
      ApplyMask(mask, Run{end - begin, 1, static_cast<std::uint32_t>(begin), 1, 0},
                factor, pass.in[0] + begin, pass.out + begin);
    });
    return;
  }
  constexpr std::int64_t kPositions = 512;  // of one piece of work
  const std::int64_t pieces = (layout.spatial + kPositions - 1) / kPositions;
  const std::int64_t rows = static_cast<std::int64_t>(layout.num) * layout.blocks();
  parallel_ranges(rows * pieces, 2, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t row = i / pieces, s = i % pieces * kPositions;
      const std::int64_t n = row / layout.blocks(), b = row % layout.blocks();
      const std::int64_t first =
          (n * layout.channels + b * layout.block) * layout.spatial + s;
      const std::int64_t at = (row * layout.spatial + s) * layout.block;
      ApplyMask(mask,
                Run{std::min(kPositions, layout.spatial - s), layout.block,
                    static_cast<std::uint32_t>(first), 1,
                    static_cast<std::uint32_t>(layout.spatial)},
                factor, pass.in[0] + at, pass.out + at);
    }
  });
}

}  // namespace

template <typename Dtype>
void DropoutLayer<Dtype>::LayerSetUp(const vector<Blob<Dtype>*>&,
                                     const vector<Blob<Dtype>*>&) {
  ratio_ = this->layer_param_.dropout_param().dropout_ratio();
  CHECK_VALUE(ratio_ >= 0 && ratio_ < 1)
      << "dropout_ratio must be at least 0 and below 1, not " << ratio_;
}

template <typename Dtype>
void DropoutLayer<Dtype>::DrawMask() {
  for (unsigned int& seed : seed_) seed = caffe_rng_rand();
}

template <typename Dtype>
DropoutMask DropoutLayer<Dtype>::Mask() const {
  return {seed_[0], seed_[1], static_cast<std::uint32_t>(ratio_ * 4294967296.0)};
}

template <typename Dtype>
void DropoutLayer<Dtype>::Forward_cpu(const vector<Blob<Dtype>*>& bottom,
                                      const vector<Blob<Dtype>*>& top) {
  if (this->phase_ != TRAIN) {
    copy_data(*bottom[0], top[0]);
    return;
  }
  DrawMask();
  DropValues(forward_pass(*bottom[0], top[0]), Mask(), 1 / (1 - ratio_));
}

template <typename Dtype>
void DropoutLayer<Dtype>::Backward_cpu(const vector<Blob<Dtype>*>& top,
                                       const vector<bool>& propagate_down,
                                       const vector<Blob<Dtype>*>& bottom) {
  if (!propagate_down[0]) return;
  if (this->phase_ != TRAIN) {
    copy_diff(*top[0], bottom[0]);
    return;
  }
  DropValues(backward_pass(*top[0], bottom[0]), Mask(), 1 / (1 - ratio_));
}

INSTANTIATE_CLASS(DropoutLayer);
REGISTER_LAYER_CLASS(Dropout);

}  // namespace caffe

// Dropout: the mask is computed from a seed wherever it is needed.
#include "caffe/layers/dropout_layer.hpp"

#include <cstdint>

#include "caffe/backend/elementwise.hpp"
#include "caffe/util/math_functions.hpp"
#include "caffe/util/simd.hpp"

namespace caffe {

namespace {

// Which values stay: those whose position hashes to at least `threshold`.
struct Mask {
  std::uint32_t seed0, seed1, threshold;

  // An avalanche mixer (every input bit changes every output bit with probability 1/2).
  static CAFFE_ALWAYS_INLINE std::uint32_t Mix(std::uint32_t v) {
    v ^= v >> 16;
    v *= 0x7feb352du;
    v ^= v >> 15;
    v *= 0x846ca68bu;
    return v ^ (v >> 16);
  }
  CAFFE_ALWAYS_INLINE bool keeps(std::uint32_t position) const {
    return Mix(Mix(position ^ seed0) + seed1) >= threshold;
  }
};

// y[i] = x[i] * factor where the mask keeps position first + i * step, else 0.
template <typename Dtype>
CAFFE_ALWAYS_INLINE void Apply(const Mask& mask, std::int64_t count, std::uint32_t first,
                               std::uint32_t step, Dtype factor, const Dtype* x,
                               Dtype* y) {
#pragma omp simd
  for (std::int64_t i = 0; i < count; ++i) {
    const bool keeps = mask.keeps(first + static_cast<std::uint32_t>(i) * step);
    y[i] = keeps ? x[i] * factor : Dtype(0);
  }
}

CAFFE_SIMD_CLONES void ApplyMask(const Mask mask, std::int64_t count, std::uint32_t first,
                                 std::uint32_t step, float factor, const float* x,
                                 float* y) {
  Apply(mask, count, first, step, factor, x, y);
}
void ApplyMask(const Mask mask, std::int64_t count, std::uint32_t first,
               std::uint32_t step, double factor, const double* x, double* y) {
  Apply(mask, count, first, step, factor, x, y);
}

template <typename Dtype>
void DropValues(const ElementwisePass<Dtype>& pass, const Mask& mask, Dtype factor) {
  const BlockedLayout& layout = pass.layout;
  if (!layout.valid()) {
    parallel_ranges(pass.count, 1 << 14, [&](std::int64_t begin, std::int64_t end) {
      ApplyMask(mask, end - begin, static_cast<std::uint32_t>(begin), 1, factor,
                pass.in[0] + begin, pass.out + begin);
    });
    return;
  }
  const std::int64_t positions =
      static_cast<std::int64_t>(layout.num) * layout.blocks() * layout.spatial;
  parallel_ranges(positions, 1 << 10, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t p = begin; p < end; ++p) {
      const std::int64_t row = p / layout.spatial, s = p % layout.spatial;
      const std::int64_t n = row / layout.blocks(), b = row % layout.blocks();
      const std::int64_t first =
          (n * layout.channels + b * layout.block) * layout.spatial + s;
      ApplyMask(mask, layout.block, static_cast<std::uint32_t>(first),
                static_cast<std::uint32_t>(layout.spatial), factor,
                pass.in[0] + p * layout.block, pass.out + p * layout.block);
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
void DropoutLayer<Dtype>::Forward_cpu(const vector<Blob<Dtype>*>& bottom,
                                      const vector<Blob<Dtype>*>& top) {
  if (this->phase_ != TRAIN) {
    copy_data(*bottom[0], top[0]);
    return;
  }
  for (unsigned int& seed : seed_) seed = caffe_rng_rand();
  const Mask mask{seed_[0], seed_[1], static_cast<std::uint32_t>(ratio_ * 4294967296.0)};
  DropValues(forward_pass(*bottom[0], top[0]), mask, 1 / (1 - ratio_));
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
  const Mask mask{seed_[0], seed_[1], static_cast<std::uint32_t>(ratio_ * 4294967296.0)};
  DropValues(backward_pass(*top[0], bottom[0]), mask, 1 / (1 - ratio_));
}

INSTANTIATE_CLASS(DropoutLayer);
REGISTER_LAYER_CLASS(Dropout);

}  // namespace caffe

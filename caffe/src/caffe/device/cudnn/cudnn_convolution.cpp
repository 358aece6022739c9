// Convolutions by cuDNN 9, two spatial axes.
//
// Only algorithms that give equal bits on every run are offered. Its calls of before the
// graph API are marked deprecated but are complete in every 9.x.
#include <cudnn.h>

#include <map>
#include <string>
#include <vector>

#include "caffe/device/convolution_ops.hpp"
#include "caffe/device/stream.hpp"
#include "caffe/util/cudnn.hpp"

#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

namespace caffe {
namespace device {

namespace {

struct Handles {
  std::map<int, cudnnHandle_t> by_device;
  ~Handles() {
    for (const auto& handle : by_device) cudnnDestroy(handle.second);
  }
};

/// The calling thread's handle for the current device, on its stream.
cudnnHandle_t Handle() {
  static thread_local Handles handles;
  cudnnHandle_t& handle = handles.by_device[current()];
  if (handle == nullptr) {
    CUDNN_CHECK(cudnnCreate(&handle));
    CUDNN_CHECK(cudnnSetStream(handle, stream()));
  }
  return handle;
}

/// Owns a cuDNN descriptor.
template <typename T, cudnnStatus_t (*Create)(T*), cudnnStatus_t (*Destroy)(T)>
class Descriptor {
 public:
  Descriptor() { CUDNN_CHECK(Create(&value_)); }
  ~Descriptor() { Destroy(value_); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  operator T() const { return value_; }

 private:
  T value_ = nullptr;
};
using Tensor = Descriptor<cudnnTensorDescriptor_t, cudnnCreateTensorDescriptor,
                          cudnnDestroyTensorDescriptor>;
using Filter = Descriptor<cudnnFilterDescriptor_t, cudnnCreateFilterDescriptor,
                          cudnnDestroyFilterDescriptor>;
using Convolution =
    Descriptor<cudnnConvolutionDescriptor_t, cudnnCreateConvolutionDescriptor,
               cudnnDestroyConvolutionDescriptor>;
using ActivationDescriptor =
    Descriptor<cudnnActivationDescriptor_t, cudnnCreateActivationDescriptor,
               cudnnDestroyActivationDescriptor>;

/// One way to run an operation: an algorithm, with tensor cores or without, and what it
/// works in so.
struct Variant {
  int algorithm = 0;
  cudnnMathType_t math = CUDNN_FMA_MATH;
  std::size_t workspace = 0;
};

bool is_winograd(cudnnConvolutionFwdAlgo_t algorithm) {
  return algorithm == CUDNN_CONVOLUTION_FWD_ALGO_WINOGRAD ||
         algorithm == CUDNN_CONVOLUTION_FWD_ALGO_WINOGRAD_NONFUSED;
}
bool is_winograd(cudnnConvolutionBwdDataAlgo_t algorithm) {
  return algorithm == CUDNN_CONVOLUTION_BWD_DATA_ALGO_WINOGRAD ||
         algorithm == CUDNN_CONVOLUTION_BWD_DATA_ALGO_WINOGRAD_NONFUSED;
}
bool is_winograd(cudnnConvolutionBwdFilterAlgo_t algorithm) {
  return algorithm == CUDNN_CONVOLUTION_BWD_FILTER_ALGO_WINOGRAD ||
         algorithm == CUDNN_CONVOLUTION_BWD_FILTER_ALGO_WINOGRAD_NONFUSED;
}

template <typename Dtype>
class CudnnConvolution : public ConvolutionOps<Dtype> {
 public:
  CudnnConvolution(const ConvShape& s, bool channels_last)
      : is_3x3_(s.kernel[0] == 3 && s.kernel[1] == 3),
        channels_last_(channels_last),
        workspace_limit_(static_cast<std::size_t>(
            workspace_limit(static_cast<std::int64_t>(sizeof(Dtype)) * s.num *
                            (s.image_channels() * ConvShape::volume(s.image()) +
                             s.map_channels() * ConvShape::volume(s.map()))))) {
    const auto type = cudnn::dataType<Dtype>::type;
    const auto order = channels_last ? CUDNN_TENSOR_NHWC : CUDNN_TENSOR_NCHW;
    CUDNN_CHECK(cudnnSetTensor4dDescriptor(image_, order, type, s.num, s.image_channels(),
                                           s.image()[0], s.image()[1]));
    CUDNN_CHECK(cudnnSetTensor4dDescriptor(map_, order, type, s.num, s.map_channels(),
                                           s.map()[0], s.map()[1]));
    CUDNN_CHECK(
        cudnnSetTensor4dDescriptor(bias_, order, type, 1, s.map_channels(), 1, 1));
    CUDNN_CHECK(cudnnSetFilter4dDescriptor(weights_, type, order, s.map_channels(),
                                           s.image_channels() / s.group, s.kernel[0],
                                           s.kernel[1]));
    CUDNN_CHECK(cudnnSetConvolution2dDescriptor(
        convolution_, s.pad[0], s.pad[1], s.stride[0], s.stride[1], s.dilation[0],
        s.dilation[1], CUDNN_CROSS_CORRELATION, type));
    CUDNN_CHECK(cudnnSetConvolutionGroupCount(convolution_, s.group));
    for (const bool relu : {false, true}) {
      CUDNN_CHECK(cudnnSetActivationDescriptor(
          activation_[relu], relu ? CUDNN_ACTIVATION_RELU : CUDNN_ACTIVATION_IDENTITY,
          CUDNN_PROPAGATE_NAN, 0));
    }
  }

  bool channels_last() const override { return channels_last_; }
  int variants(ConvOp op) override { return static_cast<int>(Variants(op).size()); }
  std::string name(ConvOp op, int variant) override {
    static const char* const kNames[] = {"correlate", "adjoint", "weights"};
    const Variant& way = Variants(op)[variant];
    return std::string(channels_last_ ? "cuDNN channels-last " : "cuDNN ") +
           kNames[static_cast<int>(op)] + " algorithm " + std::to_string(way.algorithm) +
           (rounds_ && way.math == CUDNN_FMA_MATH ? " in float32" : "");
  }

  void Run(ConvOp op, int variant, const ConvOperands<Dtype>& o) override {
    const Variant& way = Variants(op)[variant];
    CUDNN_CHECK(cudnnSetConvolutionMathType(convolution_, way.math));
    const Scratch scratch(way.workspace);
    const void *one = cudnn::dataType<Dtype>::one, *zero = cudnn::dataType<Dtype>::zero;
    if (op == ConvOp::kCorrelate) {
      CUDNN_CHECK(cudnnConvolutionForward(
          Handle(), one, image_, o.image, weights_, o.weights, convolution_,
          static_cast<cudnnConvolutionFwdAlgo_t>(way.algorithm), scratch.get(),
          way.workspace, zero, map_, o.map));
    } else if (op == ConvOp::kAdjoint) {
      CUDNN_CHECK(cudnnConvolutionBackwardData(
          Handle(), one, weights_, o.weights, map_, o.map, convolution_,
          static_cast<cudnnConvolutionBwdDataAlgo_t>(way.algorithm), scratch.get(),
          way.workspace, zero, image_, o.image));
    } else {
      CUDNN_CHECK(cudnnConvolutionBackwardFilter(
          Handle(), one, image_, o.image, map_, o.map, convolution_,
          static_cast<cudnnConvolutionBwdFilterAlgo_t>(way.algorithm), scratch.get(),
          way.workspace, one, weights_, o.weights));
    }
  }

  int fused_variants(bool with_bias, bool with_relu) override {
    if (sizeof(Dtype) != 4 || !with_bias) return 0;
    const auto& ways = Variants(ConvOp::kCorrelate);
    if (with_relu) return static_cast<int>(ways.size());
    return PrecomputedGemm() >= 0 ? 1 : 0;  // the only one without a ReLU
  }

  void RunFused(int variant, const ConvOperands<Dtype>& o,
                const ConvTail<Dtype>& tail) override {
    if (!tail.relu) variant = PrecomputedGemm();
    const Variant& way = Variants(ConvOp::kCorrelate)[variant];
    CUDNN_CHECK(cudnnSetConvolutionMathType(convolution_, way.math));
    const Scratch scratch(way.workspace);
    const void *one = cudnn::dataType<Dtype>::one, *zero = cudnn::dataType<Dtype>::zero;
    CUDNN_CHECK(cudnnConvolutionBiasActivationForward(
        Handle(), one, image_, o.image, weights_, o.weights, convolution_,
        static_cast<cudnnConvolutionFwdAlgo_t>(way.algorithm), scratch.get(),
        way.workspace, tail.addend != nullptr ? one : zero, map_,
        tail.addend != nullptr ? tail.addend : o.map, bias_, tail.bias,
        activation_[tail.relu], map_, o.map));
  }

 private:
  int PrecomputedGemm() {
    const auto& ways = Variants(ConvOp::kCorrelate);
    for (std::size_t i = 0; i < ways.size(); ++i) {
      if (ways[i].algorithm == CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM) {
        return static_cast<int>(i);
      }
    }
    return -1;
  }

  /// Takes what is possible, repeatable and small enough, in the library's order.
  template <typename Found>
  void Add(const Found& found, std::vector<Variant>* ways) const {
    if (found.status != CUDNN_STATUS_SUCCESS || found.memory > workspace_limit_) return;
    if (found.determinism != CUDNN_DETERMINISTIC) return;
    if (!rounds_ && found.mathType == CUDNN_TENSOR_OP_MATH) return;
    // Winograd's transforms for larger kernels lose three digits of float32 (measured).
    if (!rounds_ && !is_3x3_ && is_winograd(found.algo)) return;
    const Variant found_way = {static_cast<int>(found.algo),
                               rounds_ ? found.mathType : CUDNN_FMA_MATH, found.memory};
    for (const Variant& way : *ways) {
      if (way.algorithm == found_way.algorithm && way.math == found_way.math) return;
    }
    ways->push_back(found_way);
  }

  /// A shape that the library refuses has no answers. What else goes wrong is an error,
  /// but not channels-last, which it need not take.
  void Note(cudnnStatus_t status, int* count) const {
    const bool refused = CUDNN_STATUS_CATEGORY(status) == CUDNN_STATUS_NOT_SUPPORTED;
    if (!channels_last_ && !refused) CUDNN_CHECK(status);
    if (status != CUDNN_STATUS_SUCCESS) *count = 0;
  }

  const std::vector<Variant>& Variants(ConvOp op) {
    std::vector<Variant>& ways = ways_[static_cast<int>(op)];
    if (asked_[static_cast<int>(op)]) return ways;
    asked_[static_cast<int>(op)] = true;
    constexpr int kMost = 2 * CUDNN_CONVOLUTION_FWD_ALGO_COUNT;
    int count = 0;
    CUDNN_CHECK(cudnnSetConvolutionMathType(
        convolution_, rounds_ ? CUDNN_DEFAULT_MATH : CUDNN_FMA_MATH));
    if (op == ConvOp::kCorrelate) {
      cudnnConvolutionFwdAlgoPerf_t found[kMost];
      Note(cudnnGetConvolutionForwardAlgorithm_v7(
               Handle(), image_, weights_, convolution_, map_, kMost, &count, found),
           &count);
      for (int i = 0; i < count; ++i) Add(found[i], &ways);
    } else if (op == ConvOp::kAdjoint) {
      cudnnConvolutionBwdDataAlgoPerf_t found[kMost];
      Note(cudnnGetConvolutionBackwardDataAlgorithm_v7(
               Handle(), weights_, map_, convolution_, image_, kMost, &count, found),
           &count);
      for (int i = 0; i < count; ++i) Add(found[i], &ways);
    } else {
      cudnnConvolutionBwdFilterAlgoPerf_t found[kMost];
      Note(cudnnGetConvolutionBackwardFilterAlgorithm_v7(
               Handle(), image_, map_, convolution_, weights_, kMost, &count, found),
           &count);
      for (int i = 0; i < count; ++i) Add(found[i], &ways);
    }
    return ways;
  }

  const bool is_3x3_, channels_last_;
  /// Tensor cores, which round to TF32, may be used.
  const bool rounds_ = tf32_allowed();
  const std::size_t workspace_limit_;
  Tensor image_, map_, bias_;
  Filter weights_;
  Convolution convolution_;
  ActivationDescriptor activation_[2];
  std::vector<Variant> ways_[3];
  bool asked_[3] = {false, false, false};
};

bool is_taken(const ConvShape& shape) {
  return shape.spatial_axes() == 2 && shape.num > 0 && shape.input_positions() > 0;
}

}  // namespace

template <typename Dtype>
std::unique_ptr<ConvolutionOps<Dtype>> make_cudnn_convolution(const ConvShape& shape) {
  if (!is_taken(shape)) return nullptr;
  return std::make_unique<CudnnConvolution<Dtype>>(shape, false);
}
template std::unique_ptr<ConvolutionOps<float>> make_cudnn_convolution(const ConvShape&);
template std::unique_ptr<ConvolutionOps<double>> make_cudnn_convolution(const ConvShape&);

std::unique_ptr<ConvolutionOps<float>> make_cudnn_channels_last(const ConvShape& shape) {
  if (!is_taken(shape) || shape.group != 1) return nullptr;
  return std::make_unique<CudnnConvolution<float>>(shape, true);
}

}  // namespace device
}  // namespace caffe

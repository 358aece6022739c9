// One call of a convolution: its operands, in whichever order an implementation wants.
#ifndef CAFFE_DEVICE_CONVOLUTION_CALL_HPP_
#define CAFFE_DEVICE_CONVOLUTION_CALL_HPP_

#include <memory>
#include <vector>

#include "caffe/backend/epilogue.hpp"
#include "caffe/device/channels_last.hpp"
#include "caffe/device/convolution_ops.hpp"
#include "caffe/device/scratch.hpp"

namespace caffe {
namespace device {

/// Data or diff of a blob, and its sizes.
struct ConvSide {
  SyncedMemory* memory = nullptr;
  ChannelsLast order;

  /// Whether it can be read in that order as it is.
  bool current(bool channels_last) const {
    if (channels_last) return memory->channels_last_is_current(order);
    return memory->device_is_current() && !memory->head_is_channels_last();
  }
};

template <typename Dtype>
struct ConvCall {
  ConvOp op = ConvOp::kCorrelate;
  ConvSide image, map, weights;
  bool weights_are_fixed = false;  ///< one form of them is enough
  Dtype* gradient = nullptr;       ///< kWeightGradient: added to, row-major
  // What follows: + bias + addend, activation.
  const Dtype* bias = nullptr;
  SyncedMemory* addend = nullptr;  ///< of the written side's sizes
  Activation activation;

  bool has_tail() const {
    return bias != nullptr || addend != nullptr || activation.kind != Activation::kNone;
  }
  /// Whether ConvTail can say it.
  bool tail_may_be_fused() const {
    return op == ConvOp::kCorrelate && has_tail() &&
           (activation.kind == Activation::kNone ||
            (activation.kind == Activation::kReLU && activation.slope == 0));
  }
  const ConvSide& written() const { return op == ConvOp::kAdjoint ? image : map; }
};

/// The pointers of a call in one order. What is not in that order is reordered: where it
/// lies, so that the next reader finds it, or for a `trial` in scratch memory, to which a
/// trial's result goes, too.
template <typename Dtype>
class CallOperands {
 public:
  CallOperands(const ConvCall<Dtype>& call, bool channels_last, bool trial);

  const ConvOperands<Dtype>& operands() const { return operands_; }
  const Dtype* addend() const { return addend_; }
  /// After the call: a gradient in the other order is added to where it belongs.
  void Finish();

 private:
  Dtype* Temporary(std::size_t count);
  Dtype* Read(const ConvSide& side, bool to_temporary);
  Dtype* Write(const ConvSide& side);
  Dtype* ReadWeights();

  const ConvCall<Dtype>& call_;
  const bool channels_last_, trial_;
  ConvOperands<Dtype> operands_;
  const Dtype* addend_ = nullptr;
  std::vector<std::unique_ptr<Scratch>> temporaries_;
};

}  // namespace device
}  // namespace caffe

#endif  // CAFFE_DEVICE_CONVOLUTION_CALL_HPP_

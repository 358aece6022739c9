// Finding or making a call's operands in the order that an implementation wants.
#include "convolution_call.hpp"

namespace caffe {
namespace device {

namespace {

std::size_t count_of(const ChannelsLast& order) {
  return std::size_t(order.num) * order.channels * order.spatial;
}

}  // namespace

template <typename Dtype>
CallOperands<Dtype>::CallOperands(const ConvCall<Dtype>& call, bool channels_last,
                                  bool trial)
    : call_(call), channels_last_(channels_last), trial_(trial) {
  const ConvSide& written = call.written();
  if (call.addend != nullptr) {
    addend_ = Read({call.addend, written.order}, trial);
    if (!trial && call.addend == written.memory) {  // it is about to be overwritten
      const std::size_t count = count_of(written.order);
      Dtype* copy = Temporary(count);
      copy_on_device(copy, addend_, sizeof(Dtype) * count);
      addend_ = copy;
    }
  }
  if (call.op == ConvOp::kWeightGradient) {
    operands_.image = Read(call.image, trial);
    operands_.map = Read(call.map, trial);
    operands_.weights = call.gradient;
    if (channels_last || trial) {
      const std::size_t count = count_of(call.weights.order);
      operands_.weights = Temporary(count);
      fill_bytes(operands_.weights, 0, sizeof(Dtype) * count);
    }
    return;
  }
  operands_.weights = ReadWeights();
  if (call.op == ConvOp::kAdjoint) {
    operands_.map = Read(call.map, trial);
    operands_.image = Write(call.image);
  } else {
    operands_.image = Read(call.image, trial);
    operands_.map = Write(call.map);
  }
}

template <typename Dtype>
Dtype* CallOperands<Dtype>::Temporary(std::size_t count) {
  temporaries_.push_back(std::make_unique<Scratch>(sizeof(Dtype) * count));
  return temporaries_.back()->template as<Dtype>();
}

/// What has to be reordered goes to a temporary, or stays beside the other form.
template <typename Dtype>
Dtype* CallOperands<Dtype>::Read(const ConvSide& side, bool to_temporary) {
  const auto read = [&side](bool channels_last) {
    const ChannelsLast order = channels_last ? side.order : ChannelsLast();
    return const_cast<Dtype*>(read_in_order<Dtype>(side.memory, order));
  };
  if constexpr (std::is_same<Dtype, float>::value) {
    const bool can_be_reordered = channels_last_ || side.current(true);
    if (to_temporary && !side.current(channels_last_) && can_be_reordered) {
      const float* from = read(!channels_last_);
      float* to = Temporary(count_of(side.order));
      (channels_last_ ? to_channels_last : to_row_major)(side.order, from, to);
      return to;
    }
  }
  return read(channels_last_);
}

template <typename Dtype>
Dtype* CallOperands<Dtype>::Write(const ConvSide& side) {
  if (trial_) return Temporary(count_of(side.order));
  return write_in_order<Dtype>(side.memory, channels_last_ ? side.order : ChannelsLast());
}

/// Weights that stay are reordered once: no trial counts that.
template <typename Dtype>
Dtype* CallOperands<Dtype>::ReadWeights() {
  Dtype* weights = Read(call_.weights, !call_.weights_are_fixed);
  if (!trial_ && call_.weights_are_fixed) {
    call_.weights.memory->KeepOneForm(channels_last_);
  }
  return weights;
}

template <typename Dtype>
void CallOperands<Dtype>::Finish() {
  if constexpr (std::is_same<Dtype, float>::value) {
    if (call_.op == ConvOp::kWeightGradient && channels_last_ && !trial_) {
      add_to_row_major(call_.weights.order, operands_.weights, call_.gradient);
    }
  }
}

template class CallOperands<float>;
template class CallOperands<double>;

}  // namespace device
}  // namespace caffe

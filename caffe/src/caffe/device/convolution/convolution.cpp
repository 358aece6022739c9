// A convolution of blobs on the device: calls, and folded parameters.
#include "caffe/device/convolution.hpp"

#include "caffe/backend/convolution.hpp"
#include "caffe/device/device.hpp"
#include "convolution_runner.hpp"

namespace caffe {
namespace device {

template <typename Dtype>
Convolution<Dtype>::Convolution(const ConvShape& shape, bool plain, bool fixed_weights)
    : shape_(shape),
      fixed_weights_(fixed_weights),
      runner_(std::make_unique<ConvolutionRunner<Dtype>>(shape, plain)) {}

template <typename Dtype>
Convolution<Dtype>::~Convolution() = default;

template <typename Dtype>
std::string Convolution<Dtype>::name() const {
  return runner_->name();
}

template <typename Dtype>
ConvCall<Dtype> Convolution<Dtype>::CallOf(ConvOp op, SyncedMemory* bottom,
                                           SyncedMemory* top) const {
  const auto volume = [](const std::vector<int>& sizes) {
    return static_cast<int>(ConvShape::volume(sizes));
  };
  ConvCall<Dtype> call;
  call.op = op;
  call.image = {shape_.transposed ? top : bottom,
                {shape_.num, shape_.image_channels(), volume(shape_.image())}};
  call.map = {shape_.transposed ? bottom : top,
              {shape_.num, shape_.map_channels(), volume(shape_.map())}};
  call.weights.order = {shape_.map_channels(), shape_.image_channels() / shape_.group,
                        volume(shape_.kernel)};
  return call;
}

/// Memory that another net shares may be read there in any form at any time.
template <typename Dtype>
void Convolution<Dtype>::SetWeights(const Blob<Dtype>& weights,
                                    ConvCall<Dtype>* call) const {
  call->weights.memory = weights.data().get();
  call->weights_are_fixed = fixed_weights_ && weights.data().use_count() == 1;
}

template <typename Dtype>
void Convolution<Dtype>::RefreshFolded(const Blob<Dtype>& weights,
                                       const Blob<Dtype>* bias,
                                       const Epilogue<Dtype>& epilogue) {
  if constexpr (std::is_same<Dtype, float>::value) {
    const ConvParameters parameters{&weights, bias};
    const std::uint64_t version = parameter_version(parameters, epilogue);
    if (version == folded_version_) return;
    const FoldedParameters folded = fold_parameters(shape_, parameters, epilogue);
    folded_weights_.Reshape({static_cast<int>(folded.weights.size())});
    copy_to_device(folded_weights_.mutable_gpu_data(), folded.weights.data(),
                   sizeof(float) * folded.weights.size());
    folded_bias_.Reshape({static_cast<int>(folded.bias.size())});
    copy_to_device(folded_bias_.mutable_gpu_data(), folded.bias.data(),
                   sizeof(float) * folded.bias.size());
    folded_version_ = version;
  }
}

template <typename Dtype>
void Convolution<Dtype>::FoldOnDevice(const Blob<Dtype>& weights, const Blob<Dtype>* bias,
                                      const AffineRows& map) {
  CHECK(!shape_.transposed) << "a deconvolution folds no channel constants";
  folded_weights_.ReshapeLike(weights);
  folded_bias_.Reshape({shape_.num_output});
  folded_version_ = 0;
  fold_rows<Dtype>(shape_.num_output, weights.count() / shape_.num_output, map,
                   {weights.gpu_data(), bias != nullptr ? bias->gpu_data() : nullptr},
                   {folded_weights_.mutable_gpu_data(), folded_bias_.mutable_gpu_data()});
}

template <typename Dtype>
void Convolution<Dtype>::Forward(const Blob<Dtype>& bottom, const Blob<Dtype>& weights,
                                 const Blob<Dtype>* bias, const Epilogue<Dtype>& epilogue,
                                 Blob<Dtype>* top) {
  if (epilogue.on_device.scale != nullptr) {
    FoldOnDevice(weights, bias, epilogue.on_device);
  } else if (epilogue.has_affine()) {
    RefreshFolded(weights, bias, epilogue);
  }
  const bool is_folded = epilogue.has_affine();
  ConvCall<Dtype> call = CallOf(shape_.transposed ? ConvOp::kAdjoint : ConvOp::kCorrelate,
                                bottom.data().get(), top->data().get());
  SetWeights(is_folded ? folded_weights_ : weights, &call);
  if (is_folded) {
    call.bias = folded_bias_.gpu_data();
  } else if (bias != nullptr) {
    call.bias = bias->gpu_data();
  }
  if (epilogue.addend != nullptr) call.addend = epilogue.addend->data().get();
  call.activation = epilogue.activation;
  runner_->Run(call);
}

template <typename Dtype>
void Convolution<Dtype>::BackwardActivation(const Activation& activation,
                                            Blob<Dtype>* top) const {
  if (activation.kind == Activation::kNone) return;
  SyncedMemory *data = top->data().get(), *diff = top->diff().get();
  const ChannelsLast order = common_order(*top, {data, diff});
  const Dtype* y = read_in_order<Dtype>(data, order);
  read_in_order<Dtype>(diff, order);
  activation_backward(activation, top->count(), y, write_in_order<Dtype>(diff, order));
}

template <typename Dtype>
void Convolution<Dtype>::BackwardBottom(const Blob<Dtype>& top,
                                        const Blob<Dtype>& weights,
                                        const Epilogue<Dtype>& epilogue,
                                        Blob<Dtype>* bottom) {
  ConvCall<Dtype> call = CallOf(shape_.transposed ? ConvOp::kCorrelate : ConvOp::kAdjoint,
                                bottom->diff().get(), top.diff().get());
  SetWeights(epilogue.has_affine() ? folded_weights_ : weights, &call);
  runner_->Run(call);
}

template <typename Dtype>
void Convolution<Dtype>::AddWeightGradient(const Blob<Dtype>& bottom,
                                           const Blob<Dtype>& top, Dtype* gradient) {
  ConvCall<Dtype> call =
      CallOf(ConvOp::kWeightGradient, bottom.data().get(), top.diff().get());
  call.gradient = gradient;
  runner_->Run(call);
}

template <typename Dtype>
void Convolution<Dtype>::AddBiasGradient(const Blob<Dtype>& top, Dtype* gradient) {
  const int positions = static_cast<int>(shape_.output_positions());
  const ChannelsLast order = common_order(top, {top.diff().get()});
  const Dtype* diff = read_in_order<Dtype>(top.diff().get(), order);
  const bool last = order.channels > 0;
  add_channel_sums<Dtype>(last ? shape_.num * positions : shape_.num, shape_.num_output,
                          last ? 1 : positions, diff, gradient);
}

template <typename Dtype>
void Convolution<Dtype>::AddFoldedGradients(
    const Blob<Dtype>& bottom, const Blob<Dtype>& top,
    const ParameterPointers<const Dtype>& parameters, const AffineRows& map,
    const ParameterPointers<Dtype>& diffs, const AffineRows& affine) {
  const bool of_weights = diffs.weights != nullptr || affine.scale != nullptr;
  const bool of_bias = diffs.bias != nullptr || affine.scale != nullptr;
  const std::size_t weight_bytes = of_weights ? sizeof(Dtype) * shape_.weight_count() : 0;
  const std::size_t bias_bytes = of_bias ? sizeof(Dtype) * shape_.num_output : 0;
  const Scratch weights(weight_bytes), bias(bias_bytes);
  if (of_weights) {
    fill_bytes(weights.get(), 0, weight_bytes);
    AddWeightGradient(bottom, top, weights.template as<Dtype>());
  }
  if (of_bias) {
    fill_bytes(bias.get(), 0, bias_bytes);
    AddBiasGradient(top, bias.template as<Dtype>());
  }
  unfold_gradients<Dtype>(
      shape_.num_output, static_cast<int>(shape_.weight_count() / shape_.num_output), map,
      parameters, {weights.template as<Dtype>(), bias.template as<Dtype>()}, diffs,
      affine);
}

template <typename Dtype>
void Convolution<Dtype>::RunPlain(ConvOp op, const ConvOperands<Dtype>& operands) {
  ConvShape one = shape_;
  one.num = 1;
  make_gemm_convolution<Dtype>(one)->Run(op, 0, operands);
}

template class Convolution<float>;
template class Convolution<double>;

}  // namespace device
}  // namespace caffe

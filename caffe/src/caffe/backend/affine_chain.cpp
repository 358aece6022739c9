// Folding channel-affine layers, on the host in double or on the device.
#include "caffe/backend/affine_chain.hpp"

#include <algorithm>
#include <cstdint>

namespace caffe {

namespace {

/// Map i of (maps, 2, channels).
AffineRows RowsOf(double* data, int i, int channels) {
  double* rows = data + std::int64_t{i} * 2 * channels;
  return {rows, rows + channels};
}

}  // namespace

bool AffineChain::holds() const {
  return std::all_of(layers_.begin(), layers_.end(),
                     [](const ChannelAffine* a) { return a->is_channel_affine(); });
}

bool AffineChain::composes_on_device() const {
  return std::all_of(layers_.begin(), layers_.end(),
                     [](const ChannelAffine* a) { return a->composes_on_device(); });
}

template <typename Dtype>
void AffineChain::Fold(int channels, Epilogue<Dtype>* epilogue) const {
  if (layers_.empty()) return;
  epilogue->on_device = AffineRows();
  std::uint64_t version = 0;
  for (const ChannelAffine* layer : layers_) version += layer->affine_version();
  if (epilogue->has_affine() && epilogue->version == version) return;
  epilogue->scale.assign(channels, 1.0);
  epilogue->shift.assign(channels, 0.0);
  for (const ChannelAffine* layer : layers_) {
    layer->compose_affine(&epilogue->scale, &epilogue->shift);
  }
  epilogue->version = version;
}

template <typename Dtype>
void AffineChain::FoldOnDevice(int channels, Epilogue<Dtype>* epilogue) {
  if (layers_.empty()) return;
  const int count = static_cast<int>(layers_.size());
  maps_->Reshape({count, 2, channels});
  double* data = maps_->mutable_gpu_data();
  AffineRows before;
  for (int i = 0; i < count; ++i) {
    const AffineRows after = RowsOf(data, i, channels);
    layers_[i]->compose_affine_gpu(channels, before, after);
    before = after;
  }
  epilogue->scale.clear();
  epilogue->shift.clear();
  epilogue->on_device = before;
  epilogue->version = 0;
}

AffineRows AffineChain::gradient_on_device(int channels) {
  gradient_->Reshape({2, channels});
  return RowsOf(gradient_->mutable_gpu_data(), 0, channels);
}

void AffineChain::Backward(AffineGradient* gradient) {
  if (gradient->on_device.scale != nullptr) {
    BackwardOnDevice(gradient->on_device);
    return;
  }
  const size_t channels = gradient->scale.size();
  std::vector<std::vector<double>> scales, shifts;
  std::vector<double> scale(channels, 1.0), shift(channels, 0.0);
  for (const ChannelAffine* layer : layers_) {
    scales.push_back(scale);
    shifts.push_back(shift);
    layer->compose_affine(&scale, &shift);
  }
  for (size_t i = layers_.size(); i-- > 0;) {
    layers_[i]->compose_affine_backward(scales[i], shifts[i], gradient);
  }
}

void AffineChain::BackwardOnDevice(const AffineRows& gradient) {
  const int channels = maps_->shape(2);
  double* data = maps_->mutable_gpu_data();
  for (int i = static_cast<int>(layers_.size()) - 1; i >= 0; --i) {
    const AffineRows before = i > 0 ? RowsOf(data, i - 1, channels) : AffineRows();
    layers_[i]->compose_affine_backward_gpu(channels, before, gradient);
  }
}

template void AffineChain::Fold(int, Epilogue<float>*) const;
template void AffineChain::Fold(int, Epilogue<double>*) const;
template void AffineChain::FoldOnDevice(int, Epilogue<float>*);
template void AffineChain::FoldOnDevice(int, Epilogue<double>*);

}  // namespace caffe

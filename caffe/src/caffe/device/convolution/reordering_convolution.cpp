// Channels-last convolution for comparisons: reorders around one that is row-major.
#include "caffe/device/channels_last.hpp"
#include "caffe/device/convolution_ops.hpp"
#include "caffe/device/scratch.hpp"

namespace caffe {
namespace device {

namespace {

ChannelsLast order_of(int num, int channels, std::int64_t spatial) {
  return {num, channels, static_cast<int>(spatial)};
}

std::size_t bytes_of(const ChannelsLast& order) {
  return sizeof(float) * order.num * order.channels * order.spatial;
}

class ReorderingConvolution : public ConvolutionOps<float> {
 public:
  ReorderingConvolution(const ConvShape& s, std::unique_ptr<ConvolutionOps<float>> plain)
      : plain_(std::move(plain)),
        image_(order_of(s.num, s.image_channels(), ConvShape::volume(s.image()))),
        map_(order_of(s.num, s.map_channels(), ConvShape::volume(s.map()))),
        weights_(order_of(s.map_channels(), s.image_channels() / s.group, s.taps())) {}

  bool channels_last() const override { return true; }
  int variants(ConvOp op) override { return plain_->variants(op); }
  std::string name(ConvOp op, int variant) override {
    return "reordered " + plain_->name(op, variant);
  }

  void Run(ConvOp op, int variant, const ConvOperands<float>& last) override {
    const Scratch image(bytes_of(image_)), map(bytes_of(map_)),
        weights(bytes_of(weights_));
    const ConvOperands<float> rows = {image.as<float>(), map.as<float>(),
                                      weights.as<float>()};
    if (op != ConvOp::kAdjoint) to_row_major(image_, last.image, rows.image);
    if (op != ConvOp::kCorrelate) to_row_major(map_, last.map, rows.map);
    to_row_major(weights_, last.weights, rows.weights);
    plain_->Run(op, variant, rows);
    if (op == ConvOp::kCorrelate) to_channels_last(map_, rows.map, last.map);
    if (op == ConvOp::kAdjoint) to_channels_last(image_, rows.image, last.image);
    if (op == ConvOp::kWeightGradient) {
      to_channels_last(weights_, rows.weights, last.weights);
    }
  }

 private:
  std::unique_ptr<ConvolutionOps<float>> plain_;
  ChannelsLast image_, map_, weights_;
};

}  // namespace

std::unique_ptr<ConvolutionOps<float>> make_reordering_convolution(
    const ConvShape& shape, std::unique_ptr<ConvolutionOps<float>> plain) {
  return std::make_unique<ReorderingConvolution>(shape, std::move(plain));
}

}  // namespace device
}  // namespace caffe

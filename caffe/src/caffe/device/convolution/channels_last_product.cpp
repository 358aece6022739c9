// Pointwise convolutions channels-last: one product of matrices, whole batch at once.
#include "caffe/device/blas.hpp"
#include "caffe/device/convolution_ops.hpp"

namespace caffe {
namespace device {

namespace {

/// image (positions, C), map (positions, O), weights (O, C).
class ChannelsLastProduct : public ConvolutionOps<float> {
 public:
  explicit ChannelsLastProduct(const ConvShape& s)
      : positions_(s.num * static_cast<int>(ConvShape::volume(s.map()))),
        image_channels_(s.image_channels()),
        map_channels_(s.map_channels()) {}

  bool channels_last() const override { return true; }
  int variants(ConvOp) override { return 1; }
  std::string name(ConvOp, int) override { return "channels-last product"; }

  void Run(ConvOp op, int, const ConvOperands<float>& o) override {
    Gemm<float> p;
    if (op == ConvOp::kCorrelate) {
      p.transpose_b = true;
      p.m = positions_, p.n = map_channels_, p.k = image_channels_;
      p.a = o.image, p.b = o.weights, p.c = o.map;
    } else if (op == ConvOp::kAdjoint) {
      p.m = positions_, p.n = image_channels_, p.k = map_channels_;
      p.a = o.map, p.b = o.weights, p.c = o.image;
    } else {
      p.transpose_a = true;
      p.m = map_channels_, p.n = image_channels_, p.k = positions_;
      p.a = o.map, p.b = o.image, p.c = o.weights;
      p.beta = 1;
    }
    gemm(p);
  }

 private:
  int positions_, image_channels_, map_channels_;
};

}  // namespace

std::unique_ptr<ConvolutionOps<float>> make_channels_last_product(
    const ConvShape& shape) {
  if (!shape.pointwise() || shape.group != 1) return nullptr;
  return std::make_unique<ChannelsLastProduct>(shape);
}

}  // namespace device
}  // namespace caffe

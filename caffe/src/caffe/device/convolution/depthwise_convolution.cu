// Depthwise convolutions: one thread an output.
#include "caffe/device/convolution_ops.hpp"
#include "caffe/device/launch.hpp"
#include "unfolding.hpp"

namespace caffe {
namespace device {

namespace {

template <typename Dtype>
struct WeightedValue {
  const Dtype* map;
  const Dtype* weights;
  CAFFE_HD Dtype operator()(int tap, int at) const { return weights[tap] * map[at]; }
};

template <typename Dtype>
void depthwise_correlate(const Unfolding& u, int planes, int channels, const Dtype* image,
                         const Dtype* weights, Dtype* map) {
  launch(
      planes * u.map_positions, CAFFE_LAMBDA(int i) {
        const int plane = i / u.map_positions, position = i % u.map_positions;
        const Dtype* from = image + plane * u.image_positions;
        const Dtype* w = weights + plane % channels * u.taps;
        Dtype sum = 0;
        for (int tap = 0; tap < u.taps; ++tap) {
          const int at = u.ImagePosition(position, tap);
          if (at >= 0) sum += w[tap] * from[at];
        }
        map[i] = sum;
      });
}

template <typename Dtype>
void depthwise_adjoint(const Unfolding& u, int planes, int channels, const Dtype* map,
                       const Dtype* weights, Dtype* image) {
  launch(
      planes * u.image_positions, CAFFE_LAMBDA(int i) {
        const int plane = i / u.image_positions, position = i % u.image_positions;
        const Dtype* from = map + plane * u.map_positions;
        const Dtype* w = weights + plane % channels * u.taps;
        image[i] = sum_over_pixel<Dtype>(u, position, WeightedValue<Dtype>{from, w});
      });
}

template <typename Dtype>
void depthwise_weights(const Unfolding& u, int num, int channels, const Dtype* image,
                       const Dtype* map, Dtype* weights) {
  launch_row_sums<Dtype>(
      channels * u.taps, num * u.map_positions,
      CAFFE_LAMBDA(int row, int i) {
        const int plane = i / u.map_positions * channels + row / u.taps;
        const int position = i % u.map_positions;
        const int at = u.ImagePosition(position, row % u.taps);
        return at < 0 ? Dtype(0)
                      : image[plane * u.image_positions + at] *
                            map[plane * u.map_positions + position];
      },
      CAFFE_LAMBDA(int row, Dtype sum) { weights[row] += sum; });
}

template <typename Dtype>
class DepthwiseConvolution : public ConvolutionOps<Dtype> {
 public:
  explicit DepthwiseConvolution(const ConvShape& shape)
      : shape_(shape), unfolding_(shape) {}
  int variants(ConvOp) override { return 1; }
  std::string name(ConvOp, int) override { return "depthwise"; }
  void Run(ConvOp op, int, const ConvOperands<Dtype>& o) override {
    const int planes = shape_.num * shape_.channels;
    if (op == ConvOp::kCorrelate) {
      depthwise_correlate<Dtype>(unfolding_, planes, shape_.channels, o.image, o.weights,
                                 o.map);
    } else if (op == ConvOp::kAdjoint) {
      depthwise_adjoint<Dtype>(unfolding_, planes, shape_.channels, o.map, o.weights,
                               o.image);
    } else {
      depthwise_weights<Dtype>(unfolding_, shape_.num, shape_.channels, o.image, o.map,
                               o.weights);
    }
  }

 private:
  ConvShape shape_;
  Unfolding unfolding_;
};

}  // namespace

template <typename Dtype>
std::unique_ptr<ConvolutionOps<Dtype>> make_depthwise_convolution(
    const ConvShape& shape) {
  if (!shape.depthwise() || shape.spatial_axes() > kMostAxes) return nullptr;
  return std::make_unique<DepthwiseConvolution<Dtype>>(shape);
}
template std::unique_ptr<ConvolutionOps<float>> make_depthwise_convolution(
    const ConvShape&);
template std::unique_ptr<ConvolutionOps<double>> make_depthwise_convolution(
    const ConvShape&);

}  // namespace device
}  // namespace caffe

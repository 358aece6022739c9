// Convolutions with one to four outputs, two spatial axes: predictions of masks and flow.
//
// A product of matrices with so few rows leaves most of a GPU idle. Here a thread owns an
// output position and a part of the channels; the parts are summed in a second pass, in
// order.
#include <algorithm>

#include "caffe/device/convolution_ops.hpp"
#include "caffe/device/divisor.hpp"
#include "caffe/device/launch.hpp"
#include "caffe/device/scratch.hpp"

namespace caffe {
namespace device {

namespace {

constexpr int kMostOutputs = 4;
constexpr int kWantedThreads = 132 * 1024;  // fills a large GPU
constexpr int kLeastChannels = 8;           // of a part

struct NarrowShape {
  int num, channels, outputs, height, width, map_height, map_width;
  int kernel_h, kernel_w, stride_h, stride_w, pad_h, pad_w, dilation_h, dilation_w;
  int parts, part_channels;

  explicit NarrowShape(const ConvShape& s)
      : num(s.num),
        channels(s.image_channels()),
        outputs(s.map_channels()),
        height(s.image()[0]),
        width(s.image()[1]),
        map_height(s.map()[0]),
        map_width(s.map()[1]),
        kernel_h(s.kernel[0]),
        kernel_w(s.kernel[1]),
        stride_h(s.stride[0]),
        stride_w(s.stride[1]),
        pad_h(s.pad[0]),
        pad_w(s.pad[1]),
        dilation_h(s.dilation[0]),
        dilation_w(s.dilation[1]) {
    const int threads = std::max(1, num * positions());
    parts = std::min(std::max(1, kWantedThreads / threads),
                     std::max(1, channels / kLeastChannels));
    part_channels = (channels - 1) / parts + 1;
    parts = (channels - 1) / part_channels + 1;
  }
  CAFFE_HD int positions() const { return map_height * map_width; }
};

/// partial (parts, num, outputs, positions): each thread one position of one part.
template <typename Dtype, int kOutputs>
struct PartialSums {
  NarrowShape s;
  Divisor positions, map_width, num;
  const Dtype* image;
  const Dtype* weights;
  Dtype* partial;

  CAFFE_HD void operator()(int i) const {
    const int item = positions.quotient(i), position = i - item * s.positions();
    const int part = num.quotient(item), n = item - part * s.num;
    const int y = map_width.quotient(position), x = position - y * s.map_width;
    const int top = y * s.stride_h - s.pad_h, left = x * s.stride_w - s.pad_w;
    const int taps = s.kernel_h * s.kernel_w, plane = s.height * s.width;
    Dtype sum[kOutputs] = {};
    int c = part * s.part_channels;
    const int end = c + s.part_channels < s.channels ? c + s.part_channels : s.channels;
    for (; c < end; ++c) {
      const Dtype* from = image + (n * s.channels + c) * plane;
      const Dtype* w = weights + c * taps;
      for (int ky = 0; ky < s.kernel_h; ++ky) {
        const int h = top + ky * s.dilation_h;
        if (h < 0 || h >= s.height) continue;
        for (int kx = 0; kx < s.kernel_w; ++kx) {
          const int v = left + kx * s.dilation_w;
          if (v < 0 || v >= s.width) continue;
          const Dtype value = from[h * s.width + v];
          for (int m = 0; m < kOutputs; ++m) {
            sum[m] += w[m * s.channels * taps + ky * s.kernel_w + kx] * value;
          }
        }
      }
    }
    for (int m = 0; m < kOutputs; ++m) {
      partial[(item * kOutputs + m) * s.positions() + position] = sum[m];
    }
  }
};

template <typename Dtype>
void sum_parts_in_order(int count, int parts, const Dtype* partial, Dtype* map) {
  launch(
      count, CAFFE_LAMBDA(int i) {
        Dtype sum = 0;
        for (int part = 0; part < parts; ++part) sum += partial[part * count + i];
        map[i] = sum;
      });
}

template <typename Dtype, int kOutputs>
void correlate(const NarrowShape& s, const Dtype* image, const Dtype* weights,
               Dtype* map) {
  const int count = s.num * kOutputs * s.positions();
  const Scratch scratch(s.parts > 1 ? sizeof(Dtype) * count * s.parts : 0);
  Dtype* partial = s.parts > 1 ? scratch.template as<Dtype>() : map;
  launch(s.parts * s.num * s.positions(),
         PartialSums<Dtype, kOutputs>{s, Divisor(s.positions()), Divisor(s.map_width),
                                      Divisor(s.num), image, weights, partial});
  if (s.parts > 1) sum_parts_in_order(count, s.parts, partial, map);
}

template <typename Dtype>
class NarrowConvolution : public ConvolutionOps<Dtype> {
 public:
  explicit NarrowConvolution(const ConvShape& shape) : shape_(shape) {}
  int variants(ConvOp op) override { return op == ConvOp::kCorrelate ? 1 : 0; }
  std::string name(ConvOp, int) override { return "narrow"; }
  void Run(ConvOp, int, const ConvOperands<Dtype>& o) override {
    switch (shape_.outputs) {
      case 1:
        return correlate<Dtype, 1>(shape_, o.image, o.weights, o.map);
      case 2:
        return correlate<Dtype, 2>(shape_, o.image, o.weights, o.map);
      case 3:
        return correlate<Dtype, 3>(shape_, o.image, o.weights, o.map);
      default:
        return correlate<Dtype, 4>(shape_, o.image, o.weights, o.map);
    }
  }

 private:
  NarrowShape shape_;
};

}  // namespace

template <typename Dtype>
std::unique_ptr<ConvolutionOps<Dtype>> make_narrow_convolution(const ConvShape& shape) {
  if (shape.spatial_axes() != 2 || shape.group != 1) return nullptr;
  if (shape.map_channels() > kMostOutputs || shape.num == 0) return nullptr;
  return std::make_unique<NarrowConvolution<Dtype>>(shape);
}
template std::unique_ptr<ConvolutionOps<float>> make_narrow_convolution(const ConvShape&);
template std::unique_ptr<ConvolutionOps<double>> make_narrow_convolution(
    const ConvShape&);

}  // namespace device
}  // namespace caffe

// Convolution by unfolding and products of matrices, and the steps around a convolution.
#include <algorithm>

#include "caffe/device/blas.hpp"
#include "caffe/device/convolution_ops.hpp"
#include "caffe/device/launch.hpp"
#include "caffe/device/scratch.hpp"
#include "caffe/util/logging.hpp"

namespace caffe {
namespace device {

namespace {

constexpr int kMostAxes = 6;
constexpr std::int64_t kColumnBytes = std::int64_t{256} << 20;

/// A ConvShape for kernels: one group of one image.
struct Unfolding {
  int axes = 0, taps = 1, map_positions = 1, image_positions = 1;
  int image[kMostAxes] = {}, map[kMostAxes] = {}, kernel[kMostAxes] = {};
  int stride[kMostAxes] = {}, pad[kMostAxes] = {}, dilation[kMostAxes] = {};

  explicit Unfolding(const ConvShape& shape) : axes(shape.spatial_axes()) {
    CHECK_VALUE(axes <= kMostAxes) << "convolutions on a GPU take up to " << kMostAxes
                                   << " spatial axes; this one has " << axes;
    for (int a = 0; a < axes; ++a) {
      image[a] = shape.image()[a];
      map[a] = shape.map()[a];
      kernel[a] = shape.kernel[a];
      stride[a] = shape.stride[a];
      pad[a] = shape.pad[a];
      dilation[a] = shape.dilation[a];
      taps *= kernel[a];
      map_positions *= map[a];
      image_positions *= image[a];
    }
  }

  /// Where tap `tap` of map position `position` lies in the image; -1: outside.
  CAFFE_HD int ImagePosition(int position, int tap) const {
    int offset = 0, scale = 1;
    for (int a = axes - 1; a >= 0; --a) {
      const int at =
          position % map[a] * stride[a] - pad[a] + tap % kernel[a] * dilation[a];
      if (at < 0 || at >= image[a]) return -1;
      offset += at * scale;
      scale *= image[a];
      position /= map[a];
      tap /= kernel[a];
    }
    return offset;
  }
  /// The map position whose tap `tap` lies on image position `position`; -1: none.
  CAFFE_HD int MapPosition(int position, int tap) const {
    int offset = 0, scale = 1;
    for (int a = axes - 1; a >= 0; --a) {
      const int room = position % image[a] + pad[a] - tap % kernel[a] * dilation[a];
      if (room < 0 || room % stride[a] != 0 || room / stride[a] >= map[a]) return -1;
      offset += room / stride[a] * scale;
      scale *= map[a];
      position /= image[a];
      tap /= kernel[a];
    }
    return offset;
  }
};

/// columns (images, channels * taps, map positions) of `images` images.
template <typename Dtype>
void unfold(const Unfolding& u, int images, int channels, const Dtype* image,
            Dtype* columns) {
  const int rows = channels * u.taps;
  launch(
      images * rows * u.map_positions, CAFFE_LAMBDA(int i) {
        const int row = i / u.map_positions, position = i % u.map_positions;
        const int from = u.ImagePosition(position, row % u.taps);
        columns[i] = from < 0 ? Dtype(0) : image[row / u.taps * u.image_positions + from];
      });
}

/// The same in two axes, with less arithmetic: a row of the map a step.
template <typename Dtype>
void unfold_plane(const Unfolding& u, int images, int channels, const Dtype* image,
                  Dtype* columns) {
  const int kernel_w = u.kernel[1], map_w = u.map[1], map_h = u.map[0];
  const int height = u.image[0], width = u.image[1];
  const int stride_h = u.stride[0], stride_w = u.stride[1];
  const int pad_h = u.pad[0], pad_w = u.pad[1];
  const int dilation_h = u.dilation[0], dilation_w = u.dilation[1], taps = u.taps;
  launch(
      images * channels * map_h * map_w, CAFFE_LAMBDA(int i) {
        const int x = i % map_w, rest = i / map_w, y = rest % map_h, plane = rest / map_h;
        const Dtype* from = image + plane * (height * width);
        Dtype* to = columns + (plane * taps * map_h + y) * map_w + x;
        const int left = x * stride_w - pad_w;
        int tap_x = 0, h = y * stride_h - pad_h, w = left;
        for (int tap = 0; tap < taps; ++tap) {
          const bool inside = h >= 0 && h < height && w >= 0 && w < width;
          *to = inside ? from[h * width + w] : Dtype(0);
          to += map_h * map_w;
          w += dilation_w;
          if (++tap_x == kernel_w) {
            tap_x = 0;
            w = left;
            h += dilation_h;
          }
        }
      });
}

/// image = the adjoint of unfold.
template <typename Dtype>
void fold(const Unfolding& u, int images, int channels, const Dtype* columns,
          Dtype* image) {
  launch(
      images * channels * u.image_positions, CAFFE_LAMBDA(int i) {
        const int plane = i / u.image_positions, position = i % u.image_positions;
        const Dtype* rows = columns + plane * u.taps * u.map_positions;
        Dtype sum = 0;
        for (int tap = 0; tap < u.taps; ++tap) {
          const int at = u.MapPosition(position, tap);
          if (at >= 0) sum += rows[tap * u.map_positions + at];
        }
        image[i] = sum;
      });
}

/// The taps of one axis that lie on an image position: with dilation 1 every stride-th
/// one.
struct TapsOfPixel {
  int first, step, kernel, room, stride, dilation, map;
  CAFFE_HD TapsOfPixel(const Unfolding& u, int axis, int position)
      : room(position + u.pad[axis]),
        stride(u.stride[axis]),
        dilation(u.dilation[axis]),
        map(u.map[axis]) {
    kernel = u.kernel[axis];
    first = dilation == 1 ? room % stride : 0;
    step = dilation == 1 ? stride : 1;
  }
  /// The map position of a tap; -1: none.
  CAFFE_HD int MapPosition(int tap) const {
    const int rest = room - tap * dilation;
    if (rest < 0 || rest % stride != 0 || rest / stride >= map) return -1;
    return rest / stride;
  }
};

/// The sum over taps of value(tap, map position) that fall on pixel `position` of a
/// plane.
template <typename Sum, typename Value>
CAFFE_HD Sum sum_over_pixel(const Unfolding& u, int position, const Value& value) {
  const int width = u.image[1];
  const TapsOfPixel rows(u, 0, position / width), columns(u, 1, position % width);
  Sum sum(0);
  for (int i = rows.first; i < rows.kernel; i += rows.step) {
    const int y = rows.MapPosition(i);
    if (y < 0) continue;
    for (int j = columns.first; j < columns.kernel; j += columns.step) {
      const int x = columns.MapPosition(j);
      if (x >= 0) sum += value(i * columns.kernel + j, y * columns.map + x);
    }
  }
  return sum;
}

template <typename Dtype>
struct ColumnValue {
  const Dtype* rows;
  int positions;
  CAFFE_HD Dtype operator()(int tap, int at) const { return rows[tap * positions + at]; }
};

template <typename Dtype>
struct WeightedValue {
  const Dtype* map;
  const Dtype* weights;
  CAFFE_HD Dtype operator()(int tap, int at) const { return weights[tap] * map[at]; }
};

/// fold in two axes.
template <typename Dtype>
void fold_plane(const Unfolding& u, int images, int channels, const Dtype* columns,
                Dtype* image) {
  launch(
      images * channels * u.image_positions, CAFFE_LAMBDA(int i) {
        const int plane = i / u.image_positions, position = i % u.image_positions;
        const ColumnValue<Dtype> value{
            columns + static_cast<std::int64_t>(plane) * u.taps * u.map_positions,
            u.map_positions};
        image[i] = sum_over_pixel<Dtype>(u, position, value);
      });
}

template <typename Dtype>
class GemmConvolution : public ConvolutionOps<Dtype> {
 public:
  explicit GemmConvolution(const ConvShape& shape)
      : shape_(shape),
        unfolding_(shape),
        image_channels_(shape.image_channels() / shape.group),
        map_channels_(shape.map_channels() / shape.group) {}

  int variants(ConvOp) override { return 1; }
  std::string name(ConvOp, int) override {
    return shape_.pointwise() ? "product" : "unfolding and product";
  }

  void Run(ConvOp op, int, const ConvOperands<Dtype>& operands) override {
    const std::int64_t column_count = std::int64_t{image_channels_} * shape_.group *
                                      unfolding_.taps * unfolding_.map_positions;
    const bool direct = shape_.pointwise();
    CHECK_VALUE(direct || column_count <= INT_MAX)
        << "a convolution of this size needs cuDNN: its unfolded image has "
        << column_count << " numbers";
    const std::int64_t fitting =
        std::min<std::int64_t>(kColumnBytes / sizeof(Dtype), INT_MAX) /
        std::max<std::int64_t>(1, column_count);
    const int step =
        direct ? shape_.num
               : std::max<int>(
                     1, static_cast<int>(std::min<std::int64_t>(shape_.num, fitting)));
    const Scratch columns(direct ? 0 : sizeof(Dtype) * column_count * step);
    for (int n = 0; n < shape_.num; n += step) {
      const int images = std::min(step, shape_.num - n);
      ConvOperands<Dtype> part = operands;
      part.image +=
          std::int64_t{n} * shape_.image_channels() * unfolding_.image_positions;
      part.map += std::int64_t{n} * shape_.map_channels() * unfolding_.map_positions;
      RunPart(op, images, part, direct ? part.image : columns.as<Dtype>());
    }
  }

 private:
  void RunPart(ConvOp op, int images, const ConvOperands<Dtype>& part, Dtype* columns) {
    const bool unfolds = columns != part.image;
    const int channels = shape_.image_channels();
    if (unfolds && op != ConvOp::kAdjoint) {
      if (unfolding_.axes == 2) {
        unfold_plane(unfolding_, images, channels, part.image, columns);
      } else {
        unfold(unfolding_, images, channels, part.image, columns);
      }
    }
    Multiply(op, images, part, columns);
    if (unfolds && op == ConvOp::kAdjoint) {
      if (unfolding_.axes == 2) {
        fold_plane(unfolding_, images, channels, columns, part.image);
      } else {
        fold(unfolding_, images, channels, columns, part.image);
      }
    }
  }

  /// The products of all groups; images are a batch, and groups where there is one image.
  void Multiply(ConvOp op, int images, const ConvOperands<Dtype>& part, Dtype* columns) {
    const int rows = image_channels_ * unfolding_.taps,
              positions = unfolding_.map_positions;
    const std::int64_t column_step = std::int64_t{rows} * positions;
    const std::int64_t map_step = std::int64_t{map_channels_} * positions;
    const std::int64_t weight_step = std::int64_t{map_channels_} * rows;
    const int groups = shape_.group;
    const bool over_groups = images == 1 && op != ConvOp::kWeightGradient;
    for (int outer = 0; outer < (over_groups ? 1 : groups); ++outer) {
      Gemm<Dtype> p;
      Dtype* weights = part.weights + outer * weight_step;
      Dtype* map = part.map + outer * map_step;
      Dtype* column = columns + outer * column_step;
      p.batch = over_groups ? groups : images;
      const std::int64_t stride_map = over_groups ? map_step : map_step * groups;
      const std::int64_t stride_column = over_groups ? column_step : column_step * groups;
      const std::int64_t stride_weights = over_groups ? weight_step : 0;
      if (op == ConvOp::kCorrelate) {
        p.m = map_channels_, p.n = positions, p.k = rows;
        p.a = weights, p.b = column, p.c = map;
        p.stride_a = stride_weights, p.stride_b = stride_column, p.stride_c = stride_map;
        gemm(p);
      } else if (op == ConvOp::kAdjoint) {
        p.transpose_a = true;
        p.m = rows, p.n = positions, p.k = map_channels_;
        p.a = weights, p.b = map, p.c = column;
        p.stride_a = stride_weights, p.stride_b = stride_map, p.stride_c = stride_column;
        gemm(p);
      } else {
        p.transpose_b = true;
        p.m = map_channels_, p.n = rows, p.k = positions;
        p.beta = 1;
        p.batch = 1;
        p.c = weights;
        for (int n = 0; n < images; ++n) {  // they add into one gradient
          p.a = map + n * map_step * groups;
          p.b = column + n * column_step * groups;
          gemm(p);
        }
      }
    }
  }

  ConvShape shape_;
  Unfolding unfolding_;
  int image_channels_, map_channels_;
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
        if (u.axes == 2) {
          image[i] = sum_over_pixel<Dtype>(u, position, WeightedValue<Dtype>{from, w});
          return;
        }
        Dtype sum = 0;
        for (int tap = 0; tap < u.taps; ++tap) {
          const int at = u.MapPosition(position, tap);
          if (at >= 0) sum += w[tap] * from[at];
        }
        image[i] = sum;
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
std::unique_ptr<ConvolutionOps<Dtype>> make_gemm_convolution(const ConvShape& shape) {
  return std::make_unique<GemmConvolution<Dtype>>(shape);
}

template <typename Dtype>
std::unique_ptr<ConvolutionOps<Dtype>> make_depthwise_convolution(
    const ConvShape& shape) {
  if (!shape.depthwise() || shape.spatial_axes() > kMostAxes) return nullptr;
  return std::make_unique<DepthwiseConvolution<Dtype>>(shape);
}

template <typename Dtype>
void apply_map_tail(const MapTail<Dtype>& tail, Dtype* map) {
  launch(
      tail.num * tail.channels * tail.positions, CAFFE_LAMBDA(int i) {
        Dtype value = map[i];
        if (tail.bias != nullptr) value += tail.bias[i / tail.positions % tail.channels];
        if (tail.addend != nullptr) value += tail.addend[i];
        if (value < 0) value *= tail.slope;
        if (tail.clip) {
          value = value < tail.lower   ? tail.lower
                  : value > tail.upper ? tail.upper
                                       : value;
        }
        map[i] = value;
      });
}

template <typename Dtype>
void add_channel_sums(int num, int channels, int positions, const Dtype* map,
                      Dtype* sums) {
  launch_row_sums<Dtype>(
      channels, num * positions,
      CAFFE_LAMBDA(int channel, int i) {
        const int n = num == 1 ? 0 : i / positions;
        return map[(n * channels + channel) * positions + i - n * positions];
      },
      CAFFE_LAMBDA(int channel, Dtype sum) { sums[channel] += sum; });
}

#define CAFFE_INSTANTIATE_CONVOLUTION(T)                                               \
  template std::unique_ptr<ConvolutionOps<T>> make_gemm_convolution(const ConvShape&); \
  template std::unique_ptr<ConvolutionOps<T>> make_depthwise_convolution(              \
      const ConvShape&);                                                               \
  template void apply_map_tail(const MapTail<T>&, T*);                                 \
  template void add_channel_sums(int, int, int, const T*, T*)
CAFFE_INSTANTIATE_CONVOLUTION(float);
CAFFE_INSTANTIATE_CONVOLUTION(double);
#undef CAFFE_INSTANTIATE_CONVOLUTION

}  // namespace device
}  // namespace caffe

// Convolution by unfolding and products of matrices.
//
// What is unfolded at once is bounded: some images, or a strip of one image's map
// positions.
#include <algorithm>
#include <climits>
#include <string>
#include <type_traits>

#include "caffe/device/blas.hpp"
#include "caffe/device/convolution_ops.hpp"
#include "caffe/device/launch.hpp"
#include "caffe/device/scratch.hpp"
#include "caffe/device/split_product.hpp"
#include "unfolding.hpp"

namespace caffe {
namespace device {

namespace {

/// Map positions [first, first + count).
struct Strip {
  int first = 0, count = 0;
};

/// columns (images, channels * taps, strip positions) of `images` images.
template <typename Dtype>
void unfold(const Unfolding& u, const Strip& strip, int images, int channels,
            const Dtype* image, Dtype* columns) {
  const int rows = channels * u.taps, first = strip.first, count = strip.count;
  launch(
      images * rows * count, CAFFE_LAMBDA(int i) {
        const int row = i / count, position = first + i % count;
        const int from = u.ImagePosition(position, row % u.taps);
        columns[i] = from < 0 ? Dtype(0) : image[row / u.taps * u.image_positions + from];
      });
}

/// The same in two axes, with less arithmetic: all taps of a position a thread.
template <typename Dtype>
void unfold_plane(const Unfolding& u, const Strip& strip, int images, int channels,
                  const Dtype* image, Dtype* columns) {
  const int kernel_w = u.kernel[1], map_w = u.map[1];
  const int height = u.image[0], width = u.image[1];
  const int stride_h = u.stride[0], stride_w = u.stride[1];
  const int pad_h = u.pad[0], pad_w = u.pad[1];
  const int dilation_h = u.dilation[0], dilation_w = u.dilation[1], taps = u.taps;
  const int first = strip.first, count = strip.count;
  launch(
      images * channels * count, CAFFE_LAMBDA(int i) {
        const int plane = i / count, at = i % count;
        const int y = (first + at) / map_w, x = (first + at) % map_w;
        const Dtype* from = image + plane * (height * width);
        Dtype* to = columns + plane * taps * count + at;
        const int left = x * stride_w - pad_w;
        int tap_x = 0, h = y * stride_h - pad_h, w = left;
        for (int tap = 0; tap < taps; ++tap) {
          const bool inside = h >= 0 && h < height && w >= 0 && w < width;
          *to = inside ? from[h * width + w] : Dtype(0);
          to += count;
          w += dilation_w;
          if (++tap_x == kernel_w) {
            tap_x = 0;
            w = left;
            h += dilation_h;
          }
        }
      });
}

/// A strip's columns of one plane, by tap and map position; 0 outside of the strip.
template <typename Dtype>
struct ColumnValue {
  const Dtype* rows;
  int first, count;
  CAFFE_HD Dtype operator()(int tap, int position) const {
    const int at = position - first;
    return at < 0 || at >= count ? Dtype(0) : rows[tap * count + at];
  }
};

/// image += the adjoint of unfold; the first strip overwrites.
template <typename Dtype>
void fold(const Unfolding& u, const Strip& strip, int images, int channels,
          const Dtype* columns, Dtype* image) {
  const Strip of = strip;
  launch(
      images * channels * u.image_positions, CAFFE_LAMBDA(int i) {
        const int plane = i / u.image_positions, position = i % u.image_positions;
        const ColumnValue<Dtype> value{columns + plane * u.taps * of.count, of.first,
                                       of.count};
        const Dtype sum = sum_over_pixel<Dtype>(u, position, value);
        image[i] = of.first > 0 ? image[i] + sum : sum;
      });
}

template <typename Dtype>
class GemmConvolution : public ConvolutionOps<Dtype> {
 public:
  GemmConvolution(const ConvShape& shape, std::int64_t column_bytes)
      : shape_(shape),
        column_bytes_(column_bytes),
        unfolding_(shape),
        image_channels_(shape.image_channels() / shape.group),
        map_channels_(shape.map_channels() / shape.group) {}

  /// 0: plain products, 1: split ones.
  int variants(ConvOp) override {
    const bool may_split = sizeof(Dtype) == 4 && !tf32_allowed();
    return may_split && split_products_wanted() ? 2 : 1;
  }
  std::string name(ConvOp, int variant) override {
    const std::string product = variant == 1 ? "split product" : "product";
    return shape_.pointwise() ? product : "unfolding and " + product;
  }

  void Run(ConvOp op, int variant, const ConvOperands<Dtype>& operands) override {
    splits_ = variant == 1;
    const int positions = unfolding_.map_positions;
    const Strip whole{0, positions};
    if (shape_.pointwise()) {
      Multiply(op, shape_.num, whole, operands, operands.image);
      return;
    }
    const std::int64_t rows = std::int64_t{shape_.image_channels()} * unfolding_.taps;
    const std::int64_t most_bytes =
        std::min<std::int64_t>(column_bytes_, sizeof(Dtype) * std::int64_t{INT_MAX});
    const std::int64_t fitting =
        std::max<std::int64_t>(1, most_bytes / (sizeof(Dtype) * rows));  // positions
    if (fitting < positions) {
      RunStrips(op, static_cast<int>(fitting), operands);
      return;
    }
    const int step = static_cast<int>(
        std::min<std::int64_t>(shape_.num, fitting / std::max(1, positions)));
    const Scratch columns(sizeof(Dtype) * rows * positions * step);
    for (int n = 0; n < shape_.num; n += step) {
      RunPart(op, std::min(step, shape_.num - n), whole, ItemsFrom(n, operands),
              columns.as<Dtype>());
    }
  }

 private:
  ConvOperands<Dtype> ItemsFrom(int n, ConvOperands<Dtype> operands) const {
    operands.image +=
        std::int64_t{n} * shape_.image_channels() * unfolding_.image_positions;
    operands.map += std::int64_t{n} * shape_.map_channels() * unfolding_.map_positions;
    return operands;
  }

  /// Image after image, each in strips of about the same size.
  void RunStrips(ConvOp op, int fitting, const ConvOperands<Dtype>& operands) {
    const int positions = unfolding_.map_positions;
    const int strips = (positions + fitting - 1) / fitting;
    const int length = (positions + strips - 1) / strips;
    const Scratch columns(sizeof(Dtype) * std::size_t(shape_.image_channels()) *
                          unfolding_.taps * length);
    for (int n = 0; n < shape_.num; ++n) {
      for (int first = 0; first < positions; first += length) {
        const Strip strip{first, std::min(length, positions - first)};
        RunPart(op, 1, strip, ItemsFrom(n, operands), columns.as<Dtype>());
      }
    }
  }

  void RunPart(ConvOp op, int images, const Strip& strip, const ConvOperands<Dtype>& part,
               Dtype* columns) {
    const int channels = shape_.image_channels();
    if (op != ConvOp::kAdjoint) {
      const auto unfold_part = unfolding_.axes == 2 ? unfold_plane<Dtype> : unfold<Dtype>;
      unfold_part(unfolding_, strip, images, channels, part.image, columns);
    }
    Multiply(op, images, strip, part, columns);
    if (op == ConvOp::kAdjoint) {
      fold<Dtype>(unfolding_, strip, images, channels, columns, part.image);
    }
  }

  void Product(const Gemm<Dtype>& p) const {
    if constexpr (std::is_same<Dtype, float>::value) {
      if (splits_) {
        split_gemm(p);
        return;
      }
    }
    gemm(p);
  }

  /// The products of all groups; images are a batch, and groups where there is one image.
  void Multiply(ConvOp op, int images, const Strip& strip,
                const ConvOperands<Dtype>& part, Dtype* columns) {
    const int rows = image_channels_ * unfolding_.taps;
    const int positions = unfolding_.map_positions;
    const std::int64_t column_step = std::int64_t{rows} * strip.count;
    const std::int64_t map_step = std::int64_t{map_channels_} * positions;
    const std::int64_t weight_step = std::int64_t{map_channels_} * rows;
    const int groups = shape_.group;
    const bool over_groups = images == 1 && op != ConvOp::kWeightGradient;
    for (int outer = 0; outer < (over_groups ? 1 : groups); ++outer) {
      Gemm<Dtype> p;
      Dtype* weights = part.weights + outer * weight_step;
      Dtype* map = part.map + outer * map_step + strip.first;
      Dtype* column = columns + outer * column_step;
      p.batch = over_groups ? groups : images;
      const std::int64_t stride_map = over_groups ? map_step : map_step * groups;
      const std::int64_t stride_column = over_groups ? column_step : column_step * groups;
      const std::int64_t stride_weights = over_groups ? weight_step : 0;
      if (op == ConvOp::kCorrelate) {
        p.m = map_channels_, p.n = strip.count, p.k = rows;
        p.a = weights, p.b = column, p.c = map, p.row_c = positions;
        p.stride_a = stride_weights, p.stride_b = stride_column, p.stride_c = stride_map;
        Product(p);
      } else if (op == ConvOp::kAdjoint) {
        p.transpose_a = true;
        p.m = rows, p.n = strip.count, p.k = map_channels_;
        p.a = weights, p.b = map, p.row_b = positions, p.c = column;
        p.stride_a = stride_weights, p.stride_b = stride_map, p.stride_c = stride_column;
        Product(p);
      } else {
        p.transpose_b = true;
        p.m = map_channels_, p.n = rows, p.k = strip.count;
        p.beta = 1;
        p.batch = 1;
        p.row_a = positions;
        p.c = weights;
        for (int n = 0; n < images; ++n) {  // they add into one gradient
          p.a = map + n * map_step * groups;
          p.b = column + n * column_step * groups;
          Product(p);
        }
      }
    }
  }

  ConvShape shape_;
  std::int64_t column_bytes_;
  Unfolding unfolding_;
  int image_channels_, map_channels_;
  bool splits_ = false;
};

}  // namespace

template <typename Dtype>
std::unique_ptr<ConvolutionOps<Dtype>> make_gemm_convolution(const ConvShape& shape,
                                                             std::int64_t column_bytes) {
  return std::make_unique<GemmConvolution<Dtype>>(shape, column_bytes);
}
template std::unique_ptr<ConvolutionOps<float>> make_gemm_convolution(const ConvShape&,
                                                                      std::int64_t);
template std::unique_ptr<ConvolutionOps<double>> make_gemm_convolution(const ConvShape&,
                                                                       std::int64_t);

}  // namespace device
}  // namespace caffe

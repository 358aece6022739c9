// Warping by a flow: where each output pixel lies in the image, and which pixels it
// weighs.
#ifndef CAFFE_BACKEND_WARP_HPP_
#define CAFFE_BACKEND_WARP_HPP_

#include "caffe/blob.hpp"
#include "caffe/device/body.hpp"

namespace caffe {

/// Which published layer's rules hold.
enum class WarpRule {
  kFlowWarp,  ///< relative flow; inside: 0 <= X < W; the border pixel repeats beyond its
              ///< centre
  kRelative,  ///< PWC-Net: relative flow; inside: 0 <= X <= W - 1
  kAbsolute,  ///< LiteFlowNet: positions; a neighbour outside counts as 0
};

/// The sample of one output pixel: value = sum_k weight[k] I[index[k]] over four corners,
/// and the derivatives of that by X and Y as sums over corners of their own.
template <typename Dtype>
struct WarpSample {
  bool inside;
  int index[4];  ///< y * width + x; always inside the image
  Dtype weight[4];
  int u_index[4], v_index[4];
  Dtype u_weight[4], v_weight[4];
};

struct WarpShape {
  WarpRule rule = WarpRule::kFlowWarp;
  int height = 0, width = 0;          ///< of the image
  int out_height = 0, out_width = 0;  ///< of the flow and the result

  /// Output pixel (x, y), whose flow (or position) is (u, v).
  template <typename Dtype>
  CAFFE_HD WarpSample<Dtype> sample(int x, int y, Dtype u, Dtype v) const {
    const Dtype px = rule == WarpRule::kAbsolute ? u : x + u;
    const Dtype py = rule == WarpRule::kAbsolute ? v : y + v;
    WarpSample<Dtype> s = {};
    switch (rule) {  // a NaN is inside nowhere
      case WarpRule::kFlowWarp:
        s.inside = px >= 0 && py >= 0 && px < width && py < height;
        break;
      case WarpRule::kRelative:
        s.inside = px >= 0 && py >= 0 && px <= width - 1 && py <= height - 1;
        break;
      case WarpRule::kAbsolute:
        s.inside = px >= -1 && py >= -1 && px < width && py < height;
        break;
    }
    if (!s.inside) return s;
    const Side<Dtype> h = side(px, width), w = side(py, height);
    const Dtype column[2] = {h.keep_first * (1 - h.part), h.keep_second * h.part};
    const Dtype row[2] = {w.keep_first * (1 - w.part), w.keep_second * w.part};
    const Dtype column_slope[2] = {-h.slope * h.keep_first, h.slope * h.keep_second};
    const Dtype row_slope[2] = {-w.slope * w.keep_first, w.slope * w.keep_second};
    for (int k = 0; k < 4; ++k) {
      const int i = k % 2, j = k / 2;
      const int cx = i == 0 ? h.first : h.second, cy = j == 0 ? w.first : w.second;
      s.index[k] = cy * width + cx;
      s.weight[k] = row[j] * column[i];
      s.u_index[k] = cy * width + (i == 0 ? h.slope_first : h.slope_second);
      s.u_weight[k] = row[j] * column_slope[i];
      s.v_index[k] = (j == 0 ? w.slope_first : w.slope_second) * width + cx;
      s.v_weight[k] = row_slope[j] * column[i];
    }
    return s;
  }
  /// Whether the derivatives use the corners of the value itself.
  CAFFE_HD bool shares_corners() const { return rule != WarpRule::kRelative; }

 private:
  /// One axis: the two pixels, the share of the second, and the pixels and factor of the
  /// slope.
  template <typename Dtype>
  struct Side {
    int first, second, slope_first, slope_second;
    Dtype part, slope, keep_first, keep_second;
  };
  template <typename Dtype>
  CAFFE_HD Side<Dtype> side(Dtype p, int size) const {
    const int below = p < 0 ? -1 : static_cast<int>(p);
    const Dtype part = p - below;
    int first = below, second = below + 1;
    Dtype keep_first = 1, keep_second = 1;
    if (rule == WarpRule::kAbsolute) {
      keep_first = first >= 0 ? 1 : 0;
      keep_second = second < size ? 1 : 0;
      if (first < 0) first = second;
    }
    if (second > size - 1) second = size - 1;
    Side<Dtype> result = {first, second, first, second, part, 1, keep_first, keep_second};
    if (rule == WarpRule::kRelative && part == 0) {
      // On a pixel: the mean of both one-sided differences, a missing one counting as 0.
      result.slope_first = first > 0 ? first - 1 : 0;
      result.slope = Dtype(0.5);
    }
    return result;
  }
};

/// top (N, C, H', W') = image (N, C, H, W) at flow (N, 2, H', W'); `fill` where that is
/// outside.
template <typename Dtype>
void warp_forward(const WarpShape& shape, Dtype fill, const Blob<Dtype>& image,
                  const Blob<Dtype>& flow, Blob<Dtype>* top);

/// The diffs of image and flow from top's, each only if asked for, overwritten: the
/// flow's is 0 where the sample is outside. The order of summation does not depend on
/// threads.
template <typename Dtype>
void warp_backward(const WarpShape& shape, const Blob<Dtype>& top, bool image_wants_diff,
                   bool flow_wants_diff, Blob<Dtype>* image, Blob<Dtype>* flow);

/// The same on the device, in GPU mode (backend/warp.cu, warp_image_gradient.cu);
/// deterministic, too.
template <typename Dtype>
void warp_forward_gpu(const WarpShape& shape, Dtype fill, const Blob<Dtype>& image,
                      const Blob<Dtype>& flow, Blob<Dtype>* top);
template <typename Dtype>
void warp_backward_image_gpu(const WarpShape& shape, const Blob<Dtype>& top,
                             const Blob<Dtype>& flow, Blob<Dtype>* image);
template <typename Dtype>
void warp_backward_flow_gpu(const WarpShape& shape, const Blob<Dtype>& top,
                            const Blob<Dtype>& image, Blob<Dtype>* flow);

}  // namespace caffe

#endif  // CAFFE_BACKEND_WARP_HPP_

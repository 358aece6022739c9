// The chromatic half of an augmentation: colours along eigenvectors, then gamma and the
// like.
#ifndef CAFFE_LAYERS_AUGMENTATION_COLOUR_HPP_
#define CAFFE_LAYERS_AUGMENTATION_COLOUR_HPP_

#include <cmath>
#include <cstdint>

#include "caffe/layers/affine_map.hpp"
#include "caffe/layers/augmentation_coefficients.hpp"

namespace caffe {

/// Three axes in the space of the blob's channels, one a row (chromatic_eigvec).
template <typename T>
struct ColourAxes {
  T v[3][3];

  CAFFE_HD T Along(int axis, T a, T b, T c) const {
    return v[axis][0] * a + v[axis][1] * b + v[axis][2] * c;
  }
};

/// What the eigen-chromatic formulas know of the whole batch before it was cropped.
template <typename T>
struct ColourStatistics {
  T mean[3];        ///< of the channels
  T most[3];        ///< largest absolute component along each axis
  T mean_along[3];  ///< the mean's component along each axis, in units of `most`
  T length;         ///< of (most[0], most[1], most[2])
};

/// Sums and maxima of a part of the batch's pixels.
struct ColourPart {
  double sum[3], most[3];
};

/// Part p of `parts`, of the pixels of images (N, 3, plane): every parts-th pixel where
/// `strided` (neighbouring threads then read neighbouring pixels), else a contiguous run.
template <typename Dtype>
struct ColourPartsOf {
  ColourAxes<Dtype> axes;
  int pixels, plane, parts;
  bool strided;
  const Dtype* image;
  ColourPart* to;

  CAFFE_HD void operator()(int p) const {
    const std::int64_t all = pixels;
    const std::int64_t first = strided ? p : all * p / parts;
    const std::int64_t end = strided ? all : all * (p + 1) / parts;
    ColourPart part = {{0, 0, 0}, {0, 0, 0}};
    for (std::int64_t i = first; i < end; i += strided ? parts : 1) {
      const Dtype* pixel = image + (i / plane * 3 * plane + i % plane);
      const Dtype value[3] = {pixel[0], pixel[plane], pixel[2 * plane]};
      for (int k = 0; k < 3; ++k) {
        part.sum[k] += value[k];
        const double along = std::fabs(axes.Along(k, value[0], value[1], value[2]));
        if (along > part.most[k]) part.most[k] = along;
      }
    }
    to[p] = part;
  }
};

CAFFE_HD inline ColourPart merged(const ColourPart* parts, int count) {
  ColourPart all = parts[0];
  for (int p = 1; p < count; ++p) {
    for (int k = 0; k < 3; ++k) {
      all.sum[k] += parts[p].sum[k];
      if (parts[p].most[k] > all.most[k]) all.most[k] = parts[p].most[k];
    }
  }
  return all;
}

/// Every `run` parts to one.
struct ColourPartsMerge {
  int run;
  const ColourPart* from;
  ColourPart* to;

  CAFFE_HD void operator()(int p) const { to[p] = merged(from + p * run, run); }
};

/// The statistics out of all parts: an index space of one.
template <typename Dtype>
struct ColourStatisticsOf {
  ColourAxes<Dtype> axes;
  int pixels, parts;
  const ColourPart* from;
  ColourStatistics<Dtype>* to;

  CAFFE_HD void operator()(int) const {
    const ColourPart all = merged(from, parts);
    ColourStatistics<Dtype> s;
    for (int k = 0; k < 3; ++k) {
      s.mean[k] = static_cast<Dtype>(all.sum[k] / pixels);
      s.most[k] = static_cast<Dtype>(all.most[k]);
    }
    for (int k = 0; k < 3; ++k) {
      s.mean_along[k] = axes.Along(k, s.mean[0], s.mean[1], s.mean[2]);
      if (s.most[k] > Dtype(0.01)) s.mean_along[k] /= s.most[k];
    }
    s.length =
        std::sqrt(s.most[0] * s.most[0] + s.most[1] * s.most[1] + s.most[2] * s.most[2]);
    *to = s;
  }
};

template <typename T>
CAFFE_HD T signed_power(T base, T exponent) {
  if (exponent == T(1)) return base;
  const T power = std::pow(std::fabs(base), exponent);
  return base < 0 ? -power : (base > 0 ? power : T(0));
}

template <typename T>
CAFFE_HD T length_of(const T* e) {
  return std::sqrt(e[0] * e[0] + e[1] * e[1] + e[2] * e[2]);
}

/// Eigen-chromatic augmentation of one pixel v[3] (facts: layers_flow.md 6.5, whose steps
/// the comments number). Axes along which the batch has nothing (at most 0.01) stay.
template <typename T>
CAFFE_HD void apply_eigen(const ColourAxes<T>& axes, const ColourStatistics<T>& s,
                          const AugmentationCoefficients<T>& a, T max_multiplier, T* v) {
  const T least = T(0.01);
  T e[3];
  for (int k = 0; k < 3; ++k) {
    e[k] = axes.Along(k, v[0] - s.mean[0], v[1] - s.mean[1], v[2] - s.mean[2]);  // 1
    if (s.most[k] > least) {                                                     // 2
      e[k] = signed_power(e[k] / s.most[k], a.pow_nomean[k]);
      e[k] = (e[k] + a.add_nomean[k]) * a.mult_nomean[k];
    }
    e[k] += s.mean_along[k];  // 3
  }
  if (s.most[0] > least) {  // 4
    e[0] =
        (signed_power(e[0], a.pow_withmean[0]) + a.add_withmean[0]) * a.mult_withmean[0];
  }
  const T saturation = std::sqrt(e[1] * e[1] + e[2] * e[2]);  // 5
  T wanted = saturation;
  if (saturation > least) {
    wanted = signed_power(saturation, a.pow_withmean[1]) + a.add_withmean[1];
    wanted = (wanted > 0 ? wanted : T(0)) * a.mult_withmean[1];
  }
  if (a.col_angle != 0) {  // 6
    const T cosine = std::cos(a.col_angle), sine = std::sin(a.col_angle);
    const T turned = cosine * e[1] - sine * e[2];
    e[2] = sine * e[1] + cosine * e[2];
    e[1] = turned;
  }
  for (int k = 0; k < 3; ++k) {  // 7
    if (s.most[k] > least) e[k] *= s.most[k];
  }
  const T relative = s.length > least ? length_of(e) / s.length : T(0);  // 8
  if (saturation > least) {                                              // 9
    e[1] *= wanted / saturation;
    e[2] *= wanted / saturation;
  }
  if (s.length > least) {  // 10
    const T length = length_of(e);
    T longer = signed_power(relative, a.lmult_pow) + a.lmult_add;
    longer = (longer > 0 ? longer : T(0)) * a.lmult_mult * s.length;
    if (length > least) {
      for (int k = 0; k < 3; ++k) {
        e[k] *= longer / length;
        if (e[k] > s.most[k]) e[k] = s.most[k];
      }
    }
  }
  for (int c = 0; c < 3; ++c) {  // 11
    T value = axes.v[0][c] * e[0] + axes.v[1][c] * e[1] + axes.v[2][c] * e[2];
    if (value > max_multiplier) value = max_multiplier;
    v[c] = value > 0 ? value : T(0);
  }
}

/// Chromatic augmentation of one pixel v[3] in 0..1: colour at equal sum, gamma,
/// brightness, contrast (facts: layers_flow.md 6.6).
template <typename T>
CAFFE_HD void apply_chromatic(const AugmentationCoefficients<T>& a, T max_multiplier,
                              T* v) {
  const T sum = v[0] + v[1] + v[2];
  for (int c = 0; c < 3; ++c) v[c] *= a.color[c];
  const T back = sum / (v[0] + v[1] + v[2] + T(0.01));
  for (int c = 0; c < 3; ++c) {
    T value = v[c] * back;
    value = value > 1 ? T(1) : (value > 0 ? value : T(0));
    value = signed_power(value, a.gamma) + a.brightness;
    value = T(0.5) + (value - T(0.5)) * a.contrast;
    v[c] = value > max_multiplier ? max_multiplier : (value > 0 ? value : T(0));
  }
}

/// One or both of them on pixel i of crops (N, 3, plane), in place.
template <typename Dtype>
struct ColourPass {
  bool eigen, chromatic;
  ColourAxes<Dtype> axes;                     // eigen only
  const ColourStatistics<Dtype>* statistics;  // eigen only
  Dtype max_multiplier;
  int plane;
  const AugmentationCoefficients<Dtype>* items;
  Dtype* crop;

  CAFFE_HD void operator()(int i) const {
    const AugmentationCoefficients<Dtype>& item = items[i / plane];
    Dtype* pixel = crop + (i / plane * 3 * plane + i % plane);
    Dtype v[3] = {pixel[0], pixel[plane], pixel[2 * plane]};
    if (eigen) apply_eigen(axes, *statistics, item, max_multiplier, v);
    if (chromatic) apply_chromatic(item, max_multiplier, v);
    for (int c = 0; c < 3; ++c) pixel[c * plane] = v[c];
  }
};

}  // namespace caffe

#endif  // CAFFE_LAYERS_AUGMENTATION_COLOUR_HPP_

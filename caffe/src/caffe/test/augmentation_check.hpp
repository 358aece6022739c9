// What the tests of the augmentation layers share: coefficients, and references written
// from the formulas.
#ifndef CAFFE_SRC_TEST_AUGMENTATION_CHECK_HPP_
#define CAFFE_SRC_TEST_AUGMENTATION_CHECK_HPP_

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "caffe/blob.hpp"
#include "caffe/layers/affine_map.hpp"
#include "caffe/layers/augmentation_coefficients.hpp"
#include "flow_check_values.hpp"

namespace caffe {

using Coefficients = AugmentationCoefficients<double>;

template <typename Dtype>
void fill_coefficients(const vector<Coefficients>& items, Blob<Dtype>* blob) {
  blob->Reshape({static_cast<int>(items.size()), kAugmentationCoefficients, 1, 1});
  for (size_t n = 0; n < items.size(); ++n) {
    write_augmentation(stored_augmentation(items[n]),
                       blob->mutable_cpu_data() + n * kAugmentationCoefficients);
  }
}

inline void set3(double* to, double a, double b, double c) {
  to[0] = a, to[1] = b, to[2] = c;
}

/// The augmentations of layers_flow.md, section G.
inline vector<Coefficients> check_items() {
  Coefficients a;
  a.dx = 0.05, a.dy = -0.1, a.angle = 0.2, a.zoom_x = 1.1, a.zoom_y = 0.9;
  Coefficients b = a;
  b.mirror = 1, b.angle = -0.15;
  return {a, b};
}

/// Geometry that reaches over the borders; item 1 is mirrored.
inline vector<Coefficients> awkward_items(int num) {
  vector<Coefficients> items(num);
  for (int n = 0; n < num; ++n) {
    items[n].mirror = n % 2;
    items[n].dx = 0.3 * n - 0.21, items[n].dy = 0.17 - 0.2 * n;
    items[n].angle = 0.4 + 0.9 * n;
    items[n].zoom_x = 0.8 + 0.3 * n, items[n].zoom_y = 1.3 - 0.2 * n;
  }
  return items;
}

inline string eigenvectors() {
  string text;
  for (const char* value :
       {"0.51", "0.56", "0.65", "0.79", "0.01", "-0.62", "0.35", "-0.83", "0.44"}) {
    text += string("chromatic_eigvec: ") + value + " ";
  }
  return text;
}

/// The distributions that the flow nets were trained with (image 0; layers_flow.md 0.3),
/// and `noisy` their noise.
inline string published_draws(bool noisy) {
  const auto field = [](const string& name, const string& type, bool exp, double mean,
                        double spread) {
    return name + " { rand_type: '" + type +
           "_bernoulli' exp: " + (exp ? "true" : "false") +
           " mean: " + std::to_string(mean) + " spread: " + std::to_string(spread) +
           " prob: 1 } ";
  };
  string text = "max_multiplier: 1 ";
  text += field("translate", "uniform", false, 0, 0.4);
  text += field("rotate", "uniform", false, 0, 0.4);
  text += field("zoom", "uniform", true, 0.2, 0.4);
  text += field("squeeze", "uniform", true, 0, 0.3);
  text += field("lmult_pow", "uniform", true, -0.2, 0.4);
  text += field("lmult_mult", "uniform", true, 0, 0.4);
  text += field("lmult_add", "uniform", false, 0, 0.03);
  text += field("sat_pow", "uniform", true, 0, 0.4);
  text += field("sat_mult", "uniform", true, -0.3, 0.5);
  text += field("sat_add", "uniform", false, 0, 0.03);
  text += field("col_pow", "gaussian", true, 0, 0.4);
  text += field("col_mult", "gaussian", true, 0, 0.2);
  text += field("col_add", "gaussian", false, 0, 0.02);
  text += field("ladd_pow", "gaussian", true, 0, 0.4);
  text += field("ladd_mult", "gaussian", true, 0, 0.4);
  text += field("ladd_add", "gaussian", false, 0, 0.04);
  text += field("col_rotate", "uniform", false, 0, 1);
  if (noisy) text += field("noise", "uniform", false, 0.03, 0.03);
  return text;
}

struct Place {
  double x, y;
};

/// The five steps of layers_flow.md 6.3, one after the other.
inline Place placed(const Coefficients& c, const CropShape& s, double x, double y) {
  double X = (c.mirror != 0 ? -1 : 1) * (x - s.width / 2.0), Y = y - s.height / 2.0;
  const double turned = std::cos(c.angle) * X - std::sin(c.angle) * Y;
  Y = std::sin(c.angle) * X + std::cos(c.angle) * Y;
  X = turned;
  X += c.dx * s.width;
  Y += c.dy * s.height;
  X /= c.zoom_x;
  Y /= c.zoom_y;
  return {X + s.image_width / 2.0, Y + s.image_height / 2.0};
}

/// Step 2 of layers_flow.md 6.4.
template <typename Dtype>
double cropped(const Blob<Dtype>& image, int n, int c, double y, double x) {
  x = std::min(std::max(x, 0.0), std::max(0.0, image.width() - 1.05));
  y = std::min(std::max(y, 0.0), std::max(0.0, image.height() - 1.05));
  const int l = static_cast<int>(x), t = static_cast<int>(y);
  const int r = std::min(l + 1, image.width() - 1),
            b = std::min(t + 1, image.height() - 1);
  const double fx = x - l, fy = y - t;
  return (1 - fy) *
             ((1 - fx) * image.data_at(n, c, t, l) + fx * image.data_at(n, c, t, r)) +
         fy * ((1 - fx) * image.data_at(n, c, b, l) + fx * image.data_at(n, c, b, r));
}

/// layers_flow.md 6.5, statistics.
struct ReferenceStatistics {
  double mu[3] = {0, 0, 0}, m[3] = {0, 0, 0}, mue[3] = {0, 0, 0}, l = 0;

  template <typename Dtype>
  ReferenceStatistics(const Blob<Dtype>& image, const double* axes) {
    const double count = image.num() * image.height() * image.width();
    for (int n = 0; n < image.num(); ++n) {
      for (int y = 0; y < image.height(); ++y) {
        for (int x = 0; x < image.width(); ++x) {
          for (int k = 0; k < 3; ++k) {
            mu[k] += image.data_at(n, k, y, x) / count;
            double e = 0;
            for (int c = 0; c < 3; ++c) e += axes[3 * k + c] * image.data_at(n, c, y, x);
            m[k] = std::max(m[k], std::fabs(e));
          }
        }
      }
    }
    for (int k = 0; k < 3; ++k) {
      for (int c = 0; c < 3; ++c) mue[k] += axes[3 * k + c] * mu[c];
      if (m[k] > 0.01) mue[k] /= m[k];
      l += m[k] * m[k];
    }
    l = std::sqrt(l);
  }
};

inline double reference_power(double base, double exponent) {
  if (base == 0) return 0;
  return std::copysign(std::pow(std::fabs(base), exponent), base);
}

/// layers_flow.md 6.5, steps 1 to 11.
inline void reference_eigen(const double* axes, const ReferenceStatistics& s,
                            const Coefficients& a, double max_multiplier, double* v) {
  double e[3];
  for (int k = 0; k < 3; ++k) {
    e[k] = 0;
    for (int c = 0; c < 3; ++c) e[k] += axes[3 * k + c] * (v[c] - s.mu[c]);
    if (s.m[k] > 0.01) {
      e[k] /= s.m[k];
      e[k] = reference_power(e[k], a.pow_nomean[k]);
      e[k] = (e[k] + a.add_nomean[k]) * a.mult_nomean[k];
    }
    e[k] = e[k] + s.mue[k];
  }
  if (s.m[0] > 0.01) {
    e[0] = (reference_power(e[0], a.pow_withmean[0]) + a.add_withmean[0]) *
           a.mult_withmean[0];
  }
  const double sat = std::sqrt(e[1] * e[1] + e[2] * e[2]);
  double sat2 = sat;
  if (sat > 0.01) {
    sat2 = std::max(std::pow(sat, a.pow_withmean[1]) + a.add_withmean[1], 0.0) *
           a.mult_withmean[1];
  }
  const double e1 = std::cos(a.col_angle) * e[1] - std::sin(a.col_angle) * e[2];
  const double e2 = std::sin(a.col_angle) * e[1] + std::cos(a.col_angle) * e[2];
  e[1] = e1, e[2] = e2;
  for (int k = 0; k < 3; ++k) {
    if (s.m[k] > 0.01) e[k] *= s.m[k];
  }
  const auto length = [&] { return std::sqrt(e[0] * e[0] + e[1] * e[1] + e[2] * e[2]); };
  double l2 = 0;
  if (s.l > 0.01) l2 = length() / s.l;
  if (sat > 0.01) {
    e[1] = e[1] / sat * sat2;
    e[2] = e[2] / sat * sat2;
  }
  if (s.l > 0.01) {
    const double l = length();
    l2 = std::max(std::pow(l2, a.lmult_pow) + a.lmult_add, 0.0) * a.lmult_mult * s.l;
    for (int k = 0; k < 3 && l > 0.01; ++k) e[k] = std::min(e[k] / l * l2, s.m[k]);
  }
  for (int c = 0; c < 3; ++c) {
    v[c] = axes[c] * e[0] + axes[3 + c] * e[1] + axes[6 + c] * e[2];
    v[c] = std::max(std::min(v[c], max_multiplier), 0.0);
  }
}

/// layers_flow.md 6.6.
inline void reference_chromatic(const Coefficients& a, double max_multiplier, double* v) {
  const double m = v[0] + v[1] + v[2];
  for (int c = 0; c < 3; ++c) v[c] *= a.color[c];
  const double kappa = m / (v[0] + v[1] + v[2] + 0.01);
  for (int c = 0; c < 3; ++c) {
    v[c] = std::min(std::max(v[c] * kappa, 0.0), 1.0);
    v[c] = std::pow(v[c], a.gamma) + a.brightness;
    v[c] = 0.5 + (v[c] - 0.5) * a.contrast;
    v[c] = std::min(std::max(v[c], 0.0), max_multiplier);
  }
}

}  // namespace caffe

#endif  // CAFFE_SRC_TEST_AUGMENTATION_CHECK_HPP_

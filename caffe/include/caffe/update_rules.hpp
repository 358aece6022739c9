// The solvers' rules, each written once, for host and device.
//
// A rule turns the gradient of parameter number i into the step that the parameter takes
// (weight -= step) and advances its history.
#ifndef CAFFE_UPDATE_RULES_HPP_
#define CAFFE_UPDATE_RULES_HPP_

#include <cmath>

#include "caffe/device/body.hpp"

namespace caffe {

/// What comes before the rule: the mean over iter_size, and weight decay.
template <typename Dtype>
struct GradientPreparation {
  Dtype scale = 1, decay = 0;
  int is_l1 = 0;

  CAFFE_HD Dtype operator()(Dtype gradient, Dtype weight) const {
    const Dtype toward_zero =
        is_l1 ? static_cast<Dtype>((weight > 0) - (weight < 0)) : weight;
    return decay == Dtype(0) ? scale * gradient : scale * gradient + decay * toward_zero;
  }
};

/// h <- momentum * h + rate * g; step h.
template <typename Dtype>
struct SGDRule {
  Dtype momentum, rate;
  Dtype* history;

  CAFFE_HD Dtype operator()(int i, Dtype gradient) const {
    const Dtype step = momentum * history[i] + rate * gradient;
    history[i] = step;
    return step;
  }
};

/// v <- momentum * v + rate * g; step (1 + momentum) * v - momentum * v_before.
template <typename Dtype>
struct NesterovRule {
  Dtype momentum, rate;
  Dtype* history;

  CAFFE_HD Dtype operator()(int i, Dtype gradient) const {
    const Dtype before = history[i], now = momentum * before + rate * gradient;
    history[i] = now;
    return (1 + momentum) * now - momentum * before;
  }
};

/// h <- h + g^2; step rate * g / (sqrt(h) + delta).
template <typename Dtype>
struct AdaGradRule {
  Dtype delta, rate;
  Dtype* history;

  CAFFE_HD Dtype operator()(int i, Dtype gradient) const {
    const Dtype squares = history[i] + gradient * gradient;
    history[i] = squares;
    return rate * gradient / (std::sqrt(squares) + delta);
  }
};

/// h <- decay * h + (1 - decay) * g^2; step rate * g / (sqrt(h) + delta).
template <typename Dtype>
struct RMSPropRule {
  Dtype delta, decay, rate;
  Dtype* history;

  CAFFE_HD Dtype operator()(int i, Dtype gradient) const {
    const Dtype squares = decay * history[i] + (1 - decay) * gradient * gradient;
    history[i] = squares;
    return rate * gradient / (std::sqrt(squares) + delta);
  }
};

/// h <- m h + (1 - m) g^2; u = g sqrt((k + delta) / (h + delta)); k <- m k + (1 - m) u^2;
/// step rate * u.
template <typename Dtype>
struct AdaDeltaRule {
  Dtype delta, momentum, rate;
  Dtype *squares, *steps;

  CAFFE_HD Dtype operator()(int i, Dtype gradient) const {
    const Dtype square = momentum * squares[i] + (1 - momentum) * gradient * gradient;
    const Dtype step = gradient * std::sqrt((steps[i] + delta) / (square + delta));
    squares[i] = square;
    steps[i] = momentum * steps[i] + (1 - momentum) * step * step;
    return rate * step;
  }
};

/// m <- b1 m + (1 - b1) g; v <- b2 v + (1 - b2) g^2; step rate * m / (sqrt(v) + delta);
/// the rate holds the bias correction.
template <typename Dtype>
struct AdamRule {
  Dtype delta, beta1, beta2, rate;
  Dtype *means, *squares;

  CAFFE_HD Dtype operator()(int i, Dtype gradient) const {
    const Dtype mean = beta1 * means[i] + (1 - beta1) * gradient;
    const Dtype square = beta2 * squares[i] + (1 - beta2) * gradient * gradient;
    means[i] = mean;
    squares[i] = square;
    return rate * mean / (std::sqrt(square) + delta);
  }
};

}  // namespace caffe

#endif  // CAFFE_UPDATE_RULES_HPP_

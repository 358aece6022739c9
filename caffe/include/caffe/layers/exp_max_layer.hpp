// ExpMax: the exponential of each channel's distance to the largest channel.
#ifndef CAFFE_EXP_MAX_LAYER_HPP_
#define CAFFE_EXP_MAX_LAYER_HPP_

#include <cmath>
#include <cstdint>
#include <vector>

#include "caffe/blob.hpp"
#include "caffe/device/body.hpp"
#include "caffe/layer.hpp"

namespace caffe {

/// Where the channels of a place lie: `plane` places an item, numbered over all items.
struct ChannelPlaces {
  int channels = 1;
  std::int64_t plane = 1;
  CAFFE_HD std::int64_t first_entry(std::int64_t place) const {
    return place / plane * channels * plane + place % plane;
  }
};

/// All channels of one place: y = factor exp(exponent (x - max x)).
template <typename Dtype>
struct ExpMaxValue {
  ChannelPlaces places;
  Dtype exponent, factor;
  const Dtype* x;
  Dtype* y;
  CAFFE_HD void operator()(std::int64_t place) const {
    const std::int64_t first = places.first_entry(place);
    Dtype most = x[first];
    for (int c = 1; c < places.channels; ++c) {
      const Dtype value = x[first + c * places.plane];
      if (value > most) most = value;
    }
    for (int c = 0; c < places.channels; ++c) {
      const std::int64_t i = first + c * places.plane;
      y[i] = factor * std::exp(exponent * (x[i] - most));
    }
  }
};

/// All channels of one place: dx = exponent (y g - [the first largest x] sum y g).
template <typename Dtype>
struct ExpMaxGradient {
  ChannelPlaces places;
  Dtype exponent;
  const Dtype *x, *y, *g;
  Dtype* dx;
  CAFFE_HD void operator()(std::int64_t place) const {
    const std::int64_t first = places.first_entry(place);
    std::int64_t most = first;
    Dtype sum = 0;
    for (int c = 0; c < places.channels; ++c) {
      const std::int64_t i = first + c * places.plane;
      if (x[i] > x[most]) most = i;
      const Dtype slope = exponent * y[i] * g[i];
      sum += slope;
      dx[i] = slope;
    }
    dx[most] -= sum;
  }
};

/// Bottom and top (N, C, ...). y[c] = base^shift base^(scale (x[c] - max_k x[k])), the
/// largest taken over the channels of the same place; base -1 (the default) means e.
/// With a division by the sum of channels behind it: a softmax taken apart.
///
/// From LiteFlowNet (facts: layers_flow.md 5.4).
/// differs: every item has its own largest values (there those of item 0), and the
/// gradient goes through the largest value too (there not; after a division by the sum of
/// channels both are the same).
template <typename Dtype>
class ExpMaxLayer : public Layer<Dtype> {
 public:
  explicit ExpMaxLayer(const LayerParameter& param) : Layer<Dtype>(param) {}
  void LayerSetUp(const vector<Blob<Dtype>*>& bottom,
                  const vector<Blob<Dtype>*>& top) override;
  void Reshape(const vector<Blob<Dtype>*>& bottom,
               const vector<Blob<Dtype>*>& top) override;

  inline const char* type() const override { return "ExpMax"; }
  inline bool RepeatsOnDevice() const override { return true; }
  inline int ExactNumBottomBlobs() const override { return 1; }
  inline int ExactNumTopBlobs() const override { return 1; }

 protected:
  void Forward_cpu(const vector<Blob<Dtype>*>& bottom,
                   const vector<Blob<Dtype>*>& top) override;
  void Forward_gpu(const vector<Blob<Dtype>*>& bottom,
                   const vector<Blob<Dtype>*>& top) override;
  void Backward_cpu(const vector<Blob<Dtype>*>& top, const vector<bool>& propagate_down,
                    const vector<Blob<Dtype>*>& bottom) override;
  void Backward_gpu(const vector<Blob<Dtype>*>& top, const vector<bool>& propagate_down,
                    const vector<Blob<Dtype>*>& bottom) override;

 private:
  Dtype exponent_ = 1, factor_ = 1;
  ChannelPlaces places_;
  std::int64_t place_count_ = 0;
};

}  // namespace caffe

#endif  // CAFFE_EXP_MAX_LAYER_HPP_

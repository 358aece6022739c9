// What tests of nets share: nets from prototxt text, look-ups, comparisons.
#ifndef CAFFE_SRC_TEST_NET_CHECK_HPP_
#define CAFFE_SRC_TEST_NET_CHECK_HPP_

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "caffe/net.hpp"
#include "caffe/test/test_caffe_main.hpp"
#include "caffe/util/text_format.hpp"
#include "test_files.hpp"

namespace caffe {

inline NetParameter net_param(const string& text, Phase phase = TRAIN) {
  NetParameter param;
  ParseTextFormat(text, "test", &param);
  param.mutable_state()->set_phase(phase);
  return param;
}

/// The text of an Input layer; `dims` such as "2 3 4 5".
inline string Input(const string& name, const string& dims) {
  string shape;
  std::istringstream list(dims);
  for (string dim; list >> dim;) shape += " dim: " + dim;
  return "layer { name: '" + name + "' type: 'Input' top: '" + name +
         "' input_param { shape {" + shape + " } } } ";
}

template <typename Dtype>
using NetPtr = std::unique_ptr<Net<Dtype>>;

template <typename Dtype>
NetPtr<Dtype> make_net(const string& text, Phase phase = TRAIN) {
  return std::make_unique<Net<Dtype>>(net_param(text, phase));
}

/// The message of the error that building the net ends in; "" where it builds.
inline string net_error(const string& text, Phase phase = TRAIN) {
  return FullErrorOf([&] { make_net<float>(text, phase); });
}

template <typename Dtype>
vector<Dtype> values_of(const Blob<Dtype>& blob) {
  return vector<Dtype>(blob.cpu_data(), blob.cpu_data() + blob.count());
}
template <typename Dtype>
vector<Dtype> gradient_of(const Blob<Dtype>& blob) {
  return vector<Dtype>(blob.cpu_diff(), blob.cpu_diff() + blob.count());
}
template <typename Dtype>
void set_values(Blob<Dtype>* blob, const vector<Dtype>& values) {
  ASSERT_EQ(static_cast<size_t>(blob->count()), values.size());
  std::copy(values.begin(), values.end(), blob->mutable_cpu_data());
}

/// Uniform values in [-1, 1], the same for the same seed.
template <typename Dtype>
void fill_random(Blob<Dtype>* blob, unsigned int seed) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<double> draw(-1, 1);
  Dtype* data = blob->mutable_cpu_data();
  for (int i = 0; i < blob->count(); ++i) data[i] = static_cast<Dtype>(draw(random));
}

/// Largest difference relative to the largest magnitude of `expected`.
template <typename Dtype>
double relative_difference(const vector<Dtype>& expected, const vector<Dtype>& found) {
  if (expected.size() != found.size()) return INFINITY;
  double largest = 1e-30, difference = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    if (std::isnan(found[i])) return INFINITY;
    largest = std::max<double>(largest, std::abs(expected[i]));
    difference = std::max<double>(difference, std::abs(expected[i] - found[i]));
  }
  return difference / largest;
}

}  // namespace caffe

#endif  // CAFFE_SRC_TEST_NET_CHECK_HPP_

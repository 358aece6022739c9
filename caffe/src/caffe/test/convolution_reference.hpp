// The convolution's formula in double, for any number of spatial axes, and cases to try.
#ifndef CAFFE_TEST_CONVOLUTION_REFERENCE_HPP_
#define CAFFE_TEST_CONVOLUTION_REFERENCE_HPP_

#include <ostream>
#include <random>
#include <vector>

#include "caffe/blob.hpp"

namespace caffe {

/// One convolution (or deconvolution) to try.
struct ConvCase {
  int num, channels, num_output;
  vector<int> size, kernel, stride, pad, dilation;
  int group = 1;
  bool bias = true;
  bool transposed = false;

  vector<int> top_size() const {
    vector<int> out;
    for (size_t i = 0; i < size.size(); ++i) {
      const int extent = dilation[i] * (kernel[i] - 1) + 1;
      out.push_back(transposed ? stride[i] * (size[i] - 1) + extent - 2 * pad[i]
                               : (size[i] + 2 * pad[i] - extent) / stride[i] + 1);
    }
    return out;
  }
  vector<int> bottom_shape() const {
    vector<int> shape = {num, channels};
    shape.insert(shape.end(), size.begin(), size.end());
    return shape;
  }
  LayerParameter parameter() const {
    LayerParameter param;
    param.set_name("tried");
    param.set_type(transposed ? "Deconvolution" : "Convolution");
    ConvolutionParameter* conv = param.mutable_convolution_param();
    conv->set_num_output(num_output);
    conv->set_group(group);
    conv->set_bias_term(bias);
    for (size_t i = 0; i < size.size(); ++i) {
      conv->add_kernel_size(kernel[i]);
      conv->add_stride(stride[i]);
      conv->add_pad(pad[i]);
      conv->add_dilation(dilation[i]);
    }
    conv->mutable_weight_filler()->set_type("gaussian");
    conv->mutable_bias_filler()->set_type("gaussian");
    return param;
  }
};

inline std::ostream& operator<<(std::ostream& out, const ConvCase& c) {
  const auto list = [&out](const char* name, const vector<int>& values) {
    out << " " << name;
    for (const int v : values) out << " " << v;
  };
  out << (c.transposed ? "deconvolution" : "convolution") << " N " << c.num << " C "
      << c.channels << " O " << c.num_output << " group " << c.group;
  list("size", c.size);
  list("kernel", c.kernel);
  list("stride", c.stride);
  list("pad", c.pad);
  list("dilation", c.dilation);
  return out;
}

/// A square two-dimensional case.
inline ConvCase square_case(int num, int channels, int num_output, int height, int width,
                            int kernel, int stride, int pad, int dilation = 1,
                            int group = 1) {
  return {num,
          channels,
          num_output,
          {height, width},
          {kernel, kernel},
          {stride, stride},
          {pad, pad},
          {dilation, dilation},
          group};
}

/// Calls visit(bottom index, weight index, top index) for every product of the formula.
template <typename Visit>
void for_each_product(const ConvCase& c, const Visit& visit) {
  const int axes = static_cast<int>(c.size.size());
  const vector<int> top = c.top_size();
  const vector<int>& image = c.transposed ? top : c.size;
  const vector<int>& map = c.transposed ? c.size : top;
  const int image_channels = c.transposed ? c.num_output : c.channels;
  const int map_channels = c.transposed ? c.channels : c.num_output;
  const auto volume = [](const vector<int>& v) {
    int product = 1;
    for (const int x : v) product *= x;
    return product;
  };
  const int taps = volume(c.kernel), positions = volume(map), pixels = volume(image);
  const int per_group = image_channels / c.group;
  // Where tap k of map position q lies in the image; -1: outside.
  vector<int> place(positions * taps);
  for (int q = 0; q < positions; ++q) {
    for (int k = 0; k < taps; ++k) {
      int at = 0, step = 1, rest_q = q, rest_k = k;
      bool inside = true;
      for (int a = axes - 1; a >= 0; --a) {
        const int t = rest_q % map[a] * c.stride[a] - c.pad[a] +
                      rest_k % c.kernel[a] * c.dilation[a];
        inside = inside && t >= 0 && t < image[a];
        at += t * step;
        step *= image[a];
        rest_q /= map[a];
        rest_k /= c.kernel[a];
      }
      place[q * taps + k] = inside ? at : -1;
    }
  }
  for (int n = 0; n < c.num; ++n) {
    for (int m = 0; m < map_channels; ++m) {
      for (int i = 0; i < per_group; ++i) {
        const int channel = m / (map_channels / c.group) * per_group + i;
        const int image_first = (n * image_channels + channel) * pixels;
        const int map_first = (n * map_channels + m) * positions;
        const int weight_first = (m * per_group + i) * taps;
        for (int q = 0; q < positions; ++q) {
          for (int k = 0; k < taps; ++k) {
            const int at = place[q * taps + k];
            if (at < 0) continue;
            const int image_at = image_first + at, map_at = map_first + q;
            visit(c.transposed ? map_at : image_at, weight_first + k,
                  c.transposed ? image_at : map_at);
          }
        }
      }
    }
  }
}

/// Values of a normal distribution, the same for the same seed.
inline vector<double> normal_values(size_t count, unsigned seed) {
  std::mt19937 generator(seed);
  std::normal_distribution<double> normal;
  vector<double> values(count);
  for (double& v : values) v = static_cast<float>(normal(generator));
  return values;
}

template <typename Dtype>
void set_values(const vector<double>& values, Dtype* to) {
  for (size_t i = 0; i < values.size(); ++i) to[i] = static_cast<Dtype>(values[i]);
}

}  // namespace caffe

#endif  // CAFFE_TEST_CONVOLUTION_REFERENCE_HPP_

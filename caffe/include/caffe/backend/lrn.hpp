// The interface of fast local response normalisation.
#ifndef CAFFE_BACKEND_LRN_HPP_
#define CAFFE_BACKEND_LRN_HPP_

#include <memory>
#include <string>

#include "caffe/blob.hpp"

namespace caffe {

/// Sizes and numbers of one LRN, as in the layer's formulas.
struct LrnShape {
  int num = 0, channels = 0, height = 0, width = 0;
  bool across = true;
  int size = 0;
  float alpha = 0, beta = 0, k = 0;

  bool operator==(const LrnShape& o) const {
    return num == o.num && channels == o.channels && height == o.height &&
           width == o.width && across == o.across && size == o.size && alpha == o.alpha &&
           beta == o.beta && k == o.k;
  }
};

class LrnKernel {
 public:
  virtual ~LrnKernel() = default;
  /// For reports: which code runs.
  virtual std::string name() const = 0;
  /// top.data from bottom.data, both channel-blocked.
  virtual void Forward(const Blob<float>& bottom, Blob<float>* top) = 0;
};

/// Null where the plain code has to run: without oneDNN, or where it has reference code
/// only (other beta than 3/4, channels that do not fill blocks, most window sizes).
std::unique_ptr<LrnKernel> make_lrn_kernel(const LrnShape& shape);

}  // namespace caffe

#endif  // CAFFE_BACKEND_LRN_HPP_

// The interface of fast inner products.
#ifndef CAFFE_BACKEND_INNER_PRODUCT_HPP_
#define CAFFE_BACKEND_INNER_PRODUCT_HPP_

#include <memory>

namespace caffe {

/// `items` rows of `inputs` numbers to rows of `outputs` numbers. Weights are
/// outputs x inputs, or inputs x outputs (`transposed`).
struct InnerProductShape {
  int items = 0, inputs = 0, outputs = 0;
  bool transposed = false, has_bias = false;

  bool operator==(const InnerProductShape& o) const {
    return items == o.items && inputs == o.inputs && outputs == o.outputs &&
           transposed == o.transposed && has_bias == o.has_bias;
  }
};

class InnerProductKernel {
 public:
  virtual ~InnerProductKernel() = default;
  /// y = x W + bias; all row-major, `bias` unread where the shape has none.
  virtual void Forward(const float* x, const float* weights, const float* bias,
                       float* y) = 0;
};

/// Null where BLAS has to do it: without oneDNN, or where it has reference code only.
std::unique_ptr<InnerProductKernel> make_inner_product_kernel(
    const InnerProductShape& shape);

}  // namespace caffe

#endif  // CAFFE_BACKEND_INNER_PRODUCT_HPP_

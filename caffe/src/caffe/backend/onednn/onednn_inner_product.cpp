// Inner products on oneDNN, forward, on weights as Caffe stores them: its own order of
// weights gains little more and costs a second copy of the largest blobs there are.
#include "caffe/backend/convolution.hpp"
#include "caffe/backend/inner_product.hpp"
#include "caffe/backend/scratch.hpp"
#include "dnnl_compat.hpp"

namespace caffe {
namespace onednn {

namespace {

using Forward_ = dnnl::inner_product_forward;

Forward_::primitive_desc inner_product_desc(const InnerProductShape& s) {
  using T = memory::format_tag;
  const memory::desc x = desc({s.items, s.inputs}, T::nc);
  const memory::desc weights = desc({s.outputs, s.inputs}, s.transposed ? T::io : T::oi);
  const memory::desc bias = s.has_bias ? desc({s.outputs}, T::x) : memory::desc();
  const memory::desc y = desc({s.items, s.outputs}, T::nc);
  const auto kind = dnnl::prop_kind::forward_inference;
#if DNNL_VERSION_MAJOR >= 3
  return {cpu_engine(), kind, x, weights, bias, y, user_scratch()};
#else
  return {Forward_::desc(kind, x, weights, bias, y), user_scratch(), cpu_engine()};
#endif
}

class InnerProduct : public InnerProductKernel {
 public:
  InnerProduct(const Forward_::primitive_desc& pd, bool has_bias)
      : pd_(pd), primitive_(pd), has_bias_(has_bias) {}

  void Forward(const float* x, const float* weights, const float* bias,
               float* y) override {
    const memory::desc scratch = pd_.scratchpad_desc();
    std::unordered_map<int, memory> arguments = {
        {DNNL_ARG_SRC, wrap(pd_.src_desc(), x)},
        {DNNL_ARG_WEIGHTS, wrap(pd_.weights_desc(), weights)},
        {DNNL_ARG_DST, wrap(pd_.dst_desc(), y)},
        {DNNL_ARG_SCRATCHPAD, wrap(scratch, scratch_memory(scratch.get_size()))}};
    if (has_bias_) arguments[DNNL_ARG_BIAS] = wrap(pd_.bias_desc(), bias);
    primitive_.execute(thread_stream(), arguments);
    thread_stream().wait();
  }

 private:
  Forward_::primitive_desc pd_;
  Forward_ primitive_;
  bool has_bias_;
};

}  // namespace

}  // namespace onednn

std::unique_ptr<InnerProductKernel> make_inner_product_kernel(
    const InnerProductShape& shape) {
  if (plain_engine_forced() || shape.items == 0 || shape.inputs == 0) return nullptr;
  try {
    const auto pd = onednn::inner_product_desc(shape);
    if (onednn::is_reference(pd)) return nullptr;
    return std::make_unique<onednn::InnerProduct>(pd, shape.has_bias);
  } catch (const dnnl::error& error) {
    if (error.status != dnnl_unimplemented && error.status != dnnl_invalid_arguments)
      throw;
    return nullptr;
  }
}

}  // namespace caffe

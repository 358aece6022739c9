// LRN on oneDNN, forward, in the channel-blocked layout.
#include "caffe/backend/convolution.hpp"
#include "caffe/backend/lrn.hpp"
#include "caffe/backend/scratch.hpp"
#include "dnnl_compat.hpp"

namespace caffe {
namespace onednn {

namespace {

using Forward_ = dnnl::lrn_forward;

// Without the workspace that oneDNN's backward would want: ours computes what it needs.
Forward_::primitive_desc lrn_desc(const LrnShape& s) {
  const auto algorithm = s.across ? dnnl::algorithm::lrn_across_channels
                                  : dnnl::algorithm::lrn_within_channel;
  const memory::desc data = desc({s.num, s.channels, s.height, s.width}, blocked_tag());
  const auto kind = dnnl::prop_kind::forward_inference;
#if DNNL_VERSION_MAJOR >= 3
  return {cpu_engine(), kind,    algorithm, data, data,
          s.size,       s.alpha, s.beta,    s.k,  user_scratch()};
#else
  const Forward_::desc op(kind, algorithm, data, s.size, s.alpha, s.beta, s.k);
  return {op, user_scratch(), cpu_engine()};
#endif
}

class Lrn : public LrnKernel {
 public:
  explicit Lrn(const Forward_::primitive_desc& pd) : pd_(pd), primitive_(pd) {}

  std::string name() const override {
    return std::string("onednn ") + pd_.impl_info_str();
  }
  void Forward(const Blob<float>& bottom, Blob<float>* top) override {
    const float* source = bottom.data()->blocked_data(bottom.blocked_layout());
    float* destination = top->data()->mutable_blocked_data(top->blocked_layout());
    const memory::desc scratch = pd_.scratchpad_desc();
    primitive_.execute(
        thread_stream(),
        {{DNNL_ARG_SRC, wrap(pd_.src_desc(), source)},
         {DNNL_ARG_DST, wrap(pd_.dst_desc(), destination)},
         {DNNL_ARG_SCRATCHPAD, wrap(scratch, scratch_memory(scratch.get_size()))}});
    thread_stream().wait();
  }

 private:
  Forward_::primitive_desc pd_;
  Forward_ primitive_;
};

}  // namespace

}  // namespace onednn

std::unique_ptr<LrnKernel> make_lrn_kernel(const LrnShape& shape) {
  if (native_channel_block() == 0 || plain_engine_forced()) return nullptr;
  if (shape.num == 0 || shape.channels == 0 || shape.height * shape.width == 0)
    return nullptr;
  try {
    const auto pd = onednn::lrn_desc(shape);
    if (onednn::is_unfit(pd)) return nullptr;
    return std::make_unique<onednn::Lrn>(pd);
  } catch (const dnnl::error& error) {
    if (error.status != dnnl_unimplemented && error.status != dnnl_invalid_arguments)
      throw;
    return nullptr;
  }
}

}  // namespace caffe

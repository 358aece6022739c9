// Softmax on oneDNN, forward: classes side by side, or in the channel-blocked layout.
#include <optional>

#include "caffe/backend/convolution.hpp"
#include "caffe/backend/planes.hpp"
#include "caffe/backend/scratch.hpp"
#include "caffe/backend/softmax.hpp"
#include "dnnl_compat.hpp"

namespace caffe {
namespace onednn {

namespace {

using Forward_ = dnnl::softmax_forward;

Forward_::primitive_desc softmax_desc(const memory::desc& data) {
  const auto kind = dnnl::prop_kind::forward_inference;
#if DNNL_VERSION_MAJOR >= 3
  return {cpu_engine(),  kind, dnnl::algorithm::softmax_accurate, data, data, 1,
          user_scratch()};
#else
  return {Forward_::desc(kind, data, 1), user_scratch(), cpu_engine()};
#endif
}

class Softmax : public SoftmaxKernel {
 public:
  bool Forward(const Blob<float>& bottom, int axis, Blob<float>* top) override {
    const bool blocked = axis == 1 && prefers_blocks(bottom, *bottom.data());
    if (!blocked && bottom.count(axis + 1) != 1) return false;
    const BlockedLayout layout = bottom.blocked_layout();
    Prepare(
        blocked
            ? desc({layout.num, layout.channels, layout.spatial, 1}, blocked_tag())
            : desc({bottom.count(0, axis), bottom.shape(axis)}, memory::format_tag::nc));
    if (!primitive_) return false;
    const float* source =
        blocked ? bottom.data()->blocked_data(layout) : bottom.cpu_data();
    float* destination =
        blocked ? top->data()->mutable_blocked_data(layout) : top->mutable_cpu_data();
    const memory::desc scratch = pd_->scratchpad_desc();
    primitive_->execute(
        thread_stream(),
        {{DNNL_ARG_SRC, wrap(desc_, source)},
         {DNNL_ARG_DST, wrap(desc_, destination)},
         {DNNL_ARG_SCRATCHPAD, wrap(scratch, scratch_memory(scratch.get_size()))}});
    thread_stream().wait();
    return true;
  }

 private:
  /// Makes the primitive for `data`, or none where there is reference code only.
  void Prepare(const memory::desc& data) {
    if (is_prepared_ && desc_ == data) return;
    is_prepared_ = true;
    desc_ = data;
    primitive_.reset();
    try {
      pd_ = softmax_desc(data);
      if (!is_unfit(*pd_)) primitive_.emplace(*pd_);
    } catch (const dnnl::error& error) {
      if (error.status != dnnl_unimplemented && error.status != dnnl_invalid_arguments)
        throw;
    }
  }

  bool is_prepared_ = false;
  memory::desc desc_;
  std::optional<Forward_::primitive_desc> pd_;
  std::optional<Forward_> primitive_;
};

}  // namespace

}  // namespace onednn

std::unique_ptr<SoftmaxKernel> make_softmax_kernel() {
  if (plain_engine_forced()) return nullptr;
  return std::make_unique<onednn::Softmax>();
}

}  // namespace caffe

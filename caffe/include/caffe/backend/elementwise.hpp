// Elementwise layers over whichever layout their input is in.
#ifndef CAFFE_BACKEND_ELEMENTWISE_HPP_
#define CAFFE_BACKEND_ELEMENTWISE_HPP_

#include <vector>

#include "caffe/blob.hpp"
#include "caffe/util/parallel_for.hpp"

namespace caffe {

/// Input and output pointers of an elementwise pass of `count` numbers, in one common layout
/// (row-major, or blocked where the first input already is). In place is allowed.
template <typename Dtype, int kInputs = 1>
struct ElementwisePass {
  const Dtype* in[kInputs] = {};
  Dtype* out = nullptr;
  std::int64_t count = 0;
  BlockedLayout layout;  ///< valid() if blocked: channel = (i / (spatial*block)) % blocks * block + i % block

  /// Needed where the function does not map 0 to 0.
  void ZeroTail() {
    if constexpr (std::is_same<Dtype, float>::value) {
      if (layout.valid()) zero_tail_lanes(layout, out);
    }
  }
};

namespace internal {
template <typename Dtype, int kInputs>
ElementwisePass<Dtype, kInputs> elementwise_pass(const shared_ptr<SyncedMemory>* inputs,
                                                 SyncedMemory* output, BlockedLayout layout,
                                                 std::int64_t count) {
  ElementwisePass<Dtype, kInputs> pass;
  pass.count = count;
  bool blocked = false;
  if constexpr (std::is_same<Dtype, float>::value) {
    blocked = layout.valid() && inputs[0]->blocked_is_current() && inputs[0]->layout() == layout &&
              !output->has_views();
    if (blocked) {
      pass.layout = layout;
      pass.count = static_cast<std::int64_t>(layout.padded_count());
      bool in_place = false;
      for (int i = 0; i < kInputs; ++i) {
        pass.in[i] = inputs[i]->blocked_data(layout);
        in_place = in_place || inputs[i].get() == output;
      }
      pass.out = in_place ? output->update_blocked_data(layout)
                          : output->mutable_blocked_data(layout);
    }
  }
  if (!blocked) {
    for (int i = 0; i < kInputs; ++i) {
      pass.in[i] = static_cast<const Dtype*>(inputs[i]->cpu_data());
    }
    pass.out = static_cast<Dtype*>(output->mutable_cpu_data());
  }
  return pass;
}
}  // namespace internal

/// top.data = f(bottom.data): equal shapes.
template <typename Dtype>
ElementwisePass<Dtype> forward_pass(const Blob<Dtype>& bottom, Blob<Dtype>* top) {
  const shared_ptr<SyncedMemory> in[1] = {bottom.data()};
  return internal::elementwise_pass<Dtype, 1>(in, top->data().get(), top->blocked_layout(),
                                              top->count());
}

/// bottom.diff = f(top.diff, activation), where `activation` is the blob whose DATA the
/// derivative reads (bottom or top); in[0] = top diff, in[1] = that data.
template <typename Dtype>
ElementwisePass<Dtype, 2> backward_pass(const Blob<Dtype>& top, const Blob<Dtype>& activation,
                                        Blob<Dtype>* bottom) {
  const shared_ptr<SyncedMemory> in[2] = {top.diff(), activation.data()};
  return internal::elementwise_pass<Dtype, 2>(in, bottom->diff().get(),
                                              bottom->blocked_layout(), bottom->count());
}

}  // namespace caffe

#endif  // CAFFE_BACKEND_ELEMENTWISE_HPP_

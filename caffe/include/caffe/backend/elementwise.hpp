// Elementwise layers over whichever layout their input is in.
#ifndef CAFFE_BACKEND_ELEMENTWISE_HPP_
#define CAFFE_BACKEND_ELEMENTWISE_HPP_

#include <initializer_list>
#include <type_traits>
#include <vector>

#include "caffe/blob.hpp"
#include "caffe/util/parallel_for.hpp"

namespace caffe {

/// True if the memory can be read in the blocked layout without a reorder.
inline bool is_blocked_as(const SyncedMemory& memory, const BlockedLayout& layout) {
  return layout.valid() && memory.blocked_is_current() && memory.layout() == layout;
}

/// The contents in the given layout; row-major where the layout is not valid().
template <typename Dtype>
const Dtype* read_memory(SyncedMemory* memory, const BlockedLayout& layout) {
  if constexpr (std::is_same<Dtype, float>::value) {
    if (layout.valid()) return memory->blocked_data(layout);
  }
  return static_cast<const Dtype*>(memory->cpu_data());
}

/// Memory to be overwritten completely (zero lanes included) in the given layout. What
/// was read before in the same layout is still there: a pass may run in place.
template <typename Dtype>
Dtype* overwrite_memory(SyncedMemory* memory, const BlockedLayout& layout) {
  if constexpr (std::is_same<Dtype, float>::value) {
    if (layout.valid()) return memory->mutable_blocked_data(layout);
  }
  return static_cast<Dtype*>(memory->mutable_cpu_data());
}

/// The layout that a pass over blobs of one shape runs in: `layout` if any of the inputs
/// is in it and nobody looks at the output through NumPy; else row-major (not valid()).
inline BlockedLayout common_layout(std::initializer_list<const SyncedMemory*> inputs,
                                   const SyncedMemory& output,
                                   const BlockedLayout& layout) {
  if (output.has_views()) return BlockedLayout();
  for (const SyncedMemory* input : inputs) {
    if (is_blocked_as(*input, layout)) return layout;
  }
  return BlockedLayout();
}

/// Numbers stored in the given layout.
template <typename Dtype>
std::int64_t stored_count(const Blob<Dtype>& blob, const BlockedLayout& layout) {
  return layout.valid() ? static_cast<std::int64_t>(layout.padded_count()) : blob.count();
}

/// Input and output pointers of an elementwise pass of `count` numbers, in one common
/// layout (row-major, or blocked where the first input already is). In place is allowed.
template <typename Dtype, int kInputs = 1>
struct ElementwisePass {
  const Dtype* in[kInputs] = {};
  Dtype* out = nullptr;
  std::int64_t count = 0;
  BlockedLayout layout;  ///< valid() if blocked: channel = (i / (spatial*block)) % blocks
                         ///< * block + i % block

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
                                                 SyncedMemory* output,
                                                 const BlockedLayout& layout,
                                                 std::int64_t count) {
  ElementwisePass<Dtype, kInputs> pass;
  pass.layout = common_layout({inputs[0].get()}, *output, layout);
  pass.count =
      pass.layout.valid() ? static_cast<std::int64_t>(pass.layout.padded_count()) : count;
  for (int i = 0; i < kInputs; ++i) {
    pass.in[i] = read_memory<Dtype>(inputs[i].get(), pass.layout);
  }
  pass.out = overwrite_memory<Dtype>(output, pass.layout);
  return pass;
}
}  // namespace internal

/// top.data = f(bottom.data): equal shapes.
template <typename Dtype>
ElementwisePass<Dtype> forward_pass(const Blob<Dtype>& bottom, Blob<Dtype>* top) {
  const shared_ptr<SyncedMemory> in[1] = {bottom.data()};
  return internal::elementwise_pass<Dtype, 1>(in, top->data().get(),
                                              top->blocked_layout(), top->count());
}

/// bottom.diff = f(top.diff): equal shapes.
template <typename Dtype>
ElementwisePass<Dtype> backward_pass(const Blob<Dtype>& top, Blob<Dtype>* bottom) {
  const shared_ptr<SyncedMemory> in[1] = {top.diff()};
  return internal::elementwise_pass<Dtype, 1>(in, bottom->diff().get(),
                                              bottom->blocked_layout(), bottom->count());
}

/// bottom.diff = f(top.diff, activation), where `activation` is the blob whose DATA the
/// derivative reads (bottom or top); in[0] = top diff, in[1] = that data.
template <typename Dtype>
ElementwisePass<Dtype, 2> backward_pass(const Blob<Dtype>& top,
                                        const Blob<Dtype>& activation,
                                        Blob<Dtype>* bottom) {
  const shared_ptr<SyncedMemory> in[2] = {top.diff(), activation.data()};
  return internal::elementwise_pass<Dtype, 2>(in, bottom->diff().get(),
                                              bottom->blocked_layout(), bottom->count());
}

/// to = factor * from, in the layout that `from` is in; nothing if both are one memory
/// and the factor is 1.
template <typename Dtype>
void scale_memory(const shared_ptr<SyncedMemory>& from,
                  const shared_ptr<SyncedMemory>& to, const BlockedLayout& layout,
                  std::int64_t count, Dtype factor = 1) {
  if (factor == Dtype(1) && from == to) return;
  const auto pass = internal::elementwise_pass<Dtype, 1>(&from, to.get(), layout, count);
  const Dtype* in = pass.in[0];
  Dtype* out = pass.out;
  if (factor == Dtype(1)) {
    parallel_ranges(pass.count, 1 << 16, [=](std::int64_t begin, std::int64_t end) {
      std::copy(in + begin, in + end, out + begin);
    });
    return;
  }
  for_each_index(pass.count, [=](std::int64_t i) { out[i] = factor * in[i]; });
}

/// The same for the data, or the diffs, of two blobs of one shape.
template <typename Dtype>
void copy_data(const Blob<Dtype>& from, Blob<Dtype>* to) {
  scale_memory<Dtype>(from.data(), to->data(), to->blocked_layout(), to->count());
}
template <typename Dtype>
void copy_diff(const Blob<Dtype>& from, Blob<Dtype>* to) {
  scale_memory<Dtype>(from.diff(), to->diff(), to->blocked_layout(), to->count());
}

/// output = sum of coeff_i * input_i (no coeffs: plain sum), added in order, over
/// memories of one shape. Blocked if any input is; the output may be an input. At least
/// one input.
template <typename Dtype>
void weighted_sum(const std::vector<shared_ptr<SyncedMemory>>& inputs,
                  const std::vector<Dtype>& coeffs, SyncedMemory* output,
                  const BlockedLayout& layout, std::int64_t count);

/// Sets everything to zero without looking at what was there, in the given layout.
template <typename Dtype>
void zero_memory(SyncedMemory* memory, const BlockedLayout& layout, std::int64_t count);

}  // namespace caffe

#endif  // CAFFE_BACKEND_ELEMENTWISE_HPP_

// Sums over several memories of one shape, in whichever layout they are in.
#include "caffe/backend/elementwise.hpp"

#include <algorithm>

namespace caffe {

namespace {

// The inputs in one layout: blocked if any of them is, else row-major.
BlockedLayout layout_of_any(const std::vector<shared_ptr<SyncedMemory>>& inputs,
                            const SyncedMemory& output, const BlockedLayout& layout) {
  for (const auto& input : inputs) {
    const BlockedLayout common = common_layout({input.get()}, output, layout);
    if (common.valid()) return common;
  }
  return BlockedLayout();
}

template <typename Dtype>
void SumOfTwo(std::int64_t count, const Dtype* x, Dtype a, const Dtype* y, Dtype b,
              Dtype* out) {
  if (a == Dtype(1) && b == Dtype(1)) {
    for_each_index(count, [=](std::int64_t i) { out[i] = x[i] + y[i]; });
  } else {
    for_each_index(count, [=](std::int64_t i) { out[i] = a * x[i] + b * y[i]; });
  }
}

}  // namespace

template <typename Dtype>
void weighted_sum(const std::vector<shared_ptr<SyncedMemory>>& inputs,
                  const std::vector<Dtype>& coeffs, SyncedMemory* output,
                  const BlockedLayout& layout, std::int64_t count) {
  const BlockedLayout common = layout_of_any(inputs, *output, layout);
  if (common.valid()) count = static_cast<std::int64_t>(common.padded_count());
  const auto coeff = [&](size_t i) { return coeffs.empty() ? Dtype(1) : coeffs[i]; };
  std::vector<const Dtype*> in;
  for (const auto& input : inputs) in.push_back(read_memory<Dtype>(input.get(), common));
  Dtype* out = overwrite_memory<Dtype>(output, common);
  if (in.size() == 1) {
    const Dtype *x = in[0], factor = coeff(0);
    if (x == out && factor == Dtype(1)) return;
    for_each_index(count, [=](std::int64_t i) { out[i] = factor * x[i]; });
    return;
  }
  if (in.size() == 3 && coeffs.empty()) {
    const Dtype *x = in[0], *y = in[1], *z = in[2];
    for_each_index(count, [=](std::int64_t i) { out[i] = x[i] + y[i] + z[i]; });
    return;
  }
  SumOfTwo(count, in[0], coeff(0), in[1], coeff(1), out);
  for (size_t k = 2; k < in.size(); ++k)
    SumOfTwo<Dtype>(count, out, 1, in[k], coeff(k), out);
}

template <typename Dtype>
void zero_memory(SyncedMemory* memory, const BlockedLayout& layout, std::int64_t count) {
  Dtype* out = overwrite_memory<Dtype>(memory, layout);
  if (layout.valid()) count = static_cast<std::int64_t>(layout.padded_count());
  parallel_ranges(count, 1 << 16, [=](std::int64_t begin, std::int64_t end) {
    std::fill(out + begin, out + end, Dtype(0));
  });
}

#define CAFFE_INSTANTIATE_ELEMENTWISE(T)                                      \
  template void weighted_sum<T>(const std::vector<shared_ptr<SyncedMemory>>&, \
                                const std::vector<T>&, SyncedMemory*,         \
                                const BlockedLayout&, std::int64_t);          \
  template void zero_memory<T>(SyncedMemory*, const BlockedLayout&, std::int64_t)
CAFFE_INSTANTIATE_ELEMENTWISE(float);
CAFFE_INSTANTIATE_ELEMENTWISE(double);
#undef CAFFE_INSTANTIATE_ELEMENTWISE

}  // namespace caffe

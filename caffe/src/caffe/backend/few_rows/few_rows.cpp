// Products of a few rows with a large matrix: the matrix is read once, as it lies.
#include "caffe/backend/few_rows.hpp"

#include <algorithm>
#include <cstdint>

#include "caffe/util/instruction_set.hpp"
#include "caffe/util/parallel_for.hpp"
#include "few_rows_kernel.hpp"

namespace caffe {

namespace {

/// With more rows BLAS is as fast.
constexpr int kMostItems = 12;
/// From so many values on a matrix is large: smaller ones BLAS reorders within the
/// caches.
constexpr std::int64_t kLarge = 1 << 19;

/// Of no items where the processor has none.
const FewRowsKernel& few_rows_kernel() {
  static const FewRowsKernel kernel = []() -> FewRowsKernel {
#if defined(__x86_64__)
    switch (instruction_set()) {
      case InstructionSet::kAvx512:
        return few_rows_avx512();
      case InstructionSet::kAvx2:
        return few_rows_avx2();
      case InstructionSet::kPlain:
        break;
    }
#endif
    return {0, 0, nullptr};
  }();
  return kernel;
}

}  // namespace

bool takes_few_rows(int items, int outputs, int inputs) {
  return few_rows_kernel().items > 0 && items > 1 && items <= kMostItems &&
         std::int64_t{outputs} * inputs >= kLarge;
}

void add_few_rows(int items, int outputs, int inputs, const float* x,
                  const float* weights, float* y) {
  const FewRowsKernel& kernel = few_rows_kernel();
  const int tiles = (outputs + kernel.outputs - 1) / kernel.outputs;
  const std::int64_t products = std::int64_t{items} * kernel.outputs * inputs;
  parallel_ranges(
      tiles, std::max<std::int64_t>(1, (1 << 17) / std::max<std::int64_t>(1, products)),
      [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t at = begin * kernel.outputs; at < end * kernel.outputs;
             at += kernel.outputs) {
          if (at >= outputs) break;
          FewRowsTile tile;
          tile.outputs =
              static_cast<int>(std::min<std::int64_t>(kernel.outputs, outputs - at));
          tile.inputs = inputs;
          tile.weights = weights + at * inputs;
          tile.y_row = outputs;
          const int pieces = (items + kernel.items - 1) / kernel.items;
          for (int p = 0; p < pieces; ++p) {
            const int first = items * p / pieces;
            tile.items = items * (p + 1) / pieces - first;
            tile.x = x + std::int64_t{first} * inputs;
            tile.y = y + std::int64_t{first} * outputs + at;
            kernel.add(tile);
          }
        }
      });
}

}  // namespace caffe

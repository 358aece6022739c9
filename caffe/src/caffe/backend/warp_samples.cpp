// The samples of a whole flow: positions and weights, then places in a ring of rows.
#include "warp_samples.hpp"

#include <algorithm>

#include "caffe/backend/scratch.hpp"
#include "caffe/util/parallel_for.hpp"
#include "caffe/util/simd.hpp"

namespace caffe {

namespace {

// One row, written to at each x.
template <typename Dtype>
struct Row {
  int width, y;
  const Dtype *u, *v;
  int *column, *top, *bottom, *right;
  Dtype *left_weight, *right_weight, *top_weight, *bottom_weight;
  unsigned char* inside;
};

// One axis of WarpShape::sample without its branches: the pixels before and after
// position p, their weights. p is inside.
template <WarpRule kRule, typename Dtype>
CAFFE_ALWAYS_INLINE void split(Dtype p, int size, int* first, int* second, Dtype* before,
                               Dtype* after) {
  const int towards_zero = static_cast<int>(p);
  const int below = towards_zero - (p < static_cast<Dtype>(towards_zero) ? 1 : 0);
  const Dtype part = p - static_cast<Dtype>(below);
  const int above = below + 1 > size - 1 ? size - 1 : below + 1;
  *before = 1 - part;
  *after = part;
  *first = below;
  if (kRule == WarpRule::kAbsolute) {  // a neighbour outside counts as 0
    *before *= static_cast<Dtype>(below >= 0);
    *after *= static_cast<Dtype>(below + 1 < size);
    *first = below < 0 ? above : below;
  }
  *second = above;
}

template <WarpRule kRule, typename Dtype>
CAFFE_ALWAYS_INLINE void fill(const WarpShape& shape, const Row<Dtype> r) {
  const int width = shape.width, height = shape.height;
  const Dtype least = kRule == WarpRule::kAbsolute ? -1 : 0;
  const Dtype wide = static_cast<Dtype>(width), high = static_cast<Dtype>(height);
  const Dtype y = static_cast<Dtype>(r.y);
#pragma omp simd
  for (int x = 0; x < r.width; ++x) {
    const Dtype px =
        kRule == WarpRule::kAbsolute ? r.u[x] : static_cast<Dtype>(x) + r.u[x];
    const Dtype py = kRule == WarpRule::kAbsolute ? r.v[x] : y + r.v[x];
    const bool below_end = kRule == WarpRule::kRelative
                               ? (px <= wide - 1) & (py <= high - 1)
                               : (px < wide) & (py < high);
    const bool inside = (px >= least) & (py >= least) & below_end;
    int right, bottom;
    split<kRule>(inside ? px : Dtype(0), width, &r.column[x], &right, &r.left_weight[x],
                 &r.right_weight[x]);
    split<kRule>(inside ? py : Dtype(0), height, &r.top[x], &bottom, &r.top_weight[x],
                 &r.bottom_weight[x]);
    r.right[x] = right - r.column[x];
    r.bottom[x] = bottom;
    r.inside[x] = inside ? 1 : 0;
  }
}

// The instruction set is chosen for whole functions that are no templates.
#define DEFINE_FILL(Dtype)                                                         \
  CAFFE_SIMD_CLONES void fill_row(const WarpShape& shape, const Row<Dtype>& row) { \
    switch (shape.rule) {                                                          \
      case WarpRule::kFlowWarp:                                                    \
        return fill<WarpRule::kFlowWarp>(shape, row);                              \
      case WarpRule::kRelative:                                                    \
        return fill<WarpRule::kRelative>(shape, row);                              \
      case WarpRule::kAbsolute:                                                    \
        return fill<WarpRule::kAbsolute>(shape, row);                              \
    }                                                                              \
  }
DEFINE_FILL(float)
DEFINE_FILL(double)
#undef DEFINE_FILL

// First and one past the last image row of the samples inside; whether all are.
CAFFE_SIMD_CLONES void row_range(const int* top, const int* bottom,
                                 const unsigned char* inside, int width, int* first,
                                 int* end, int* count) {
  int least = *first, most = *end, inside_count = 0;
#pragma omp simd reduction(min : least) reduction(max : most) reduction(+ : inside_count)
  for (int x = 0; x < width; ++x) {
    const bool in = inside[x] != 0;
    least = in && top[x] < least ? top[x] : least;
    most = in && bottom[x] + 1 > most ? bottom[x] + 1 : most;
    inside_count += in ? 1 : 0;
  }
  *first = least;
  *end = most;
  *count = inside_count;
}

CAFFE_SIMD_CLONES void place_row(const int* column, int width, int count, int mask,
                                 int* top, int* bottom) {
#pragma omp simd
  for (int x = 0; x < count; ++x) {
    top[x] = (top[x] & mask) * width + column[x];
    bottom[x] = (bottom[x] & mask) * width + column[x];
  }
}

}  // namespace

template <typename Dtype>
WarpSamples<Dtype>::WarpSamples(const WarpShape& shape, int num, const Dtype* flow,
                                std::size_t before)
    : shape_(shape), windows_(static_cast<std::size_t>(num) * shape.out_height) {
  const std::int64_t plane = std::int64_t{shape.out_height} * shape.out_width;
  const std::size_t count = static_cast<std::size_t>((num * plane + 63) / 64 * 64);
  before = (before + 63) / 64 * 64;
  memory_ = scratch_memory(before + count * (4 * sizeof(int) + 4 * sizeof(Dtype) + 1));
  Dtype* numbers = reinterpret_cast<Dtype*>(static_cast<char*>(memory_) + before);
  for (int k = 0; k < 2; ++k) {
    column_[k] = numbers + k * count;
    row_[k] = numbers + (2 + k) * count;
  }
  top_ = reinterpret_cast<int*>(numbers + 4 * count);
  bottom_ = top_ + count;
  right_ = bottom_ + count;
  left_ = right_ + count;
  inside_ = reinterpret_cast<unsigned char*>(left_ + count);
  const std::int64_t rows = std::int64_t{num} * shape.out_height;
  const std::int64_t grain = std::max(1, 4096 / std::max(1, shape.out_width));
  const auto for_rows = [&](auto&& body) {
    parallel_ranges(rows, grain, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) {
        body(static_cast<int>(i / shape.out_height),
             static_cast<int>(i % shape.out_height));
      }
    });
  };
  for_rows([&](int n, int y) { FillRow(flow + 2 * n * plane, n, y); });
  ChooseRing(num);
  for_rows([&](int n, int y) {
    const std::int64_t at = row(n, y);
    place_row(left_ + at, shape_.width, shape_.out_width, mask_, top_ + at, bottom_ + at);
  });
}

template <typename Dtype>
void WarpSamples<Dtype>::FillRow(const Dtype* flow, int n, int y) {
  const std::int64_t at = row(n, y);
  const Dtype* u = flow + std::int64_t{y} * shape_.out_width;
  const Dtype* v = u + std::int64_t{shape_.out_height} * shape_.out_width;
  fill_row(shape_, Row<Dtype>{shape_.out_width, y, u, v, left_ + at, top_ + at,
                              bottom_ + at, right_ + at, column_[0] + at, column_[1] + at,
                              row_[0] + at, row_[1] + at, inside_ + at});
  Window& window = windows_[std::int64_t{n} * shape_.out_height + y];
  int count = 0;
  window.first = shape_.height;
  window.end = 0;
  row_range(top_ + at, bottom_ + at, inside_ + at, shape_.out_width, &window.first,
            &window.end, &count);
  window.all_inside = count == shape_.out_width;
}

template <typename Dtype>
void WarpSamples<Dtype>::ChooseRing(int num) {
  int needed = 1;
  for (int n = 0; n < num; ++n) {
    Window* windows = windows_.data() + std::int64_t{n} * shape_.out_height;
    int later = shape_.height;
    for (int y = shape_.out_height - 1; y >= 0; --y) {
      windows[y].later = later = std::min(later, windows[y].first);
    }
    int end = 0;
    for (int y = 0; y < shape_.out_height; ++y) {
      end = std::max(end, windows[y].end);
      needed = std::max(needed, end - windows[y].later);
    }
  }
  ring_ = 1;
  while (ring_ < needed) ring_ *= 2;
  mask_ = ring_ - 1;
  if (ring_ < shape_.height) return;
  ring_ = shape_.height;
  mask_ = -1;
}

template <typename Dtype>
WarpLine<Dtype> WarpSamples<Dtype>::line(int n, int y) const {
  const std::int64_t at = row(n, y);
  return {shape_.out_width,
          top_ + at,
          bottom_ + at,
          right_ + at,
          {column_[0] + at, column_[1] + at},
          {row_[0] + at, row_[1] + at},
          inside_ + at};
}

template class WarpSamples<float>;
template class WarpSamples<double>;

}  // namespace caffe

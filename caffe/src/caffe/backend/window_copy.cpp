// Window copies: contiguous runs, threaded over the axes before them.
#include "caffe/backend/window_copy.hpp"

#include <cstring>

#include "caffe/util/parallel_for.hpp"

namespace caffe {

bool Window::is_spatial() const {
  return from.size() > 2 && size[0] == from[0] && size[1] == from[1];
}

Window Window::Blocked(const BlockedLayout& layout) const {
  Window blocked = *this;
  blocked.from[1] = blocked.size[1] = layout.blocks();
  blocked.from.push_back(layout.block);
  blocked.size.push_back(layout.block);
  blocked.offset.push_back(0);
  return blocked;
}

namespace {

// The runs of a window: everything from axis `axis` on is contiguous in both arrays.
struct Runs {
  explicit Runs(const Window& window) : window_(window) {
    int axis = static_cast<int>(window.size.size());
    while (axis > 0 && (axis == static_cast<int>(window.size.size()) ||
                        window.size[axis] == window.from[axis])) {
      --axis;
      length *= window.size[axis];
      stride *= window.from[axis];
    }
    axis_ = axis;
    start = axis < static_cast<int>(window.size.size()) && !window.from.empty()
                ? stride / (window.from[axis] > 0 ? window.from[axis] : 1) *
                      window.offset[axis]
                : 0;
    for (int i = 0; i < axis; ++i) count *= window.size[i];
  }
  // Where run `index` begins in the large array.
  std::int64_t offset(std::int64_t index) const {
    std::int64_t offset = start, step = stride;
    for (int i = axis_ - 1; i >= 0; --i) {
      offset += (index % window_.size[i] + window_.offset[i]) * step;
      index /= window_.size[i];
      step *= window_.from[i];
    }
    return offset;
  }

  std::int64_t length = 1, count = 1;

 private:
  const Window& window_;
  int axis_ = 0;
  std::int64_t stride = 1, start = 0;
};

template <typename Copy>
void ForEachRun(const Runs& runs, const Copy& copy) {
  if (runs.length == 0) return;
  parallel_ranges(runs.count, std::max<std::int64_t>(1, (1 << 14) / runs.length),
                  [&](std::int64_t begin, std::int64_t end) {
                    for (std::int64_t run = begin; run < end; ++run) {
                      copy(run * runs.length, runs.offset(run));
                    }
                  });
}

}  // namespace

template <typename Dtype>
void copy_from_window(const Window& window, const Dtype* large, Dtype* small) {
  const Runs runs(window);
  ForEachRun(runs, [&](std::int64_t in_small, std::int64_t in_large) {
    std::memcpy(small + in_small, large + in_large, runs.length * sizeof(Dtype));
  });
}

template <typename Dtype>
void copy_to_window(const Window& window, const Dtype* small, Dtype* large) {
  const Runs runs(window);
  ForEachRun(runs, [&](std::int64_t in_small, std::int64_t in_large) {
    std::memcpy(large + in_large, small + in_small, runs.length * sizeof(Dtype));
  });
}

template void copy_from_window<float>(const Window&, const float*, float*);
template void copy_from_window<double>(const Window&, const double*, double*);
template void copy_to_window<float>(const Window&, const float*, float*);
template void copy_to_window<double>(const Window&, const double*, double*);

}  // namespace caffe

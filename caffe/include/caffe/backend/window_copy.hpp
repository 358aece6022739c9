// A window of an N-dimensional array and its copy in both directions: what Crop does.
#ifndef CAFFE_BACKEND_WINDOW_COPY_HPP_
#define CAFFE_BACKEND_WINDOW_COPY_HPP_

#include <vector>

#include "caffe/util/blocked_layout.hpp"

namespace caffe {

/// The box of `size` numbers at `offset` in an array of `from` numbers; all row-major
/// with one entry an axis, and offset + size <= from.
struct Window {
  std::vector<int> from, size, offset;

  /// True if the window takes every channel of every item whole, so that it can be copied
  /// in a blocked layout.
  bool is_spatial() const;
  /// The same window over the memory of a blocked array (needs is_spatial()).
  Window Blocked(const BlockedLayout& layout) const;
};

/// small = the window of large.
template <typename Dtype>
void copy_from_window(const Window& window, const Dtype* large, Dtype* small);
/// The window of large = small; the rest of large stays.
template <typename Dtype>
void copy_to_window(const Window& window, const Dtype* small, Dtype* large);

}  // namespace caffe

#endif  // CAFFE_BACKEND_WINDOW_COPY_HPP_

// The samples of a whole flow, computed once for all channels that are warped by it.
#ifndef CAFFE_BACKEND_WARP_SAMPLES_HPP_
#define CAFFE_BACKEND_WARP_SAMPLES_HPP_

#include <vector>

#include "caffe/backend/warp.hpp"
#include "warp_kernels.hpp"

namespace caffe {

/// Output rows read image rows of a window that slides down with them; a buffer of
/// `ring()` rows, image row r at place(r), holds all of it at any time. (A flow that
/// jumps over the whole image has a window of the whole image.)
template <typename Dtype>
class WarpSamples {
 public:
  /// flow: (num, 2, H', W'). The samples lie in the calling thread's scratch memory,
  /// behind `before` bytes of the caller's.
  WarpSamples(const WarpShape& shape, int num, const Dtype* flow, std::size_t before = 0);

  /// The caller's scratch memory.
  void* memory() const { return memory_; }
  int ring() const { return ring_; }
  int place(int image_row) const { return image_row & mask_; }
  /// Row y of image n; top and bottom are offsets in the ring.
  WarpLine<Dtype> line(int n, int y) const;
  /// Whether all of the row's samples are inside.
  bool all_inside(int n, int y) const { return window(n, y).all_inside; }
  /// The first image row that output row y or a later one reads; the image's height after
  /// the last.
  int first_row(int n, int y) const {
    return y < shape_.out_height ? window(n, y).later : shape_.height;
  }
  /// One past the last image row that output row y reads; 0 if it reads none.
  int end_row(int n, int y) const { return window(n, y).end; }

 private:
  struct Window {
    int first, end, later;
    bool all_inside;
  };
  const Window& window(int n, int y) const {
    return windows_[std::int64_t{n} * shape_.out_height + y];
  }
  std::int64_t row(int n, int y) const {
    return (std::int64_t{n} * shape_.out_height + y) * shape_.out_width;
  }
  void FillRow(const Dtype* flow, int n, int y);
  void ChooseRing(int num);

  WarpShape shape_;
  int ring_ = 0, mask_ = -1;
  void* memory_;
  std::vector<Window> windows_;
  int *top_, *bottom_;  // image rows, then offsets in the ring
  int *left_, *right_;  // column; offset of the right neighbour
  Dtype *column_[2], *row_[2];
  unsigned char* inside_;
};

}  // namespace caffe

#endif  // CAFFE_BACKEND_WARP_SAMPLES_HPP_

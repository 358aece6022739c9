// Warping row-major maps of many channels, a vector of channels at a time.
#ifndef CAFFE_BACKEND_WARP_LANES_HPP_
#define CAFFE_BACKEND_WARP_LANES_HPP_

#include "caffe/backend/warp.hpp"

namespace caffe {

/// Whether these passes are the faster ones: there are channels for at least half of the
/// lanes of a vector.
template <typename Dtype>
bool warp_fills_lanes(int channels);

/// As warp_forward, from row-major memory to row-major memory.
template <typename Dtype>
void warp_forward_lanes(const WarpShape& shape, Dtype fill, const Blob<Dtype>& image,
                        const Blob<Dtype>& flow, Blob<Dtype>* top);

/// As warp_backward; the flow's diff by WarpRule::kFlowWarp only.
template <typename Dtype>
void warp_backward_lanes(const WarpShape& shape, const Blob<Dtype>& top,
                         bool image_wants_diff, bool flow_wants_diff, Blob<Dtype>* image,
                         Blob<Dtype>* flow);

}  // namespace caffe

#endif  // CAFFE_BACKEND_WARP_LANES_HPP_

// Pad on the device.
#include "caffe/device/divisor.hpp"
#include "caffe/device/launch.hpp"
#include "caffe/layers/pad_layer.hpp"

namespace caffe {

namespace {

using device::Divisor;

struct PadShape {
  int height, width, top_height, top_width;
};

template <typename Dtype>
PadShape pad_shape(const Blob<Dtype>& bottom, const Blob<Dtype>& top) {
  return {bottom.shape(2), bottom.shape(3), top.shape(2), top.shape(3)};
}

template <typename Dtype>
void pad_edge(int n, const PadShape& pad, const Dtype* x, Dtype* y) {
  const PadShape shape = pad;
  const Divisor top_width(shape.top_width), top_height(shape.top_height);
  launch(
      n, CAFFE_LAMBDA(int i) {
        const int row = top_width.quotient(i), at_x = i - row * shape.top_width;
        const int plane = top_height.quotient(row), at_y = row - plane * shape.top_height;
        const int from_y = at_y < shape.height ? at_y : shape.height - 1;
        const int from_x = at_x < shape.width ? at_x : shape.width - 1;
        y[i] = x[(plane * shape.height + from_y) * shape.width + from_x];
      });
}

template <typename Dtype>
void pad_constant(int n, const PadShape& pad, Dtype value, const Dtype* x, Dtype* y) {
  const PadShape shape = pad;
  const Divisor top_width(shape.top_width), top_height(shape.top_height);
  launch(
      n, CAFFE_LAMBDA(int i) {
        const int row = top_width.quotient(i), at_x = i - row * shape.top_width;
        const int plane = top_height.quotient(row), at_y = row - plane * shape.top_height;
        const bool inside = at_y < shape.height && at_x < shape.width;
        y[i] = inside ? x[(plane * shape.height + at_y) * shape.width + at_x] : value;
      });
}

/// With `edge` the last row collects those below it, the last column those at its right.
template <typename Dtype>
void pad_gradient(int n, const PadShape& pad, bool edge, const Dtype* g, Dtype* dx) {
  const PadShape shape = pad;
  const Divisor width(shape.width), height(shape.height);
  launch(
      n, CAFFE_LAMBDA(int i) {
        const int row = width.quotient(i), first_x = i - row * shape.width;
        const int plane = height.quotient(row), first_y = row - plane * shape.height;
        const int last_y =
            edge && first_y == shape.height - 1 ? shape.top_height - 1 : first_y;
        const int last_x =
            edge && first_x == shape.width - 1 ? shape.top_width - 1 : first_x;
        Dtype sum = 0;
        for (int y = first_y; y <= last_y; ++y) {
          const Dtype* from = g + (plane * shape.top_height + y) * shape.top_width;
          for (int x = first_x; x <= last_x; ++x) sum += from[x];
        }
        dx[i] = sum;
      });
}

}  // namespace

template <typename Dtype>
void PadLayer<Dtype>::Forward_gpu(const vector<Blob<Dtype>*>& bottom,
                                  const vector<Blob<Dtype>*>& top) {
  const PadShape shape = pad_shape(*bottom[0], *top[0]);
  if (edge_) {
    pad_edge(top[0]->count(), shape, bottom[0]->gpu_data(), top[0]->mutable_gpu_data());
  } else {
    const Dtype value = this->layer_param_.pad_param().value();
    pad_constant(top[0]->count(), shape, value, bottom[0]->gpu_data(),
                 top[0]->mutable_gpu_data());
  }
}

template <typename Dtype>
void PadLayer<Dtype>::Backward_gpu(const vector<Blob<Dtype>*>& top,
                                   const vector<bool>& propagate_down,
                                   const vector<Blob<Dtype>*>& bottom) {
  if (!propagate_down[0]) return;
  pad_gradient(bottom[0]->count(), pad_shape(*bottom[0], *top[0]), edge_,
               top[0]->gpu_diff(), bottom[0]->mutable_gpu_diff());
}

INSTANTIATE_LAYER_GPU_FUNCS(PadLayer);

}  // namespace caffe

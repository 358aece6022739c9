// Tile on the device.
#include "caffe/device/divisor.hpp"
#include "caffe/device/launch.hpp"
#include "caffe/layers/tile_layer.hpp"

namespace caffe {

namespace {

using device::Divisor;

/// y: `tiles` copies of each block of `inner` numbers.
template <typename Dtype>
void repeat_blocks(int n, int tiles, int inner, const Dtype* x, Dtype* y) {
  const Divisor block(inner), copies(tiles * inner);
  launch(
      n, CAFFE_LAMBDA(int i) {
        y[i] = x[copies.quotient(i) * block.divisor() + block.remainder(i)];
      });
}

template <typename Dtype>
void sum_blocks(int n, int tiles, int inner, const Dtype* g, Dtype* dx) {
  const Divisor block(inner);
  launch(
      n, CAFFE_LAMBDA(int i) {
        const int outer = block.quotient(i);
        const Dtype* from = g + outer * (tiles - 1) * inner + i;
        Dtype sum = from[0];
        for (int t = 1; t < tiles; ++t) sum += from[t * inner];
        dx[i] = sum;
      });
}

}  // namespace

template <typename Dtype>
void TileLayer<Dtype>::Forward_gpu(const vector<Blob<Dtype>*>& bottom,
                                   const vector<Blob<Dtype>*>& top) {
  repeat_blocks(top[0]->count(), tiles_, inner_, bottom[0]->gpu_data(),
                top[0]->mutable_gpu_data());
}

template <typename Dtype>
void TileLayer<Dtype>::Backward_gpu(const vector<Blob<Dtype>*>& top,
                                    const vector<bool>& propagate_down,
                                    const vector<Blob<Dtype>*>& bottom) {
  if (!propagate_down[0]) return;
  sum_blocks(bottom[0]->count(), tiles_, inner_, top[0]->gpu_diff(),
             bottom[0]->mutable_gpu_diff());
}

INSTANTIATE_LAYER_GPU_FUNCS(TileLayer);

}  // namespace caffe

// Tile: copies of blocks behind each other.
#include "caffe/layers/tile_layer.hpp"

#include <algorithm>

#include "caffe/layers/axis_span.hpp"
#include "caffe/util/parallel_for.hpp"

namespace caffe {

template <typename Dtype>
void TileLayer<Dtype>::Reshape(const vector<Blob<Dtype>*>& bottom,
                               const vector<Blob<Dtype>*>& top) {
  check_not_in_place(type(), bottom, top);
  const TileParameter& param = this->layer_param_.tile_param();
  CHECK_VALUE(param.has_tiles() && param.tiles() > 0)
      << "tile_param: tiles, the number of copies, must be given and positive";
  const int axis = bottom[0]->CanonicalAxisIndex(param.axis());
  tiles_ = param.tiles();
  outer_ = bottom[0]->count(0, axis);
  inner_ = bottom[0]->count(axis);
  vector<int> shape = bottom[0]->shape();
  shape[axis] *= tiles_;
  top[0]->Reshape(shape);
}

template <typename Dtype>
void TileLayer<Dtype>::Forward_cpu(const vector<Blob<Dtype>*>& bottom,
                                   const vector<Blob<Dtype>*>& top) {
  const Dtype* x = bottom[0]->cpu_data();
  Dtype* y = top[0]->mutable_cpu_data();
  const std::int64_t inner = inner_;
  parallel_ranges(static_cast<std::int64_t>(outer_) * tiles_, 1 + (1 << 14) / (1 + inner),
                  [&](std::int64_t begin, std::int64_t end) {
                    for (std::int64_t i = begin; i < end; ++i) {
                      std::copy_n(x + i / tiles_ * inner, inner, y + i * inner);
                    }
                  });
}

template <typename Dtype>
void TileLayer<Dtype>::Backward_cpu(const vector<Blob<Dtype>*>& top,
                                    const vector<bool>& propagate_down,
                                    const vector<Blob<Dtype>*>& bottom) {
  if (!propagate_down[0]) return;
  const Dtype* g = top[0]->cpu_diff();
  Dtype* dx = bottom[0]->mutable_cpu_diff();
  const std::int64_t inner = inner_;
  parallel_ranges(outer_, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t o = begin; o < end; ++o) {
      const Dtype* copies = g + o * tiles_ * inner;
      std::copy_n(copies, inner, dx + o * inner);
      for (int t = 1; t < tiles_; ++t) {
        for (std::int64_t i = 0; i < inner; ++i)
          dx[o * inner + i] += copies[t * inner + i];
      }
    }
  });
}

INSTANTIATE_CLASS(TileLayer);
REGISTER_LAYER_CLASS(Tile);

}  // namespace caffe

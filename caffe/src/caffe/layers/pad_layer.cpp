// Pad.
#include "caffe/layers/pad_layer.hpp"

#include <algorithm>

#include "caffe/layers/idle_setting.hpp"
#include "caffe/util/parallel_for.hpp"

namespace caffe {

namespace {
constexpr unsigned int kMostMultiple = 1 << 24;  // sizes stay far from INT_MAX
}  // namespace

template <typename Dtype>
void PadLayer<Dtype>::LayerSetUp(const vector<Blob<Dtype>*>&,
                                 const vector<Blob<Dtype>*>&) {
  const PadParameter& param = this->layer_param_.pad_param();
  CHECK_VALUE(param.multiple_of() >= 1 && param.multiple_of() <= kMostMultiple)
      << "layer '" << this->layer_param_.name()
      << "': pad_param.multiple_of must be from 1 to " << kMostMultiple << ", not "
      << param.multiple_of();
  edge_ = param.mode() == PadParameter::EDGE;
  if (edge_ && param.has_value()) {
    warn_idle("Pad layer '" + this->layer_param_.name() + "': ", "pad_param.value",
              "mode EDGE repeats the last row and column; CONSTANT writes it");
  }
}

template <typename Dtype>
void PadLayer<Dtype>::Reshape(const vector<Blob<Dtype>*>& bottom,
                              const vector<Blob<Dtype>*>& top) {
  CHECK_EQ(bottom[0]->num_axes(), 4)
      << "layer '" << this->layer_param_.name() << "' pads images (N, C, H, W), not "
      << bottom[0]->shape_string();
  CHECK(!edge_ || bottom[0]->count(2) > 0)
      << "layer '" << this->layer_param_.name()
      << "' has no edge to repeat: its bottom is " << bottom[0]->shape_string();
  const int multiple = static_cast<int>(this->layer_param_.pad_param().multiple_of());
  vector<int> shape = bottom[0]->shape();
  for (int axis : {2, 3})
    shape[axis] = (shape[axis] + multiple - 1) / multiple * multiple;
  top[0]->Reshape(shape);
}

template <typename Dtype>
void PadLayer<Dtype>::Forward_cpu(const vector<Blob<Dtype>*>& bottom,
                                  const vector<Blob<Dtype>*>& top) {
  const int height = bottom[0]->shape(2), width = bottom[0]->shape(3);
  const int top_height = top[0]->shape(2), top_width = top[0]->shape(3);
  const Dtype value = this->layer_param_.pad_param().value();
  const bool edge = edge_;
  const Dtype* from = bottom[0]->cpu_data();
  Dtype* to = top[0]->mutable_cpu_data();
  const std::int64_t rows = static_cast<std::int64_t>(top[0]->count(0, 2)) * top_height;
  parallel_ranges(rows, 64, [=](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      const int y = static_cast<int>(row % top_height);
      Dtype* target = to + row * top_width;
      if (!edge && y >= height) {
        std::fill_n(target, top_width, value);
        continue;
      }
      const Dtype* source =
          from + (row / top_height * height + std::min(y, height - 1)) * width;
      std::copy_n(source, width, target);
      std::fill_n(target + width, top_width - width, edge ? source[width - 1] : value);
    }
  });
}

template <typename Dtype>
void PadLayer<Dtype>::Backward_cpu(const vector<Blob<Dtype>*>& top,
                                   const vector<bool>& propagate_down,
                                   const vector<Blob<Dtype>*>& bottom) {
  if (!propagate_down[0]) return;
  const int height = bottom[0]->shape(2), width = bottom[0]->shape(3);
  const int top_height = top[0]->shape(2), top_width = top[0]->shape(3);
  const bool edge = edge_;
  const Dtype* from = top[0]->cpu_diff();
  Dtype* to = bottom[0]->mutable_cpu_diff();
  const std::int64_t rows = static_cast<std::int64_t>(bottom[0]->count(0, 2)) * height;
  parallel_ranges(rows, 64, [=](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      const int y = static_cast<int>(row % height);
      const Dtype* source = from + (row / height * top_height + y) * top_width;
      Dtype* target = to + row * width;
      std::copy_n(source, width, target);
      if (!edge) continue;
      // The last row collects those below it, the last column those at its right.
      for (int below = y;; ++below, source += top_width) {
        if (below > y) {
          for (int x = 0; x < width; ++x) target[x] += source[x];
        }
        for (int x = width; x < top_width; ++x) target[width - 1] += source[x];
        if (y < height - 1 || below == top_height - 1) break;
      }
    }
  });
}

INSTANTIATE_CLASS(PadLayer);
REGISTER_LAYER_CLASS(Pad);

}  // namespace caffe

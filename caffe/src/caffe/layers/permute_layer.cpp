// Permute: a strided copy in the top's order.
#include "caffe/layers/permute_layer.hpp"

#include <algorithm>

#include "caffe/layers/axis_span.hpp"
#include "caffe/util/parallel_for.hpp"

namespace caffe {

namespace {

// Calls copy(row, source) for each row of the top's last axis; `source` is where the row
// begins in the bottom, whose neighbouring values lie `strides.back()` apart.
template <typename Copy>
void ForEachRow(const vector<int>& top_shape, const vector<std::int64_t>& strides,
                const Copy& copy) {
  std::int64_t rows = 1;
  for (size_t i = 0; i + 1 < top_shape.size(); ++i) rows *= top_shape[i];
  const std::int64_t grain = (1 << 13) / std::max(1, top_shape.back());
  parallel_ranges(rows, std::max<std::int64_t>(1, grain),
                  [&](std::int64_t begin, std::int64_t end) {
                    for (std::int64_t row = begin; row < end; ++row) {
                      std::int64_t source = 0, rest = row;
                      for (int i = static_cast<int>(top_shape.size()) - 2; i >= 0; --i) {
                        source += rest % top_shape[i] * strides[i];
                        rest /= top_shape[i];
                      }
                      copy(row, source);
                    }
                  });
}

// The bottom's strides in the order of the top's axes.
template <typename Dtype>
vector<std::int64_t> StridesInOrder(const Blob<Dtype>& bottom, const vector<int>& order) {
  vector<std::int64_t> strides;
  for (const int axis : order) strides.push_back(bottom.count(axis + 1));
  return strides;
}

}  // namespace

template <typename Dtype>
void PermuteLayer<Dtype>::Reshape(const vector<Blob<Dtype>*>& bottom,
                                  const vector<Blob<Dtype>*>& top) {
  check_not_in_place(type(), bottom, top);
  const int axes = bottom[0]->num_axes();
  order_.clear();
  for (const unsigned int axis : this->layer_param_.permute_param().order()) {
    CHECK_LT(axis, static_cast<unsigned int>(axes))
        << "permute_param: the bottom, shape " << bottom[0]->shape_string()
        << ", has no axis " << axis;
    CHECK(std::find(order_.begin(), order_.end(), static_cast<int>(axis)) == order_.end())
        << "permute_param: axis " << axis << " is named twice";
    order_.push_back(static_cast<int>(axis));
  }
  for (int axis = 0; axis < axes; ++axis) {
    if (std::find(order_.begin(), order_.end(), axis) == order_.end())
      order_.push_back(axis);
  }
  vector<int> shape;
  for (const int axis : order_) shape.push_back(bottom[0]->shape(axis));
  top[0]->Reshape(shape);
}

template <typename Dtype>
void PermuteLayer<Dtype>::Forward_cpu(const vector<Blob<Dtype>*>& bottom,
                                      const vector<Blob<Dtype>*>& top) {
  if (bottom[0]->num_axes() == 0) {
    top[0]->mutable_cpu_data()[0] = bottom[0]->cpu_data()[0];
    return;
  }
  const vector<std::int64_t> strides = StridesInOrder(*bottom[0], order_);
  const std::int64_t length = top[0]->shape(-1), step = strides.back();
  const Dtype* x = bottom[0]->cpu_data();
  Dtype* y = top[0]->mutable_cpu_data();
  ForEachRow(top[0]->shape(), strides, [=](std::int64_t row, std::int64_t source) {
    for (std::int64_t i = 0; i < length; ++i) y[row * length + i] = x[source + i * step];
  });
}

template <typename Dtype>
void PermuteLayer<Dtype>::Backward_cpu(const vector<Blob<Dtype>*>& top,
                                       const vector<bool>& propagate_down,
                                       const vector<Blob<Dtype>*>& bottom) {
  if (!propagate_down[0]) return;
  if (bottom[0]->num_axes() == 0) {
    bottom[0]->mutable_cpu_diff()[0] = top[0]->cpu_diff()[0];
    return;
  }
  const vector<std::int64_t> strides = StridesInOrder(*bottom[0], order_);
  const std::int64_t length = top[0]->shape(-1), step = strides.back();
  const Dtype* g = top[0]->cpu_diff();
  Dtype* dx = bottom[0]->mutable_cpu_diff();
  ForEachRow(top[0]->shape(), strides, [=](std::int64_t row, std::int64_t source) {
    for (std::int64_t i = 0; i < length; ++i) dx[source + i * step] = g[row * length + i];
  });
}

INSTANTIATE_CLASS(PermuteLayer);
REGISTER_LAYER_CLASS(Permute);

}  // namespace caffe

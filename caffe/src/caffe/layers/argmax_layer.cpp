// ArgMax: a partial sort of each row of candidates.
#include "caffe/layers/argmax_layer.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "caffe/util/parallel_for.hpp"

namespace caffe {

template <typename Dtype>
void ArgMaxLayer<Dtype>::Reshape(const vector<Blob<Dtype>*>& bottom,
                                 const vector<Blob<Dtype>*>& top) {
  const ArgMaxParameter& param = this->layer_param_.argmax_param();
  axis_ = param.has_axis() ? bottom[0]->CanonicalAxisIndex(param.axis()) : -1;
  top_k_ = static_cast<int>(param.top_k());
  const int candidates = axis_ >= 0 ? bottom[0]->shape(axis_) : bottom[0]->count(1);
  CHECK_GE(top_k_, 1) << "argmax_param: top_k must be at least 1";
  CHECK_LE(top_k_, candidates)
      << "argmax_param: top_k is larger than the number of values, "
         "bottom shape "
      << bottom[0]->shape_string();
  vector<int> shape;
  if (axis_ >= 0) {
    shape = bottom[0]->shape();
    shape[axis_] = top_k_;
  } else {
    shape.assign(std::max(bottom[0]->num_axes(), 3), 1);
    shape[0] = bottom[0]->shape(0);
    shape[1] = param.out_max_val() ? 2 : 1;
    shape[2] = top_k_;
  }
  top[0]->Reshape(shape);
}

template <typename Dtype>
void ArgMaxLayer<Dtype>::Forward_cpu(const vector<Blob<Dtype>*>& bottom,
                                     const vector<Blob<Dtype>*>& top) {
  const bool values_too = this->layer_param_.argmax_param().out_max_val();
  const Dtype* x = bottom[0]->cpu_data();
  Dtype* y = top[0]->mutable_cpu_data();
  const int candidates = axis_ >= 0 ? bottom[0]->shape(axis_) : bottom[0]->count(1);
  const int inner = axis_ >= 0 ? bottom[0]->count(axis_ + 1) : 1;
  const int rows = bottom[0]->count() / std::max(1, candidates);
  parallel_ranges(
      rows, std::max(1, 8192 / candidates), [&](std::int64_t begin, std::int64_t end) {
        vector<int> order(candidates);
        for (std::int64_t row = begin; row < end; ++row) {
          const Dtype* values = x + row / inner * candidates * inner + row % inner;
          const auto before = [&](int a, int b) {
            const Dtype u = values[static_cast<std::int64_t>(a) * inner],
                        v = values[static_cast<std::int64_t>(b) * inner];
            if (std::isnan(u) || std::isnan(v)) return std::isnan(v) && !std::isnan(u);
            return u > v || (u == v && a > b);
          };
          for (int i = 0; i < candidates; ++i) order[i] = i;
          std::partial_sort(order.begin(), order.begin() + top_k_, order.end(), before);
          for (int k = 0; k < top_k_; ++k) {
            const Dtype value = values[static_cast<std::int64_t>(order[k]) * inner];
            if (axis_ >= 0) {
              y[(row / inner * top_k_ + k) * inner + row % inner] =
                  values_too ? value : static_cast<Dtype>(order[k]);
            } else {
              Dtype* item = y + row * (values_too ? 2 : 1) * top_k_;
              item[k] = static_cast<Dtype>(order[k]);
              if (values_too) item[top_k_ + k] = value;
            }
          }
        }
      });
}

template <typename Dtype>
void ArgMaxLayer<Dtype>::Backward_cpu(const vector<Blob<Dtype>*>&,
                                      const vector<bool>& propagate_down,
                                      const vector<Blob<Dtype>*>&) {
  CHECK(!propagate_down[0]) << "ArgMax has no gradient";
}

INSTANTIATE_CLASS(ArgMaxLayer);
REGISTER_LAYER_CLASS(ArgMax);

}  // namespace caffe

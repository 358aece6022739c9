// Pooling.
#include "caffe/layers/pooling_layer.hpp"

#include <algorithm>
#include <cmath>

#include "caffe/util/math_functions.hpp"

namespace caffe {

template <typename Dtype>
string PoolingLayer<Dtype>::Where() const {
  return "Pooling layer '" + this->layer_param_.name() + "'";
}

template <typename Dtype>
void PoolingLayer<Dtype>::ReadKernel(const string& where) {
  const PoolingParameter& param = this->layer_param_.pooling_param();
  const bool pair = param.has_kernel_h() && param.has_kernel_w();
  if (global_pooling_) {
    CHECK_VALUE(!param.has_kernel_size() && !param.has_kernel_h() &&
                !param.has_kernel_w())
        << where
        << ": with global_pooling no kernel may be given: it is the bottom's size";
    return;
  }
  CHECK_VALUE(param.has_kernel_size() != pair)
      << where << ": either kernel_size, or both kernel_h and kernel_w must be given";
  kernel_h_ = static_cast<int>(pair ? param.kernel_h() : param.kernel_size());
  kernel_w_ = static_cast<int>(pair ? param.kernel_w() : param.kernel_size());
  CHECK_VALUE(kernel_h_ > 0 && kernel_w_ > 0)
      << where << ": the kernel size must be positive; it is " << kernel_h_ << " x "
      << kernel_w_;
}

template <typename Dtype>
void PoolingLayer<Dtype>::ReadStrideAndPad(const string& where) {
  const PoolingParameter& param = this->layer_param_.pooling_param();
  const bool pad_pair = param.has_pad_h() && param.has_pad_w();
  const bool stride_pair = param.has_stride_h() && param.has_stride_w();
  CHECK_VALUE(param.has_pad_h() == param.has_pad_w() && !(pad_pair && param.has_pad()))
      << where << ": give either pad, or both pad_h and pad_w";
  CHECK_VALUE(param.has_stride_h() == param.has_stride_w() &&
              !(stride_pair && param.has_stride()))
      << where << ": give either stride, or both stride_h and stride_w";
  pad_h_ = static_cast<int>(pad_pair ? param.pad_h() : param.pad());
  pad_w_ = static_cast<int>(pad_pair ? param.pad_w() : param.pad());
  stride_h_ = static_cast<int>(stride_pair ? param.stride_h() : param.stride());
  stride_w_ = static_cast<int>(stride_pair ? param.stride_w() : param.stride());
  CHECK_VALUE(stride_h_ > 0 && stride_w_ > 0)
      << where << ": the stride must be positive; it is " << stride_h_ << " x "
      << stride_w_;
}

template <typename Dtype>
void PoolingLayer<Dtype>::LayerSetUp(const vector<Blob<Dtype>*>&,
                                     const vector<Blob<Dtype>*>& top) {
  const PoolingParameter& param = this->layer_param_.pooling_param();
  const string where = Where();
  global_pooling_ = param.global_pooling();
  round_mode_ = param.round_mode();
  ReadKernel(where);
  ReadStrideAndPad(where);
  if (global_pooling_) {
    CHECK_VALUE(pad_h_ == 0 && pad_w_ == 0 && stride_h_ == 1 && stride_w_ == 1)
        << where << ": with global_pooling only pad 0 and stride 1 are possible";
  }
  if (pad_h_ != 0 || pad_w_ != 0) {
    CHECK_VALUE(param.pool() != PoolingParameter_PoolMethod_STOCHASTIC)
        << where << ": padding is for MAX and AVE pooling only";
    CHECK_VALUE(pad_h_ < kernel_h_ && pad_w_ < kernel_w_)
        << where << ": pad must be smaller than the kernel; pad is " << pad_h_ << " x "
        << pad_w_ << ", the kernel " << kernel_h_ << " x " << kernel_w_;
  }
  CHECK_VALUE(top.size() == 1 || param.pool() == PoolingParameter_PoolMethod_MAX)
      << where << ": only MAX pooling has a second top";
}

template <typename Dtype>
int PoolingLayer<Dtype>::PooledSize(int size, int kernel, int stride, int pad) const {
  const double ratio = static_cast<double>(size + 2 * pad - kernel) / stride;
  const bool ceil = round_mode_ == PoolingParameter_RoundMode_CEIL;
  int pooled = static_cast<int>(ceil ? std::ceil(ratio) : std::floor(ratio)) + 1;
  if ((pad_h_ != 0 || pad_w_ != 0) && (pooled - 1) * stride >= size + pad) {
    --pooled;
    CHECK_VALUE((pooled - 1) * stride < size + pad)
        << Where() << ": the last window starts beyond the image: size " << size
        << ", kernel " << kernel << ", stride " << stride << ", pad " << pad;
  }
  CHECK_VALUE(pooled >= 0) << Where() << ": a kernel of " << kernel
                           << " is too large for a bottom of size " << size
                           << " with pad " << pad;
  return pooled;
}

template <typename Dtype>
void PoolingLayer<Dtype>::Reshape(const vector<Blob<Dtype>*>& bottom,
                                  const vector<Blob<Dtype>*>& top) {
  CHECK_VALUE(bottom[0]->num_axes() == 4)
      << Where() << ": the bottom must have 4 axes (N, C, H, W); its shape is "
      << bottom[0]->shape_string();
  const bool same = height_ == bottom[0]->height() && width_ == bottom[0]->width();
  channels_ = bottom[0]->channels();
  height_ = bottom[0]->height();
  width_ = bottom[0]->width();
  if (global_pooling_) {
    kernel_h_ = height_;
    kernel_w_ = width_;
  }
  pooled_height_ = PooledSize(height_, kernel_h_, stride_h_, pad_h_);
  pooled_width_ = PooledSize(width_, kernel_w_, stride_w_, pad_w_);
  const PoolShape shape = Shape();
  if (!same && pooled_height_ > 0 && pooled_width_ > 0 &&
      (shape.rows(pooled_height_ - 1).empty() ||
       shape.columns(pooled_width_ - 1).empty())) {
    LOG(WARNING) << Where()
                 << ": the last window is empty and gives 0 (stride larger than "
                 << "the kernel, size " << height_ << " x " << width_ << ")";
  }
  for (Blob<Dtype>* blob : top) {
    blob->Reshape({bottom[0]->num(), channels_, pooled_height_, pooled_width_});
  }
}

template <typename Dtype>
PoolShape PoolingLayer<Dtype>::Shape() const {
  PoolShape shape;
  shape.height = height_;
  shape.width = width_;
  shape.pooled_height = pooled_height_;
  shape.pooled_width = pooled_width_;
  shape.kernel_h = kernel_h_;
  shape.kernel_w = kernel_w_;
  shape.stride_h = stride_h_;
  shape.stride_w = stride_w_;
  shape.pad_h = pad_h_;
  shape.pad_w = pad_w_;
  return shape;
}

template <typename Dtype>
bool PoolingLayer<Dtype>::RunsBlocked(const Blob<Dtype>& blob,
                                      const SyncedMemory& memory) const {
  const BlockedLayout layout = blob.blocked_layout();
  return layout.valid() && memory.blocked_is_current() && memory.layout() == layout;
}

template <typename Dtype>
void PoolingLayer<Dtype>::Forward_cpu(const vector<Blob<Dtype>*>& bottom,
                                      const vector<Blob<Dtype>*>& top) {
  device_mask_is_valid_ = false;
  switch (this->layer_param_.pooling_param().pool()) {
    case PoolingParameter_PoolMethod_MAX:
      // In the TEST phase the mask is made by backward, should it ever run.
      mask_.clear();
      ForwardMax(*bottom[0], top, this->phase_ == TRAIN || top.size() > 1);
      break;
    case PoolingParameter_PoolMethod_AVE:
      if constexpr (std::is_same<Dtype, float>::value) {
        if (RunsBlocked(*bottom[0], *bottom[0]->data())) {
          const BlockedLayout from = bottom[0]->blocked_layout();
          const BlockedLayout to = top[0]->blocked_layout();
          if (!to.valid()) break;
          average_pool_forward(Shape(), from.num * std::int64_t{from.blocks()},
                               from.block, bottom[0]->data()->blocked_data(from),
                               top[0]->data()->mutable_blocked_data(to));
          break;
        }
      }
      average_pool_forward(Shape(), bottom[0]->count(0, 2), 1, bottom[0]->cpu_data(),
                           top[0]->mutable_cpu_data());
      break;
    case PoolingParameter_PoolMethod_STOCHASTIC:
      ForwardStochastic(*bottom[0], top[0]);
      break;
  }
}

template <typename Dtype>
void PoolingLayer<Dtype>::ForwardMax(const Blob<Dtype>& bottom,
                                     const vector<Blob<Dtype>*>& top, bool with_mask) {
  if constexpr (std::is_same<Dtype, float>::value) {
    const BlockedLayout to = top[0]->blocked_layout();
    if (top.size() == 1 && to.valid() && RunsBlocked(bottom, *bottom.data())) {
      const BlockedLayout from = bottom.blocked_layout();
      if (with_mask) mask_.resize(to.padded_count());
      mask_lanes_ = from.block;
      max_pool_forward(Shape(), from.num * std::int64_t{from.blocks()}, from.block,
                       bottom.data()->blocked_data(from),
                       top[0]->data()->mutable_blocked_data(to),
                       with_mask ? mask_.data() : nullptr);
      return;
    }
  }
  if (with_mask) mask_.resize(top[0]->count());
  mask_lanes_ = 1;
  max_pool_forward(Shape(), bottom.count(0, 2), 1, bottom.cpu_data(),
                   top[0]->mutable_cpu_data(), with_mask ? mask_.data() : nullptr);
  if (top.size() > 1) {
    std::copy(mask_.begin(), mask_.end(), top[1]->mutable_cpu_data());
  }
}

template <typename Dtype>
void PoolingLayer<Dtype>::BackwardMax(const Blob<Dtype>& top, Blob<Dtype>* bottom) {
  if (mask_.empty()) {
    Blob<Dtype> again(top.shape());
    ForwardMax(*bottom, {&again}, true);
  }
  if constexpr (std::is_same<Dtype, float>::value) {
    if (mask_lanes_ > 1) {
      const BlockedLayout from = top.blocked_layout(), to = bottom->blocked_layout();
      max_pool_backward(Shape(), to.num * std::int64_t{to.blocks()}, to.block,
                        top.diff()->blocked_data(from), mask_.data(),
                        bottom->diff()->mutable_blocked_data(to));
      return;
    }
  }
  max_pool_backward(Shape(), bottom->count(0, 2), 1, top.cpu_diff(), mask_.data(),
                    bottom->mutable_cpu_diff());
}

template <typename Dtype>
void PoolingLayer<Dtype>::Backward_cpu(const vector<Blob<Dtype>*>& top,
                                       const vector<bool>& propagate_down,
                                       const vector<Blob<Dtype>*>& bottom) {
  if (!propagate_down[0]) return;
  switch (this->layer_param_.pooling_param().pool()) {
    case PoolingParameter_PoolMethod_MAX:
      BackwardMax(*top[0], bottom[0]);
      break;
    case PoolingParameter_PoolMethod_AVE:
      if constexpr (std::is_same<Dtype, float>::value) {
        const BlockedLayout to = bottom[0]->blocked_layout();
        if (to.valid() && RunsBlocked(*top[0], *top[0]->diff())) {
          average_pool_backward(Shape(), to.num * std::int64_t{to.blocks()}, to.block,
                                top[0]->diff()->blocked_data(top[0]->blocked_layout()),
                                bottom[0]->diff()->mutable_blocked_data(to));
          break;
        }
      }
      average_pool_backward(Shape(), bottom[0]->count(0, 2), 1, top[0]->cpu_diff(),
                            bottom[0]->mutable_cpu_diff());
      break;
    case PoolingParameter_PoolMethod_STOCHASTIC:
      BackwardStochastic(*top[0], bottom[0]);
      break;
  }
}

namespace {

// Calls visit(output index, y span, x span) for every output of a plane.
template <typename Visit>
void for_each_window(const PoolShape& shape, const Visit& visit) {
  for (int y = 0; y < shape.pooled_height; ++y) {
    for (int x = 0; x < shape.pooled_width; ++x) {
      visit(std::int64_t{y} * shape.pooled_width + x, shape.rows(y), shape.columns(x));
    }
  }
}

// Calls visit(index in the plane) for every element of a window.
template <typename Visit>
void for_each_element(PoolShape::Span rows, PoolShape::Span columns, int width,
                      const Visit& visit) {
  for_each_in_window(rows, columns, [&](int h, int w) { visit(h * width + w); });
}

}  // namespace

template <typename Dtype>
void PoolingLayer<Dtype>::ForwardStochastic(const Blob<Dtype>& bottom, Blob<Dtype>* top) {
  const PoolShape shape = Shape();
  const bool train = this->phase_ == TRAIN;
  const int planes = bottom.count(0, 2);
  vector<Dtype> draws(train ? top->count() : 0);
  if (train) caffe_rng_uniform<Dtype>(top->count(), 0, 1, draws.data());
  mask_.assign(train ? top->count() : 0, -1);
  const Dtype* in = bottom.cpu_data();
  Dtype* out = top->mutable_cpu_data();
  parallel_for(planes, [&](std::int64_t plane) {
    const Dtype* x = in + plane * shape.plane();
    for_each_window(shape,
                    [&](std::int64_t at, PoolShape::Span rows, PoolShape::Span columns) {
                      const std::int64_t i = plane * shape.pooled_plane() + at;
                      Dtype sum = 0, squares = 0;
                      for_each_element(rows, columns, shape.width, [&](int k) {
                        sum += x[k];
                        squares += x[k] * x[k];
                      });
                      if (!train) {
                        out[i] = sum > 0 ? squares / sum : Dtype(0);
                        return;
                      }
                      // The first element whose running sum reaches the threshold; the
                      // last one at worst.
                      const Dtype threshold = draws[i] * sum;
                      Dtype running = 0;
                      bool found = false;
                      for_each_element(rows, columns, shape.width, [&](int k) {
                        if (found) return;
                        running += x[k];
                        mask_[i] = k;
                        found = running >= threshold && running > 0;
                      });
                      out[i] = mask_[i] >= 0 ? x[mask_[i]] : Dtype(0);
                    });
  });
}

template <typename Dtype>
void PoolingLayer<Dtype>::BackwardStochastic(const Blob<Dtype>& top,
                                             Blob<Dtype>* bottom) {
  const PoolShape shape = Shape();
  if (this->phase_ == TRAIN) {
    max_pool_backward(shape, bottom->count(0, 2), 1, top.cpu_diff(), mask_.data(),
                      bottom->mutable_cpu_diff());
    return;
  }
  const Dtype* in = bottom->cpu_data();
  const Dtype* out = top.cpu_data();
  const Dtype* out_diff = top.cpu_diff();
  Dtype* in_diff = bottom->mutable_cpu_diff();
  caffe_set(bottom->count(), Dtype(0), in_diff);
  parallel_for(bottom->count(0, 2), [&](std::int64_t plane) {
    const std::int64_t from = plane * shape.plane();
    for_each_window(shape, [&](std::int64_t at, PoolShape::Span rows,
                               PoolShape::Span columns) {
      const std::int64_t i = plane * shape.pooled_plane() + at;
      Dtype sum = 0;
      for_each_element(rows, columns, shape.width, [&](int k) { sum += in[from + k]; });
      if (sum <= 0) return;
      // y = sum x^2 / sum x, so dy/dx = (2 x - y) / sum x.
      for_each_element(rows, columns, shape.width, [&](int k) {
        in_diff[from + k] += out_diff[i] * (2 * in[from + k] - out[i]) / sum;
      });
    });
  });
}

INSTANTIATE_CLASS(PoolingLayer);
REGISTER_LAYER_CLASS(Pooling);

}  // namespace caffe

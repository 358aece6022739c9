// Eltwise over whichever layout its inputs are in.
#include "caffe/layers/eltwise_layer.hpp"

#include "caffe/backend/elementwise.hpp"
#include "caffe/layers/axis_span.hpp"

namespace caffe {

namespace {

// The inputs and the output of a pass over several memories of one shape.
template <typename Dtype>
struct Operands {
  Operands(const vector<SyncedMemory*>& inputs, SyncedMemory* output,
           const Blob<Dtype>& shape) {
    for (SyncedMemory* input : inputs) {
      if (!layout.valid())
        layout = common_layout({input}, *output, shape.blocked_layout());
    }
    count = stored_count(shape, layout);
    for (SyncedMemory* input : inputs) in.push_back(read_memory<Dtype>(input, layout));
    out = overwrite_memory<Dtype>(output, layout);
  }
  BlockedLayout layout;
  std::int64_t count = 0;
  vector<const Dtype*> in;
  Dtype* out = nullptr;
};

template <typename Dtype>
vector<SyncedMemory*> DataOf(const vector<Blob<Dtype>*>& blobs) {
  vector<SyncedMemory*> memories;
  for (const Blob<Dtype>* blob : blobs) memories.push_back(blob->data().get());
  return memories;
}

}  // namespace

template <typename Dtype>
void EltwiseLayer<Dtype>::LayerSetUp(const vector<Blob<Dtype>*>& bottom,
                                     const vector<Blob<Dtype>*>&) {
  const EltwiseParameter& param = this->layer_param_.eltwise_param();
  const int given = param.coeff_size();
  CHECK(given == 0 || given == static_cast<int>(bottom.size()))
      << "eltwise_param: " << given << " coefficients for " << bottom.size()
      << " bottoms; give none, or one a bottom";
  op_ = param.operation();
  CHECK(op_ != EltwiseParameter_EltwiseOp_PROD || given == 0)
      << "eltwise_param: coefficients are only for SUM, not for PROD";
  stable_prod_grad_ = param.stable_prod_grad();
  coeffs_.clear();
  bool all_one = true;
  for (const float coeff : param.coeff()) {
    coeffs_.push_back(coeff);
    all_one = all_one && coeff == 1.f;
  }
  if (all_one) coeffs_.clear();
}

template <typename Dtype>
void EltwiseLayer<Dtype>::Reshape(const vector<Blob<Dtype>*>& bottom,
                                  const vector<Blob<Dtype>*>& top) {
  check_not_in_place(type(), bottom, top);
  for (size_t i = 1; i < bottom.size(); ++i) {
    CHECK(bottom[i]->shape() == bottom[0]->shape())
        << "bottom 0 has shape " << bottom[0]->shape_string() << ", bottom " << i
        << " has shape " << bottom[i]->shape_string() << "; they must agree";
  }
  top[0]->ReshapeLike(*bottom[0]);
}

template <typename Dtype>
void EltwiseLayer<Dtype>::Forward_cpu(const vector<Blob<Dtype>*>& bottom,
                                      const vector<Blob<Dtype>*>& top) {
  if (op_ == EltwiseParameter_EltwiseOp_SUM) {
    vector<shared_ptr<SyncedMemory>> inputs;
    for (const Blob<Dtype>* blob : bottom) inputs.push_back(blob->data());
    weighted_sum<Dtype>(inputs, coeffs_, top[0]->data().get(), top[0]->blocked_layout(),
                        top[0]->count());
  } else if (bottom.size() == 1) {
    copy_data(*bottom[0], top[0]);
  } else if (op_ == EltwiseParameter_EltwiseOp_PROD) {
    ForwardProduct(bottom, top[0]);
  } else {
    ForwardMaximum(bottom, top[0]);
  }
}

template <typename Dtype>
void EltwiseLayer<Dtype>::ForwardProduct(const vector<Blob<Dtype>*>& bottom,
                                         Blob<Dtype>* top) const {
  const Operands<Dtype> pass(DataOf(bottom), top->data().get(), *top);
  Dtype* y = pass.out;
  const Dtype *a = pass.in[0], *b = pass.in[1];
  for_each_index(pass.count, [=](std::int64_t i) { y[i] = a[i] * b[i]; });
  for (size_t k = 2; k < pass.in.size(); ++k) {
    const Dtype* x = pass.in[k];
    for_each_index(pass.count, [=](std::int64_t i) { y[i] *= x[i]; });
  }
}

template <typename Dtype>
void EltwiseLayer<Dtype>::ForwardMaximum(const vector<Blob<Dtype>*>& bottom,
                                         Blob<Dtype>* top) const {
  const Operands<Dtype> pass(DataOf(bottom), top->data().get(), *top);
  Dtype* y = pass.out;
  const Dtype *a = pass.in[0], *b = pass.in[1];
  for_each_index(pass.count, [=](std::int64_t i) { y[i] = a[i] > b[i] ? a[i] : b[i]; });
  for (size_t k = 2; k < pass.in.size(); ++k) {
    const Dtype* x = pass.in[k];
    for_each_index(pass.count, [=](std::int64_t i) { y[i] = x[i] > y[i] ? x[i] : y[i]; });
  }
}

template <typename Dtype>
void EltwiseLayer<Dtype>::Backward_cpu(const vector<Blob<Dtype>*>& top,
                                       const vector<bool>& propagate_down,
                                       const vector<Blob<Dtype>*>& bottom) {
  for (int i = 0; i < static_cast<int>(bottom.size()); ++i) {
    if (!propagate_down[i]) continue;
    if (op_ == EltwiseParameter_EltwiseOp_SUM || bottom.size() == 1) {
      const bool weighted = op_ == EltwiseParameter_EltwiseOp_SUM && !coeffs_.empty();
      scale_memory<Dtype>(top[0]->diff(), bottom[i]->diff(), bottom[i]->blocked_layout(),
                          bottom[i]->count(), weighted ? coeffs_[i] : Dtype(1));
    } else if (op_ == EltwiseParameter_EltwiseOp_PROD) {
      BackwardProduct(*top[0], i, bottom);
    } else {
      BackwardMaximum(*top[0], i, bottom);
    }
  }
}

template <typename Dtype>
void EltwiseLayer<Dtype>::BackwardProduct(const Blob<Dtype>& top, int wanted,
                                          const vector<Blob<Dtype>*>& bottom) const {
  vector<SyncedMemory*> inputs = {top.diff().get()};
  if (stable_prod_grad_) {
    for (int i = 0; i < static_cast<int>(bottom.size()); ++i) {
      if (i != wanted) inputs.push_back(bottom[i]->data().get());
    }
  } else {
    inputs.push_back(top.data().get());
    inputs.push_back(bottom[wanted]->data().get());
  }
  const Operands<Dtype> pass(inputs, bottom[wanted]->diff().get(), top);
  Dtype* dx = pass.out;
  const Dtype *g = pass.in[0], *a = pass.in[1];
  if (!stable_prod_grad_) {
    const Dtype* x = pass.in[2];
    const std::int64_t zero_lanes = pass.layout.valid() ? pass.layout.tail_lanes() : 0;
    for_each_index(pass.count, [=](std::int64_t i) { dx[i] = a[i] / x[i] * g[i]; });
    if constexpr (std::is_same<Dtype, float>::value) {
      if (zero_lanes > 0) zero_tail_lanes(pass.layout, dx);  // 0 / 0 there
    }
    return;
  }
  for_each_index(pass.count, [=](std::int64_t i) { dx[i] = g[i] * a[i]; });
  for (size_t k = 2; k < pass.in.size(); ++k) {
    const Dtype* x = pass.in[k];
    for_each_index(pass.count, [=](std::int64_t i) { dx[i] *= x[i]; });
  }
}

/// The winner is found again from the bottoms: no mask is kept.
template <typename Dtype>
void EltwiseLayer<Dtype>::BackwardMaximum(const Blob<Dtype>& top, int wanted,
                                          const vector<Blob<Dtype>*>& bottom) const {
  vector<SyncedMemory*> inputs = {top.diff().get()};
  for (const Blob<Dtype>* blob : bottom) inputs.push_back(blob->data().get());
  const Operands<Dtype> pass(inputs, bottom[wanted]->diff().get(), top);
  Dtype* dx = pass.out;
  const Dtype* g = pass.in[0];
  if (bottom.size() == 2) {
    const Dtype *a = pass.in[1], *b = pass.in[2];
    const bool first = wanted == 0;
    for_each_index(pass.count, [=](std::int64_t i) {
      const Dtype gradient = g[i];
      dx[i] = (a[i] > b[i]) == first ? gradient : Dtype(0);
    });
    return;
  }
  constexpr std::int64_t kPiece = 1024;
  parallel_ranges(pass.count, 4 * kPiece, [&](std::int64_t first, std::int64_t last) {
    Dtype best[kPiece];
    int winner[kPiece];
    for (std::int64_t begin = first; begin < last; begin += kPiece) {
      const std::int64_t length = std::min(kPiece, last - begin);
      const Dtype *a = pass.in[1] + begin, *b = pass.in[2] + begin;
      for (std::int64_t i = 0; i < length; ++i) {
        const Dtype u = a[i], v = b[i];
        best[i] = u > v ? u : v;
        winner[i] = u > v ? 0 : 1;
      }
      for (int k = 2; k < static_cast<int>(bottom.size()); ++k) {
        const Dtype* x = pass.in[k + 1] + begin;
        for (std::int64_t i = 0; i < length; ++i) {
          const Dtype value = x[i];
          winner[i] = value > best[i] ? k : winner[i];
          best[i] = value > best[i] ? value : best[i];
        }
      }
      for (std::int64_t i = 0; i < length; ++i) {
        const Dtype gradient = g[begin + i];
        dx[begin + i] = winner[i] == wanted ? gradient : Dtype(0);
      }
    }
  });
}

INSTANTIATE_CLASS(EltwiseLayer);
REGISTER_LAYER_CLASS(Eltwise);

}  // namespace caffe

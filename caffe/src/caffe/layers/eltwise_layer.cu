// Eltwise on the device: one pass over all bottoms.
#include <algorithm>

#include "caffe/device/channels_last.hpp"
#include "caffe/device/device.hpp"
#include "caffe/device/launch.hpp"
#include "caffe/device/weighted_sum.hpp"
#include "caffe/layers/eltwise_layer.hpp"

namespace caffe {

namespace {

constexpr int kMostBottoms = 64;  // of products and maxima: a kernel's arguments

template <typename Dtype>
struct Operands {
  const Dtype* in[kMostBottoms] = {};
  int count = 0;

  explicit Operands(const vector<const Dtype*>& inputs)
      : count(static_cast<int>(inputs.size())) {
    CHECK_LE(count, kMostBottoms) << "bottoms of Eltwise PROD or MAX in GPU mode";
    std::copy(inputs.begin(), inputs.end(), in);
  }
};

template <typename Dtype>
vector<SyncedMemory*> memories_of(const vector<Blob<Dtype>*>& blobs) {
  vector<SyncedMemory*> memories;
  for (const Blob<Dtype>* blob : blobs) memories.push_back(blob->data().get());
  return memories;
}

template <typename Dtype>
void product(int n, const Operands<Dtype>& factors, Dtype* y) {
  const Operands<Dtype> x = factors;
  launch(
      n, CAFFE_LAMBDA(int i) {
        Dtype value = x.in[0][i];
        for (int k = 1; k < x.count; ++k) value *= x.in[k][i];
        y[i] = value;
      });
}

template <typename Dtype>
void maximum(int n, const Operands<Dtype>& bottoms, Dtype* y) {
  const Operands<Dtype> x = bottoms;
  launch(
      n, CAFFE_LAMBDA(int i) {
        const Dtype a = x.in[0][i], b = x.in[1][i];
        Dtype best = a > b ? a : b;
        for (int k = 2; k < x.count; ++k) {
          const Dtype value = x.in[k][i];
          best = value > best ? value : best;
        }
        y[i] = best;
      });
}

/// dx = g where bottom `wanted` won.
template <typename Dtype>
void maximum_gradient(int n, const Operands<Dtype>& bottoms, int wanted, const Dtype* g,
                      Dtype* dx) {
  const Operands<Dtype> x = bottoms;
  launch(
      n, CAFFE_LAMBDA(int i) {
        const Dtype a = x.in[0][i], b = x.in[1][i];
        Dtype best = a > b ? a : b;
        int winner = a > b ? 0 : 1;
        for (int k = 2; k < x.count; ++k) {
          const Dtype value = x.in[k][i];
          if (value > best) {
            best = value;
            winner = k;
          }
        }
        dx[i] = winner == wanted ? g[i] : Dtype(0);
      });
}

/// dx = y / x g.
template <typename Dtype>
void product_gradient_by_division(int n, const Dtype* y, const Dtype* x, const Dtype* g,
                                  Dtype* dx) {
  launch(
      n, CAFFE_LAMBDA(int i) { dx[i] = y[i] / x[i] * g[i]; });
}

}  // namespace

template <typename Dtype>
void EltwiseLayer<Dtype>::Forward_gpu(const vector<Blob<Dtype>*>& bottom,
                                      const vector<Blob<Dtype>*>& top) {
  const int n = top[0]->count();
  const bool is_sum = op_ == EltwiseParameter_EltwiseOp_SUM;
  const vector<SyncedMemory*> memories = memories_of(bottom);
  const ChannelsLast order = device::common_order(*top[0], memories);
  vector<const Dtype*> inputs;
  for (SyncedMemory* memory : memories) {
    inputs.push_back(device::read_in_order<Dtype>(memory, order));
  }
  Dtype* y = device::write_in_order<Dtype>(top[0]->data().get(), order);
  if (is_sum || bottom.size() == 1) {
    device::weighted_sum(n, inputs, is_sum ? coeffs_ : vector<Dtype>(), y);
  } else if (op_ == EltwiseParameter_EltwiseOp_PROD) {
    product(n, Operands<Dtype>(inputs), y);
  } else {
    maximum(n, Operands<Dtype>(inputs), y);
  }
}

template <typename Dtype>
void EltwiseLayer<Dtype>::Backward_gpu(const vector<Blob<Dtype>*>& top,
                                       const vector<bool>& propagate_down,
                                       const vector<Blob<Dtype>*>& bottom) {
  const bool is_sum = op_ == EltwiseParameter_EltwiseOp_SUM;
  for (int i = 0; i < static_cast<int>(bottom.size()); ++i) {
    if (!propagate_down[i]) continue;
    if (is_sum || bottom.size() == 1) {
      const Dtype coeff = is_sum && !coeffs_.empty() ? coeffs_[i] : Dtype(1);
      SyncedMemory* gradient = top[0]->diff().get();
      const ChannelsLast order = device::common_order(*top[0], {gradient});
      const Dtype* g = device::read_in_order<Dtype>(gradient, order);
      device::weighted_sum<Dtype>(
          top[0]->count(), {g}, {coeff},
          device::write_in_order<Dtype>(bottom[i]->diff().get(), order));
    } else if (op_ == EltwiseParameter_EltwiseOp_PROD) {
      BackwardProductGpu(*top[0], i, bottom);
    } else {
      vector<const Dtype*> inputs;
      for (const Blob<Dtype>* blob : bottom) inputs.push_back(blob->gpu_data());
      maximum_gradient(top[0]->count(), Operands<Dtype>(inputs), i, top[0]->gpu_diff(),
                       bottom[i]->mutable_gpu_diff());
    }
  }
}

template <typename Dtype>
void EltwiseLayer<Dtype>::BackwardProductGpu(const Blob<Dtype>& top, int wanted,
                                             const vector<Blob<Dtype>*>& bottom) const {
  Dtype* dx = bottom[wanted]->mutable_gpu_diff();
  if (!stable_prod_grad_) {
    product_gradient_by_division(top.count(), top.gpu_data(), bottom[wanted]->gpu_data(),
                                 top.gpu_diff(), dx);
    return;
  }
  vector<const Dtype*> factors = {top.gpu_diff()};
  for (int i = 0; i < static_cast<int>(bottom.size()); ++i) {
    if (i != wanted) factors.push_back(bottom[i]->gpu_data());
  }
  product(top.count(), Operands<Dtype>(factors), dx);
}

INSTANTIATE_LAYER_GPU_FUNCS(EltwiseLayer);

}  // namespace caffe

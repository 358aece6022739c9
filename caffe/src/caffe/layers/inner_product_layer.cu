// InnerProduct on the device: products by the BLAS.
#include "caffe/device/blas.hpp"
#include "caffe/device/launch.hpp"
#include "caffe/layers/inner_product_layer.hpp"

namespace caffe {

namespace {

/// Every row of y becomes the bias.
template <typename Dtype>
void fill_rows(int rows, int length, const Dtype* bias, Dtype* y) {
  launch(
      rows * length, CAFFE_LAMBDA(int i) { y[i] = bias[i % length]; });
}

/// db += sum of the rows of dy.
template <typename Dtype>
void add_row_sums(int rows, int length, const Dtype* dy, Dtype* db) {
  if (length >= 64 && rows <= 1024) {  // neighbouring threads read neighbouring numbers
    launch(
        length, CAFFE_LAMBDA(int n) {
          Dtype sum = 0;
          for (int m = 0; m < rows; ++m) sum += dy[m * length + n];
          db[n] += sum;
        });
    return;
  }
  launch_row_sums<Dtype>(
      length, rows, CAFFE_LAMBDA(int n, int m) { return dy[m * length + n]; },
      CAFFE_LAMBDA(int n, Dtype sum) { db[n] += sum; });
}

}  // namespace

template <typename Dtype>
void InnerProductLayer<Dtype>::Forward_gpu(const vector<Blob<Dtype>*>& bottom,
                                           const vector<Blob<Dtype>*>& top) {
  if (M_ == 0) return;
  const Dtype* x = bottom[0]->gpu_data();
  const Dtype* weights = this->blobs_[0]->gpu_data();
  Dtype* y = top[0]->mutable_gpu_data();
  if (bias_term_) fill_rows(M_, N_, this->blobs_[1]->gpu_data(), y);
  const Dtype beta = bias_term_ ? 1 : 0;
  if (M_ == 1) {
    device::gemv<Dtype>(transpose_, transpose_ ? K_ : N_, transpose_ ? N_ : K_, 1,
                        weights, x, beta, y);
    return;
  }
  device::Gemm<Dtype> product;
  product.transpose_b = !transpose_;
  product.m = M_;
  product.n = N_;
  product.k = K_;
  product.beta = beta;
  product.a = x;
  product.b = weights;
  product.c = y;
  device::gemm(product);
}

template <typename Dtype>
void InnerProductLayer<Dtype>::Backward_gpu(const vector<Blob<Dtype>*>& top,
                                            const vector<bool>& propagate_down,
                                            const vector<Blob<Dtype>*>& bottom) {
  if (M_ == 0) return;
  const Dtype* dy = top[0]->gpu_diff();
  if (this->param_propagate_down_[0]) {
    const Dtype* x = bottom[0]->gpu_data();
    device::Gemm<Dtype> product;
    product.transpose_a = true;
    product.m = transpose_ ? K_ : N_;
    product.n = transpose_ ? N_ : K_;
    product.k = M_;
    product.beta = 1;
    product.a = transpose_ ? x : dy;
    product.b = transpose_ ? dy : x;
    product.c = this->blobs_[0]->mutable_gpu_diff();
    device::gemm(product);
  }
  if (bias_term_ && this->param_propagate_down_[1]) {
    add_row_sums(M_, N_, dy, this->blobs_[1]->mutable_gpu_diff());
  }
  if (propagate_down[0]) {
    device::Gemm<Dtype> product;
    product.transpose_b = transpose_;
    product.m = M_;
    product.n = K_;
    product.k = N_;
    product.a = dy;
    product.b = this->blobs_[0]->gpu_data();
    product.c = bottom[0]->mutable_gpu_diff();
    device::gemm(product);
  }
}

INSTANTIATE_LAYER_GPU_FUNCS(InnerProductLayer);

}  // namespace caffe

// InnerProduct.
#include "caffe/layers/inner_product_layer.hpp"

#include "caffe/backend/few_rows.hpp"
#include "caffe/filler.hpp"
#include "caffe/util/math_functions.hpp"

namespace caffe {

template <typename Dtype>
void InnerProductLayer<Dtype>::LayerSetUp(const vector<Blob<Dtype>*>& bottom,
                                          const vector<Blob<Dtype>*>&) {
  const InnerProductParameter& param = this->layer_param_.inner_product_param();
  const string where = "InnerProduct layer '" + this->layer_param_.name() + "'";
  N_ = static_cast<int>(param.num_output());
  CHECK_VALUE(N_ > 0) << where << ": num_output must be positive; it is " << N_;
  bias_term_ = param.bias_term();
  transpose_ = param.transpose();
  K_ = bottom[0]->count(bottom[0]->CanonicalAxisIndex(param.axis()));
  const vector<int> weight_shape = transpose_ ? vector<int>{K_, N_} : vector<int>{N_, K_};
  const vector<int> bias_shape(1, N_);
  if (!this->blobs_.empty()) {
    CHECK_VALUE(this->blobs_.size() == size_t{1} + bias_term_)
        << where << ": " << 1 + bias_term_ << " parameter blob(s) expected, "
        << this->blobs_.size() << " given";
    CHECK_VALUE(this->blobs_[0]->count() == N_ * K_)
        << where << ": the given weights have the shape "
        << this->blobs_[0]->shape_string() << "; the layer's are " << weight_shape[0]
        << " " << weight_shape[1];
    if (bias_term_) {
      CHECK_VALUE(this->blobs_[1]->count() == N_)
          << where << ": the given bias has the shape " << this->blobs_[1]->shape_string()
          << "; the layer's is " << N_;
    }
  } else {
    this->blobs_.push_back(std::make_shared<Blob<Dtype>>(weight_shape));
    shared_ptr<Filler<Dtype>> filler(GetFiller<Dtype>(param.weight_filler()));
    filler->Fill(this->blobs_[0].get());
    if (bias_term_) {
      this->blobs_.push_back(std::make_shared<Blob<Dtype>>(bias_shape));
      filler.reset(GetFiller<Dtype>(param.bias_filler()));
      filler->Fill(this->blobs_[1].get());
    }
  }
  this->param_propagate_down_.resize(this->blobs_.size(), true);
}

template <typename Dtype>
void InnerProductLayer<Dtype>::Reshape(const vector<Blob<Dtype>*>& bottom,
                                       const vector<Blob<Dtype>*>& top) {
  const int axis =
      bottom[0]->CanonicalAxisIndex(this->layer_param_.inner_product_param().axis());
  CHECK_VALUE(bottom[0]->count(axis) == K_)
      << "InnerProduct layer '" << this->layer_param_.name() << "': an item had " << K_
      << " values at set-up and has " << bottom[0]->count(axis)
      << " now; the bottom's shape is " << bottom[0]->shape_string() << ", axis " << axis;
  M_ = bottom[0]->count(0, axis);
  vector<int> top_shape(bottom[0]->shape().begin(), bottom[0]->shape().begin() + axis);
  top_shape.push_back(N_);
  top[0]->Reshape(top_shape);
}

template <typename Dtype>
void InnerProductLayer<Dtype>::Forward_cpu(const vector<Blob<Dtype>*>& bottom,
                                           const vector<Blob<Dtype>*>& top) {
  if (M_ == 0) return;
  const Dtype* x = bottom[0]->cpu_data();
  const Dtype* weights = this->blobs_[0]->cpu_data();
  Dtype* y = top[0]->mutable_cpu_data();
  Dtype beta = 0;
  if (bias_term_) {
    const Dtype* bias = this->blobs_[1]->cpu_data();
    for (int m = 0; m < M_; ++m) std::copy(bias, bias + N_, y + std::int64_t{m} * N_);
    beta = 1;
  }
  if constexpr (std::is_same<Dtype, float>::value) {
    if (!transpose_ && takes_few_rows(M_, N_, K_)) {
      if (!bias_term_) std::fill_n(y, std::int64_t{M_} * N_, Dtype(0));
      add_few_rows(M_, N_, K_, x, weights, y);
      return;
    }
  }
  if (M_ == 1) {
    caffe_cpu_gemv<Dtype>(transpose_ ? CblasTrans : CblasNoTrans, transpose_ ? K_ : N_,
                          transpose_ ? N_ : K_, 1, weights, x, beta, y);
  } else {
    caffe_cpu_gemm<Dtype>(CblasNoTrans, transpose_ ? CblasNoTrans : CblasTrans, M_, N_,
                          K_, 1, x, weights, beta, y);
  }
}

template <typename Dtype>
void InnerProductLayer<Dtype>::Backward_cpu(const vector<Blob<Dtype>*>& top,
                                            const vector<bool>& propagate_down,
                                            const vector<Blob<Dtype>*>& bottom) {
  if (M_ == 0) return;
  const Dtype* dy = top[0]->cpu_diff();
  if (this->param_propagate_down_[0]) {
    const Dtype* x = bottom[0]->cpu_data();
    Dtype* weights_diff = this->blobs_[0]->mutable_cpu_diff();
    if (transpose_) {
      caffe_cpu_gemm<Dtype>(CblasTrans, CblasNoTrans, K_, N_, M_, 1, x, dy, 1,
                            weights_diff);
    } else {
      caffe_cpu_gemm<Dtype>(CblasTrans, CblasNoTrans, N_, K_, M_, 1, dy, x, 1,
                            weights_diff);
    }
  }
  if (bias_term_ && this->param_propagate_down_[1]) {
    Dtype* bias_diff = this->blobs_[1]->mutable_cpu_diff();
    for (int m = 0; m < M_; ++m) {
      caffe_axpy<Dtype>(N_, 1, dy + std::int64_t{m} * N_, bias_diff);
    }
  }
  if (propagate_down[0]) {
    caffe_cpu_gemm<Dtype>(CblasNoTrans, transpose_ ? CblasTrans : CblasNoTrans, M_, K_,
                          N_, 1, dy, this->blobs_[0]->cpu_data(), 0,
                          bottom[0]->mutable_cpu_diff());
  }
}

INSTANTIATE_CLASS(InnerProductLayer);
REGISTER_LAYER_CLASS(InnerProduct);

}  // namespace caffe

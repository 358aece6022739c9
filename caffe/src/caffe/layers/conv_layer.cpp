// Convolution.
#include "caffe/layers/conv_layer.hpp"

namespace caffe {

template <typename Dtype>
void ConvolutionLayer<Dtype>::compute_output_shape() {
  this->output_shape_.clear();
  for (int i = 0; i < this->num_spatial_axes_; ++i) {
    const int size = this->input_shape(i + 1);
    const int pad = this->pad_.cpu_data()[i];
    const int extent =
        this->dilation_.cpu_data()[i] * (this->kernel_shape_.cpu_data()[i] - 1) + 1;
    const int room = size + 2 * pad - extent;
    CHECK_VALUE(room >= 0) << this->Where() << ": spatial axis " << i << " of size "
                           << size << " with pad " << pad
                           << " is smaller than the kernel's extent " << extent;
    this->output_shape_.push_back(room / this->stride_.cpu_data()[i] + 1);
  }
}

template <typename Dtype>
void ConvolutionLayer<Dtype>::Forward_cpu(const vector<Blob<Dtype>*>& bottom,
                                          const vector<Blob<Dtype>*>& top) {
  this->ForwardAll(bottom, top, Epilogue<Dtype>());
}

template <typename Dtype>
void ConvolutionLayer<Dtype>::Backward_cpu(const vector<Blob<Dtype>*>& top,
                                           const vector<bool>& propagate_down,
                                           const vector<Blob<Dtype>*>& bottom) {
  this->BackwardAll(top, propagate_down, bottom);
}

template <typename Dtype>
bool ConvolutionLayer<Dtype>::AcceptsEpilogue(const Epilogue<Dtype>& epilogue) const {
  if constexpr (std::is_same<Dtype, float>::value) {
    if (Caffe::mode() == Caffe::GPU) return true;
    const ConvolutionKernel* kernel = this->FastKernel();
    return kernel != nullptr && kernel->Accepts(epilogue);
  }
  return false;
}

template <typename Dtype>
bool ConvolutionLayer<Dtype>::AcceptsEpilogueBackward(
    const Epilogue<Dtype>& epilogue) const {
  if (!AcceptsEpilogue(epilogue)) return false;
  // On a device the gradients of constants that the host folded do not exist.
  return Caffe::mode() == Caffe::CPU || epilogue.scale.empty();
}

template <typename Dtype>
void ConvolutionLayer<Dtype>::ForwardWithEpilogue(const std::vector<Blob<Dtype>*>& bottom,
                                                  const std::vector<Blob<Dtype>*>& top,
                                                  const Epilogue<Dtype>& epilogue) {
  if (Caffe::mode() == Caffe::GPU) {
    this->ForwardAllOnDevice(bottom, top, epilogue);
  } else {
    this->ForwardAll(bottom, top, epilogue);
  }
}

/// With W' = scale * W and b' = scale * b + shift, and G, g the gradients of W' and b':
/// dW += scale * G, db += scale * g, dscale = sum of G * W over the filter + g * b,
/// dshift = g.
template <typename Dtype>
void ConvolutionLayer<Dtype>::FoldedParameterGradients(const Blob<Dtype>& bottom,
                                                       const Blob<Dtype>& top,
                                                       const Epilogue<Dtype>& epilogue,
                                                       AffineGradient* affine) {
  const bool want_weights = this->param_propagate_down_[0];
  const bool want_bias = this->bias_term_ && this->param_propagate_down_[1];
  if (!want_weights && !want_bias && affine == nullptr) return;
  const int outputs = this->num_output_;
  const int filter = this->blobs_[0]->count() / outputs;
  vector<Dtype> weights_gradient(this->blobs_[0]->count(), Dtype(0));
  vector<Dtype> bias_gradient(outputs, Dtype(0));
  this->AddParameterGradients(
      bottom, top, want_weights || affine != nullptr ? weights_gradient.data() : nullptr,
      bias_gradient.data());
  const Dtype* weights = this->blobs_[0]->cpu_data();
  const Dtype* bias = this->bias_term_ ? this->blobs_[1]->cpu_data() : nullptr;
  Dtype* weights_diff = want_weights ? this->blobs_[0]->mutable_cpu_diff() : nullptr;
  Dtype* bias_diff = want_bias ? this->blobs_[1]->mutable_cpu_diff() : nullptr;
  if (affine != nullptr) {
    affine->scale.assign(outputs, 0.);
    affine->shift.assign(outputs, 0.);
  }
  parallel_ranges(outputs, std::max(1, (1 << 14) / filter),
                  [&](std::int64_t begin, std::int64_t end) {
                    for (std::int64_t o = begin; o < end; ++o) {
                      const Dtype scale = epilogue.has_affine()
                                              ? static_cast<Dtype>(epilogue.scale[o])
                                              : Dtype(1);
                      const Dtype* gradient = weights_gradient.data() + o * filter;
                      if (want_weights) {
                        for (int i = 0; i < filter; ++i)
                          weights_diff[o * filter + i] += scale * gradient[i];
                      }
                      if (want_bias) bias_diff[o] += scale * bias_gradient[o];
                      if (affine == nullptr) continue;
                      double dot = bias != nullptr
                                       ? static_cast<double>(bias_gradient[o]) * bias[o]
                                       : 0.;
                      for (int i = 0; i < filter; ++i) {
                        dot += static_cast<double>(gradient[i]) * weights[o * filter + i];
                      }
                      affine->scale[o] = dot;
                      affine->shift[o] = bias_gradient[o];
                    }
                  });
}

template <typename Dtype>
void ConvolutionLayer<Dtype>::BackwardWithEpilogue(
    const std::vector<Blob<Dtype>*>& top, const std::vector<bool>& propagate_down,
    const std::vector<Blob<Dtype>*>& bottom, const Epilogue<Dtype>& epilogue,
    AffineGradient* affine) {
  if (Caffe::mode() == Caffe::GPU) {
    this->BackwardOnDevice(top[0], propagate_down[0], bottom[0], epilogue, affine);
    return;
  }
  if constexpr (std::is_same<Dtype, float>::value) {
    activation_backward(epilogue.activation, top[0]);
    FoldedParameterGradients(*bottom[0], *top[0], epilogue, affine);
    if (propagate_down[0]) this->BackwardBottom(*top[0], bottom[0], epilogue);
  } else {
    NOT_IMPLEMENTED;  // no epilogue is accepted in double
  }
}

INSTANTIATE_CLASS(ConvolutionLayer);
REGISTER_LAYER_CLASS(Convolution);

}  // namespace caffe

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
    CHECK_VALUE(room >= 0) << this->Where() << ": spatial axis " << i << " of size " << size
                           << " with pad " << pad << " is smaller than the kernel's extent "
                           << extent;
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
    const ConvolutionKernel* kernel = this->FastKernel();
    return kernel != nullptr && kernel->Accepts(epilogue);
  }
  return false;
}

template <typename Dtype>
void ConvolutionLayer<Dtype>::ForwardWithEpilogue(const std::vector<Blob<Dtype>*>& bottom,
                                                  const std::vector<Blob<Dtype>*>& top,
                                                  const Epilogue<Dtype>& epilogue) {
  this->ForwardAll(bottom, top, epilogue);
}

INSTANTIATE_CLASS(ConvolutionLayer);
REGISTER_LAYER_CLASS(Convolution);

}  // namespace caffe

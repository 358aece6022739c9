// Deconvolution.
#include "caffe/layers/deconv_layer.hpp"

namespace caffe {

template <typename Dtype>
void DeconvolutionLayer<Dtype>::compute_output_shape() {
  this->output_shape_.clear();
  for (int i = 0; i < this->num_spatial_axes_; ++i) {
    const int size = this->input_shape(i + 1);
    const int pad = this->pad_.cpu_data()[i];
    const int extent =
        this->dilation_.cpu_data()[i] * (this->kernel_shape_.cpu_data()[i] - 1) + 1;
    const int output = this->stride_.cpu_data()[i] * (size - 1) + extent - 2 * pad;
    CHECK_VALUE(output > 0) << this->Where() << ": spatial axis " << i << " of size "
                            << size << ", kernel extent " << extent << " and pad " << pad
                            << " leaves an output of size " << output;
    this->output_shape_.push_back(output);
  }
}

template <typename Dtype>
void DeconvolutionLayer<Dtype>::Forward_cpu(const vector<Blob<Dtype>*>& bottom,
                                            const vector<Blob<Dtype>*>& top) {
  this->ForwardAll(bottom, top, Epilogue<Dtype>());
}

template <typename Dtype>
void DeconvolutionLayer<Dtype>::Backward_cpu(const vector<Blob<Dtype>*>& top,
                                             const vector<bool>& propagate_down,
                                             const vector<Blob<Dtype>*>& bottom) {
  this->BackwardAll(top, propagate_down, bottom);
}

INSTANTIATE_CLASS(DeconvolutionLayer);
REGISTER_LAYER_CLASS(Deconvolution);

}  // namespace caffe

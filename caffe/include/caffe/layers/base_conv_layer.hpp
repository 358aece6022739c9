// What Convolution and Deconvolution share: geometry, parameters, and the products by
// which other people's convolution layers compute.
#ifndef CAFFE_BASE_CONVOLUTION_LAYER_HPP_
#define CAFFE_BASE_CONVOLUTION_LAYER_HPP_

#include <memory>
#include <string>
#include <vector>

#include "caffe/backend/convolution.hpp"
#include "caffe/backend/plain_convolution.hpp"
#include "caffe/blob.hpp"
#include "caffe/device/convolution.hpp"
#include "caffe/layer.hpp"
#include "caffe/proto/caffe.pb.h"

namespace caffe {

/// Kernel, stride, pad and dilation of `convolution_param`, one entry a spatial axis.
struct ConvGeometry {
  vector<int> kernel, stride, pad, dilation;
};
/// Reads and checks them; errors begin with `layer` ("Convolution layer 'conv1'").
ConvGeometry read_conv_geometry(const ConvolutionParameter& param, int spatial_axes,
                                const string& layer);

/// Parameters: blobs_[0] weights (O, C/g, k...), for reverse_dimensions (C, O/g, k...);
/// blobs_[1] bias (O), with bias_term.
///
/// differs: a kernel larger than the padded input, a stride or dilation of 0, and an
/// empty deconvolution output are errors. `skip_im2col` is accepted and ignored: columns
/// are made in strips and not kept.
template <typename Dtype>
class BaseConvolutionLayer : public Layer<Dtype> {
 public:
  explicit BaseConvolutionLayer(const LayerParameter& param) : Layer<Dtype>(param) {}
  void LayerSetUp(const vector<Blob<Dtype>*>& bottom,
                  const vector<Blob<Dtype>*>& top) override;
  void Reshape(const vector<Blob<Dtype>*>& bottom,
               const vector<Blob<Dtype>*>& top) override;

  int MinBottomBlobs() const override { return 1; }
  int MinTopBlobs() const override { return 1; }
  bool EqualNumBottomTopBlobs() const override { return true; }
  bool RepeatsOnDevice() const override { return true; }

  /// Which code runs for the present shape: a kernel's name, or "plain".
  string kernel_name() const;

 protected:
  // One item each. "input" and "output" are those of the convolution that has these
  // weights: a Deconvolution's forward is backward_cpu_gemm. Weight and bias products
  // ADD.
  void forward_cpu_gemm(const Dtype* input, const Dtype* weights, Dtype* output,
                        bool skip_im2col = false);
  void forward_cpu_bias(Dtype* output, const Dtype* bias);
  void backward_cpu_gemm(const Dtype* input, const Dtype* weights, Dtype* output);
  void weight_cpu_gemm(const Dtype* input, const Dtype* output, Dtype* weights);
  void backward_cpu_bias(Dtype* bias, const Dtype* input);

  // The same on device pointers.
  void forward_gpu_gemm(const Dtype* input, const Dtype* weights, Dtype* output,
                        bool skip_im2col = false);
  void forward_gpu_bias(Dtype* output, const Dtype* bias);
  void backward_gpu_gemm(const Dtype* input, const Dtype* weights, Dtype* output);
  void weight_gpu_gemm(const Dtype* input, const Dtype* output, Dtype* weights);
  void backward_gpu_bias(Dtype* bias, const Dtype* input);

  /// Size of bottom axis channel_axis_ + i: the channels, then the spatial axes.
  inline int input_shape(int i) { return (*bottom_shape_)[channel_axis_ + i]; }
  /// True for a deconvolution.
  virtual bool reverse_dimensions() = 0;
  /// Sets output_shape_ from bottom_shape_.
  virtual void compute_output_shape() = 0;

  // The passes of Convolution and Deconvolution, by the fast kernel where there is one.
  void ForwardAll(const vector<Blob<Dtype>*>& bottom, const vector<Blob<Dtype>*>& top,
                  const Epilogue<Dtype>& epilogue);
  void BackwardAll(const vector<Blob<Dtype>*>& top, const vector<bool>& propagate_down,
                   const vector<Blob<Dtype>*>& bottom);
  /// Adds the gradients of weights and bias; a null pointer asks for none.
  void AddParameterGradients(const Blob<Dtype>& bottom, const Blob<Dtype>& top,
                             Dtype* weights_diff, Dtype* bias_diff);
  /// bottom.diff from top.diff, with the epilogue's scale folded into the weights.
  void BackwardBottom(const Blob<Dtype>& top, Blob<Dtype>* bottom,
                      const Epilogue<Dtype>& epilogue);
  /// The same passes on the device.
  void ForwardAllOnDevice(const vector<Blob<Dtype>*>& bottom,
                          const vector<Blob<Dtype>*>& top,
                          const Epilogue<Dtype>& epilogue);
  void BackwardAllOnDevice(const vector<Blob<Dtype>*>& top,
                           const vector<bool>& propagate_down,
                           const vector<Blob<Dtype>*>& bottom);
  /// BackwardWithEpilogue of one bottom; a null `affine` asks for no such gradient.
  void BackwardOnDevice(Blob<Dtype>* top, bool propagate_down, Blob<Dtype>* bottom,
                        const Epilogue<Dtype>& epilogue, AffineGradient* affine);
  device::Convolution<Dtype>& DeviceConvolution() const;
  /// The fast kernel for the present shape; null: plain code. Always null in double.
  ConvolutionKernel* FastKernel() const;
  ConvParameters KernelParameters() const;
  /// The sizes of the present shape.
  const ConvShape& conv_shape() const { return plain_.shape(); }
  /// "Convolution layer 'conv1'".
  string Where() const;

  Blob<int> kernel_shape_;
  Blob<int> stride_;
  Blob<int> pad_;
  Blob<int> dilation_;
  Blob<int> conv_input_shape_;
  vector<int> col_buffer_shape_;
  vector<int> output_shape_;
  const vector<int>* bottom_shape_ = nullptr;

  int num_spatial_axes_ = 0;
  int bottom_dim_ = 0;
  int top_dim_ = 0;
  int channel_axis_ = 0;
  int num_ = 0;
  int channels_ = 0;
  int group_ = 0;
  int out_spatial_dim_ = 0;
  int weight_offset_ = 0;
  int num_output_ = 0;
  bool bias_term_ = false;
  bool is_1x1_ = false;
  bool force_nd_im2col_ = false;

 private:
  void MakeParameters(const vector<int>& weight_shape);
  void CheckParameter(int index, const vector<int>& wanted) const;
  void ForwardPlain(const Blob<Dtype>& bottom, Blob<Dtype>* top);

  PlainConvolution<Dtype> plain_;
  mutable std::unique_ptr<ConvolutionKernel> kernel_;
  mutable bool kernel_is_chosen_ = false;
  mutable std::unique_ptr<device::Convolution<Dtype>> on_device_;
};

}  // namespace caffe

#endif  // CAFFE_BASE_CONVOLUTION_LAYER_HPP_

// BaseConvolutionLayer: set-up, shapes, and the passes over the fast or the plain code.
#include "caffe/layers/base_conv_layer.hpp"

#include <algorithm>

#include "caffe/filler.hpp"
#include "caffe/util/math_functions.hpp"

namespace caffe {

namespace {

void store(const vector<int>& values, Blob<int>* blob) {
  blob->Reshape(vector<int>(1, std::max<int>(1, static_cast<int>(values.size()))));
  std::copy(values.begin(), values.end(), blob->mutable_cpu_data());
}

vector<int> load(const Blob<int>& blob, int count) {
  return vector<int>(blob.cpu_data(), blob.cpu_data() + count);
}

string text(const vector<int>& shape) {
  ostringstream out;
  for (size_t i = 0; i < shape.size(); ++i) out << (i ? " " : "") << shape[i];
  return out.str();
}

}  // namespace

template <typename Dtype>
string BaseConvolutionLayer<Dtype>::Where() const {
  return string(this->type()) + " layer '" + this->layer_param_.name() + "'";
}

template <typename Dtype>
void BaseConvolutionLayer<Dtype>::LayerSetUp(const vector<Blob<Dtype>*>& bottom,
                                             const vector<Blob<Dtype>*>&) {
  const ConvolutionParameter& param = this->layer_param_.convolution_param();
  force_nd_im2col_ = param.force_nd_im2col();
  channel_axis_ = bottom[0]->CanonicalAxisIndex(param.axis());
  num_spatial_axes_ = bottom[0]->num_axes() - channel_axis_ - 1;
  const ConvGeometry geometry = read_conv_geometry(param, num_spatial_axes_, Where());
  store(geometry.kernel, &kernel_shape_);
  store(geometry.stride, &stride_);
  store(geometry.pad, &pad_);
  store(geometry.dilation, &dilation_);

  ConvShape shape;
  shape.kernel = geometry.kernel;
  shape.stride = geometry.stride;
  shape.pad = geometry.pad;
  is_1x1_ = shape.pointwise();

  channels_ = bottom[0]->shape(channel_axis_);
  num_output_ = static_cast<int>(param.num_output());
  group_ = static_cast<int>(param.group());
  CHECK_VALUE(num_output_ > 0) << Where() << ": num_output must be positive; it is "
                               << num_output_;
  CHECK_VALUE(group_ > 0) << Where() << ": group must be positive; it is " << group_;
  CHECK_VALUE(channels_ % group_ == 0)
      << Where() << ": the bottom's " << channels_
      << " channels are not a multiple of group " << group_;
  CHECK_VALUE(num_output_ % group_ == 0) << Where() << ": num_output " << num_output_
                                         << " is not a multiple of group " << group_;
  const bool reverse = reverse_dimensions();
  vector<int> weight_shape = {reverse ? channels_ : num_output_,
                              (reverse ? num_output_ : channels_) / group_};
  weight_shape.insert(weight_shape.end(), geometry.kernel.begin(), geometry.kernel.end());
  bias_term_ = param.bias_term();
  MakeParameters(weight_shape);
  weight_offset_ = this->blobs_[0]->count() / group_;
  this->param_propagate_down_.resize(this->blobs_.size(), true);
}

template <typename Dtype>
void BaseConvolutionLayer<Dtype>::MakeParameters(const vector<int>& weight_shape) {
  const ConvolutionParameter& param = this->layer_param_.convolution_param();
  const vector<int> bias_shape(1, num_output_);
  if (!this->blobs_.empty()) {
    CHECK_VALUE(this->blobs_.size() == size_t{1} + bias_term_)
        << Where() << ": " << 1 + bias_term_ << " parameter blob(s) expected, "
        << this->blobs_.size() << " given";
    CheckParameter(0, weight_shape);
    if (bias_term_) CheckParameter(1, bias_shape);
    return;
  }
  this->blobs_.push_back(std::make_shared<Blob<Dtype>>(weight_shape));
  shared_ptr<Filler<Dtype>> filler(GetFiller<Dtype>(param.weight_filler()));
  filler->Fill(this->blobs_[0].get());
  if (!bias_term_) return;
  this->blobs_.push_back(std::make_shared<Blob<Dtype>>(bias_shape));
  filler.reset(GetFiller<Dtype>(param.bias_filler()));
  filler->Fill(this->blobs_[1].get());
}

template <typename Dtype>
void BaseConvolutionLayer<Dtype>::CheckParameter(int index,
                                                 const vector<int>& wanted) const {
  CHECK_VALUE(this->blobs_[index]->shape() == wanted)
      << Where() << ": the given " << (index == 0 ? "weights" : "bias")
      << " have the shape " << this->blobs_[index]->shape_string() << "; the layer's are "
      << text(wanted);
}

template <typename Dtype>
void BaseConvolutionLayer<Dtype>::Reshape(const vector<Blob<Dtype>*>& bottom,
                                          const vector<Blob<Dtype>*>& top) {
  const int first_spatial_axis = channel_axis_ + 1;
  CHECK_VALUE(bottom[0]->num_axes() == first_spatial_axis + num_spatial_axes_)
      << Where() << ": the number of axes may not change: it was "
      << first_spatial_axis + num_spatial_axes_ << ", the bottom's shape is now "
      << bottom[0]->shape_string();
  CHECK_VALUE(bottom[0]->shape(channel_axis_) == channels_)
      << Where() << ": the number of channels may not change: it was " << channels_
      << ", the bottom's shape is now " << bottom[0]->shape_string();
  for (size_t i = 1; i < bottom.size(); ++i) {
    CHECK_VALUE(bottom[i]->shape() == bottom[0]->shape())
        << Where() << ": all bottoms must have one shape; bottom 0 is "
        << bottom[0]->shape_string() << ", bottom " << i << " is "
        << bottom[i]->shape_string();
  }
  num_ = bottom[0]->count(0, channel_axis_);
  bottom_shape_ = &bottom[0]->shape();
  compute_output_shape();
  vector<int> top_shape(bottom_shape_->begin(), bottom_shape_->begin() + channel_axis_);
  top_shape.push_back(num_output_);
  top_shape.insert(top_shape.end(), output_shape_.begin(), output_shape_.end());
  for (Blob<Dtype>* blob : top) blob->Reshape(top_shape);

  ConvShape shape;
  shape.num = num_;
  shape.channels = channels_;
  shape.num_output = num_output_;
  shape.group = group_;
  shape.transposed = reverse_dimensions();
  shape.has_bias = bias_term_;
  shape.input.assign(bottom_shape_->begin() + first_spatial_axis, bottom_shape_->end());
  shape.output = output_shape_;
  shape.kernel = load(kernel_shape_, num_spatial_axes_);
  shape.stride = load(stride_, num_spatial_axes_);
  shape.pad = load(pad_, num_spatial_axes_);
  shape.dilation = load(dilation_, num_spatial_axes_);
  if (shape == plain_.shape()) return;
  plain_ = PlainConvolution<Dtype>(shape, force_nd_im2col_);
  kernel_.reset();
  kernel_is_chosen_ = false;
  on_device_.reset();

  bottom_dim_ = bottom[0]->count(channel_axis_);
  top_dim_ = top[0]->count(channel_axis_);
  out_spatial_dim_ = top[0]->count(first_spatial_axis);
  vector<int> image = shape.image();
  image.insert(image.begin(), shape.image_channels());
  store(image, &conv_input_shape_);
  col_buffer_shape_ = shape.map();
  col_buffer_shape_.insert(col_buffer_shape_.begin(),
                           static_cast<int>(shape.image_channels() * shape.taps()));
}

template <typename Dtype>
ConvolutionKernel* BaseConvolutionLayer<Dtype>::FastKernel() const {
  if (kernel_is_chosen_) return kernel_.get();
  kernel_is_chosen_ = true;
  const ConvolutionParameter& param = this->layer_param_.convolution_param();
  const bool fast = std::is_same<Dtype, float>::value && channel_axis_ == 1 &&
                    param.engine() != ConvolutionParameter_Engine_CAFFE &&
                    !force_nd_im2col_;
  if (fast) kernel_ = make_convolution_kernel(plain_.shape());
  return kernel_.get();
}

template <typename Dtype>
string BaseConvolutionLayer<Dtype>::kernel_name() const {
  if (Caffe::mode() == Caffe::GPU) return DeviceConvolution().name();
  const ConvolutionKernel* kernel = FastKernel();
  return kernel != nullptr ? kernel->name() : "plain";
}

template <typename Dtype>
ConvParameters BaseConvolutionLayer<Dtype>::KernelParameters() const {
  ConvParameters parameters;
  if constexpr (std::is_same<Dtype, float>::value) {
    parameters.weights = this->blobs_[0].get();
    parameters.bias = bias_term_ ? this->blobs_[1].get() : nullptr;
  }
  return parameters;
}

template <typename Dtype>
void BaseConvolutionLayer<Dtype>::ForwardAll(const vector<Blob<Dtype>*>& bottom,
                                             const vector<Blob<Dtype>*>& top,
                                             const Epilogue<Dtype>& epilogue) {
  for (size_t i = 0; i < bottom.size(); ++i) {
    if constexpr (std::is_same<Dtype, float>::value) {
      if (ConvolutionKernel* kernel = FastKernel()) {
        kernel->Forward(*bottom[i], KernelParameters(), epilogue, top[i]);
        continue;
      }
    }
    ForwardPlain(*bottom[i], top[i]);
  }
}

template <typename Dtype>
void BaseConvolutionLayer<Dtype>::ForwardPlain(const Blob<Dtype>& bottom,
                                               Blob<Dtype>* top) {
  const Dtype* weights = this->blobs_[0]->cpu_data();
  const Dtype* bias = bias_term_ ? this->blobs_[1]->cpu_data() : nullptr;
  const Dtype* from = bottom.cpu_data();
  Dtype* to = top->mutable_cpu_data();
  for (int n = 0; n < num_; ++n, from += bottom_dim_, to += top_dim_) {
    if (plain_.shape().transposed) {
      backward_cpu_gemm(from, weights, to);
    } else {
      forward_cpu_gemm(from, weights, to);
    }
    if (bias != nullptr) forward_cpu_bias(to, bias);
  }
}

template <typename Dtype>
void BaseConvolutionLayer<Dtype>::BackwardAll(const vector<Blob<Dtype>*>& top,
                                              const vector<bool>& propagate_down,
                                              const vector<Blob<Dtype>*>& bottom) {
  const bool want_weights = this->param_propagate_down_[0];
  const bool want_bias = bias_term_ && this->param_propagate_down_[1];
  for (size_t i = 0; i < top.size(); ++i) {
    AddParameterGradients(*bottom[i], *top[i],
                          want_weights ? this->blobs_[0]->mutable_cpu_diff() : nullptr,
                          want_bias ? this->blobs_[1]->mutable_cpu_diff() : nullptr);
    if (propagate_down[i]) BackwardBottom(*top[i], bottom[i], Epilogue<Dtype>());
  }
}

template <typename Dtype>
void BaseConvolutionLayer<Dtype>::AddParameterGradients(const Blob<Dtype>& bottom,
                                                        const Blob<Dtype>& top,
                                                        Dtype* weights_diff,
                                                        Dtype* bias_diff) {
  if (weights_diff == nullptr && bias_diff == nullptr) return;
  if constexpr (std::is_same<Dtype, float>::value) {
    ConvolutionKernel* kernel = FastKernel();
    if (kernel != nullptr &&
        kernel->BackwardWeights(bottom, top, weights_diff, bias_diff)) {
      return;
    }
  }
  const Dtype* top_diff = top.cpu_diff();
  const Dtype* bottom_data = weights_diff != nullptr ? bottom.cpu_data() : nullptr;
  for (int n = 0; n < num_; ++n) {
    const Dtype* dy = top_diff + std::int64_t{n} * top_dim_;
    if (bias_diff != nullptr) backward_cpu_bias(bias_diff, dy);
    if (weights_diff == nullptr) continue;
    const Dtype* x = bottom_data + std::int64_t{n} * bottom_dim_;
    if (plain_.shape().transposed) {
      weight_cpu_gemm(dy, x, weights_diff);
    } else {
      weight_cpu_gemm(x, dy, weights_diff);
    }
  }
}

template <typename Dtype>
void BaseConvolutionLayer<Dtype>::BackwardBottom(const Blob<Dtype>& top,
                                                 Blob<Dtype>* bottom,
                                                 const Epilogue<Dtype>& epilogue) {
  const Dtype* weights = nullptr;
  FoldedParameters folded;
  if constexpr (std::is_same<Dtype, float>::value) {
    ConvolutionKernel* kernel = FastKernel();
    if (kernel != nullptr &&
        kernel->BackwardData(top, KernelParameters(), epilogue, bottom)) {
      return;
    }
    if (epilogue.has_affine()) {
      folded = fold_parameters(plain_.shape(), KernelParameters(), epilogue);
      weights = folded.weights.data();
    }
  }
  if (weights == nullptr) weights = this->blobs_[0]->cpu_data();
  const Dtype* from = top.cpu_diff();
  Dtype* to = bottom->mutable_cpu_diff();
  for (int n = 0; n < num_; ++n, from += top_dim_, to += bottom_dim_) {
    if (plain_.shape().transposed) {
      forward_cpu_gemm(from, weights, to);
    } else {
      backward_cpu_gemm(from, weights, to);
    }
  }
}

template <typename Dtype>
void BaseConvolutionLayer<Dtype>::forward_cpu_gemm(const Dtype* input,
                                                   const Dtype* weights, Dtype* output,
                                                   bool) {
  plain_.Correlate(input, weights, output);
}

template <typename Dtype>
void BaseConvolutionLayer<Dtype>::forward_cpu_bias(Dtype* output, const Dtype* bias) {
  const std::int64_t positions = out_spatial_dim_;
  parallel_ranges(
      num_output_,
      std::max<std::int64_t>(1, (1 << 14) / std::max<std::int64_t>(1, positions)),
      [=](std::int64_t begin, std::int64_t end) {
        for (std::int64_t o = begin; o < end; ++o) {
          Dtype* row = output + o * positions;
          const Dtype value = bias[o];
          for (std::int64_t i = 0; i < positions; ++i) row[i] += value;
        }
      });
}

template <typename Dtype>
void BaseConvolutionLayer<Dtype>::backward_cpu_gemm(const Dtype* input,
                                                    const Dtype* weights, Dtype* output) {
  plain_.Adjoint(input, weights, output);
}

template <typename Dtype>
void BaseConvolutionLayer<Dtype>::weight_cpu_gemm(const Dtype* input, const Dtype* output,
                                                  Dtype* weights) {
  plain_.AddWeightGradient(input, output, weights);
}

template <typename Dtype>
void BaseConvolutionLayer<Dtype>::backward_cpu_bias(Dtype* bias, const Dtype* input) {
  const std::int64_t positions = out_spatial_dim_;
  for (int o = 0; o < num_output_; ++o) {
    Dtype sum = 0;
    for (std::int64_t i = 0; i < positions; ++i) sum += input[o * positions + i];
    bias[o] += sum;
  }
}

INSTANTIATE_CLASS(BaseConvolutionLayer);

}  // namespace caffe

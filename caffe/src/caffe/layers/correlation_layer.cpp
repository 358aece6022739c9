// Correlation, Correlation1D.
#include "caffe/layers/correlation_layer.hpp"

#include <climits>

#include "caffe/layers/idle_setting.hpp"
#include "caffe/layers/pixel_setting.hpp"
#include "caffe/util/math_functions.hpp"

namespace caffe {

namespace {
int ceil_div(int a, int b) { return a <= 0 ? 0 : (a + b - 1) / b; }
}  // namespace

template <typename Dtype>
void CorrelationLayer<Dtype>::LayerSetUp(const vector<Blob<Dtype>*>&,
                                         const vector<Blob<Dtype>*>&) {
  const CorrelationParameter& param = this->layer_param_.correlation_param();
  const string where =
      string(this->type()) + " layer '" + this->layer_param_.name() + "': ";
  CHECK_VALUE(param.has_kernel_size()) << where << "Filter kernel_size is not set";
  CHECK_VALUE(param.has_max_displacement()) << where << "Max displacement is required";
  CHECK_VALUE(param.kernel_size() % 2 == 1)
      << where << "Odd kernel size required, not " << param.kernel_size();
  CHECK_VALUE(param.stride_1() > 0 && param.stride_2() > 0)
      << where << "stride_1 and stride_2 must be at least 1";
  if (param.do_abs()) {
    warn_idle(where, "correlation_param.do_abs",
              "the original reads it and does nothing with it");
  }
  if (param.single_direction() != 0 && string(this->type()) == "Correlation") {
    warn_idle(where, "correlation_param.single_direction", "only Correlation1D reads it");
  }
  const auto pixels = [&](const char* setting, std::uint32_t value) {
    return pixels_of(where, string("correlation_param.") + setting, value);
  };
  shape_.kernel = pixels("kernel_size", param.kernel_size());
  shape_.stride_1 = pixels("stride_1", param.stride_1());
  shape_.stride_2 = pixels("stride_2", param.stride_2());
  pixels("pad", param.pad());
  pixels("max_displacement", param.max_displacement());
  shape_.subtract = param.correlation_type() == CorrelationParameter::SUBTRACT;
}

template <typename Dtype>
void CorrelationLayer<Dtype>::SetRows(int pad, int max_displacement) {
  const int radius = max_displacement / shape_.stride_2;
  shape_.rows_first = -radius;
  shape_.rows = 2 * radius + 1;
  shape_.origin_y = max_displacement - pad;
  shape_.out_height =
      ceil_div(shape_.height + 2 * pad - 2 * max_displacement - (shape_.kernel - 1),
               shape_.stride_1);
}

template <typename Dtype>
void CorrelationLayer<Dtype>::SetColumns(int radius) {
  shape_.columns_first = -radius;
  shape_.columns = 2 * radius + 1;
}

template <typename Dtype>
void CorrelationLayer<Dtype>::Reshape(const vector<Blob<Dtype>*>& bottom,
                                      const vector<Blob<Dtype>*>& top) {
  const CorrelationParameter& param = this->layer_param_.correlation_param();
  const string where =
      string(this->type()) + " layer '" + this->layer_param_.name() + "': ";
  CHECK_VALUE(bottom[0]->num_axes() == 4 && bottom[0]->shape() == bottom[1]->shape())
      << where << "both bottoms must have the same shape (N, C, H, W); they are "
      << bottom[0]->shape_string() << " and " << bottom[1]->shape_string();
  CHECK_VALUE(bottom[0]->channels() > 0)
      << where << "bottoms without a channel, " << bottom[0]->shape_string()
      << ", have no correlation";
  const int pad = static_cast<int>(param.pad());
  const int max_displacement = static_cast<int>(param.max_displacement());
  shape_.channels = bottom[0]->channels();
  shape_.height = bottom[0]->height();
  shape_.width = bottom[0]->width();
  SetRows(pad, max_displacement);
  SetColumns(max_displacement / shape_.stride_2);
  CHECK_VALUE(std::int64_t{shape_.rows} * shape_.columns <= INT_MAX)
      << where << "max_displacement " << max_displacement << " and stride_2 "
      << shape_.stride_2 << " make " << shape_.rows << " x " << shape_.columns
      << " displacements, one channel each: too many";
  shape_.origin_x = max_displacement - pad;
  shape_.out_width =
      ceil_div(shape_.width + 2 * pad - 2 * max_displacement - (shape_.kernel - 1),
               shape_.stride_1);
  CHECK_VALUE(shape_.out_height >= 1 && shape_.out_width >= 1)
      << where
      << "Correlation cannot be done with current settings. Neighborhood and kernel "
      << "don't fit in blob: bottoms " << bottom[0]->shape_string() << ", pad " << pad
      << ", max_displacement " << max_displacement << ", kernel_size " << shape_.kernel;
  top[0]->Reshape(
      {bottom[0]->num(), shape_.displacements(), shape_.out_height, shape_.out_width});
}

template <typename Dtype>
void CorrelationLayer<Dtype>::Forward_cpu(const vector<Blob<Dtype>*>& bottom,
                                          const vector<Blob<Dtype>*>& top) {
  if (bottom[0]->count() == 0) return;
  correlation_forward(shape_, *bottom[0], *bottom[1], top[0]);
}

template <typename Dtype>
void CorrelationLayer<Dtype>::Backward_cpu(const vector<Blob<Dtype>*>& top,
                                           const vector<bool>& propagate_down,
                                           const vector<Blob<Dtype>*>& bottom) {
  if (bottom[0]->count() == 0) return;
  correlation_backward(shape_, *top[0], propagate_down[0], propagate_down[1], bottom[0],
                       bottom[1]);
}

template <typename Dtype>
void Correlation1DLayer<Dtype>::LayerSetUp(const vector<Blob<Dtype>*>& bottom,
                                           const vector<Blob<Dtype>*>& top) {
  CorrelationLayer<Dtype>::LayerSetUp(bottom, top);
  const int direction = this->layer_param_.correlation_param().single_direction();
  CHECK_VALUE(direction >= -1 && direction <= 1)
      << "Correlation1D layer '" << this->layer_param_.name()
      << "': single_direction must be -1 (left), 0 (off), or 1 (right), not "
      << direction;
}

template <typename Dtype>
void Correlation1DLayer<Dtype>::SetRows(int, int) {
  CorrelationShape& shape = this->shape_;
  shape.rows_first = 0;
  shape.rows = 1;
  shape.origin_y = 0;
  shape.out_height = ceil_div(shape.height - (shape.kernel - 1), shape.stride_1);
}

template <typename Dtype>
void Correlation1DLayer<Dtype>::SetColumns(int radius) {
  const int direction = this->layer_param_.correlation_param().single_direction();
  this->shape_.columns_first = direction == 0  ? -radius
                               : direction > 0 ? 0
                                               : -(radius + 1);
  this->shape_.columns = direction == 0 ? 2 * radius + 1 : radius + 1;
}

INSTANTIATE_CLASS(CorrelationLayer);
INSTANTIATE_CLASS(Correlation1DLayer);
REGISTER_LAYER_CLASS(Correlation);
REGISTER_LAYER_CLASS(Correlation1D);

}  // namespace caffe

// FlowWarp.
#include "caffe/layers/flow_warp_layer.hpp"

#include <limits>

namespace caffe {

template <typename Dtype>
void FlowWarpLayer<Dtype>::Reshape(const vector<Blob<Dtype>*>& bottom,
                                   const vector<Blob<Dtype>*>& top) {
  const Blob<Dtype>&image = *bottom[0], &flow = *bottom[1];
  const string where = "FlowWarp layer '" + this->layer_param_.name() + "': ";
  CHECK_VALUE(image.num_axes() == 4 && flow.num_axes() == 4)
      << where << "an image (N, C, H, W) and a flow (N, 2, H, W) are needed, not "
      << image.shape_string() << " and " << flow.shape_string();
  CHECK_VALUE(flow.channels() == 2)
      << where << "the flow, bottom 1, must have 2 channels, not " << flow.shape_string();
  CHECK_VALUE(image.num() == flow.num() && image.height() == flow.height() &&
              image.width() == flow.width())
      << where << "image " << image.shape_string() << " and flow " << flow.shape_string()
      << " must agree in num, height and width";
  shape_.rule = WarpRule::kFlowWarp;
  shape_.height = shape_.out_height = image.height();
  shape_.width = shape_.out_width = image.width();
  top[0]->ReshapeLike(image);
}

template <typename Dtype>
Dtype FlowWarpLayer<Dtype>::fill() const {
  const bool nan = this->layer_param_.flow_warp_param().fill_value() ==
                   FlowWarpParameter::NOT_A_NUMBER;
  return nan ? std::numeric_limits<Dtype>::quiet_NaN() : Dtype(0);
}

INSTANTIATE_CLASS(FlowWarpLayer);
REGISTER_LAYER_CLASS(FlowWarp);

}  // namespace caffe

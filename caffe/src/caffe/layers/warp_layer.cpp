// Warp.
#include "caffe/layers/warp_layer.hpp"

namespace caffe {

template <typename Dtype>
void WarpLayer<Dtype>::LayerSetUp(const vector<Blob<Dtype>*>&,
                                  const vector<Blob<Dtype>*>&) {
  const bool absolute =
      this->layer_param_.warp_param().coordinates() == WarpParameter::ABSOLUTE;
  shape_.rule = absolute ? WarpRule::kAbsolute : WarpRule::kRelative;
  LOG(INFO) << "Warp layer '" << this->layer_param_.name() << "': bottom 1 holds "
            << (absolute ? "coordinates (ABSOLUTE)" : "a flow (RELATIVE)");
}

template <typename Dtype>
void WarpLayer<Dtype>::Reshape(const vector<Blob<Dtype>*>& bottom,
                               const vector<Blob<Dtype>*>& top) {
  const Blob<Dtype>&image = *bottom[0], &flow = *bottom[1];
  const string where = "Warp layer '" + this->layer_param_.name() + "': ";
  CHECK_VALUE(image.num_axes() == 4 && flow.num_axes() == 4 && flow.channels() == 2)
      << where
      << "an image (N, C, H, W) and a flow or coordinates (N, 2, H, W) are needed, not "
      << image.shape_string() << " and " << flow.shape_string();
  CHECK_VALUE(image.num() == flow.num())
      << where << "image " << image.shape_string() << " and bottom 1 "
      << flow.shape_string() << " must agree in num";
  CHECK_VALUE(shape_.rule == WarpRule::kAbsolute ||
              (image.height() == flow.height() && image.width() == flow.width()))
      << where << "image " << image.shape_string() << " and flow " << flow.shape_string()
      << " must agree in height and width";
  CHECK_VALUE(image.count(2) > 0 || flow.count(2) == 0)
      << where << "image " << image.shape_string() << " has no pixel to fetch";
  shape_.height = image.height();
  shape_.width = image.width();
  shape_.out_height = flow.height();
  shape_.out_width = flow.width();
  top[0]->Reshape({image.num(), image.channels(), flow.height(), flow.width()});
}

INSTANTIATE_CLASS(WarpLayer);
REGISTER_LAYER_CLASS(Warp);

}  // namespace caffe

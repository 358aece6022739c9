// BlackAugmentation on the device. (Drawn on the host.)
#include "caffe/device/launch.hpp"
#include "caffe/layers/black_augmentation_layer.hpp"

namespace caffe {

template <typename Dtype>
void BlackAugmentationLayer<Dtype>::Forward_gpu(const vector<Blob<Dtype>*>& bottom,
                                                const vector<Blob<Dtype>*>& top) {
  Draw(*bottom[0]);
  if (bottom[0]->count() == 0) return;
  const int last = LastImage(bottom);
  for (size_t i = 0; i < bottom.size(); ++i) {
    BlackPass<Dtype> pass = PassOver(*bottom[i], items_.gpu_data());
    pass.from = bottom[i]->gpu_data();
    if (is_image(*bottom[i])) pass.black = bottom[last]->gpu_data();
    pass.to = top[i]->mutable_gpu_data();
    launch(bottom[i]->count(), pass);
  }
}

template <typename Dtype>
void BlackAugmentationLayer<Dtype>::Backward_gpu(const vector<Blob<Dtype>*>& top,
                                                 const vector<bool>& propagate_down,
                                                 const vector<Blob<Dtype>*>& bottom) {
  if (bottom[0]->count() == 0) return;
  const auto gradient = [&](int i) {
    return this->top_has_gradient(i) ? top[i]->gpu_diff() : nullptr;
  };
  const int last = LastImage(bottom);
  // The last image first: in place, the others' gradients are still whole then.
  for (int i = static_cast<int>(bottom.size()) - 1; i >= 0; --i) {
    if (!propagate_down[i]) continue;
    BlackPass<Dtype> pass = PassOver(*bottom[i], items_.gpu_data());
    pass.from = gradient(i);
    if (i == last) pass.black = pass.from;
    pass.to = bottom[i]->mutable_gpu_diff();
    launch(bottom[i]->count(), pass);
    if (i != last) continue;
    pass.add = true;
    for (int other = 0; other < last; ++other) {
      if (!is_image(*bottom[other])) continue;
      pass.black = gradient(other);
      launch(bottom[i]->count(), pass);
    }
  }
}

INSTANTIATE_LAYER_GPU_FUNCS(BlackAugmentationLayer);

}  // namespace caffe

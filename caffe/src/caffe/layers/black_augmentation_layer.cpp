// BlackAugmentation.
#include "caffe/layers/black_augmentation_layer.hpp"

#include <cmath>

#include "caffe/layers/idle_setting.hpp"
#include "caffe/util/parallel_for.hpp"
#include "caffe/util/rng.hpp"

namespace caffe {

template <typename Dtype>
void BlackAugmentationLayer<Dtype>::LayerSetUp(const vector<Blob<Dtype>*>&,
                                               const vector<Blob<Dtype>*>&) {
  const BlackAugmentationParameter& param = this->layer_param_.black_augmentation_param();
  const string where = "BlackAugmentation layer '" + this->layer_param_.name() + "': ";
  warn_idle_random(where, "black_augmentation_param.black", param.black());
  warn_idle_random(where, "black_augmentation_param.border", param.border());
}

template <typename Dtype>
int BlackAugmentationLayer<Dtype>::LastImage(const vector<Blob<Dtype>*>& blobs) {
  for (int i = static_cast<int>(blobs.size()) - 1; i >= 0; --i) {
    if (is_image(*blobs[i])) return i;
  }
  return -1;
}

template <typename Dtype>
void BlackAugmentationLayer<Dtype>::Reshape(const vector<Blob<Dtype>*>& bottom,
                                            const vector<Blob<Dtype>*>& top) {
  const Blob<Dtype>& first = *bottom[0];
  for (size_t i = 0; i < bottom.size(); ++i) {
    const Blob<Dtype>& blob = *bottom[i];
    CHECK_VALUE(blob.num_axes() == 4 && (blob.channels() == 2 || blob.channels() == 3) &&
                blob.num() == first.num() && blob.height() == first.height() &&
                blob.width() == first.width())
        << "BlackAugmentation layer '" << this->layer_param_.name() << "': bottoms are "
        << "flows (N, 2, H, W) and images (N, 3, H, W) of equal N, H and W; bottom " << i
        << " is " << blob.shape_string() << ", bottom 0 " << first.shape_string();
    top[i]->ReshapeLike(blob);
  }
  items_.Reshape({first.num(), 3});
}

template <typename Dtype>
void BlackAugmentationLayer<Dtype>::Draw(const Blob<Dtype>& bottom) {
  const BlackAugmentationParameter& param = this->layer_param_.black_augmentation_param();
  auto* items = reinterpret_cast<BlackItem<Dtype>*>(items_.mutable_cpu_data());
  for (int n = 0; n < bottom.num(); ++n) {
    items[n] = {0, 0, 0};
    items[n].still = caffe_rng_generate<double, bool>(param.black(), 1, 0) ? 1 : 0;
    if (items[n].still != 0) continue;
    const double border = caffe_rng_generate<double>(param.border(), 1, 0);
    if (border == 0) continue;
    const uint32_t kind = uniform_below(3, caffe_rng());
    if (kind != 1) items[n].border_width = std::trunc(border * bottom.width());
    if (kind != 0) items[n].border_height = std::trunc(border * bottom.height());
  }
}

template <typename Dtype>
BlackPass<Dtype> BlackAugmentationLayer<Dtype>::PassOver(const Blob<Dtype>& blob,
                                                         const Dtype* items) const {
  const auto* all = reinterpret_cast<const BlackItem<Dtype>*>(items);
  return {blob.channels(), blob.height(), blob.width(), false, all,
          nullptr,         nullptr,       nullptr};
}

template <typename Dtype>
void BlackAugmentationLayer<Dtype>::Forward_cpu(const vector<Blob<Dtype>*>& bottom,
                                                const vector<Blob<Dtype>*>& top) {
  Draw(*bottom[0]);
  const int last = LastImage(bottom);
  for (size_t i = 0; i < bottom.size(); ++i) {
    BlackPass<Dtype> pass = PassOver(*bottom[i], items_.cpu_data());
    pass.from = bottom[i]->cpu_data();
    if (is_image(*bottom[i])) pass.black = bottom[last]->cpu_data();
    pass.to = top[i]->mutable_cpu_data();
    for_each_index(bottom[i]->count(), pass);
  }
}

template <typename Dtype>
void BlackAugmentationLayer<Dtype>::Backward_cpu(const vector<Blob<Dtype>*>& top,
                                                 const vector<bool>& propagate_down,
                                                 const vector<Blob<Dtype>*>& bottom) {
  const auto gradient = [&](int i) {
    return this->top_has_gradient(i) ? top[i]->cpu_diff() : nullptr;
  };
  const int last = LastImage(bottom);
  // The last image first: in place, the others' gradients are still whole then.
  for (int i = static_cast<int>(bottom.size()) - 1; i >= 0; --i) {
    if (!propagate_down[i]) continue;
    BlackPass<Dtype> pass = PassOver(*bottom[i], items_.cpu_data());
    pass.from = gradient(i);
    if (i == last) pass.black = pass.from;
    pass.to = bottom[i]->mutable_cpu_diff();
    for_each_index(bottom[i]->count(), pass);
    if (i != last) continue;
    pass.add = true;
    for (int other = 0; other < last; ++other) {
      if (!is_image(*bottom[other])) continue;
      pass.black = gradient(other);
      for_each_index(bottom[i]->count(), pass);
    }
  }
}

INSTANTIATE_CLASS(BlackAugmentationLayer);
REGISTER_LAYER_CLASS(BlackAugmentation);

}  // namespace caffe

// The running mean of DataAugmentation.
#include "caffe/layers/augmentation_mean.hpp"

#include <algorithm>

#include "caffe/util/parallel_for.hpp"
#include "caffe/util/parallel_sum.hpp"

namespace caffe {

template <typename Dtype>
void update_mean_image(const Blob<Dtype>& images, double passes,
                       Blob<Dtype>* mean_image) {
  for_each_index(
      mean_image->count(),
      MeanImageUpdate<Dtype>{images.num(), mean_image->count(), passes, images.cpu_data(),
                             mean_image->mutable_cpu_data()});
}

template <typename Dtype>
void average_planes(const Blob<Dtype>& mean_image, Blob<Dtype>* means) {
  const std::int64_t plane = mean_image.count(2);
  for (int c = 0; c < means->count(); ++c) {
    const Dtype* mean = mean_image.cpu_data() + c * plane;
    const double sum = parallel_sum_of(plane, [=](std::int64_t i) { return mean[i]; });
    means->mutable_cpu_data()[c] = static_cast<Dtype>(sum / plane);
  }
}

template <typename Dtype>
void spread_means(const Blob<Dtype>& means, Blob<Dtype>* mean_image) {
  const std::int64_t plane = mean_image->count(2);
  for (int c = 0; c < means.count(); ++c) {
    std::fill_n(mean_image->mutable_cpu_data() + c * plane, plane, means.cpu_data()[c]);
  }
}

template <typename Dtype>
void subtract_mean_image(const Blob<Dtype>& mean_image, Blob<Dtype>* images) {
  const std::int64_t item = mean_image.count();
  const Dtype* mean = mean_image.cpu_data();
  Dtype* data = images->mutable_cpu_data();
  for_each_index(images->count(), [=](std::int64_t i) { data[i] -= mean[i % item]; });
}

template <typename Dtype>
void subtract_means(const Dtype* means, Blob<Dtype>* images) {
  const int channels = images->channels();
  const std::int64_t plane = images->count(2);
  Dtype* data = images->mutable_cpu_data();
  parallel_ranges(images->count(0, 2), 1, [=](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const Dtype mean = means[i % channels];
      for (Dtype* value = data + i * plane; value < data + (i + 1) * plane; ++value)
        *value -= mean;
    }
  });
}

template <typename Dtype>
void take_mean_image(const Blob<float>& stored, const string& where,
                     Blob<Dtype>* mean_image, Blob<Dtype>* means) {
  CHECK_VALUE(stored.num_axes() == 4 && stored.shape(1) == mean_image->shape(1))
      << where << "the source's mean image is " << stored.shape_string() << ", the net's "
      << mean_image->shape_string();
  Blob<Dtype> source(stored.shape());
  std::copy_n(stored.cpu_data(), stored.count(), source.mutable_cpu_data());
  average_planes(source, means);
  if (stored.shape() == mean_image->shape()) {
    std::copy_n(source.cpu_data(), source.count(), mean_image->mutable_cpu_data());
  } else {
    spread_means(*means, mean_image);
  }
}

#define INSTANTIATE(Dtype)                                                       \
  template void update_mean_image(const Blob<Dtype>&, double, Blob<Dtype>*);     \
  template void average_planes(const Blob<Dtype>&, Blob<Dtype>*);                \
  template void spread_means(const Blob<Dtype>&, Blob<Dtype>*);                  \
  template void subtract_mean_image(const Blob<Dtype>&, Blob<Dtype>*);           \
  template void subtract_means(const Dtype*, Blob<Dtype>*);                      \
  template void take_mean_image(const Blob<float>&, const string&, Blob<Dtype>*, \
                                Blob<Dtype>*)
INSTANTIATE(float);
INSTANTIATE(double);
#undef INSTANTIATE

}  // namespace caffe

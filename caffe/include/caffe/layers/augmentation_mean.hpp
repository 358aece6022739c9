// The running mean that DataAugmentation keeps and subtracts.
#ifndef CAFFE_LAYERS_AUGMENTATION_MEAN_HPP_
#define CAFFE_LAYERS_AUGMENTATION_MEAN_HPP_

#include "caffe/blob.hpp"
#include "caffe/device/body.hpp"

namespace caffe {

/// Entry i of the mean image, M <- ((passes - 1) M + mean of the batch's images) /
/// passes.
template <typename Dtype>
struct MeanImageUpdate {
  int num;
  int item;
  double passes;
  const Dtype* images;
  Dtype* mean;

  CAFFE_HD void operator()(int i) const {
    double sum = 0;
    for (int n = 0; n < num; ++n) sum += images[n * item + i];
    mean[i] = static_cast<Dtype>(((passes - 1) * mean[i] + sum / num) / passes);
  }
};

/// The mean image (1, C, H, W) with one more batch (N, C, H, W) in it.
template <typename Dtype>
void update_mean_image(const Blob<Dtype>& images, double passes, Blob<Dtype>* mean_image);

/// `means` (1, C, 1, 1): the averages of the planes of `mean_image`.
template <typename Dtype>
void average_planes(const Blob<Dtype>& mean_image, Blob<Dtype>* means);

/// Every plane filled with its channel's mean.
template <typename Dtype>
void spread_means(const Blob<Dtype>& means, Blob<Dtype>* mean_image);

/// Takes the mean image (1, C, H, W), or one number a channel, from each image.
template <typename Dtype>
void subtract_mean_image(const Blob<Dtype>& mean_image, Blob<Dtype>* images);
template <typename Dtype>
void subtract_means(const Dtype* means, Blob<Dtype>* images);

/// Copies a stored mean (1, C, h, w) into `mean_image`, or spreads its averages where the
/// sizes differ; `means` gets the averages of the stored one.
/// @throws Error (beginning with `where`) where the channels differ
template <typename Dtype>
void take_mean_image(const Blob<float>& stored, const string& where,
                     Blob<Dtype>* mean_image, Blob<Dtype>* means);

}  // namespace caffe

#endif  // CAFFE_LAYERS_AUGMENTATION_MEAN_HPP_

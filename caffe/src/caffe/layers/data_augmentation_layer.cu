// DataAugmentation on the device. (Coefficients are drawn on the host.)
#include "caffe/device/launch.hpp"
#include "caffe/device/scratch.hpp"
#include "caffe/layers/augmentation_mean.hpp"
#include "caffe/layers/data_augmentation_layer.hpp"
#include "caffe/util/math_functions_gpu.hpp"

namespace caffe {

namespace {

// Colours are summed in these many parts, then by runs of kMergedRun, then at once.
constexpr int kColourParts = 4096, kMergedRun = 64;

// means[c] = the average of plane c.
template <typename Dtype>
void average_planes_gpu(int channels, int plane, const Dtype* image, Dtype* means) {
  launch_row_sums<double>(
      channels, plane,
      CAFFE_LAMBDA(int c, int i) { return static_cast<double>(image[c * plane + i]); },
      CAFFE_LAMBDA(int c, double sum) { means[c] = static_cast<Dtype>(sum / plane); });
}

// data[i] -= mean[i / plane % rows]: plane 1 and rows C H W for a mean image.
template <typename Dtype>
void subtract(int n, int plane, int rows, const Dtype* mean, Dtype* data) {
  launch(
      n, CAFFE_LAMBDA(int i) { data[i] -= mean[i / plane % rows]; });
}

template <typename Dtype>
void subtract_given(int n, int plane, const vector<Dtype>& mean, Dtype* data) {
  const Dtype a = mean[0], b = mean[1], c = mean[2];
  launch(
      n, CAFFE_LAMBDA(int i) {
        const int channel = i / plane % 3;
        data[i] -= channel == 0 ? a : (channel == 1 ? b : c);
      });
}

}  // namespace

template <typename Dtype>
const ColourStatistics<Dtype>* DataAugmentationLayer<Dtype>::Statistics_gpu(
    const Blob<Dtype>& image) {
  const int plane = image.count(2), pixels = image.num() * plane;
  const int merged = kColourParts / kMergedRun;
  const device::Scratch scratch(sizeof(ColourPart) * (kColourParts + merged));
  ColourPart* parts = scratch.as<ColourPart>();
  launch(kColourParts, ColourPartsOf<Dtype>{Axes(), pixels, plane, kColourParts, true,
                                            image.gpu_data(), parts});
  launch(merged, ColourPartsMerge{kMergedRun, parts, parts + kColourParts});
  auto* statistics =
      reinterpret_cast<ColourStatistics<Dtype>*>(statistics_.mutable_gpu_data());
  launch(1, ColourStatisticsOf<Dtype>{Axes(), pixels, merged, parts + kColourParts,
                                      statistics});
  return statistics;
}

template <typename Dtype>
void DataAugmentationLayer<Dtype>::Augment_gpu(const Work& work, const Blob<Dtype>& image,
                                               Blob<Dtype>* crop) {
  const int pixels = crop->num() * crop->count(2);
  const Side side{image.gpu_data(), crop->mutable_gpu_data(),
                  work.moves ? maps_.gpu_data() : nullptr,
                  work.any() ? values_.gpu_data() : nullptr,
                  work.eigen ? Statistics_gpu(image) : nullptr};
  launch(pixels, Sampler(side));
  if (work.eigen || work.chromatic) launch(pixels, Colours(work, side));
  if (work.effects) launch(pixels, Effects(work, side));
}

template <typename Dtype>
void DataAugmentationLayer<Dtype>::SubtractMean_gpu(double pass, Blob<Dtype>* images) {
  const int count = images->count(), plane = images->count(2);
  const int channels = images->channels(), item = channels * plane;
  if (param().recompute_mean() == 0) {
    const vector<Dtype> means = GivenMeans(channels);
    if (!means.empty()) subtract_given(count, plane, means, images->mutable_gpu_data());
    return;
  }
  Blob<Dtype>&image = *this->blobs_[1], &means = *this->blobs_[2];
  if (pass <= param().recompute_mean()) {
    launch(item, MeanImageUpdate<Dtype>{images->num(), item, pass, images->gpu_data(),
                                        image.mutable_gpu_data()});
    average_planes_gpu(channels, plane, image.gpu_data(), means.mutable_gpu_data());
  }
  if (param().mean_per_pixel()) {
    subtract(count, 1, item, image.gpu_data(), images->mutable_gpu_data());
  } else {
    subtract(count, plane, channels, means.gpu_data(), images->mutable_gpu_data());
  }
}

template <typename Dtype>
void DataAugmentationLayer<Dtype>::Forward_gpu(const vector<Blob<Dtype>*>& bottom,
                                               const vector<Blob<Dtype>*>& top) {
  // Counting would change a parameter, and with it what was recorded.
  const double pass = RepeatsOnDevice() ? param().recompute_mean() + 1.0 : CountPass();
  const Work work = Prepare(bottom, top, pass);
  if (top[0]->count() == 0) return;
  if (crops()) {
    Augment_gpu(work, *bottom[0], top[0]);
  } else {
    device::copy_on_device(top[0]->mutable_gpu_data(), bottom[0]->gpu_data(),
                           sizeof(Dtype) * top[0]->count());
  }
  SubtractMean_gpu(pass, top[0]);
}

template <typename Dtype>
void DataAugmentationLayer<Dtype>::Backward_gpu(const vector<Blob<Dtype>*>&,
                                                const vector<bool>& propagate_down,
                                                const vector<Blob<Dtype>*>& bottom) {
  for (size_t i = 0; i < bottom.size(); ++i) {
    if (!propagate_down[i]) continue;
    caffe_gpu_set(bottom[i]->count(), Dtype(0), bottom[i]->mutable_gpu_diff());
  }
}

INSTANTIATE_LAYER_GPU_FUNCS(DataAugmentationLayer);

}  // namespace caffe

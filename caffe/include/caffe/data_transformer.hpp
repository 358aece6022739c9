// DataTransformer: mean, scale, crop and mirror between stored records and a net's input.
#ifndef CAFFE_DATA_TRANSFORMER_HPP
#define CAFFE_DATA_TRANSFORMER_HPP

#include <vector>

#include "caffe/blob.hpp"
#include "caffe/common.hpp"
#include "caffe/proto/caffe.pb.h"

namespace caffe {

/// value = (pixel - mean) * scale, of a crop of the image, mirrored or not. A mean file
/// is read at the pixel's place in the uncropped image. Crops are random in TRAIN and
/// central in TEST; mirroring, where `mirror` asks for it, is random in both (draws an
/// image: mirror, y, x).
///
/// differs: a record whose bytes do not make up C x H x W values is an error; a blob
/// source is left as it was. Encoded records are not decoded here yet: an error says so.
template <typename Dtype>
class DataTransformer {
 public:
  /// Reads the mean. Errors: mean_file with mean_value, force_color with force_gray, a
  /// mean file that is missing or broken.
  explicit DataTransformer(const TransformationParameter& param, Phase phase);
  virtual ~DataTransformer() = default;

  /// Seeds this object's own generator from the thread's, where it will need one.
  void InitRand();

  /// One record into item 0 of a blob (1, C, h, w): h, w the crop's, or the image's.
  void Transform(const Datum& datum, Blob<Dtype>* transformed_blob);
  /// Records into the first items of a blob.
  void Transform(const std::vector<Datum>& datum_vector, Blob<Dtype>* transformed_blob);
  /// A whole blob, with one crop and one mirroring for all its items.
  void Transform(Blob<Dtype>* input_blob, Blob<Dtype>* transformed_blob);

  /// The shape (1, C, h, w) or (number, C, h, w) that Transform wants.
  std::vector<int> InferBlobShape(const Datum& datum);
  std::vector<int> InferBlobShape(const std::vector<Datum>& datum_vector);

 protected:
  /// Uniform in [0, n).
  virtual int Rand(int n);
  /// One record to C x h x w values.
  void Transform(const Datum& datum, Dtype* transformed_data);

  TransformationParameter param_;
  shared_ptr<Caffe::RNG> rng_;
  Phase phase_;
  Blob<Dtype> data_mean_;
  std::vector<Dtype> mean_values_;

 private:
  // Sizes of an image, and what is cut out of it.
  struct Window {
    int channels, height, width;
    int crop_height, crop_width;
    int top = 0, left = 0;
    bool mirror = false;
  };

  Window ChooseWindow(int channels, int height, int width);
  void CheckDatum(const Datum& datum) const;
  void CheckTarget(const Blob<Dtype>& target, const Window& window) const;
  Dtype MeanOf(const Window& window, int channel, int y, int x) const;
  template <typename Source>
  void Apply(const Window& window, const Source& source, Dtype* out) const;

  DISABLE_COPY_AND_ASSIGN(DataTransformer);
};

}  // namespace caffe

#endif  // CAFFE_DATA_TRANSFORMER_HPP

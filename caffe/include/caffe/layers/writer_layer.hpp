// FLOWriter, FloatWriter, PFMWriter and ImgWriter: write every item of a blob to a file.
#ifndef CAFFE_WRITER_LAYER_HPP_
#define CAFFE_WRITER_LAYER_HPP_

#include <string>
#include <vector>

#include "caffe/blob.hpp"
#include "caffe/layer.hpp"
#include "caffe/util/map_files.hpp"

namespace caffe {

/// One bottom (N, C, H, W), no top; gradient 0. `file` is the name, and every item
/// overwrites it; else the name is
///   folder/prefix + number of the pass, 7 digits [+ (item, 3 digits)] + suffix.ext,
/// the item only in batches of several. The number is Net::iter(). The folder is created.
///
/// From the flow forks (facts: layers_flow.md 8).
/// differs: without `folder` files go to the current one (there to /); names of any
/// length; each file appears whole, or not at all; double nets write right values.
template <typename Dtype>
class WriterLayer : public Layer<Dtype> {
 public:
  explicit WriterLayer(const LayerParameter& param) : Layer<Dtype>(param) {}
  void LayerSetUp(const vector<Blob<Dtype>*>& bottom,
                  const vector<Blob<Dtype>*>& top) override;
  void Reshape(const vector<Blob<Dtype>*>& bottom,
               const vector<Blob<Dtype>*>& top) override;

  int ExactNumBottomBlobs() const override { return 1; }
  int ExactNumTopBlobs() const override { return 0; }

 protected:
  void Forward_cpu(const vector<Blob<Dtype>*>& bottom,
                   const vector<Blob<Dtype>*>& top) override;
  void Backward_cpu(const vector<Blob<Dtype>*>& top, const vector<bool>& propagate_down,
                    const vector<Blob<Dtype>*>& bottom) override;

  /// An empty string, or what is wrong with a number of channels.
  virtual string ChannelsError(int /*channels*/) const { return ""; }
  /// Whether `scale` and `normalize` hold.
  virtual bool WritesPixels() const { return false; }
  virtual string Extension(int channels) const = 0;
  virtual string Encode(const FloatMap& map) const = 0;

 private:
  string where() const {
    return this->type() + (" layer '" + this->layer_param_.name()) + "': ";
  }
  string FileName(const Blob<Dtype>& bottom, int item) const;
};

/// Flow of two channels to .flo (Middlebury's format).
template <typename Dtype>
class FLOWriterLayer : public WriterLayer<Dtype> {
 public:
  explicit FLOWriterLayer(const LayerParameter& param) : WriterLayer<Dtype>(param) {}
  const char* type() const override { return "FLOWriter"; }

 protected:
  string ChannelsError(int channels) const override;
  string Extension(int) const override { return ".flo"; }
  string Encode(const FloatMap& map) const override { return encode_flo(map); }
};

/// Any blob to .float3, which FloatReader reads.
template <typename Dtype>
class FloatWriterLayer : public WriterLayer<Dtype> {
 public:
  explicit FloatWriterLayer(const LayerParameter& param) : WriterLayer<Dtype>(param) {}
  const char* type() const override { return "FloatWriter"; }

 protected:
  string Extension(int) const override { return ".float3"; }
  string Encode(const FloatMap& map) const override { return encode_float3(map); }
};

/// One to three channels to .pfm, NEGATED (DispNet's disparities).
template <typename Dtype>
class PFMWriterLayer : public WriterLayer<Dtype> {
 public:
  explicit PFMWriterLayer(const LayerParameter& param) : WriterLayer<Dtype>(param) {}
  const char* type() const override { return "PFMWriter"; }

 protected:
  string ChannelsError(int channels) const override;
  string Extension(int) const override { return ".pfm"; }
  string Encode(const FloatMap& map) const override { return encode_pfm(map); }
};

/// One channel to .pgm, three (BGR) to .ppm, times `scale`, or with `normalize` stretched
/// to 0..255.
/// differs: values beyond 0..255 are cut off in .pgm too; a constant map is 0 (there a
/// division by zero), and the largest of negative values is found.
template <typename Dtype>
class ImgWriterLayer : public WriterLayer<Dtype> {
 public:
  explicit ImgWriterLayer(const LayerParameter& param) : WriterLayer<Dtype>(param) {}
  const char* type() const override { return "ImgWriter"; }

 protected:
  string ChannelsError(int channels) const override;
  bool WritesPixels() const override { return true; }
  string Extension(int channels) const override {
    return channels == 1 ? ".pgm" : ".ppm";
  }
  string Encode(const FloatMap& map) const override;
};

}  // namespace caffe

#endif  // CAFFE_WRITER_LAYER_HPP_

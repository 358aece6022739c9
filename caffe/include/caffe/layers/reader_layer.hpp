// ImgReader and FloatReader: one file as a batch.
#ifndef CAFFE_READER_LAYER_HPP_
#define CAFFE_READER_LAYER_HPP_

#include <vector>

#include "caffe/blob.hpp"
#include "caffe/layer.hpp"

namespace caffe {

/// No bottom; top (num, C, H, W): `reader_param.file`, read once at set-up, in each of
/// the `num` items.
///
/// From the flow forks (facts: layers_flow.md 8).
template <typename Dtype>
class ReaderLayer : public Layer<Dtype> {
 public:
  explicit ReaderLayer(const LayerParameter& param) : Layer<Dtype>(param) {}
  void LayerSetUp(const vector<Blob<Dtype>*>& bottom,
                  const vector<Blob<Dtype>*>& top) override;
  void Reshape(const vector<Blob<Dtype>*>& bottom,
               const vector<Blob<Dtype>*>& top) override;

  int ExactNumBottomBlobs() const override { return 0; }
  int ExactNumTopBlobs() const override { return 1; }

 protected:
  void Forward_cpu(const vector<Blob<Dtype>*>& bottom,
                   const vector<Blob<Dtype>*>& top) override;
  void Backward_cpu(const vector<Blob<Dtype>*>& top, const vector<bool>& propagate_down,
                    const vector<Blob<Dtype>*>& bottom) override;

  /// Reads the file into a blob (1, C, H, W).
  virtual void Read(const string& file, Blob<Dtype>* item) = 0;

 private:
  Blob<Dtype> item_;
};

/// An image (PNG, JPEG, PPM, PGM) as three channels BGR, through transform_param; a
/// random crop or mirroring is drawn once.
template <typename Dtype>
class ImgReaderLayer : public ReaderLayer<Dtype> {
 public:
  explicit ImgReaderLayer(const LayerParameter& param) : ReaderLayer<Dtype>(param) {}
  const char* type() const override { return "ImgReader"; }

 protected:
  void Read(const string& file, Blob<Dtype>* item) override;
};

/// A .float3 file, as FloatWriter writes it: top (num, Z, Y, X).
template <typename Dtype>
class FloatReaderLayer : public ReaderLayer<Dtype> {
 public:
  explicit FloatReaderLayer(const LayerParameter& param) : ReaderLayer<Dtype>(param) {}
  const char* type() const override { return "FloatReader"; }

 protected:
  void Read(const string& file, Blob<Dtype>* item) override;
};

}  // namespace caffe

#endif  // CAFFE_READER_LAYER_HPP_

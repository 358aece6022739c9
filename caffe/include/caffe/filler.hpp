// Fillers: the start values of parameters.
#ifndef CAFFE_FILLER_HPP
#define CAFFE_FILLER_HPP

#include <algorithm>
#include <cmath>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "caffe/blob.hpp"
#include "caffe/proto/caffe.pb.h"
#include "caffe/util/math_functions.hpp"

namespace caffe {

/// Fills a blob as a FillerParameter says. Random ones draw from the thread's generator.
template <typename Dtype>
class Filler {
 public:
  explicit Filler(const FillerParameter& param) : filler_param_(param) {}
  virtual ~Filler() = default;
  virtual void Fill(Blob<Dtype>* blob) = 0;

 protected:
  /// Refuses empty blobs and, but for the gaussian filler, `sparse`.
  void CheckBlob(const Blob<Dtype>& blob) const {
    CHECK(blob.count()) << "the filler \"" << filler_param_.type()
                        << "\" was given an empty blob, shape " << blob.shape_string();
    CheckNotSparse();
  }
  void CheckNotSparse() const {
    CHECK_EQ(filler_param_.sparse(), -1)
        << "Sparsity not supported by this Filler: \"" << filler_param_.type()
        << "\"; only \"gaussian\" is sparse";
  }

  FillerParameter filler_param_;
};

/// All values are `value`.
template <typename Dtype>
class ConstantFiller : public Filler<Dtype> {
 public:
  explicit ConstantFiller(const FillerParameter& param) : Filler<Dtype>(param) {}
  void Fill(Blob<Dtype>* blob) override {
    this->CheckBlob(*blob);
    caffe_set<Dtype>(blob->count(), this->filler_param_.value(),
                     blob->mutable_cpu_data());
  }
};

/// Uniform in [min, max].
template <typename Dtype>
class UniformFiller : public Filler<Dtype> {
 public:
  explicit UniformFiller(const FillerParameter& param) : Filler<Dtype>(param) {}
  void Fill(Blob<Dtype>* blob) override {
    this->CheckBlob(*blob);
    caffe_rng_uniform<Dtype>(blob->count(), this->filler_param_.min(),
                             this->filler_param_.max(), blob->mutable_cpu_data());
  }
};

/// Normal with `mean` and `std`; with sparse = q >= 0 each value is kept with probability
/// q / shape(0), else 0: q non-zero inputs an output on average.
template <typename Dtype>
class GaussianFiller : public Filler<Dtype> {
 public:
  explicit GaussianFiller(const FillerParameter& param) : Filler<Dtype>(param) {}
  void Fill(Blob<Dtype>* blob) override {
    CHECK(blob->count()) << "the filler \"gaussian\" was given an empty blob, shape "
                         << blob->shape_string();
    Dtype* data = blob->mutable_cpu_data();
    caffe_rng_gaussian<Dtype>(blob->count(), this->filler_param_.mean(),
                              this->filler_param_.std(), data);
    const int sparse = this->filler_param_.sparse();
    CHECK_GE(sparse, -1);
    if (sparse < 0) return;
    CHECK_GE(blob->num_axes(), 1) << "a sparse filler needs a blob with axes";
    CHECK_LE(sparse, blob->shape(0))
        << "`sparse` is the number of non-zero inputs of each "
           "output and cannot exceed axis 0";
    vector<int> kept(blob->count());
    caffe_rng_bernoulli<Dtype>(blob->count(), Dtype(sparse) / blob->shape(0),
                               kept.data());
    for (int i = 0; i < blob->count(); ++i) {
      if (!kept[i]) data[i] = 0;
    }
  }
};

/// Uniform in [0, 1], then each row (index of axis 0) divided by its sum.
template <typename Dtype>
class PositiveUnitballFiller : public Filler<Dtype> {
 public:
  explicit PositiveUnitballFiller(const FillerParameter& param) : Filler<Dtype>(param) {}
  void Fill(Blob<Dtype>* blob) override {
    this->CheckBlob(*blob);
    Dtype* data = blob->mutable_cpu_data();
    caffe_rng_uniform<Dtype>(blob->count(), 0, 1, data);
    const int rows = blob->shape(0), length = blob->count() / rows;
    for (int row = 0; row < rows; ++row, data += length) {
      Dtype sum = 0;
      for (int i = 0; i < length; ++i) sum += data[i];
      caffe_scal<Dtype>(length, 1 / sum, data);
    }
  }
};

/// The number nu by which xavier and msra scale: fan-in, fan-out, or their mean.
/// fan-in = count / shape(0), fan-out = count / shape(1) (count where there is one axis).
template <typename Dtype>
Dtype filler_fan(const FillerParameter& param, const Blob<Dtype>& blob) {
  CHECK_GE(blob.num_axes(), 1) << "the filler \"" << param.type()
                               << "\" needs a blob with axes";
  const int fan_in = blob.count() / blob.shape(0);
  const int fan_out = blob.num_axes() > 1 ? blob.count() / blob.shape(1) : blob.count();
  switch (param.variance_norm()) {
    case FillerParameter_VarianceNorm_FAN_OUT:
      return fan_out;
    case FillerParameter_VarianceNorm_AVERAGE:
      return (fan_in + fan_out) / Dtype(2);
    default:
      return fan_in;
  }
}

/// Uniform in [-a, a], a = sqrt(3 / nu) (Glorot and Bengio 2010).
template <typename Dtype>
class XavierFiller : public Filler<Dtype> {
 public:
  explicit XavierFiller(const FillerParameter& param) : Filler<Dtype>(param) {}
  void Fill(Blob<Dtype>* blob) override {
    this->CheckBlob(*blob);
    const Dtype bound = std::sqrt(Dtype(3) / filler_fan(this->filler_param_, *blob));
    caffe_rng_uniform<Dtype>(blob->count(), -bound, bound, blob->mutable_cpu_data());
  }
};

/// Normal with deviation sqrt(2 / nu) (He et al. 2015).
template <typename Dtype>
class MSRAFiller : public Filler<Dtype> {
 public:
  explicit MSRAFiller(const FillerParameter& param) : Filler<Dtype>(param) {}
  void Fill(Blob<Dtype>* blob) override {
    this->CheckBlob(*blob);
    const Dtype deviation = std::sqrt(Dtype(2) / filler_fan(this->filler_param_, *blob));
    caffe_rng_gaussian<Dtype>(blob->count(), 0, deviation, blob->mutable_cpu_data());
  }
};

/// Bilinear interpolation weights, the same in every plane: a Deconvolution with
/// group = channels, kernel 2f - f mod 2, stride f, pad ceil((f - 1) / 2) enlarges by f.
template <typename Dtype>
class BilinearFiller : public Filler<Dtype> {
 public:
  explicit BilinearFiller(const FillerParameter& param) : Filler<Dtype>(param) {}
  void Fill(Blob<Dtype>* blob) override {
    CHECK_EQ(blob->num_axes(), 4)
        << "the filler \"bilinear\" needs a blob of 4 axes, not " << blob->shape_string();
    CHECK_EQ(blob->width(), blob->height())
        << "the filler \"bilinear\" needs a square kernel";
    const int width = blob->width();
    const int factor = (width + 1) / 2;
    const Dtype centre = (width - 1) / (Dtype(2) * factor);
    const auto weight = [=](int x) {
      return 1 - std::fabs(x / static_cast<Dtype>(factor) - centre);
    };
    Dtype* data = blob->mutable_cpu_data();
    for (int i = 0; i < blob->count(); ++i) {
      data[i] = weight(i % width) * weight(i / width % width);
    }
    this->CheckNotSparse();
  }
};

/// The flow forks' scaled identity: plane (n, n) is diag_val[n] / (h w), 1 / (h w) where
/// fewer values are given; all other planes are 0.
template <typename Dtype>
class DiagonalFiller : public Filler<Dtype> {
 public:
  explicit DiagonalFiller(const FillerParameter& param) : Filler<Dtype>(param) {}
  void Fill(Blob<Dtype>* blob) override {
    this->CheckBlob(*blob);
    const int plane = blob->height() * blob->width();
    Dtype* data = blob->mutable_cpu_data();
    caffe_set<Dtype>(blob->count(), 0, data);
    for (int n = 0; n < std::min(blob->num(), blob->channels()); ++n) {
      const bool given = n < this->filler_param_.diag_val_size();
      const Dtype value = given ? this->filler_param_.diag_val(n) : 1;
      caffe_set<Dtype>(plane, value / plane, data + blob->offset(n, n));
    }
  }
};

/// LiteFlowNet's filler: numbers from a text file, in blob order.
/// differs: a file with fewer numbers than the blob is an error (there the last one
/// repeats).
template <typename Dtype>
class FileFiller : public Filler<Dtype> {
 public:
  explicit FileFiller(const FillerParameter& param) : Filler<Dtype>(param) {}
  void Fill(Blob<Dtype>* blob) override {
    this->CheckBlob(*blob);
    const string& path = this->filler_param_.file();
    std::ifstream file(path);
    if (!file)
      CAFFE_THROW(kFileNotFound) << "the filler \"file\" cannot open \"" << path << "\"";
    Dtype* data = blob->mutable_cpu_data();
    for (int i = 0; i < blob->count(); ++i) {
      CHECK(file >> data[i]) << "the filler \"file\": \"" << path << "\" holds " << i
                             << " numbers, the blob needs " << blob->count();
    }
  }
};

/// A new filler of the type that the parameter names; the caller owns it.
template <typename Dtype>
Filler<Dtype>* GetFiller(const FillerParameter& param) {
  const string& type = param.type();
  std::unique_ptr<Filler<Dtype>> filler;
  if (type == "constant") {
    filler = std::make_unique<ConstantFiller<Dtype>>(param);
  } else if (type == "uniform") {
    filler = std::make_unique<UniformFiller<Dtype>>(param);
  } else if (type == "gaussian") {
    filler = std::make_unique<GaussianFiller<Dtype>>(param);
  } else if (type == "positive_unitball") {
    filler = std::make_unique<PositiveUnitballFiller<Dtype>>(param);
  } else if (type == "xavier") {
    filler = std::make_unique<XavierFiller<Dtype>>(param);
  } else if (type == "msra") {
    filler = std::make_unique<MSRAFiller<Dtype>>(param);
  } else if (type == "bilinear") {
    filler = std::make_unique<BilinearFiller<Dtype>>(param);
  } else if (type == "diagonal") {
    filler = std::make_unique<DiagonalFiller<Dtype>>(param);
  } else if (type == "file") {
    filler = std::make_unique<FileFiller<Dtype>>(param);
  } else {
    CAFFE_THROW(kValue)
        << "Unknown filler name: \"" << type
        << "\"; known: constant, uniform, gaussian, positive_unitball, xavier, "
           "msra, bilinear, diagonal, file";
  }
  return filler.release();
}

}  // namespace caffe

#endif  // CAFFE_FILLER_HPP

// Blob: an N-dimensional row-major array with data and diff, the unit of exchange of
// layers.
#ifndef CAFFE_BLOB_HPP_
#define CAFFE_BLOB_HPP_

#include <memory>
#include <string>
#include <vector>

#include "caffe/common.hpp"
#include "caffe/proto/caffe.pb.h"
#include "caffe/syncedmem.hpp"

const int kMaxBlobAxes = 32;

namespace caffe {

/// Data and diff of one shape. Memory is made on first access (zeroed); a shape that fits
/// the capacity keeps memory and flat contents.
///
/// differs: a blob that shares another's memory (ShareData) keeps sharing when it
/// shrinks; capacity follows foreign memory; `offset` is strict at the top end.
template <typename Dtype>
class Blob : public std::enable_shared_from_this<Blob<Dtype>> {
 public:
  Blob();
  explicit Blob(const int num, const int channels, const int height, const int width);
  explicit Blob(const vector<int>& shape);

  void Reshape(const int num, const int channels, const int height, const int width);
  void Reshape(const vector<int>& shape);
  void Reshape(const BlobShape& shape);
  void ReshapeLike(const Blob& other);

  /// "2 3 4 (24)"
  string shape_string() const;
  const vector<int>& shape() const { return shape_; }
  /// Negative indices count from the end.
  int shape(int index) const { return shape_[CanonicalAxisIndex(index)]; }
  int num_axes() const { return static_cast<int>(shape_.size()); }
  int count() const { return count_; }
  int count(int start_axis, int end_axis) const;
  int count(int start_axis) const { return count(start_axis, num_axes()); }
  int CanonicalAxisIndex(int axis_index) const;

  int num() const { return LegacyShape(0); }
  int channels() const { return LegacyShape(1); }
  int height() const { return LegacyShape(2); }
  int width() const { return LegacyShape(3); }
  int LegacyShape(int index) const;

  int offset(const int n, const int c = 0, const int h = 0, const int w = 0) const;
  int offset(const vector<int>& indices) const;

  void CopyFrom(const Blob<Dtype>& source, bool copy_diff = false, bool reshape = false);

  Dtype data_at(const int n, const int c, const int h, const int w) const {
    return cpu_data()[offset(n, c, h, w)];
  }
  Dtype diff_at(const int n, const int c, const int h, const int w) const {
    return cpu_diff()[offset(n, c, h, w)];
  }
  Dtype data_at(const vector<int>& index) const { return cpu_data()[offset(index)]; }
  Dtype diff_at(const vector<int>& index) const { return cpu_diff()[offset(index)]; }

  /// The memory objects; an error that names the shape if the blob was never reshaped.
  const shared_ptr<SyncedMemory>& data() const;
  const shared_ptr<SyncedMemory>& diff() const;
  /// True if a diff has been asked for so far (it is made on first use).
  bool has_diff() const { return diff_ && diff_->head() != SyncedMemory::UNINITIALIZED; }

  const Dtype* cpu_data() const { return static_cast<const Dtype*>(data()->cpu_data()); }
  const Dtype* gpu_data() const { return static_cast<const Dtype*>(data()->gpu_data()); }
  const Dtype* cpu_diff() const { return static_cast<const Dtype*>(diff()->cpu_data()); }
  const Dtype* gpu_diff() const { return static_cast<const Dtype*>(diff()->gpu_data()); }
  Dtype* mutable_cpu_data() { return static_cast<Dtype*>(data()->mutable_cpu_data()); }
  Dtype* mutable_gpu_data() { return static_cast<Dtype*>(data()->mutable_gpu_data()); }
  Dtype* mutable_cpu_diff() { return static_cast<Dtype*>(diff()->mutable_cpu_data()); }
  Dtype* mutable_gpu_diff() { return static_cast<Dtype*>(diff()->mutable_gpu_data()); }
  void set_cpu_data(Dtype* data);
  void set_gpu_data(Dtype* data);
  const int* gpu_shape() const;

  /// This blob in a back-end's channel-blocked layout; not valid() where there is none
  /// (double, fewer than 3 axes, no blocks on this processor).
  BlockedLayout blocked_layout() const;

  /// data -= diff.
  void Update();
  void FromProto(const BlobProto& proto, bool reshape = true);
  void ToProto(BlobProto* proto, bool write_diff = false) const;
  bool ShapeEquals(const BlobProto& other);

  Dtype asum_data() const;
  Dtype asum_diff() const;
  Dtype sumsq_data() const;
  Dtype sumsq_diff() const;
  void scale_data(Dtype scale_factor);
  void scale_diff(Dtype scale_factor);

  /// Takes the other's memory object. Counts must agree, shapes may differ.
  void ShareData(const Blob& other);
  void ShareDiff(const Blob& other);

 protected:
  void NewMemory();

  shared_ptr<SyncedMemory> data_;
  shared_ptr<SyncedMemory> diff_;
  shared_ptr<SyncedMemory> shape_data_;
  vector<int> shape_;
  int count_ = 0;
  int capacity_ = 0;

  DISABLE_COPY_AND_ASSIGN(Blob);
};

}  // namespace caffe

#endif  // CAFFE_BLOB_HPP_

// Blob: shapes, sharing and copying. (To and from BlobProto: blob_proto.cpp.)
#include "caffe/blob.hpp"

#include <algorithm>
#include <cstring>
#include <sstream>

#include "caffe/device/device.hpp"
#include "caffe/device/graph.hpp"
#include "caffe/util/math_functions.hpp"
#include "caffe/util/math_functions_gpu.hpp"

namespace caffe {

template <typename Dtype>
Blob<Dtype>::Blob() = default;

template <typename Dtype>
Blob<Dtype>::Blob(const int num, const int channels, const int height, const int width) {
  Reshape(num, channels, height, width);
}

template <typename Dtype>
Blob<Dtype>::Blob(const vector<int>& shape) {
  Reshape(shape);
}

template <typename Dtype>
void Blob<Dtype>::Reshape(const int num, const int channels, const int height,
                          const int width) {
  Reshape(vector<int>{num, channels, height, width});
}

template <typename Dtype>
void Blob<Dtype>::Reshape(const BlobShape& shape) {
  CHECK_LE(shape.dim_size(), kMaxBlobAxes);
  vector<int> dims;
  for (const auto dim : shape.dim()) {
    CHECK_LE(dim, INT_MAX) << "blob dimension too large";
    dims.push_back(static_cast<int>(dim));
  }
  Reshape(dims);
}

namespace {

/// The sizes as a person writes them: 2 x 3 x 5.
string Product(const vector<int>& shape) {
  std::ostringstream stream;
  for (size_t axis = 0; axis < shape.size(); ++axis)
    stream << (axis ? " x " : "") << shape[axis];
  return stream.str();
}

}  // namespace

template <typename Dtype>
void Blob<Dtype>::ReshapeLike(const Blob& other) {
  Reshape(other.shape());
}

template <typename Dtype>
void Blob<Dtype>::Reshape(const vector<int>& shape) {
  if (data_ && shape == shape_) return;
  CHECK_LE(shape.size(), static_cast<size_t>(kMaxBlobAxes));
  int count = 1;
  for (size_t axis = 0; axis < shape.size(); ++axis) {
    CHECK_VALUE(shape[axis] >= 0)
        << "blob dimension " << axis << " is negative: " << shape[axis];
    if (count != 0) {
      CHECK_LE(shape[axis], INT_MAX / count)
          << "a blob of " << Product(shape)
          << " values is too large: INT_MAX (2^31 - 1) is the most";
    }
    count *= shape[axis];
  }
  // The blocked form is tied to the shape: before that changes, contents go to row-major.
  if (data_ && data_->head_is_blocked()) data_->cpu_data();
  if (diff_ && diff_->head_is_blocked()) diff_->cpu_data();
  shape_ = shape;
  count_ = count;
  if (!data_ || count_ > capacity_) NewMemory();
}

template <typename Dtype>
void Blob<Dtype>::NewMemory() {
  capacity_ = count_;
  data_ = std::make_shared<SyncedMemory>(capacity_ * sizeof(Dtype));
  diff_ = std::make_shared<SyncedMemory>(capacity_ * sizeof(Dtype));
}

template <typename Dtype>
string Blob<Dtype>::shape_string() const {
  std::ostringstream stream;
  for (const int dim : shape_) stream << dim << " ";
  stream << "(" << count_ << ")";
  return stream.str();
}

template <typename Dtype>
int Blob<Dtype>::count(int start_axis, int end_axis) const {
  CHECK_LE(start_axis, end_axis);
  CHECK_GE(start_axis, 0);
  CHECK_LE(end_axis, num_axes());
  int count = 1;
  for (int i = start_axis; i < end_axis; ++i) count *= shape_[i];
  return count;
}

template <typename Dtype>
int Blob<Dtype>::CanonicalAxisIndex(int axis_index) const {
  if (axis_index < -num_axes() || axis_index >= num_axes()) {
    CAFFE_THROW(kIndex) << "axis " << axis_index << " out of range for a " << num_axes()
                        << "-D blob of shape " << shape_string();
  }
  return axis_index < 0 ? axis_index + num_axes() : axis_index;
}

template <typename Dtype>
int Blob<Dtype>::LegacyShape(int index) const {
  CHECK_LE(num_axes(), 4)
      << "num, channels, height, width need at most 4 axes; this blob is "
      << shape_string();
  CHECK_LT(index, 4);
  CHECK_GE(index, -4);
  if (index >= num_axes() || index < -num_axes()) return 1;
  return shape(index);
}

template <typename Dtype>
int Blob<Dtype>::offset(const int n, const int c, const int h, const int w) const {
  const auto check = [this](int index, int size) {
    if (index < 0 || index >= std::max(size, 1)) {
      CAFFE_THROW(kIndex) << "index " << index << " out of range for a blob of shape "
                          << shape_string();
    }
  };
  check(n, num());
  check(c, channels());
  check(h, height());
  check(w, width());
  return ((n * channels() + c) * height() + h) * width() + w;
}

template <typename Dtype>
int Blob<Dtype>::offset(const vector<int>& indices) const {
  CHECK_LE(indices.size(), shape_.size());
  int offset = 0;
  for (int i = 0; i < num_axes(); ++i) {
    offset *= shape_[i];
    if (static_cast<int>(indices.size()) > i) {
      CHECK_GE(indices[i], 0);
      CHECK_LT(indices[i], shape_[i]);
      offset += indices[i];
    }
  }
  return offset;
}

template <typename Dtype>
const shared_ptr<SyncedMemory>& Blob<Dtype>::data() const {
  CHECK(data_) << "this blob has never been given a shape, so it has no data";
  return data_;
}

template <typename Dtype>
const shared_ptr<SyncedMemory>& Blob<Dtype>::diff() const {
  CHECK(diff_) << "this blob has never been given a shape, so it has no diff";
  return diff_;
}

template <typename Dtype>
void Blob<Dtype>::set_cpu_data(Dtype* data) {
  CHECK(data) << "set_cpu_data needs memory";
  if (!data_ || data_->size() != count_ * sizeof(Dtype)) NewMemory();
  data_->set_cpu_data(data);
}

template <typename Dtype>
void Blob<Dtype>::set_gpu_data(Dtype* data) {
  CHECK(data) << "set_gpu_data needs memory";
  if (!data_ || data_->size() != count_ * sizeof(Dtype)) NewMemory();
  data_->set_gpu_data(data);
}

template <typename Dtype>
const int* Blob<Dtype>::gpu_shape() const {
  CHECK(shape_data_) << "the blob has no shape yet";
  return static_cast<const int*>(shape_data_->gpu_data());
}

template <typename Dtype>
BlockedLayout Blob<Dtype>::blocked_layout() const {
  BlockedLayout layout;
  if (!std::is_same<Dtype, float>::value || num_axes() < 3 || count_ == 0) return layout;
  layout.block = native_channel_block();
  layout.num = shape_[0];
  layout.channels = shape_[1];
  layout.spatial = count(2);
  return layout;
}

template <typename Dtype>
void Blob<Dtype>::CopyFrom(const Blob& source, bool copy_diff, bool reshape) {
  if (source.shape() != shape_) {
    CHECK(reshape) << "cannot copy a blob of shape " << source.shape_string()
                   << " into one of shape " << shape_string();
    ReshapeLike(source);
  }
  if (count_ == 0) return;
  SyncedMemory* from = (copy_diff ? source.diff() : source.data()).get();
  SyncedMemory* to = (copy_diff ? diff() : data()).get();
  if (Caffe::mode() == Caffe::GPU) {
    device::copy_on_device(to->mutable_gpu_data(), from->gpu_data(),
                           sizeof(Dtype) * count_);
    if (!device::is_recording()) to->SyncViews();
  } else {
    std::memcpy(to->mutable_cpu_data(), from->cpu_data(), sizeof(Dtype) * count_);
  }
}

template <typename Dtype>
void Blob<Dtype>::ShareData(const Blob& other) {
  CHECK_EQ(count_, other.count())
      << "only blobs of equal count can share data: " << shape_string() << " and "
      << other.shape_string();
  data_ = other.data();
  capacity_ =
      std::min<int>(static_cast<int>(data_->size() / sizeof(Dtype)),
                    diff_ ? static_cast<int>(diff_->size() / sizeof(Dtype)) : INT_MAX);
  if (capacity_ < count_) capacity_ = count_;
}

template <typename Dtype>
void Blob<Dtype>::ShareDiff(const Blob& other) {
  CHECK_EQ(count_, other.count())
      << "only blobs of equal count can share diff: " << shape_string() << " and "
      << other.shape_string();
  diff_ = other.diff();
  capacity_ =
      std::max(count_, std::min<int>(static_cast<int>(data()->size() / sizeof(Dtype)),
                                     static_cast<int>(diff_->size() / sizeof(Dtype))));
}

namespace {

/// Whether arithmetic on the memory belongs on the device: the newest copy is there.
bool LivesOnDevice(const SyncedMemory& memory) {
  return memory.device_is_current() &&
         (memory.head() == SyncedMemory::HEAD_AT_GPU || Caffe::mode() == Caffe::GPU);
}

template <typename Dtype>
Dtype SumOfAbs(int count, SyncedMemory* memory) {
  Dtype sum = 0;
  if (LivesOnDevice(*memory)) {
    caffe_gpu_asum(count, static_cast<const Dtype*>(memory->gpu_data()), &sum);
  } else {
    sum = caffe_cpu_asum(count, static_cast<const Dtype*>(memory->cpu_data()));
  }
  return sum;
}

template <typename Dtype>
Dtype SumOfSquares(int count, SyncedMemory* memory) {
  Dtype sum = 0;
  if (LivesOnDevice(*memory)) {
    const auto* x = static_cast<const Dtype*>(memory->gpu_data());
    caffe_gpu_dot(count, x, x, &sum);
  } else {
    const auto* x = static_cast<const Dtype*>(memory->cpu_data());
    sum = caffe_cpu_dot(count, x, x);
  }
  return sum;
}

template <typename Dtype>
void ScaleBy(int count, Dtype factor, SyncedMemory* memory) {
  if (LivesOnDevice(*memory)) {
    caffe_gpu_scal(count, factor, static_cast<Dtype*>(memory->mutable_gpu_data()));
  } else {
    caffe_scal(count, factor, static_cast<Dtype*>(memory->mutable_cpu_data()));
  }
}

}  // namespace

template <typename Dtype>
void Blob<Dtype>::Update() {
  CHECK(data()->head() != SyncedMemory::UNINITIALIZED) << "update of a blob without data";
  if (LivesOnDevice(*diff()) || LivesOnDevice(*data())) {
    caffe_gpu_axpy<Dtype>(count_, Dtype(-1), gpu_diff(), mutable_gpu_data());
    data_->SyncViews();
  } else {
    caffe_axpy<Dtype>(count_, Dtype(-1), cpu_diff(), mutable_cpu_data());
  }
}

template <typename Dtype>
Dtype Blob<Dtype>::asum_data() const {
  if (!data_ || data_->head() == SyncedMemory::UNINITIALIZED || count_ == 0) return 0;
  return SumOfAbs<Dtype>(count_, data_.get());
}

template <typename Dtype>
Dtype Blob<Dtype>::asum_diff() const {
  return has_diff() && count_ > 0 ? SumOfAbs<Dtype>(count_, diff_.get()) : Dtype(0);
}

template <typename Dtype>
Dtype Blob<Dtype>::sumsq_data() const {
  if (!data_ || data_->head() == SyncedMemory::UNINITIALIZED || count_ == 0) return 0;
  return SumOfSquares<Dtype>(count_, data_.get());
}

template <typename Dtype>
Dtype Blob<Dtype>::sumsq_diff() const {
  return has_diff() && count_ > 0 ? SumOfSquares<Dtype>(count_, diff_.get()) : Dtype(0);
}

template <typename Dtype>
void Blob<Dtype>::scale_data(Dtype scale_factor) {
  if (!data_ || data_->head() == SyncedMemory::UNINITIALIZED || count_ == 0) return;
  ScaleBy(count_, scale_factor, data_.get());
}

template <typename Dtype>
void Blob<Dtype>::scale_diff(Dtype scale_factor) {
  if (has_diff() && count_ > 0) ScaleBy(count_, scale_factor, diff_.get());
}

// Integer blobs hold indices: arithmetic on them is an error.
#define CAFFE_INTEGER_BLOB(type)        \
  template <>                           \
  void Blob<type>::Update() {           \
    NOT_IMPLEMENTED;                    \
  }                                     \
  template <>                           \
  type Blob<type>::asum_data() const {  \
    NOT_IMPLEMENTED;                    \
  }                                     \
  template <>                           \
  type Blob<type>::asum_diff() const {  \
    NOT_IMPLEMENTED;                    \
  }                                     \
  template <>                           \
  type Blob<type>::sumsq_data() const { \
    NOT_IMPLEMENTED;                    \
  }                                     \
  template <>                           \
  type Blob<type>::sumsq_diff() const { \
    NOT_IMPLEMENTED;                    \
  }                                     \
  template <>                           \
  void Blob<type>::scale_data(type) {   \
    NOT_IMPLEMENTED;                    \
  }                                     \
  template <>                           \
  void Blob<type>::scale_diff(type) {   \
    NOT_IMPLEMENTED;                    \
  }
CAFFE_INTEGER_BLOB(int)
CAFFE_INTEGER_BLOB(unsigned int)
#undef CAFFE_INTEGER_BLOB

INSTANTIATE_CLASS(Blob);
template class Blob<int>;
template class Blob<unsigned int>;

}  // namespace caffe

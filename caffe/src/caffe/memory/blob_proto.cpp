// Blob to and from BlobProto, with the shape rules of old weight files.
#include "caffe/blob.hpp"

namespace caffe {

namespace {

bool HasLegacyShape(const BlobProto& proto) {
  return proto.has_num() || proto.has_channels() || proto.has_height() ||
         proto.has_width();
}

vector<int> ShapeOf(const BlobProto& proto) {
  if (HasLegacyShape(proto)) {
    return {proto.num(), proto.channels(), proto.height(), proto.width()};
  }
  vector<int> shape;
  for (const auto dim : proto.shape().dim()) {
    CHECK_LE(dim, INT_MAX) << "blob dimension too large";
    shape.push_back(static_cast<int>(dim));
  }
  return shape;
}

template <typename Dtype, typename Source>
void CopyValues(const Source& source, int count, const char* what, const string& shape,
                Dtype* to) {
  CHECK_EQ(count, source.size()) << "a blob message of shape " << shape << " holds "
                                 << source.size() << " values of " << what;
  for (int i = 0; i < count; ++i) to[i] = static_cast<Dtype>(source.Get(i));
}

}  // namespace

template <typename Dtype>
bool Blob<Dtype>::ShapeEquals(const BlobProto& other) {
  if (HasLegacyShape(other)) {
    return shape_.size() <= 4 && LegacyShape(-4) == other.num() &&
           LegacyShape(-3) == other.channels() && LegacyShape(-2) == other.height() &&
           LegacyShape(-1) == other.width();
  }
  return shape_ == ShapeOf(other);
}

template <typename Dtype>
void Blob<Dtype>::FromProto(const BlobProto& proto, bool reshape) {
  if (reshape) {
    Reshape(ShapeOf(proto));
  } else {
    CHECK(ShapeEquals(proto)) << "shape mismatch (reshape not set): blob "
                              << shape_string();
  }
  const string shape = shape_string();
  if (proto.double_data_size() > 0) {
    CopyValues(proto.double_data(), count_, "double_data", shape, mutable_cpu_data());
  } else {
    CopyValues(proto.data(), count_, "data", shape, mutable_cpu_data());
  }
  if (proto.double_diff_size() > 0) {
    CopyValues(proto.double_diff(), count_, "double_diff", shape, mutable_cpu_diff());
  } else if (proto.diff_size() > 0) {
    CopyValues(proto.diff(), count_, "diff", shape, mutable_cpu_diff());
  }
}

namespace {

void WriteShape(const vector<int>& shape, BlobProto* proto) {
  proto->Clear();
  for (const int dim : shape) proto->mutable_shape()->add_dim(dim);
}

}  // namespace

template <>
void Blob<float>::ToProto(BlobProto* proto, bool write_diff) const {
  WriteShape(shape_, proto);
  if (count_ == 0) return;
  proto->mutable_data()->Add(cpu_data(), cpu_data() + count_);
  if (write_diff) proto->mutable_diff()->Add(cpu_diff(), cpu_diff() + count_);
}

template <>
void Blob<double>::ToProto(BlobProto* proto, bool write_diff) const {
  WriteShape(shape_, proto);
  if (count_ == 0) return;
  proto->mutable_double_data()->Add(cpu_data(), cpu_data() + count_);
  if (write_diff) proto->mutable_double_diff()->Add(cpu_diff(), cpu_diff() + count_);
}

template <>
void Blob<int>::ToProto(BlobProto*, bool) const {
  NOT_IMPLEMENTED;
}
template <>
void Blob<unsigned int>::ToProto(BlobProto*, bool) const {
  NOT_IMPLEMENTED;
}

template bool Blob<float>::ShapeEquals(const BlobProto&);
template bool Blob<double>::ShapeEquals(const BlobProto&);
template bool Blob<int>::ShapeEquals(const BlobProto&);
template bool Blob<unsigned int>::ShapeEquals(const BlobProto&);
template void Blob<float>::FromProto(const BlobProto&, bool);
template void Blob<double>::FromProto(const BlobProto&, bool);
template void Blob<int>::FromProto(const BlobProto&, bool);
template void Blob<unsigned int>::FromProto(const BlobProto&, bool);

}  // namespace caffe

// A blob as it lies in a binary file: its shape, and where its values are.
#ifndef CAFFE_UTIL_STORED_BLOB_HPP_
#define CAFFE_UTIL_STORED_BLOB_HPP_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "caffe/proto/caffe.pb.h"

namespace caffe {

/// Valid as long as the bytes that it was parsed from.
struct StoredBlob {
  enum Element { kFloat, kDouble, kHalf };
  /// Little-endian values: one piece where they are packed, one piece a value where not.
  struct Values {
    Element element = kFloat;
    std::vector<std::string_view> pieces;
  };

  /// The legacy four (num, channels, height, width) where the file has any of them, else
  /// shape.dim.
  std::vector<int64_t> shape;
  bool legacy_shape = false;
  /// Number of values. May differ from the product of the shape: check before copying.
  size_t data_count = 0;
  size_t diff_count = 0;
  Values data, diff;

  /// Copies the values, converted to Dtype (float or double), to `to`, which has room for
  /// data_count (diff_count) of them.
  template <typename Dtype>
  void CopyData(Dtype* to) const;
  template <typename Dtype>
  void CopyDiff(Dtype* to) const;
};

/// Reads a BlobProto in wire form. Offsets in errors count from `origin`, `what` names
/// the file. Errors (kValue): cut off; values that are no whole number of elements; raw
/// integers.
StoredBlob ParseStoredBlob(std::string_view bytes, const std::string& what,
                           const char* origin);

/// The same blob as a message; half floats become floats.
BlobProto ToMessage(const StoredBlob& blob);

}  // namespace caffe

#endif  // CAFFE_UTIL_STORED_BLOB_HPP_

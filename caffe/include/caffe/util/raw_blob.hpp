// Blobs stored as raw bytes (NVIDIA Caffe's half floats) as ordinary float blobs.
#ifndef CAFFE_UTIL_RAW_BLOB_HPP_
#define CAFFE_UTIL_RAW_BLOB_HPP_

#include <cstdint>

#include "caffe/proto/caffe.pb.h"

namespace caffe {

/// IEEE 754 half precision to single; subnormals, infinities and NaN included.
float HalfToFloat(uint16_t half);

/// Moves raw_data and raw_diff to data and diff (double_data, double_diff if they hold
/// doubles) and clears the raw fields. data that is already there wins over raw_data.
/// Errors (kValue): an integer type; a length that is no multiple of the element size.
void ConvertRawBlob(BlobProto* blob);
void ConvertRawBlobs(NetParameter* net);

}  // namespace caffe

#endif  // CAFFE_UTIL_RAW_BLOB_HPP_

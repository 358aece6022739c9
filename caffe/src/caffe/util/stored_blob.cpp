// A BlobProto in wire form, read without making a message of it.
#include "caffe/util/stored_blob.hpp"

#include <algorithm>
#include <cstring>
#include <string>

#include "caffe/util/logging.hpp"
#include "caffe/util/raw_blob.hpp"
#include "caffe/util/wire_format.hpp"

namespace caffe {

namespace {

size_t ElementSize(StoredBlob::Element element) {
  switch (element) {
    case StoredBlob::kDouble:
      return sizeof(double);
    case StoredBlob::kHalf:
      return sizeof(uint16_t);
    default:
      return sizeof(float);
  }
}

/// Little-endian elements of one type, converted one by one.
template <typename From, typename Dtype, typename Convert>
Dtype* ConvertPiece(std::string_view piece, Dtype* to, Convert convert) {
  for (size_t offset = 0; offset < piece.size(); offset += sizeof(From)) {
    From element;
    std::memcpy(&element, piece.data() + offset, sizeof(From));
    *to++ = static_cast<Dtype>(convert(element));
  }
  return to;
}

template <typename Dtype>
void CopyValues(const StoredBlob::Values& values, Dtype* to) {
  constexpr StoredBlob::Element same =
      sizeof(Dtype) == sizeof(float) ? StoredBlob::kFloat : StoredBlob::kDouble;
  for (const std::string_view piece : values.pieces) {
    if (values.element == same) {
      std::memcpy(to, piece.data(), piece.size());
      to += piece.size() / sizeof(Dtype);
    } else if (values.element == StoredBlob::kHalf) {
      to = ConvertPiece<uint16_t>(piece, to, HalfToFloat);
    } else if (values.element == StoredBlob::kDouble) {
      to = ConvertPiece<double>(piece, to, [](double value) { return value; });
    } else {
      to = ConvertPiece<float>(piece, to, [](float value) { return value; });
    }
  }
}

/// The three places where values can be, in the order in which they count.
struct Candidates {
  StoredBlob::Values doubles{StoredBlob::kDouble, {}};
  StoredBlob::Values floats{StoredBlob::kFloat, {}};
  std::string_view raw;
  bool has_raw = false;
  uint64_t raw_type = BlobProto::DOUBLE;

  StoredBlob::Values Choose(const std::string& what) const {
    if (!doubles.pieces.empty()) return doubles;
    if (!floats.pieces.empty() || !has_raw) return floats;
    switch (raw_type) {
      case BlobProto::DOUBLE:
        return {StoredBlob::kDouble, {raw}};
      case BlobProto::FLOAT:
        return {StoredBlob::kFloat, {raw}};
      case BlobProto::FLOAT16:
        return {StoredBlob::kHalf, {raw}};
      default:
        throw Error(what + ": a raw blob of type " + std::to_string(raw_type) +
                        " cannot be read as weights; DOUBLE, FLOAT and FLOAT16 can",
                    Error::kValue);
    }
  }
};

size_t CountValues(const StoredBlob::Values& values, const std::string& what) {
  const size_t size = ElementSize(values.element);
  size_t count = 0;
  for (const std::string_view piece : values.pieces) {
    if (piece.size() % size != 0) {
      throw Error(what + ": corrupt: " + std::to_string(piece.size()) +
                      " bytes of values are no multiple of " + std::to_string(size),
                  Error::kValue);
    }
    count += piece.size() / size;
  }
  return count;
}

std::vector<int64_t> ParseShape(std::string_view bytes, const std::string& what) {
  BlobShape shape;
  if (!shape.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    throw Error(what + ": corrupt shape", Error::kValue);
  }
  return {shape.dim().begin(), shape.dim().end()};
}

bool IsValues(const WireField& field, WireField::Type single) {
  return (field.type == WireField::kBytes || field.type == single) &&
         !field.payload.empty();
}

}  // namespace

template <typename Dtype>
void StoredBlob::CopyData(Dtype* to) const {
  CopyValues(data, to);
}

template <typename Dtype>
void StoredBlob::CopyDiff(Dtype* to) const {
  CopyValues(diff, to);
}

template void StoredBlob::CopyData<float>(float*) const;
template void StoredBlob::CopyData<double>(double*) const;
template void StoredBlob::CopyDiff<float>(float*) const;
template void StoredBlob::CopyDiff<double>(double*) const;

StoredBlob ParseStoredBlob(std::string_view bytes, const std::string& what,
                           const char* origin) {
  using B = BlobProto;
  StoredBlob blob;
  std::vector<int64_t> legacy(4, 0);
  Candidates data, diff;
  WireWalker walker(bytes, what, origin);
  WireField field;
  while (walker.Next(&field)) {
    const bool bytes_field = field.type == WireField::kBytes;
    if (field.number >= B::kNumFieldNumber && field.number <= B::kWidthFieldNumber &&
        field.type == WireField::kVarint) {
      blob.legacy_shape = true;
      legacy[field.number - B::kNumFieldNumber] = static_cast<int32_t>(field.varint);
    } else if (field.number == B::kShapeFieldNumber && bytes_field) {
      const std::vector<int64_t> dims = ParseShape(field.payload, what);
      blob.shape.insert(blob.shape.end(), dims.begin(), dims.end());
    } else if (field.number == B::kDataFieldNumber &&
               IsValues(field, WireField::kFixed32)) {
      data.floats.pieces.push_back(field.payload);
    } else if (field.number == B::kDiffFieldNumber &&
               IsValues(field, WireField::kFixed32)) {
      diff.floats.pieces.push_back(field.payload);
    } else if (field.number == B::kDoubleDataFieldNumber &&
               IsValues(field, WireField::kFixed64)) {
      data.doubles.pieces.push_back(field.payload);
    } else if (field.number == B::kDoubleDiffFieldNumber &&
               IsValues(field, WireField::kFixed64)) {
      diff.doubles.pieces.push_back(field.payload);
    } else if (field.number == B::kRawDataTypeFieldNumber) {
      data.raw_type = field.varint;
    } else if (field.number == B::kRawDiffTypeFieldNumber) {
      diff.raw_type = field.varint;
    } else if (field.number == B::kRawDataFieldNumber && bytes_field) {
      data.raw = field.payload;
      data.has_raw = true;
    } else if (field.number == B::kRawDiffFieldNumber && bytes_field) {
      diff.raw = field.payload;
      diff.has_raw = true;
    }
  }
  if (blob.legacy_shape) blob.shape = legacy;
  blob.data = data.Choose(what);
  blob.diff = diff.Choose(what);
  blob.data_count = CountValues(blob.data, what);
  blob.diff_count = CountValues(blob.diff, what);
  return blob;
}

namespace {

template <typename Repeated>
void Fill(const StoredBlob::Values& values, size_t count, Repeated* to) {
  to->Resize(static_cast<int>(count), 0);
  CopyValues(values, to->mutable_data());
}

}  // namespace

BlobProto ToMessage(const StoredBlob& blob) {
  BlobProto proto;
  if (blob.legacy_shape) {
    proto.set_num(static_cast<int32_t>(blob.shape[0]));
    proto.set_channels(static_cast<int32_t>(blob.shape[1]));
    proto.set_height(static_cast<int32_t>(blob.shape[2]));
    proto.set_width(static_cast<int32_t>(blob.shape[3]));
  } else if (!blob.shape.empty()) {
    for (const int64_t dim : blob.shape) proto.mutable_shape()->add_dim(dim);
  }
  const bool doubles = blob.data.element == StoredBlob::kDouble;
  if (doubles) {
    Fill(blob.data, blob.data_count, proto.mutable_double_data());
  } else {
    Fill(blob.data, blob.data_count, proto.mutable_data());
  }
  if (blob.diff.element == StoredBlob::kDouble) {
    Fill(blob.diff, blob.diff_count, proto.mutable_double_diff());
  } else {
    Fill(blob.diff, blob.diff_count, proto.mutable_diff());
  }
  return proto;
}

}  // namespace caffe

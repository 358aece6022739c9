// Raw bytes to floats.
#include "caffe/util/raw_blob.hpp"

#include <cstring>
#include <string>

#include "caffe/util/logging.hpp"

namespace caffe {

float HalfToFloat(uint16_t half) {
  const uint32_t sign = static_cast<uint32_t>(half & 0x8000) << 16;
  uint32_t exponent = (half >> 10) & 0x1f;
  uint32_t fraction = half & 0x3ff;
  uint32_t bits = sign;
  if (exponent == 0x1f) {  // infinity, NaN
    bits |= 0x7f800000 | fraction << 13;
  } else if (exponent != 0) {
    bits |= (exponent + 112) << 23 | fraction << 13;
  } else if (fraction != 0) {  // subnormal: fraction * 2^-24, normal as a single
    exponent = 113;
    while ((fraction & 0x400) == 0) {
      fraction <<= 1;
      --exponent;
    }
    bits |= exponent << 23 | (fraction & 0x3ff) << 13;
  }
  float value;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}

namespace {

template <typename T, typename Repeated, typename Convert>
void Append(const std::string& raw, Repeated* values, Convert convert) {
  if (raw.size() % sizeof(T) != 0) {
    throw Error("a raw blob of " + std::to_string(raw.size()) +
                    " bytes is no multiple of " + std::to_string(sizeof(T)),
                Error::kValue);
  }
  const size_t count = raw.size() / sizeof(T);
  values->Reserve(static_cast<int>(count));
  for (size_t i = 0; i < count; ++i) {
    T element;
    std::memcpy(&element, raw.data() + i * sizeof(T), sizeof(T));
    values->AddAlreadyReserved(convert(element));
  }
}

template <typename Floats, typename Doubles>
void ConvertRaw(const std::string& raw, BlobProto::Type type, Floats* floats,
                Doubles* doubles) {
  switch (type) {
    case BlobProto::DOUBLE:
      return Append<double>(raw, doubles, [](double value) { return value; });
    case BlobProto::FLOAT:
      return Append<float>(raw, floats, [](float value) { return value; });
    case BlobProto::FLOAT16:
      return Append<uint16_t>(raw, floats, HalfToFloat);
    default:
      throw Error("a raw blob of type " + BlobProto::Type_Name(type) +
                      " cannot be read as weights; DOUBLE, FLOAT and FLOAT16 can",
                  Error::kValue);
  }
}

void ConvertRawBlobs(google::protobuf::RepeatedPtrField<BlobProto>* blobs,
                     const std::string& layer) {
  for (int i = 0; i < blobs->size(); ++i) {
    try {
      ConvertRawBlob(blobs->Mutable(i));
    } catch (Error& error) {
      error.AddContext("layer '" + layer + "', blob " + std::to_string(i));
      throw;
    }
  }
}

}  // namespace

void ConvertRawBlob(BlobProto* blob) {
  if (blob->has_raw_data() && blob->data_size() == 0 && blob->double_data_size() == 0) {
    ConvertRaw(blob->raw_data(), blob->raw_data_type(), blob->mutable_data(),
               blob->mutable_double_data());
  }
  if (blob->has_raw_diff() && blob->diff_size() == 0 && blob->double_diff_size() == 0) {
    ConvertRaw(blob->raw_diff(), blob->raw_diff_type(), blob->mutable_diff(),
               blob->mutable_double_diff());
  }
  blob->clear_raw_data();
  blob->clear_raw_data_type();
  blob->clear_raw_diff();
  blob->clear_raw_diff_type();
}

void ConvertRawBlobs(NetParameter* net) {
  for (LayerParameter& layer : *net->mutable_layer()) {
    ConvertRawBlobs(layer.mutable_blobs(), layer.name());
  }
  for (V1LayerParameter& layer : *net->mutable_layers()) {
    ConvertRawBlobs(layer.mutable_blobs(), layer.name());
  }
}

}  // namespace caffe

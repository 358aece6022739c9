// The wire form of messages: a walker that trusts no length, and the LayerParameter
// numbers that forks use for different fields.
#ifndef CAFFE_UTIL_WIRE_FORMAT_HPP_
#define CAFFE_UTIL_WIRE_FORMAT_HPP_

#include <cstdint>
#include <string>
#include <string_view>

#include "caffe/proto/caffe.pb.h"

namespace caffe {

/// One field of a message in wire form.
struct WireField {
  enum Type { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

  uint32_t number = 0;
  Type type = kVarint;
  uint64_t varint = 0;  // of a kVarint
  std::string_view
      payload;  // the value: content of kBytes without its length, else all bytes
  std::string_view encoded;  // the whole field with its tag
};

/// Walks over the fields of a message. Lengths are checked against the bytes that are
/// there. Errors (kValue): malformed or cut off; the text gives the byte offset and the
/// remainder.
class WireWalker {
 public:
  /// `what` names the bytes in errors ("net.caffemodel"); offsets count from `origin`.
  WireWalker(std::string_view bytes, std::string what, const char* origin);
  WireWalker(std::string_view bytes, std::string what)
      : WireWalker(bytes, std::move(what), bytes.data()) {}

  /// False at the end.
  bool Next(WireField* field);

 private:
  uint64_t Varint(const char* meaning);
  [[noreturn]] void Fail(const std::string& problem, const char* at) const;

  const char* position_;
  const char* end_;
  const char* origin_;
  std::string what_;
};

/// Appends a field to a message in wire form.
void AppendVarint(uint64_t value, std::string* out);
void AppendTag(uint32_t number, WireField::Type type, std::string* out);
void AppendBytesField(uint32_t number, std::string_view payload, std::string* out);

/// Refuses what is no message at all. Errors (kValue): an empty file, an HDF5 file.
void CheckIsBinaryMessage(std::string_view bytes, const std::string& what);
/// For an error about content that does not parse: says if it is text. Else "".
std::string TextHint(std::string_view bytes);

/// The whole net from its wire form, layer by layer as below; blobs as they are, raw ones
/// as floats, unknown fields kept. Errors (kValue): empty, cut off, corrupt, no net.
void ParseNet(std::string_view bytes, const std::string& what, NetParameter* net);

/// The layer's own definition from its wire form: everything but the blobs. Numbers that
/// forks use for different fields are read as the layer's `type` says; a field that this
/// type cannot have goes to the unknown fields. `origin` is where offsets in errors count
/// from.
void ParseLayerDefinition(std::string_view bytes, const std::string& what,
                          const char* origin, LayerParameter* layer);

/// The wire form of the whole layer, blobs included, with the numbers that the fork of
/// its type knows. What only we have is left out.
std::string SerializeLayer(const LayerParameter& layer);

}  // namespace caffe

#endif  // CAFFE_UTIL_WIRE_FORMAT_HPP_

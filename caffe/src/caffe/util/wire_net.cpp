// A whole NetParameter from its wire form.
#include <algorithm>
#include <cctype>
#include <limits>
#include <string>

#include "caffe/util/logging.hpp"
#include "caffe/util/raw_blob.hpp"
#include "caffe/util/wire_format.hpp"

namespace caffe {

void CheckIsBinaryMessage(std::string_view bytes, const std::string& what) {
  if (bytes.empty()) throw Error(what + ": the file is empty", Error::kValue);
  constexpr std::string_view kHdf5("\x89HDF\r\n\x1a\n", 8);
  if (bytes.substr(0, kHdf5.size()) == kHdf5) {
    throw Error(what + ": is an HDF5 file, not a binary message", Error::kValue);
  }
}

std::string TextHint(std::string_view bytes) {
  const std::string_view start = bytes.substr(0, 256);
  const bool text = std::all_of(start.begin(), start.end(), [](unsigned char c) {
    return std::isprint(c) || c == '\n' || c == '\r' || c == '\t' || c >= 0x80;
  });
  const bool ascii =
      std::none_of(start.begin(), start.end(), [](unsigned char c) { return c >= 0x80; });
  return text && ascii ? " (the file looks like text, not like a binary message)" : "";
}

namespace {

constexpr size_t kLargestMessage = static_cast<size_t>(std::numeric_limits<int>::max());

template <typename Part>
void ParsePart(std::string_view bytes, const std::string& what, Part* part) {
  if (bytes.size() > kLargestMessage ||
      !part->ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    throw Error(what + ": corrupt " + part->GetDescriptor()->name(), Error::kValue);
  }
}

void ParseLayer(std::string_view bytes, const std::string& what, const char* origin,
                LayerParameter* layer) {
  ParseLayerDefinition(bytes, what, origin, layer);
  WireWalker walker(bytes, what, origin);
  WireField field;
  while (walker.Next(&field)) {
    if (field.number == LayerParameter::kBlobsFieldNumber &&
        field.type == WireField::kBytes) {
      ParsePart(field.payload, what + ", layer '" + layer->name() + "'",
                layer->add_blobs());
    }
  }
}

void ParseFields(std::string_view bytes, const std::string& what, NetParameter* net) {
  std::string header;
  WireWalker walker(bytes, what);
  WireField field;
  while (walker.Next(&field)) {
    if (field.type == WireField::kBytes &&
        field.number == NetParameter::kLayerFieldNumber) {
      ParseLayer(field.payload, what, bytes.data(), net->add_layer());
    } else if (field.type == WireField::kBytes &&
               field.number == NetParameter::kLayersFieldNumber) {
      ParsePart(field.payload, what, net->add_layers());
    } else {
      header.append(field.encoded);
    }
  }
  NetParameter rest;
  ParsePart(header, what, &rest);
  net->MergeFrom(rest);
}

/// Random bytes can happen to be a message of unknown fields only.
bool HasKnownField(const NetParameter& net) {
  std::vector<const google::protobuf::FieldDescriptor*> fields;
  net.GetReflection()->ListFields(net, &fields);
  return !fields.empty();
}

}  // namespace

void ParseNet(std::string_view bytes, const std::string& what, NetParameter* net) {
  CheckIsBinaryMessage(bytes, what);
  net->Clear();
  try {
    ParseFields(bytes, what, net);
    if (!HasKnownField(*net)) throw Error(what + ": holds no net", Error::kValue);
    ConvertRawBlobs(net);
  } catch (const Error& error) {
    const std::string hint = TextHint(bytes);
    if (hint.empty()) throw;
    throw Error(error.message() + hint, error.kind());
  }
}

}  // namespace caffe

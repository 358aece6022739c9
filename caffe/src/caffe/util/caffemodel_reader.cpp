// The layers of a caffemodel, one after the other, out of the mapped file.
#include "caffe/util/caffemodel_reader.hpp"

#include "caffe/util/logging.hpp"
#include "caffe/util/upgrade_proto.hpp"
#include "caffe/util/wire_format.hpp"

namespace caffe {

namespace {

constexpr uint32_t kBlobs = LayerParameter::kBlobsFieldNumber;
constexpr uint32_t kV1Blobs = V1LayerParameter::kBlobsFieldNumber;
constexpr uint32_t kV1Layer = V1LayerParameter::kLayerFieldNumber;
constexpr uint32_t kV0Blobs = V0LayerParameter::kBlobsFieldNumber;

bool Is(const WireField& field, uint32_t number) {
  return field.number == number && field.type == WireField::kBytes;
}

/// Walks to the end, so that a cut or a wrong length inside is found.
void WalkThrough(std::string_view bytes, const std::string& what, const char* origin) {
  WireWalker walker(bytes, what, origin);
  WireField field;
  while (walker.Next(&field)) {
  }
}

/// The message without its blobs, whose bytes are appended to `blobs`.
std::string TakeBlobsOut(std::string_view bytes, uint32_t blobs_number,
                         const std::string& what, const char* origin,
                         std::vector<std::string_view>* blobs) {
  std::string rest;
  WireWalker walker(bytes, what, origin);
  WireField field;
  while (walker.Next(&field)) {
    if (Is(field, blobs_number)) {
      blobs->push_back(field.payload);
    } else if (blobs_number == kV1Blobs && Is(field, kV1Layer)) {
      AppendBytesField(kV1Layer,
                       TakeBlobsOut(field.payload, kV0Blobs, what, origin, blobs), &rest);
    } else {
      rest.append(field.encoded);
    }
  }
  return rest;
}

}  // namespace

CaffemodelReader::CaffemodelReader(const std::string& path) : file_(path) {
  CheckIsBinaryMessage(file_.bytes(), path);
  try {
    Index();
    for (const Span& span : layers_) CheckLayer(span);
  } catch (const Error& error) {
    const std::string hint = TextHint(file_.bytes());
    if (hint.empty()) throw;
    throw Error(error.message() + hint, error.kind());
  }
}

void CaffemodelReader::Index() {
  const std::string& path = file_.path();
  std::string header;
  bool any_v1 = false, any_current = false;
  WireWalker walker(file_.bytes(), path);
  WireField field;
  while (walker.Next(&field)) {
    if (Is(field, NetParameter::kLayerFieldNumber)) {
      layers_.push_back({field.payload, false});
      any_current = true;
    } else if (Is(field, NetParameter::kLayersFieldNumber)) {
      layers_.push_back({field.payload, true});
      any_v1 = true;
    } else {
      header.append(field.encoded);
    }
  }
  if (!header_.ParseFromString(header)) {
    throw Error(path + ": corrupt net header", Error::kValue);
  }
  header_.DiscardUnknownFields();
  if (layers_.empty() && header_.ByteSizeLong() == 0) {
    throw Error(path + ": is no caffemodel: it holds neither layers nor a net's name",
                Error::kValue);
  }
  if (any_v1 && any_current) {
    throw Error(path + ": mixes `layer` and `layers` (the current and the V1 form)",
                Error::kValue);
  }
  if (any_v1) LOG(INFO) << path << ": V1 layers, upgraded while they are read";
}

void CaffemodelReader::CheckLayer(const Span& span) const {
  const char* origin = file_.bytes().data();
  std::vector<std::string_view> blobs;
  TakeBlobsOut(span.bytes, span.v1 ? kV1Blobs : kBlobs, file_.path(), origin, &blobs);
  for (const std::string_view blob : blobs) WalkThrough(blob, file_.path(), origin);
}

bool CaffemodelReader::ReadV1Definition(const Span& span, LayerParameter* layer,
                                        std::vector<std::string_view>* blobs) const {
  NetParameter net;
  V1LayerParameter parsed;
  const std::string definition =
      TakeBlobsOut(span.bytes, kV1Blobs, file_.path(), file_.bytes().data(), blobs);
  if (!parsed.ParseFromString(definition)) {
    throw Error(file_.path() + ": corrupt layer", Error::kValue);
  }
  if (parsed.has_layer() && parsed.layer().type() == "padding") return false;
  UpgradeV0LayerParameter(parsed, net.add_layers());
  UpgradeNetDataTransformation(&net);
  UpgradeV1LayerParameter(net.layers(0), layer);
  return true;
}

void CaffemodelReader::ReadDefinition(const Span& span, LayerParameter* layer,
                                      std::vector<std::string_view>* blobs) const {
  const char* origin = file_.bytes().data();
  ParseLayerDefinition(span.bytes, file_.path(), origin, layer);
  WireWalker walker(span.bytes, file_.path(), origin);
  WireField field;
  while (walker.Next(&field)) {
    if (Is(field, kBlobs)) blobs->push_back(field.payload);
  }
}

void CaffemodelReader::DropUnknownFields(LayerParameter* layer) {
  const auto& unknown = layer->GetReflection()->GetUnknownFields(*layer);
  if (!warned_ && !unknown.empty()) {
    warned_ = true;
    LOG(WARNING)
        << file_.path() << ": layer '" << layer->name() << "' (" << layer->type()
        << ") has field number " << unknown.field(0).number()
        << ", which this type does not have here; ignored (further ones silently)";
  }
  layer->DiscardUnknownFields();
}

bool CaffemodelReader::Next(LayerParameter* definition, std::vector<StoredBlob>* blobs) {
  blobs->clear();
  if (next_ > 0) file_.Release(layers_[next_ - 1].bytes);
  std::vector<std::string_view> spans;
  while (next_ < layers_.size()) {
    const Span& span = layers_[next_++];
    definition->Clear();
    if (span.v1) {
      if (!ReadV1Definition(span, definition, &spans)) continue;
    } else {
      ReadDefinition(span, definition, &spans);
    }
    DropUnknownFields(definition);
    UpgradeBatchNormLayer(definition);
    const std::string what = file_.path() + ", layer '" + definition->name() + "'";
    for (const std::string_view blob : spans) {
      blobs->push_back(ParseStoredBlob(blob, what, file_.bytes().data()));
    }
    return true;
  }
  return false;
}

bool CaffemodelReader::Next(LayerParameter* layer) {
  std::vector<StoredBlob> blobs;
  if (!Next(layer, &blobs)) return false;
  for (const StoredBlob& blob : blobs) *layer->add_blobs() = ToMessage(blob);
  return true;
}

void CaffemodelReader::Rewind() { next_ = 0; }

}  // namespace caffe

// A caffemodel, written layer by layer under a temporary name.
#include "caffe/util/caffemodel_writer.hpp"

#include <limits>

#include "caffe/util/logging.hpp"
#include "caffe/util/wire_format.hpp"

namespace caffe {

CaffemodelWriter::CaffemodelWriter(const std::string& path) : file_(path), path_(path) {}

CaffemodelWriter::CaffemodelWriter(const std::string& path, const std::string& net_name)
    : CaffemodelWriter(path) {
  NetParameter header;
  header.set_name(net_name);
  Append(header.SerializeAsString());
}

void CaffemodelWriter::Append(const std::string& bytes) {
  size_ += static_cast<int64_t>(bytes.size());
  if (size_ > std::numeric_limits<int>::max()) {
    throw Error(
        path_ +
            ": the protobuf format ends at 2147483647 bytes; use snapshot_format: "
            "HDF5",
        Error::kValue);
  }
  file_.Write(bytes);
}

void CaffemodelWriter::Write(const LayerParameter& layer) {
  const std::string bytes = SerializeLayer(layer);
  std::string tag;
  AppendTag(NetParameter::kLayerFieldNumber, WireField::kBytes, &tag);
  AppendVarint(bytes.size(), &tag);
  Append(tag);
  Append(bytes);
}

void CaffemodelWriter::Commit() { file_.Commit(); }

namespace {

/// All net-level fields that other Caffes know; `layer` is written one by one.
NetParameter HeaderOf(const NetParameter& net) {
  NetParameter header;
  if (net.has_name()) header.set_name(net.name());
  *header.mutable_layers() = net.layers();
  *header.mutable_input() = net.input();
  *header.mutable_input_dim() = net.input_dim();
  *header.mutable_input_shape() = net.input_shape();
  if (net.has_force_backward()) header.set_force_backward(net.force_backward());
  if (net.has_state()) *header.mutable_state() = net.state();
  if (net.has_debug_info()) header.set_debug_info(net.debug_info());
  const auto* reflection = net.GetReflection();
  reflection->MutableUnknownFields(&header)->MergeFrom(reflection->GetUnknownFields(net));
  return header;
}

}  // namespace

void WriteNetParameter(const std::string& path, const NetParameter& net) {
  CaffemodelWriter writer(path);
  writer.Append(HeaderOf(net).SerializeAsString());
  for (const LayerParameter& layer : net.layer()) writer.Write(layer);
  writer.Commit();
}

}  // namespace caffe

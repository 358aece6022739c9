// Which field a number of LayerParameter means: decided by the layer's type, never by the
// number.
//
// BVLC and the flow forks gave 148, 158 and 159 away twice; PSPNet, SegNet, DeepLab and
// NVIDIA use more of 137 to 164 differently. See proto/caffe.proto for the private
// numbers.
#include <algorithm>
#include <string>
#include <vector>

#include "caffe/util/logging.hpp"
#include "caffe/util/wire_format.hpp"

namespace caffe {

namespace {

constexpr uint32_t kTypeNumber = LayerParameter::kTypeFieldNumber;
constexpr uint32_t kBlobsNumber = LayerParameter::kBlobsFieldNumber;

/// On a layer of one of these types, `number` in a file means our field `field`.
struct Meaning {
  uint32_t number;
  uint32_t field;
  std::vector<std::string> types;
};

/// Every number that somebody uses differently. On a type that is not listed, it is
/// unknown.
const std::vector<Meaning>& Meanings() {
  using L = LayerParameter;
  static const std::vector<std::string> augmentations = {
      "DataAugmentation", "GenerateAugmentationParameters", "FlowAugmentation",
      "BlackAugmentation"};
  static const std::vector<std::string> writers = {"FLOWriter", "FloatWriter",
                                                   "PFMWriter", "ImgWriter"};
  static const std::vector<Meaning> meanings = {
      {137, L::kEmbedParamFieldNumber, {"Embed"}},
      {137, L::kBnParamFieldNumber, {"BN"}},
      {45, L::kBnParamFieldNumber, {"BN"}},
      {41, L::kBnParamFieldNumber, {"BN"}},
      {138, L::kTileParamFieldNumber, {"Tile"}},
      {140, L::kEluParamFieldNumber, {"ELU"}},
      {143, L::kInputParamFieldNumber, {"Input"}},
      {163, L::kInterpParamFieldNumber, {"Interp"}},
      {153, L::kInterpParamFieldNumber, {"Interp"}},
      {143, L::kInterpParamFieldNumber, {"Interp"}},
      {145, L::kParameterParamFieldNumber, {"Parameter"}},
      {146, L::kRecurrentParamFieldNumber, {"RNN", "LSTM", "LSTMUnit"}},
      {151, L::kRecurrentParamFieldNumber, {"RNN", "LSTM", "LSTMUnit"}},
      {147, L::kSwishParamFieldNumber, {"Swish"}},
      {148, L::kClipParamFieldNumber, {"Clip"}},
      {148, L::kCoeffScheduleParamFieldNumber, augmentations},
      {149, L::kAugmentationParamFieldNumber, augmentations},
      {150, L::kCorrelationParamFieldNumber, {"Correlation", "Correlation1D"}},
      {151, L::kL1LossParamFieldNumber, {"L1Loss"}},
      {152, L::kWriterParamFieldNumber, writers},
      {153, L::kReaderParamFieldNumber, {"ImgReader", "FloatReader"}},
      {154, L::kMeanParamFieldNumber, {"Mean"}},
      {155, L::kResampleParamFieldNumber, {"Resample"}},
      {156, L::kDownsampleParamFieldNumber, {"Downsample"}},
      {158, L::kLpqLossParamFieldNumber, {"LpqLoss"}},
      {158, L::kExpmaxParamFieldNumber, {"ExpMax"}},
      {159, L::kFlowWarpParamFieldNumber, {"FlowWarp"}},
      {159, L::kNegsquareParamFieldNumber, {"NegSquare"}},
      {160, L::kAccumParamFieldNumber, {"Accum"}},
      {160, L::kScaleParamFieldNumber, {"Scale"}},
      {161, L::kBlackAugmentationParamFieldNumber, {"BlackAugmentation"}},
      {161, L::kBiasParamFieldNumber, {"Bias"}},
  };
  return meanings;
}

bool Lists(const Meaning& meaning, const std::string& type) {
  return std::find(meaning.types.begin(), meaning.types.end(), type) !=
         meaning.types.end();
}

constexpr uint32_t kFirstPrivateNumber = 10000;

enum class Fate { kKeep, kRenumber, kUnknown };

/// What `number` on a layer of `type` is to be read as.
Fate FateOf(uint32_t number, const std::string& type, uint32_t* field) {
  // Our private numbers never leave in a file: there they are somebody else's.
  bool clashes = number >= kFirstPrivateNumber;
  for (const Meaning& meaning : Meanings()) {
    if (meaning.number != number) continue;
    clashes = true;
    if (!Lists(meaning, type)) continue;
    *field = meaning.field;
    return meaning.field == number ? Fate::kKeep : Fate::kRenumber;
  }
  return clashes ? Fate::kUnknown : Fate::kKeep;
}

/// The number that files have for a private field on a layer of `type`; 0 = leave it out.
uint32_t FileNumber(uint32_t field, const std::string& type) {
  for (const Meaning& meaning : Meanings()) {
    if (meaning.field == field && Lists(meaning, type)) return meaning.number;
  }
  return 0;
}

/// `payload` with the fields of one number and wire type under another number.
std::string Renumber(std::string_view payload, const WireField& from, uint32_t to,
                     const std::string& what) {
  std::string out;
  WireWalker walker(payload, what);
  WireField field;
  while (walker.Next(&field)) {
    if (field.number == from.number && field.type == from.type &&
        field.varint >= from.varint) {
      AppendTag(to, field.type, &out);
      out.append(field.payload);
    } else {
      out.append(field.encoded);
    }
  }
  return out;
}

WireField VarintField(uint32_t number, uint64_t at_least) {
  WireField field;
  field.number = number;
  field.varint = at_least;
  return field;
}

/// Differences inside the messages of one type: PSPNet's dilation is field 17 (`hole`),
/// which BVLC has as a bool; SegNet's bn_mode is the enum 3 where PSPNet has the float
/// var_eps.
std::string ReadPayload(const WireField& field, uint32_t number, const std::string& type,
                        const std::string& what) {
  if (number == LayerParameter::kConvolutionParamFieldNumber && type == "Convolution") {
    return Renumber(field.payload,
                    VarintField(ConvolutionParameter::kForceNdIm2ColFieldNumber, 2),
                    ConvolutionParameter::kDilationFieldNumber, what);
  }
  if (number == LayerParameter::kBnParamFieldNumber) {
    return Renumber(field.payload, VarintField(BNParameter::kVarEpsFieldNumber, 0),
                    BNParameter::kBnModeFieldNumber, what);
  }
  return std::string(field.payload);
}

std::string TypeOf(std::string_view bytes, const std::string& what, const char* origin) {
  std::string type;
  WireWalker walker(bytes, what, origin);
  WireField field;
  while (walker.Next(&field)) {
    if (field.number == kTypeNumber && field.type == WireField::kBytes)
      type = field.payload;
  }
  return type;
}

}  // namespace

void ParseLayerDefinition(std::string_view bytes, const std::string& what,
                          const char* origin, LayerParameter* layer) {
  const std::string type = TypeOf(bytes, what, origin);
  std::string definition;
  std::vector<WireField> unknown;
  WireWalker walker(bytes, what, origin);
  WireField field;
  while (walker.Next(&field)) {
    if (field.number == kBlobsNumber && field.type == WireField::kBytes) continue;
    uint32_t number = field.number;
    if (field.type == WireField::kBytes) {
      if (FateOf(field.number, type, &number) == Fate::kUnknown) {
        unknown.push_back(field);
        continue;
      }
      AppendBytesField(number, ReadPayload(field, number, type, what), &definition);
    } else {
      definition.append(field.encoded);
    }
  }
  if (!layer->ParseFromString(definition)) {
    throw Error(what + ": the layer at byte " + std::to_string(bytes.data() - origin) +
                    " is corrupt",
                Error::kValue);
  }
  for (const WireField& one : unknown) {
    layer->GetReflection()->MutableUnknownFields(layer)->AddLengthDelimited(
        static_cast<int>(one.number), std::string(one.payload));
  }
}

std::string SerializeLayer(const LayerParameter& layer) {
  std::string bytes;
  if (!layer.SerializeToString(&bytes)) {
    throw Error("layer '" + layer.name() + "' is too large for one message (2 GiB)");
  }
  const bool ours = layer.has_coeff_schedule_param() || layer.has_expmax_param() ||
                    layer.has_negsquare_param() || layer.has_bn_param() ||
                    layer.has_interp_param() || layer.has_soft_iou_loss_param() ||
                    layer.has_warp_param() || layer.has_pad_param();
  if (!ours) return bytes;

  std::string out;
  WireWalker walker(bytes, "layer '" + layer.name() + "'");
  WireField field;
  while (walker.Next(&field)) {
    if (field.number < 10000) {
      out.append(field.encoded);
      continue;
    }
    const uint32_t number = FileNumber(field.number, layer.type());
    if (number == 0) continue;
    const bool is_bn = field.number == LayerParameter::kBnParamFieldNumber;
    AppendBytesField(
        number,
        is_bn ? Renumber(field.payload, VarintField(BNParameter::kBnModeFieldNumber, 0),
                         BNParameter::kVarEpsFieldNumber, layer.name())
              : std::string(field.payload),
        &out);
  }
  return out;
}

}  // namespace caffe

// Walking over wire form.
#include "caffe/util/wire_format.hpp"

#include <utility>

#include "caffe/util/logging.hpp"

namespace caffe {

WireWalker::WireWalker(std::string_view bytes, std::string what, const char* origin)
    : position_(bytes.data()),
      end_(bytes.data() + bytes.size()),
      origin_(origin),
      what_(std::move(what)) {}

void WireWalker::Fail(const std::string& problem, const char* at) const {
  throw Error(what_ + ": " + problem + " at byte " + std::to_string(at - origin_),
              Error::kValue);
}

uint64_t WireWalker::Varint(const char* meaning) {
  const char* start = position_;
  uint64_t value = 0;
  for (int shift = 0; shift < 64; shift += 7) {
    if (position_ == end_) Fail(std::string("cut off inside ") + meaning, start);
    const uint8_t byte = static_cast<uint8_t>(*position_++);
    value |= static_cast<uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) return value;
  }
  Fail(std::string("corrupt: ") + meaning + " longer than ten bytes", start);
}

bool WireWalker::Next(WireField* field) {
  if (position_ == end_) return false;
  const char* start = position_;
  const uint64_t tag = Varint("a field's tag");
  const uint64_t number = tag >> 3;
  if (number == 0 || number > 536870911)
    Fail("corrupt: no field has such a number", start);
  field->number = static_cast<uint32_t>(number);
  field->type = static_cast<WireField::Type>(tag & 7);
  const char* value = position_;
  uint64_t size = 0;
  switch (field->type) {
    case WireField::kVarint:
      field->varint = Varint("a number");
      size = static_cast<uint64_t>(position_ - value);
      position_ = value;
      break;
    case WireField::kFixed64:
      size = 8;
      break;
    case WireField::kFixed32:
      size = 4;
      break;
    case WireField::kBytes:
      size = Varint("a length");
      value = position_;
      break;
    default:
      Fail("corrupt: field " + std::to_string(number) + " has no valid wire type", start);
  }
  const uint64_t left = static_cast<uint64_t>(end_ - position_);
  if (size > left) {
    Fail("cut off: field " + std::to_string(number) + " says " + std::to_string(size) +
             " bytes, " + std::to_string(left) + " are left;",
         start);
  }
  position_ = value + size;
  field->payload = std::string_view(value, size);
  field->encoded = std::string_view(start, static_cast<size_t>(position_ - start));
  return true;
}

void AppendVarint(uint64_t value, std::string* out) {
  for (; value >= 0x80; value >>= 7) out->push_back(static_cast<char>(value | 0x80));
  out->push_back(static_cast<char>(value));
}

void AppendTag(uint32_t number, WireField::Type type, std::string* out) {
  AppendVarint(static_cast<uint64_t>(number) << 3 | static_cast<uint64_t>(type), out);
}

void AppendBytesField(uint32_t number, std::string_view payload, std::string* out) {
  AppendTag(number, WireField::kBytes, out);
  AppendVarint(payload.size(), out);
  out->append(payload);
}

}  // namespace caffe

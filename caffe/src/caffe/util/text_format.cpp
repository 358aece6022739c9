// Text parsing: protobuf's own parser, with the place and the meant name in its errors.
#include "caffe/util/text_format.hpp"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/text_format.h>

#include <algorithm>
#include <cctype>
#include <set>

#include "caffe/util/logging.hpp"

namespace caffe {

namespace {

using google::protobuf::Descriptor;
using google::protobuf::EnumDescriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::FileDescriptor;

constexpr int kRecursionLimit = 100;  // as in the binary form

struct Position {
  int line = 0;    // from 0
  int column = 0;  // from 0, tabs as protobuf counts them: to the next multiple of 8
};

/// Keeps the first error; warnings go to the log.
class FirstError : public google::protobuf::io::ErrorCollector {
 public:
  explicit FirstError(const std::string& source) : source_(source) {}

#if GOOGLE_PROTOBUF_VERSION >= 4022000
  void RecordError(int line, int column, absl::string_view message) override {
    Keep(line, column, std::string(message));
  }
  void RecordWarning(int line, int column, absl::string_view message) override {
    Warn(line, column, std::string(message));
  }
#else
  void AddError(int line, int column, const std::string& message) override {
    Keep(line, column, message);
  }
  void AddWarning(int line, int column, const std::string& message) override {
    Warn(line, column, message);
  }
#endif

  bool any() const { return any_; }
  Position position() const { return position_; }
  const std::string& message() const { return message_; }

 private:
  void Keep(int line, int column, const std::string& message) {
    if (any_) return;
    any_ = true;
    position_ = {std::max(line, 0), std::max(column, 0)};
    message_ = message;
  }
  void Warn(int line, int column, const std::string& message) const {
    LOG(WARNING) << source_ << ":" << line + 1 << ":" << column + 1 << ": " << message;
  }

  std::string source_;
  bool any_ = false;
  Position position_;
  std::string message_;
};

/// Offset of a position in the text.
size_t OffsetOf(const std::string& text, Position position) {
  size_t offset = 0;
  for (int line = 0; line < position.line; ++line) {
    const size_t end = text.find('\n', offset);
    if (end == std::string::npos) return text.size();
    offset = end + 1;
  }
  for (int column = 0; column < position.column && offset < text.size(); ++offset) {
    column += text[offset] == '\t' ? 8 - column % 8 : 1;
  }
  return offset;
}

/// line:column from 1, a tab being one column, as editors count.
std::string Place(const std::string& text, size_t offset) {
  offset = std::min(offset, text.size());
  const auto line =
      std::count(text.begin(), text.begin() + static_cast<ptrdiff_t>(offset), '\n');
  const size_t start = offset == 0 ? std::string::npos : text.rfind('\n', offset - 1);
  const size_t column = start == std::string::npos ? offset : offset - start - 1;
  return std::to_string(line + 1) + ":" + std::to_string(column + 1);
}

bool IsNameCharacter(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) || c == '_';
}

/// The parser reports the token behind a name; this is where the name itself begins.
size_t BackToName(const std::string& text, size_t offset, const std::string& name) {
  size_t at = text.rfind(name, offset);
  while (at != std::string::npos) {
    const bool starts = at == 0 || !IsNameCharacter(text[at - 1]);
    const bool ends =
        at + name.size() >= text.size() || !IsNameCharacter(text[at + name.size()]);
    if (starts && ends) return at;
    if (at == 0) break;
    at = text.rfind(name, at - 1);
  }
  return offset;
}

std::string Between(const std::string& text, const std::string& before,
                    const std::string& after) {
  const size_t start = text.find(before);
  if (start == std::string::npos) return "";
  const size_t from = start + before.size();
  const size_t to = text.find(after, from);
  return to == std::string::npos ? "" : text.substr(from, to - from);
}

void CollectMessages(const Descriptor* message, std::vector<const Descriptor*>* all) {
  all->push_back(message);
  for (int i = 0; i < message->nested_type_count(); ++i) {
    CollectMessages(message->nested_type(i), all);
  }
}

std::vector<const Descriptor*> AllMessages(const FileDescriptor* file) {
  std::vector<const Descriptor*> all;
  for (int i = 0; i < file->message_type_count(); ++i) {
    CollectMessages(file->message_type(i), &all);
  }
  return all;
}

std::vector<std::string> FieldNames(const Descriptor* message) {
  std::vector<std::string> names;
  for (int i = 0; i < message->field_count(); ++i)
    names.push_back(message->field(i)->name());
  return names;
}

std::string Join(const std::vector<std::string>& words, size_t limit) {
  std::string joined;
  for (size_t i = 0; i < std::min(words.size(), limit); ++i) {
    joined += (i == 0 ? "" : ", ") + words[i];
  }
  return words.size() > limit ? joined + ", ..." : joined;
}

/// Says where a field that `message` lacks exists: inside its own sub-messages, else
/// elsewhere.
std::string WhereItBelongs(const std::string& name, const Descriptor* message) {
  std::vector<std::string> inside, elsewhere;
  for (int i = 0; i < message->field_count(); ++i) {
    const FieldDescriptor* field = message->field(i);
    if (field->message_type() != nullptr &&
        field->message_type()->FindFieldByName(name) != nullptr) {
      inside.push_back(field->name());
    }
  }
  if (!inside.empty()) return "; it belongs inside " + Join(inside, 4) + " { }";
  for (const Descriptor* other : AllMessages(message->file())) {
    const bool old =
        other->name().rfind("V0", 0) == 0 || other->name().rfind("V1", 0) == 0;
    if (!old && other->FindFieldByName(name) != nullptr)
      elsewhere.push_back(other->name());
  }
  return elsewhere.empty() ? "" : "; it is a field of " + Join(elsewhere, 4);
}

const Descriptor* FindMessage(const FileDescriptor* file, const std::string& full_name) {
  for (const Descriptor* message : AllMessages(file)) {
    if (message->full_name() == full_name) return message;
  }
  return nullptr;
}

std::string UnknownField(const std::string& name, const Descriptor* message) {
  std::string text = "unknown field \"" + name + "\" in " + message->name();
  const std::string near = NearestName(name, FieldNames(message));
  if (!near.empty()) text += "; did you mean \"" + near + "\"?";
  const std::string home = WhereItBelongs(name, message);
  text += home;
  const bool likely = !near.empty() && EditDistance(name, near) <= 1;
  if (!likely && home.empty()) {
    text += "; it may belong to a fork of Caffe that this engine does not include";
  }
  return text;
}

std::string UnknownEnumValue(const std::string& value, const std::string& field_name,
                             const FileDescriptor* file) {
  std::set<std::string> values;
  for (const Descriptor* message : AllMessages(file)) {
    const FieldDescriptor* field = message->FindFieldByName(field_name);
    const EnumDescriptor* type = field != nullptr ? field->enum_type() : nullptr;
    for (int i = 0; type != nullptr && i < type->value_count(); ++i) {
      values.insert(type->value(i)->name());
    }
  }
  const std::vector<std::string> names(values.begin(), values.end());
  std::string text = "unknown value \"" + value + "\" for \"" + field_name + "\"";
  const std::string near = NearestName(value, names);
  if (!near.empty()) return text + "; did you mean " + near + "?";
  return names.empty() ? text : text + "; it takes " + Join(names, 12);
}

/// The message of protobuf's parser in our words, and the offset that it speaks of.
std::string Explain(const FirstError& error, const std::string& text,
                    const FileDescriptor* file, size_t* offset) {
  const std::string& message = error.message();
  const std::string type = Between(message, "Message type \"", "\"");
  const std::string field = Between(message, "no field named \"", "\"");
  const Descriptor* descriptor = FindMessage(file, type);
  if (descriptor != nullptr && !field.empty()) {
    *offset = BackToName(text, *offset, field);
    return UnknownField(field, descriptor);
  }
  const std::string value = Between(message, "Unknown enumeration value of \"", "\"");
  const std::string enum_field = Between(message, "for field \"", "\"");
  if (!value.empty() && !enum_field.empty()) {
    *offset = BackToName(text, *offset, value);
    return UnknownEnumValue(value, enum_field, file);
  }
  const std::string twice =
      Between(message, "Non-repeated field \"", "\" is specified multiple");
  if (!twice.empty()) {
    *offset = BackToName(text, *offset, twice);
    return "field \"" + twice + "\" is given twice, and it holds one value";
  }
  if (text.compare(*offset, 2, "\xC2\xA0") == 0) {
    return "a non-breaking space (U+00A0) between words; replace it by an ordinary space";
  }
  return message;
}

std::string WithoutByteOrderMark(const std::string& text) {
  return text.compare(0, 3, "\xEF\xBB\xBF") == 0 ? text.substr(3) : text;
}

}  // namespace

double EditDistance(const std::string& a, const std::string& b) {
  const size_t rows = a.size() + 1, columns = b.size() + 1;
  std::vector<std::vector<double>> cost(rows, std::vector<double>(columns, 0));
  for (size_t i = 0; i < rows; ++i) cost[i][0] = static_cast<double>(i);
  for (size_t j = 0; j < columns; ++j) cost[0][j] = static_cast<double>(j);
  for (size_t i = 1; i < rows; ++i) {
    for (size_t j = 1; j < columns; ++j) {
      const char x = a[i - 1], y = b[j - 1];
      const bool same_letter = std::tolower(static_cast<unsigned char>(x)) ==
                               std::tolower(static_cast<unsigned char>(y));
      const double replace = x == y ? 0 : (same_letter ? 0.5 : 1);
      cost[i][j] = std::min(
          {cost[i - 1][j] + 1, cost[i][j - 1] + 1, cost[i - 1][j - 1] + replace});
      if (i > 1 && j > 1 && x == b[j - 2] && a[i - 2] == y) {
        cost[i][j] = std::min(cost[i][j], cost[i - 2][j - 2] + 1);
      }
    }
  }
  return cost[a.size()][b.size()];
}

std::string NearestName(const std::string& name,
                        const std::vector<std::string>& candidates) {
  // A third of the letters may differ; more is another word.
  double best = std::max(1.0, static_cast<double>(name.size()) / 3) + 1e-9;
  // An upper-case name with the right letters is always meant.
  std::string nearest;
  for (const std::string& candidate : candidates) {
    const double distance = EditDistance(name, candidate);
    const bool only_case =
        name.size() == candidate.size() &&
        distance <= static_cast<double>(name.size()) / 2 &&
        std::equal(name.begin(), name.end(), candidate.begin(), [](char x, char y) {
          return std::tolower(static_cast<unsigned char>(x)) ==
                 std::tolower(static_cast<unsigned char>(y));
        });
    if (only_case) return candidate;
    if (distance < best) {
      best = distance;
      nearest = candidate;
    }
  }
  return nearest;
}

void ParseTextFormat(const std::string& text, const std::string& source,
                     google::protobuf::Message* message) {
  const std::string clean = WithoutByteOrderMark(text);
  FirstError error(source);
  google::protobuf::TextFormat::Parser parser;
  parser.RecordErrorsTo(&error);
  parser.SetRecursionLimit(kRecursionLimit);
  if (parser.ParseFromString(clean, message)) return;
  size_t offset = OffsetOf(clean, error.position());
  const std::string problem =
      error.any() ? Explain(error, clean, message->GetDescriptor()->file(), &offset)
                  : "not the text form of a " + message->GetDescriptor()->name();
  throw Error(source + ":" + Place(clean, offset) + ": " + problem, Error::kValue);
}

}  // namespace caffe
